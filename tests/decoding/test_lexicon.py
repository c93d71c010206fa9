from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from hwr.alphabet import Alphabet
from hwr.decoding.beam import beam
from hwr.decoding.ctc import log_probabilities
from hwr.decoding.decoder import Decoder
from hwr.decoding.lexicon import Evidence, Lexicon, LexiconError
from hwr.letter import Candidate
from hwr.name_files import NameFileError

ABC = Alphabet(" '-ABCDE")


def logits_of(text: str, alphabet: Alphabet = ABC, chance: float = 0.9) -> np.ndarray:
    """Return logits that spell `text`, each letter at `chance`, the rest spread evenly."""
    steps = 2 * len(text) + 1
    probabilities = np.full((steps, alphabet.classes), (1 - chance) / (alphabet.classes - 1))
    path = np.zeros(steps, int)
    path[1::2] = alphabet.encode(text)
    probabilities[np.arange(steps), path] = chance
    return np.log(probabilities)


def random_names(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("ABCDE"), rng.integers(1, 7))) for _ in range(count)]


def test_names_are_folded_and_stand_once() -> None:
    lexicon = Lexicon.of(["Bèa", " bea", "", "Ed-Ab", "ED AB", "EDAB", "ab"], ABC)
    assert lexicon.names == ("Bèa", "Ed-Ab", "ab")
    assert lexicon.duplicates == 3
    assert len(lexicon) == 3


@pytest.mark.parametrize("written", ["ED AB", "ED-AB", "EDAB"])
def test_a_name_is_found_however_its_parts_are_joined(written: str) -> None:
    lexicon = Lexicon.of(["Ed Ab", "Bea", "Ace"], ABC)
    match = lexicon.match(logits_of(written), [Candidate(written, 0.5)])
    assert match.candidates[0].text == "Ed Ab"
    assert match.texts[0] == written
    assert match.listed


@pytest.mark.parametrize("count", [1, 3, 200])
def test_exact_scores_are_those_of_the_forward_algorithm(count: int) -> None:
    names = sorted(set(random_names(count)))
    lexicon = Lexicon.of(names, ABC)
    logits = np.random.default_rng(1).normal(0, 2, (14, ABC.classes))
    expected = np.exp(log_probabilities(logits, [ABC.encode(name) for name in names]))
    assert lexicon.score(logits, exact=True).totals == pytest.approx(expected, rel=1e-9)


def test_beam_finds_the_likeliest_names_of_a_large_lexicon() -> None:
    lexicon = Lexicon.of(random_names(3000), ABC)
    for seed in range(5):
        logits = np.random.default_rng(seed).normal(0, 3, (12, ABC.classes))
        exact = lexicon.score(logits, exact=True).totals
        found = lexicon.score(logits, exact=False).totals
        best = np.argsort(-exact)[:3]
        assert found[best] == pytest.approx(exact[best], rel=1e-9)


@pytest.mark.parametrize("never", [-np.inf, -1e30])
@pytest.mark.parametrize("exact", [True, False])
def test_saturated_logits(never: float, exact: bool) -> None:
    logits = np.full((5, ABC.classes), never)
    logits[np.arange(5), [0, *ABC.encode("CAB"), 0]] = 0
    assert Lexicon.of(["CAB", "CAD"], ABC).score(logits, exact=exact).totals.tolist() == [1, 0]
    assert Lexicon.of(["BEA", "CAD"], ABC).score(logits, exact=exact).totals.tolist() == [0, 0]
    assert Decoder(ABC).decode(logits, lexicon=Lexicon.of(["CAB"], ABC)).text == "CAB"
    assert Decoder(ABC).decode(np.concatenate([logits[:1], logits])).text == "CAB"


def test_posterior_weighs_names_against_none_of_them() -> None:
    """The formula of `Evidence`, by hand."""
    lexicon = Lexicon.of(["AB", "AC"], ABC)
    logits = logits_of("AB")
    free = beam(logits, ABC)
    evidence = Evidence(temperature=2.0, offset=-2.0, growth=0.3)
    match = lexicon.match(logits, free, evidence, listed=0.8)
    ab, ac = np.exp(log_probabilities(logits, [ABC.encode("AB"), ABC.encode("AC")]))
    outside = max(c.probability for c in free if c.text not in ("AB", "AC"))
    absent = 0.2 / 0.8 * outside**0.5 * math.exp(-2.0 + 0.3 * math.log(2))
    total = ab**0.5 + ac**0.5 + absent
    assert [c.text for c in match.candidates] == ["AB", "AC"]
    assert match.candidates[0].probability == pytest.approx(ab**0.5 / total)
    assert match.absent == pytest.approx(absent / total)
    certain = lexicon.match(logits, free, evidence, listed=1.0)
    assert certain.absent == 0
    assert sum(c.probability for c in certain.candidates) == pytest.approx(1)


@pytest.mark.parametrize("size", [2_000, 10_000, 20_000])
@pytest.mark.parametrize("written", ["MARTINEAU", "ROY"])
def test_irrelevant_names_hardly_change_the_confidence(written: str, size: int) -> None:
    """There is no jump where a beam takes the place of exact scores."""
    alphabet = Alphabet()
    letters = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    similar = [
        written[:i] + letter + written[i + 1 :]
        for i, own in enumerate(written)
        if own != "-"
        for letter in letters
    ]
    rng = np.random.default_rng(0)
    others = ["".join(rng.choice(letters, n)) for n in rng.integers(5, 12, size)]
    steps = np.repeat(logits_of(written, alphabet, 0.7), 2, axis=0)
    steps[::2] = np.log(1e-5)  # between two letters, steps that are surely blank
    steps[::2, 0] = 0
    evidence = Evidence(3.57, -6.7, 0.66)
    confidences = []
    for count in (size - 100, size + 100):
        names = sorted({*similar, *others[: count - len(similar)]})
        match = Lexicon.of(names, alphabet).match(steps, [Candidate("X", 1e-9)], evidence)
        assert match.candidates[0].text == written
        confidences.append(match.candidates[0].probability)
    assert confidences[1] == pytest.approx(confidences[0], abs=0.02)
    assert 0.05 < confidences[0] < 0.6


def test_a_missing_name_is_noticed() -> None:
    logits = logits_of("DECADE", chance=0.99)
    free = beam(logits, ABC)
    assert not Lexicon.of(["ABBA", "CAB", "BEE"], ABC).match(logits, free).listed
    assert Lexicon.of(["ABBA", "DECADE", "BEE"], ABC).match(logits, free).listed


def test_names_too_long_for_the_picture_are_not_on_the_list() -> None:
    match = Lexicon.of(["ABCDEABCDE"], ABC).match(np.zeros((3, ABC.classes)), [Candidate("A", 0.1)])
    assert (match.candidates, match.absent) == ((), 1.0)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "holds no name; write one name a line"),
        (["", "  "], "holds no name"),
        (["AB", "Bo5"], "Entry 2 of the list, 'Bo5', holds 'O', which this model cannot write"),
        (["AB", " - "], "Entry 2 of the list, '-', has no letter; remove it"),
        ((f"{i:b}".replace("0", "A").replace("1", "B") for i in range(1 << 18)), "100,000 names"),
    ],
    ids=["none", "empty lines", "unknown letter", "no letter", "too many"],
)
def test_a_list_that_cannot_be_used_is_refused(names, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LexiconError, match=message):
        Lexicon.of(names, ABC)


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("a.txt", "Ab\n\nBéa\r\nAb\n", ("Ab", "Béa")),
        ("a.csv", "Nom;Age\nAb;3\nBea;4\n", ("Ab", "Bea")),
        ("a.csv", 'id,name\n1,Ab\n2,"Be a"\n', ("Ab", "Be a")),
        ("a.csv", "Ab,3\nBea,4\n", ("Ab", "Bea")),
        ("a.tsv", "\ufeffNAME\tX\nAb\t1\n", ("Ab",)),
    ],
    ids=["lines", "semicolons", "second column", "no header", "tabs"],
)
def test_files_of_names(tmp_path: Path, name: str, text: str, names: tuple[str, ...]) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    assert Lexicon.read(file, ABC).names == names


def test_files_that_are_no_lists(tmp_path: Path) -> None:
    with pytest.raises(NameFileError, match="no file"):
        Lexicon.read(tmp_path / "nowhere.txt")
    (tmp_path / "latin.txt").write_bytes("Béa".encode("latin-1"))
    with pytest.raises(NameFileError, match=r"latin\.txt is no UTF-8 text"):
        Lexicon.read(tmp_path / "latin.txt")
    (tmp_path / "zeros.txt").write_bytes(bytes(9))
    with pytest.raises(NameFileError, match="no text file"):
        Lexicon.read(tmp_path / "zeros.txt")


def test_pasted_names_stand_on_lines_or_between_commas() -> None:
    assert Lexicon.parse("Ab, Bea;Cab", ABC).names == ("Ab", "Bea", "Cab")
    assert Lexicon.parse("Ab\nBea\n", ABC).names == ("Ab", "Bea")

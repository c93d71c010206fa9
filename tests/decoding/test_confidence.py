from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from hwr.alphabet import Alphabet
from hwr.decoding.confidence import (
    FEATURES,
    DecodingParameters,
    fit_choice,
    load_parameters,
    save_parameters,
)
from hwr.decoding.decoder import Decoder
from hwr.decoding.language_model import LanguageModel
from hwr.decoding.lexicon import Evidence, Lexicon
from hwr.letter import Candidate
from hwr.network.model_folder import ModelFolderError, content_sha256

CANDIDATES = [Candidate("AB", 0.6), Candidate("AA", 0.1)]


def test_nothing_fitted_is_the_network_s_own_probability() -> None:
    assert DecodingParameters().of(CANDIDATES, language_model=False) == 0.6


def test_weights_are_applied_to_the_features() -> None:
    """By hand: log-odds 0.405, lead log 6, two letters."""
    fitted = DecodingParameters(name=(0.5, 1.0, -0.5, 2.0), name_with_language_model=(0.0,) * 4)
    score = 0.5 + np.log(1.5) - 0.5 * np.log(6) + 2 * 0.2
    assert fitted.of(CANDIDATES, language_model=False) == pytest.approx(1 / (1 + np.exp(-score)))
    assert fitted.of(CANDIDATES, language_model=True) == 0.5


def test_choice_recovers_the_weights_that_chose() -> None:
    rng = np.random.default_rng(0)
    true = np.array([1.5, -0.7])
    options, chosen = [], []
    for _ in range(4000):
        rows = rng.normal(size=(int(rng.integers(2, 6)), 2))
        chances = np.exp(rows @ true)
        options.append(rows)
        chosen.append(int(rng.choice(len(rows), p=chances / chances.sum())))
    assert fit_choice(options, chosen) == pytest.approx(true, abs=0.12)


def test_choice_that_is_always_right_stays_finite() -> None:
    rows = np.array([[1.0], [0.0]])
    assert 0 < fit_choice([rows] * 50, [0] * 50)[0] < 10
    with pytest.raises(ValueError, match="go in pairs"):
        fit_choice([], [])


FITTED = DecodingParameters(
    name=(0.1, 0.2, 0.3, 0.4), weight=0.25, reward=0.5, language_model=True,
    evidence=Evidence(0.5, -3.0, 0.4), sure=0.8, cut=0.75, fitted_on={"forms": 500},
)  # fmt: skip


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def test_a_model_folder_keeps_it_and_works_without(folder: Path) -> None:
    assert load_parameters(folder) == DecodingParameters()
    save_parameters(folder, FITTED)
    assert load_parameters(folder) == FITTED
    assert sorted(p.name for p in folder.iterdir()) == [
        "MODEL_CARD.md", "confidence.json", "config.json", "metrics.json", "model.onnx",
        "model.weights.h5",
    ]  # fmt: skip


def _edit(folder: Path, **changes: object) -> None:
    values = json.loads((folder / "confidence.json").read_text())
    values["confidence"] |= changes.pop("confidence", {})  # type: ignore[operator]
    values["confidence_sha256"] = content_sha256(values["confidence"])
    (folder / "confidence.json").write_text(json.dumps(values | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights_sha256": "0"}, "was fitted to other weights; fit it again with `python -m hwr"),
        ({"format": 1}, "has format 1, this program reads format 3"),
        ({"confidence": {"name": [1]}}, "is damaged .Need a weight for each of"),
        ({"confidence": {"sure": 2}}, "is damaged .sure and cut must lie in"),
        ({"confidence": {"more": 2}}, "is damaged"),
    ],
    ids=["weights", "format", "weights of features", "range", "field"],
)
def test_damage_is_named(folder: Path, changes: dict[str, object], message: str) -> None:
    save_parameters(folder, FITTED)
    _edit(folder, **changes)
    with pytest.raises(ModelFolderError, match=message):
        load_parameters(folder)


# === Decoder ===

ABC = Alphabet(" ABCDE")
PAPER = np.full((10, 40), 255, np.uint8)


def logits_of(text: str, second: str = "", chance: float = 0.9) -> np.ndarray:
    """Return logits that spell `text`; where `second` differs, it has a third of the chance."""
    rows = np.full((2 * len(text) + 1, ABC.classes), 0.002)
    rows[::2, 0] = chance
    for i, id_ in enumerate(ABC.encode(text)):
        rows[2 * i + 1, id_] = chance
    for i, id_ in enumerate(ABC.encode(second)):
        if second[i] != text[i]:
            rows[2 * i + 1, id_] = chance / 3
    return np.log(rows / rows.sum(axis=1, keepdims=True))


def test_candidates_share_the_calibrated_confidence() -> None:
    weights = (1.0, *(0.0,) * (len(FEATURES) - 1))  # always 1 / (1 + e**-1)
    raw = Decoder(ABC).decode(logits_of(" ABE", " ABD"), PAPER)
    fitted = Decoder(ABC, DecodingParameters(name=weights)).decode(logits_of(" ABE", " ABD"), PAPER)
    assert [c.text for c in raw.candidates[:2]] == ["ABE", "ABD"]
    assert raw.text == fitted.text == "ABE"
    assert fitted.confidence == fitted.candidates[0].probability == pytest.approx(0.7310586)
    assert len(fitted.candidates) == 5
    share = (1 - fitted.confidence) / (1 - raw.confidence)
    assert fitted.candidates[1].probability == pytest.approx(share * raw.candidates[1].probability)
    assert [letter.character for letter in fitted.letters] == ["A", "B", "E"]
    assert fitted.letters[2].alternatives[0][0] == "D"


def test_lexicon_answers_in_its_own_spelling_or_with_its_absence() -> None:
    decoder = Decoder(ABC)
    logits = logits_of("ABE", "ABD")
    listed = decoder.decode(logits, PAPER, lexicon=Lexicon.of(["Abd", "Cec"], ABC))
    assert (listed.text, listed.absent is not None and listed.absent < 0.5) == ("Abd", True)
    assert [letter.character for letter in listed.letters] == ["A", "B", "D"]
    missing = decoder.decode(
        logits_of("ABE", chance=0.99), PAPER, lexicon=Lexicon.of(["Cecd"], ABC)
    )
    assert missing.text == "ABE"
    assert missing.absent is not None
    assert missing.absent > 0.5
    assert missing.confidence <= missing.absent
    assert missing.candidates[0].text == "ABE"
    with pytest.raises(ValueError, match="another alphabet"):
        decoder.decode(logits, PAPER, lexicon=Lexicon.of(["ABE"]))


def test_language_model_is_used_as_told_and_refused_for_another_alphabet() -> None:
    language_model = LanguageModel.estimate({"ABD": 900, "B": 1}, ABC, order=3, least=1)
    strong = Decoder(ABC, DecodingParameters(weight=2.0, reward=0.0))
    logits = logits_of("ABE", "ABD")
    assert strong.decode(logits, PAPER, language_model=False).text == "ABE"
    assert strong.decode(logits, PAPER, language_model=language_model).text == "ABD"
    assert strong.decode(logits, PAPER, language_model=language_model, greedy=True).text == "ABE"
    assert strong.decode(logits, PAPER).text == "ABE"
    with pytest.raises(ValueError, match="The language model writes"):
        strong.decode(logits, PAPER, language_model=True)


def test_parameters_of_the_format_before_are_read(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    evidence = {"temper": 0.25, "offset": -6.0, "growth": 0.5}
    old = {
        "name": [], "name_with_prior": [0.1, 0.2, 0.3, 0.4], "weight": 0.2, "reward": 0.3,
        "prior": True, "evidence": evidence, "sure": 0.9, "cut": 0.5, "fitted_on": {},
    }  # fmt: skip
    weights = json.loads((folder / "config.json").read_text())["weights_sha256"]
    values = {"format": 2, "weights_sha256": weights, "confidence": old}
    (folder / "confidence.json").write_text(json.dumps(values))
    parameters = load_parameters(folder)
    assert parameters.name_with_language_model == (0.1, 0.2, 0.3, 0.4)
    assert parameters.language_model is True
    assert parameters.evidence == Evidence(temperature=4.0, offset=-6.0, growth=0.5)

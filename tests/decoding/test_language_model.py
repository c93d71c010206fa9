from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from hwr.alphabet import Alphabet
from hwr.decoding.beam import beam
from hwr.decoding.language_model import PRIOR, STEP, Prior, PriorError, count_names
from hwr.name_files import NameFileError

AB = Alphabet("AB")


def test_first_order_is_smoothed_as_witten_and_bell_do() -> None:
    """By hand: 3 x A, 1 x B, 4 ends; three kinds of what follows, shared out evenly below."""
    prior = Prior.estimate({"A": 3, "B": 1}, AB, order=1, least=100)
    counts = {"A": 3, "B": 1, "": 4}
    chance = {key: (n + 3 / 3) / (8 + 3) for key, n in counts.items()}
    for text in ("A", "B", "AB", ""):
        expected = sum(math.log(chance[c]) for c in [*text, ""])
        assert prior.log_probability(text) == pytest.approx(
            expected, abs=STEP / 2 * (len(text) + 1)
        )


def test_probabilities_of_all_names_add_up_to_one() -> None:
    prior = Prior.estimate({"AB": 5, "ABBA": 3, "BAB": 2}, AB, order=3, least=2)
    texts = ("".join(t) for n in range(14) for t in itertools.product("AB", repeat=n))
    assert sum(math.exp(prior.log_probability(t)) for t in texts) == pytest.approx(1, abs=0.15)
    assert len(prior.costs) > 4
    rows = np.exp(-STEP * prior.costs.astype(float)).sum(axis=1)
    assert rows == pytest.approx(1, abs=0.05)


def test_longer_contexts_are_used_where_they_were_seen_often() -> None:
    prior = Prior.estimate({"ABAB": 50, "BBBB": 50}, AB, order=3, least=5)
    assert prior.log_probability("ABAB") > prior.log_probability("ABBB") + 2
    # After BBB at the beginning only B was seen; the state is found from any earlier one.
    state = prior._states.start
    for class_ in AB.encode("BBB"):
        state = int(prior._states.following[state, class_])
    assert prior.contexts[state].tolist() == [*AB.encode("BBB")]


def test_saved_prior_is_loaded_equal(tmp_path: Path) -> None:
    prior = Prior.estimate({"AB": 5, "ABBA": 3}, AB, order=2, least=1)
    prior.save(tmp_path / "deep" / "p.npz")
    again = Prior.load(tmp_path / "deep" / "p.npz")
    assert again.alphabet == AB
    assert np.array_equal(again.costs, prior.costs)
    assert again.log_probability("ABB") == prior.log_probability("ABB")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["p.npz"]


def test_files_that_are_no_priors(tmp_path: Path) -> None:
    with pytest.raises(PriorError, match="make a prior with `python -m hwr prior`"):
        Prior.load(tmp_path / "nowhere.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    with pytest.raises(PriorError, match=r"bad\.npz is damaged"):
        Prior.load(tmp_path / "bad.npz")
    with pytest.raises(PriorError, match="no name to estimate"):
        Prior.estimate({}, AB)


def test_weight_nothing_changes_nothing() -> None:
    alphabet = Alphabet()
    logits = np.random.default_rng(0).normal(0, 3, (20, alphabet.classes))
    prior = Prior.load()
    free = beam(logits, alphabet)
    same = beam(logits, alphabet, prior=prior.fused(0.0, 0.0))
    assert [c.text for c in same] == [c.text for c in free]
    assert [c.probability for c in same] == pytest.approx([c.probability for c in free])
    # The beam adds up factor by factor what `log_probability` says.
    (best, *_) = beam(logits, alphabet, width=1, prior=prior.fused(0.5, 0.0))
    assert best.text


def test_shipped_prior_is_small_and_knows_names() -> None:
    assert PRIOR.stat().st_size <= 2_000_000
    prior = Prior.load()
    assert prior.alphabet == Alphabet()
    assert prior.log_probability("MARTIN") > prior.log_probability("MARTLN") + 5
    assert prior.log_probability("XQWZ") > -60  # unusual, not impossible


def test_lists_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("NAME,COUNT\nLéa,3\nLEA,2\nR2D2,9\n", encoding="utf-8")
    assert count_names(tmp_path / "a.csv") == ({"LEA": 5}, 1)
    (tmp_path / "a.txt").write_text("Max\nMax\n\n", encoding="utf-8")
    assert count_names(tmp_path / "a.txt") == ({"MAX": 2}, 0)
    (tmp_path / "b.csv").write_text("NAME,COUNT\nLea,many\n")
    with pytest.raises(NameFileError, match="line 2: COUNT must be a number"):
        count_names(tmp_path / "b.csv")
    with pytest.raises(NameFileError, match="no file"):
        count_names(tmp_path / "c.csv")

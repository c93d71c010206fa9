from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from hwr.alphabet import Alphabet
from hwr.decoding.beam import beam
from hwr.decoding.language_model import (
    LANGUAGE_MODEL,
    STEP,
    LanguageModel,
    LanguageModelError,
    count_names,
)
from hwr.name_files import NameFileError

AB = Alphabet("AB")


def test_first_order_is_smoothed_as_witten_and_bell_do() -> None:
    """By hand: 3 x A, 1 x B, 4 ends; three kinds of what follows, shared out evenly below."""
    language_model = LanguageModel.estimate({"A": 3, "B": 1}, AB, order=1, least=100)
    counts = {"A": 3, "B": 1, "": 4}
    chance = {key: (n + 3 / 3) / (8 + 3) for key, n in counts.items()}
    for text in ("A", "B", "AB", ""):
        expected = sum(math.log(chance[c]) for c in [*text, ""])
        assert language_model.log_probability(text) == pytest.approx(
            expected, abs=STEP / 2 * (len(text) + 1)
        )


def test_probabilities_of_all_names_add_up_to_one() -> None:
    language_model = LanguageModel.estimate({"AB": 5, "ABBA": 3, "BAB": 2}, AB, order=3, least=2)
    texts = ("".join(t) for n in range(14) for t in itertools.product("AB", repeat=n))
    assert sum(math.exp(language_model.log_probability(t)) for t in texts) == pytest.approx(
        1, abs=0.15
    )
    assert len(language_model.costs) > 4
    rows = np.exp(-STEP * language_model.costs.astype(float)).sum(axis=1)
    assert rows == pytest.approx(1, abs=0.05)


def test_longer_contexts_are_used_where_they_were_seen_often() -> None:
    language_model = LanguageModel.estimate({"ABAB": 50, "BBBB": 50}, AB, order=3, least=5)
    assert language_model.log_probability("ABAB") > language_model.log_probability("ABBB") + 2
    # After BBB at the beginning only B was seen; the state is found from any earlier one.
    state = language_model._states.start
    for class_ in AB.encode("BBB"):
        state = int(language_model._states.following[state, class_])
    assert language_model.contexts[state].tolist() == [*AB.encode("BBB")]


def test_saved_language_model_is_loaded_equal(tmp_path: Path) -> None:
    language_model = LanguageModel.estimate({"AB": 5, "ABBA": 3}, AB, order=2, least=1)
    language_model.save(tmp_path / "deep" / "p.npz")
    again = LanguageModel.load(tmp_path / "deep" / "p.npz")
    assert again.alphabet == AB
    assert np.array_equal(again.costs, language_model.costs)
    assert again.log_probability("ABB") == language_model.log_probability("ABB")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["p.npz"]


def test_files_that_are_no_language_models(tmp_path: Path) -> None:
    with pytest.raises(LanguageModelError, match="make a language model with `hwr language-model`"):
        LanguageModel.load(tmp_path / "nowhere.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    with pytest.raises(LanguageModelError, match=r"bad\.npz is damaged"):
        LanguageModel.load(tmp_path / "bad.npz")
    with pytest.raises(LanguageModelError, match="no name to estimate"):
        LanguageModel.estimate({}, AB)


def test_weight_nothing_changes_nothing() -> None:
    alphabet = Alphabet()
    logits = np.random.default_rng(0).normal(0, 3, (20, alphabet.classes))
    language_model = LanguageModel.load()
    free = beam(logits, alphabet)
    same = beam(logits, alphabet, language_model=language_model.fused(0.0, 0.0))
    assert [c.text for c in same] == [c.text for c in free]
    assert [c.probability for c in same] == pytest.approx([c.probability for c in free])
    # The beam adds up factor by factor what `log_probability` says.
    (best, *_) = beam(logits, alphabet, width=1, language_model=language_model.fused(0.5, 0.0))
    assert best.text


def test_shipped_language_model_is_small_and_knows_names() -> None:
    assert LANGUAGE_MODEL.stat().st_size <= 2_000_000
    language_model = LanguageModel.load()
    assert language_model.alphabet == Alphabet()
    assert language_model.log_probability("MARTIN") > language_model.log_probability("MARTLN") + 5
    assert language_model.log_probability("XQWZ") > -60  # unusual, not impossible


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

from __future__ import annotations

import math

import numpy as np
import pytest
from ctc_oracles import ABC, enumerate_labels, small_logits, spike
from hypothesis import given, settings

from hwr.alphabet import Alphabet
from hwr.decoding.beam import beam


@settings(deadline=None, max_examples=60)
@given(small_logits())
def test_wide_beam_finds_every_text_with_its_exact_probability(logits: np.ndarray) -> None:
    alphabet = Alphabet("ABCDE"[: logits.shape[1] - 1])
    labels = enumerate_labels(logits)
    found = beam(logits, alphabet, width=2000)
    chances = {c.text: c.probability for c in found}
    assert [c.probability for c in found] == sorted(chances.values(), reverse=True)
    for label, chance in labels.items():
        # A step that is surely blank is taken for one, so what needs it may be missing.
        missing = chances.get(alphabet.decode(label), 0.0)
        assert missing == pytest.approx(chance, rel=1e-6) or (missing == 0 and chance < 1e-3)


@settings(deadline=None, max_examples=60)
@given(small_logits())
def test_narrow_beam_keeps_the_best_text(logits: np.ndarray) -> None:
    alphabet = Alphabet("ABCDE"[: logits.shape[1] - 1])
    labels = enumerate_labels(logits)
    found = beam(logits, alphabet)
    assert len(found) <= 10
    assert found[0].probability == pytest.approx(max(labels.values()), rel=1e-6)


class Dislike:
    """A language model of one state that multiplies the chance of a text by 0.01 for each A."""

    start = 0
    factors = np.array([[1.0, 0.01, 1.0, 1.0]])
    ends = np.array([0.5])
    following = np.zeros((1, 4), np.int32)


def test_language_model_turns_a_close_decision_and_not_a_clear_one() -> None:
    logits = spike("_A_B_")
    logits[1, 2] = math.log(0.65)  # B instead of A is nearly as likely
    assert beam(logits, ABC)[0].text == "AB"
    with_language_model = beam(logits, ABC, language_model=Dislike())
    assert with_language_model[0].text == "BB"
    logits[1, [0, 2, 3]] = math.log(1e-4)  # nothing but A
    assert beam(logits, ABC, language_model=Dislike())[0].text == "AB"


def test_beam_of_no_width_is_refused() -> None:
    with pytest.raises(ValueError, match="width of at least 1"):
        beam(spike("_A_"), ABC, width=0)

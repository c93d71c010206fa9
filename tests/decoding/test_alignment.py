from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from ctc_oracles import ABC, collapse, enumerate_labels, small_logits, spike
from hypothesis import given, settings

from hwr.decoding.alignment import align, edges, place
from hwr.decoding.ctc import Condensed, log_probability, log_softmax


def best_alignment(logits: np.ndarray, label: tuple[int, ...]) -> float:
    """Return the log-probability of the best path of a label, over all paths."""
    scores = log_softmax(logits)
    return max(
        sum(float(scores[t, k]) for t, k in enumerate(path))
        for path in itertools.product(range(logits.shape[1]), repeat=len(logits))
        if collapse(path) == label
    )


@settings(deadline=None, max_examples=40)
@given(small_logits())
def test_alignment_is_the_best_of_all_paths(logits: np.ndarray) -> None:
    scores = log_softmax(logits)
    for label in enumerate_labels(logits):
        spans = align(logits, label)
        path = np.zeros(len(logits), int)
        for (start, stop), id_ in zip(spans, label, strict=True):
            path[start:stop] = id_
        assert collapse(tuple(path.tolist())) == label
        total = sum(float(scores[t, k]) for t, k in enumerate(path))
        assert total == pytest.approx(best_alignment(logits, label))


def test_text_that_does_not_fit_is_not_aligned() -> None:
    with pytest.raises(ValueError, match="needs 3 time steps cannot be aligned to 2"):
        align(np.zeros((2, 3)), [1, 1])


def test_letters_part_where_the_ink_does() -> None:
    image = np.full((10, 60), 255, np.uint8)
    image[:, 6:20] = image[:, 24:40] = image[:, 45:58] = 0
    # Peaks at columns 10, 30 and 50: half-way are 20 and 40, the gaps end at 24 and 45.
    assert edges([(2, 3), (7, 8), (12, 13)], image, cut=0.5) == [0, 21, 41, 60]
    assert edges([(2, 3), (7, 8)], np.full((10, 60), 255, np.uint8), 0.8) == [6, 26, 46]
    assert edges([(2, 3)], image, 0.5) == [0, 60]


def test_the_last_letter_reaches_to_the_end_of_its_ink() -> None:
    image = np.full((10, 90), 255, np.uint8)
    image[:, 4:16] = image[:, 24:50] = 0
    # Peaks at columns 10 and 30: by the usual way the second would end at 40.
    assert edges([(2, 3), (7, 8)], image, cut=0.5) == [0, 20, 51]
    # A line that goes on and on is no letter.
    image[5, 50:] = 0
    assert edges([(2, 3), (7, 8)], image, cut=0.5)[2] == 56


def test_letters_name_their_alternatives() -> None:
    logits = spike("_A_B_")
    logits[3, 1] = math.log(0.35)  # at B's place stands A half as likely
    letters = place(Condensed.whole(logits), [1, 2], ABC, np.full((10, 20), 255, np.uint8))
    assert [letter.character for letter in letters] == ["A", "B"]
    (other, chance), *_ = letters[1].alternatives
    ways = {text: math.exp(log_probability(logits, ABC.encode(text)))
            for text in ("AA", "AB", "A ", "A")}  # fmt: skip
    assert other == "A"
    assert chance == pytest.approx(ways["AA"] / sum(ways.values()))
    assert letters[1].probability == pytest.approx(ways["AB"] / sum(ways.values()))
    assert "" in dict(letters[1].alternatives)
    assert place(Condensed.whole(logits), [], ABC, np.full((10, 20), 255, np.uint8)) == []

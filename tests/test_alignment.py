from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwr.alignment import best_path, ink_shift, peaks
from hwr.ctc import log_softmax


def collapse(path: tuple[int, ...]) -> list[int]:
    return [c for c, _ in itertools.groupby(path) if c != 0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.lists(st.integers(1, 2), max_size=3))
def test_best_path_is_the_best_of_all_paths(seed: int, steps: int, ids: list[int]) -> None:
    scores = log_softmax(np.random.default_rng(seed).normal(0, 2, (steps, 3)))
    sums = [
        float(scores[np.arange(steps), list(path)].sum())
        for path in itertools.product(range(3), repeat=steps)
        if collapse(path) == ids
    ]
    path, score = best_path(scores, ids)
    if not sums:
        assert score == -np.inf
        return
    assert score == pytest.approx(max(sums), abs=1e-9)
    classes = [0 if k < 0 else ids[k] for k in path]
    assert collapse(tuple(classes)) == ids
    assert float(scores[np.arange(steps), classes].sum()) == pytest.approx(score, abs=1e-9)


def test_peaks_are_the_middles_of_the_steps_that_emit() -> None:
    logits = np.zeros((10, 4))
    logits[:, 0] = 9
    logits[2:4, 0], logits[2:4, 1] = 0, 9  # steps 2 and 3: columns 8 to 16
    logits[7, 0], logits[7, 2] = 0, 9  # step 7: columns 28 to 32
    columns, score = peaks(log_softmax(logits), [1, 2])
    assert columns == pytest.approx([12.0, 30.0])
    assert score > -0.1


def test_ink_shift_is_measured_on_letters_that_stand_alone() -> None:
    image = np.full((40, 200), 255, np.uint8)
    lefts = np.arange(20, 180, 16)
    for left in lefts:
        image[10:30, left : left + 8] = 0
    joined = image.copy()
    joined[18:22, 20:180] = 0
    text = "ABCDEFGHIJ"
    emitted = lefts + 4 - 6.5
    assert ink_shift([image, image, joined], [text] * 3, [emitted] * 3) == pytest.approx(6.5)
    with pytest.raises(ValueError, match="separate letters"):
        ink_shift([joined] * 3, [text] * 3, [emitted] * 3)

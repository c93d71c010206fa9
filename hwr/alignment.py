"""Alignment: which time steps of a text's most probable path show which of its characters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import BLANK
from hwr.spec import COLUMNS_PER_STEP

Floats = NDArray[np.floating]


def best_path(scores: Floats, ids: Sequence[int]) -> tuple[NDArray[np.int64], float]:
    """Return the most probable path that reads as `ids` (Viterbi), and its log-probability.

    Args:
        scores: (T, C) log-probabilities; C may have classes the alphabet does not know.
        ids: class ids, none of them the blank.

    Returns:
        (T,) positions in `ids`, -1 where the path is blank; and a value <= 0, -inf where the
        text cannot be emitted in T steps.
    """
    steps = len(scores)
    # The label with a blank before, between and after its letters: b l1 b l2 b ...
    extended = np.full(2 * len(ids) + 1, BLANK)
    extended[1::2] = ids
    skips = np.zeros(len(extended), bool)
    skips[3::2] = extended[3::2] != extended[1:-2:2]
    emitted = scores[:, extended]
    states = np.arange(len(extended))
    value = np.full(len(extended), -np.inf)
    value[:2] = emitted[0, :2]
    back = np.zeros((steps, len(extended)), np.int8)
    moves = np.full((3, len(extended)), -np.inf)
    for t in range(1, steps):
        moves[0] = value
        moves[1, 1:] = value[:-1]
        moves[2, 2:] = np.where(skips[2:], value[:-2], -np.inf)
        back[t] = moves.argmax(axis=0)
        value = moves[back[t], states] + emitted[t]
    state = len(extended) - (1 if len(extended) == 1 or value[-1] >= value[-2] else 2)
    score = float(value[state])
    path = np.full(steps, -1)
    for t in range(steps - 1, -1, -1):
        if state % 2:
            path[t] = state // 2
        state -= int(back[t, state])
    return path, score


def peaks(scores: Floats, ids: Sequence[int]) -> tuple[NDArray[np.float64], float]:
    """Return the columns at which each character is emitted most, and the log-probability.

    The column of a character is the middle of its time steps, weighted by probability. A
    network emits a character anywhere near its ink, most often before its middle; see
    `ink_shift`.
    """
    path, score = best_path(scores, ids)
    columns = np.full(len(ids), np.nan)
    if np.isfinite(score):
        for k, character in enumerate(ids):
            at = np.flatnonzero(path == k)
            weights = np.exp(scores[at, character] - scores[at, character].max())
            columns[k] = (at * weights).sum() / weights.sum()
    return (columns + 0.5) * COLUMNS_PER_STEP, score


def ink_shift(
    images: Sequence[NDArray[np.uint8]], texts: Sequence[str], columns: Sequence[Floats]
) -> float:
    """Return how far right of its peak the middle of a letter's ink lies, in columns.

    Measured on the pictures in which each letter stands alone, so that ink and letters can be
    counted off against each other.

    Raises:
        ValueError: there are fewer than twenty letters to measure.
    """
    shifts: list[NDArray[np.float64]] = []
    for image, text, at in zip(images, texts, columns, strict=True):
        if " " in text or len(text) < 3 or not np.isfinite(at).all():
            continue
        first, last = max(0, int(at[0]) - 12), int(at[-1]) + 24
        rows = slice(len(image) // 5, -len(image) // 6)
        inked = (image[rows, first:last] < 178).any(axis=0)
        edges = np.flatnonzero(np.diff(np.concatenate(([0], inked.astype(np.int8), [0]))))
        runs = edges.reshape(-1, 2)
        runs = runs[runs[:, 1] - runs[:, 0] >= 3]
        if len(runs) == len(text):
            shifts.append(runs.mean(axis=1) + first - at)
    if sum(map(len, shifts)) < 20:
        raise ValueError("Too few names have separate letters to measure where the ink stands.")
    return float(np.median(np.concatenate(shifts)))

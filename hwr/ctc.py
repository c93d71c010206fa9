"""CTC decoding: from logits to text, letters and exact probabilities, in NumPy.

Connectionist temporal classification: Graves et al., 2006. Class 0 is the blank. A path is
one class per time step; its text is what remains when repeats are merged and blanks removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import BLANK, Alphabet
from hwr.spec import COLUMNS_PER_STEP

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Letter:
    """One letter of a reading.

    Attributes:
        character: the letter.
        probability: the mean probability over the time steps that emit it, 0..1.
        left, right: half-open range of columns of the prepared image that it stands on.
    """

    character: str
    probability: float
    left: int
    right: int


@dataclass(frozen=True)
class Candidate:
    """A text that the picture may hold, and its probability, 0..1."""

    text: str
    probability: float


def log_softmax(logits: Floats) -> NDArray[np.float64]:
    """Return log-probabilities over the last axis, float64, the same shape as `logits`."""
    x = np.asarray(logits, np.float64)
    x = x - x.max(axis=-1, keepdims=True)
    return np.asarray(x - np.log(np.exp(x).sum(axis=-1, keepdims=True)))


def greedy(logits: Floats, alphabet: Alphabet) -> tuple[str, list[Letter]]:
    """Return the text of the best path of `logits`, (T, C), and its letters.

    Raises:
        ValueError: the shape is not (T, alphabet.classes).
    """
    _check(logits, alphabet)
    probabilities = np.exp(log_softmax(logits))
    path = probabilities.argmax(axis=1)
    letters = []
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(path)], strict=True):
        if path[start] == BLANK:
            continue
        letters.append(
            Letter(
                alphabet.decode([int(path[start])]),
                float(probabilities[start:stop, path[start]].mean()),
                int(start) * COLUMNS_PER_STEP,
                int(stop) * COLUMNS_PER_STEP,
            )
        )
    return "".join(letter.character for letter in letters), letters


def greedy_text(logits: Floats, alphabet: Alphabet) -> str:
    """Return the text of the best path of `logits`, (T, C)."""
    _check(logits, alphabet)
    path = np.asarray(logits).argmax(axis=1)
    changed = path[np.flatnonzero(np.diff(path, prepend=-1))]
    return alphabet.decode(int(i) for i in changed if i != BLANK)


def log_probability(logits: Floats, ids: Sequence[int]) -> float:
    """Return the log-probability of a label: the sum over all of its paths.

    The forward algorithm of Graves et al. in log space.

    Args:
        logits: (T, C).
        ids: class ids in 1..C-1; an empty label has the all-blank path alone.

    Returns:
        A value <= 0; -inf where the label cannot be emitted in T steps.
    """
    scores = log_softmax(logits)
    # The label with a blank before, between and after its letters: b l1 b l2 b ...
    extended = np.full(2 * len(ids) + 1, BLANK)
    extended[1::2] = ids
    # A state may be entered by skipping the blank before it unless that merges a repeat.
    skips = np.full(len(extended), -np.inf)
    skips[3::2] = np.where(extended[3::2] != extended[1:-2:2], 0.0, -np.inf)
    # Two unreachable states in front spare a case distinction in the loop.
    padded = np.full(len(extended) + 2, -np.inf)
    forward, moved, skipped = padded[2:], padded[1:-1], padded[:-2]
    forward[:2] = scores[0, extended[:2]]
    for row in scores[1:, extended]:
        entered = np.logaddexp(forward, moved)
        np.logaddexp(entered, skipped + skips, out=entered)
        np.add(entered, row, out=forward)
    return float(np.logaddexp.reduce(forward[-2:]))


def _check(logits: Floats, alphabet: Alphabet) -> None:
    if logits.ndim != 2 or logits.shape[1] != alphabet.classes or not len(logits):
        raise ValueError(
            f"Logits must be (T, {alphabet.classes}) with T >= 1. Received: {logits.shape}"
        )

"""CTC decoding: from logits to texts, letters and exact probabilities, in NumPy.

Connectionist temporal classification: Graves et al., 2006. Class 0 is the blank. A path is
one class per time step; its text is what remains when repeats are merged and blanks removed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import BLANK, Alphabet
from hwr.arrays import Doubles, Floats

#: Below this a sum of products in float64 may have lost paths to underflow.
TINY = 1e-250

#: Cells (time steps x states x texts) that the forward algorithm handles at once; more
#: fall out of the processor's cache.
CELLS = 400_000


def log_softmax(logits: Floats) -> Doubles:
    """Return log-probabilities over the last axis, float64, the same shape as `logits`."""
    x = np.asarray(logits, np.float64)
    x = x - x.max(axis=-1, keepdims=True)
    return np.asarray(x - np.log(np.exp(x).sum(axis=-1, keepdims=True)))


#: A blank this probable is taken for certain where `Condensed` merges time steps.
SURELY_BLANK = 1 - 3e-4


@dataclass(frozen=True, eq=False)
class Condensed:
    """Logits with every run of time steps that are surely blank merged into one step.

    Two thirds of the steps of a name are such, and all of decoding takes time in proportion to
    steps. In a merged step a letter has the sum of its chances in the run: paths that emit one
    letter in a run count, those that emit more are lost. Of 1,419 pictures no probability of a
    candidate changed by more than 0.0007.

    Attributes:
        scores: (T', C) log-probabilities, T' <= T; functions that take logits take them.
        starts: (T' + 1,) the time step at which each begins; the last entry is T.
    """

    scores: Doubles
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, logits: Floats) -> Condensed:
        """Return `logits`, (T, C), condensed."""
        scores = log_softmax(logits)
        sure = scores[:, BLANK] >= math.log(SURELY_BLANK)
        starts = np.flatnonzero(~(sure & np.concatenate(([False], sure[:-1]))))
        if len(starts) == len(scores):
            return cls.whole(scores)
        # Relative to blank, so that a single step keeps what it had; bounded, since saturated
        # logits may rule blank out.
        blank = np.maximum(scores[:, BLANK], -700)
        odds = np.add.reduceat(np.exp(scores - blank[:, None]), starts, axis=0)
        odds[:, BLANK] = 1.0
        with np.errstate(divide="ignore"):
            merged = np.log(odds) + np.add.reduceat(blank, starts)[:, None]
        return cls(log_softmax(merged), np.append(starts, len(scores)))

    @classmethod
    def whole(cls, logits: Floats) -> Condensed:
        """Return `logits`, (T, C), with all of their time steps."""
        return cls(log_softmax(logits), np.arange(len(logits) + 1))

    def spans(self, steps: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return ranges of merged steps, half-open, as ranges of time steps."""
        return [(int(self.starts[a]), int(self.starts[b])) for a, b in steps]


# === The best path ===


def greedy_text(logits: Floats, alphabet: Alphabet) -> str:
    """Return the text of the best path of `logits`, (T, C)."""
    check_logits(logits, alphabet)
    path = np.asarray(logits).argmax(axis=1)
    changed = path[np.flatnonzero(np.diff(path, prepend=-1))]
    return alphabet.decode(int(i) for i in changed if i != BLANK)


# === All paths ===


def log_probability(logits: Floats, ids: Sequence[int]) -> float:
    """Return the log-probability of one text; see `log_probabilities`."""
    return float(log_probabilities(logits, [ids])[0])


def log_probabilities(logits: Floats, texts: Sequence[Sequence[int]]) -> Doubles:
    """Return the log-probability of each text: the sum over all of its paths.

    The forward algorithm of Graves et al., for thousands of texts at once. It runs on plain
    probabilities, which is ten times faster than on logarithms; texts so unlikely that
    float64 might underflow are computed again on logarithms, so every value is exact.

    Args:
        logits: (T, C).
        texts: class ids in 1..C-1; an empty text has the all-blank path alone.

    Returns:
        (N,) float64 values <= 0; -inf where a text cannot be emitted in T steps.
    """
    scores = log_softmax(logits)
    lengths = np.fromiter(map(len, texts), np.intp, len(texts))
    result = np.full(len(texts), -np.inf)
    # Texts of similar length go together, so that little is padding.
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        count = max(1, CELLS // (len(scores) * (2 * int(lengths[order[start]]) + 3)))
        chosen = order[start : start + count]
        start += count
        extended, skips = extended_states([texts[i] for i in chosen])
        values = _forward(scores, extended, skips, lengths[chosen])
        for i in np.flatnonzero(values < np.log(TINY)):
            n = int(lengths[chosen[i]])
            values[i] = _log_forward(scores, extended[: 2 * n + 1, i], skips[: 2 * n + 1, i])
        result[chosen] = values
    return result


def extended_states(texts: Sequence[Sequence[int]]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the states of texts, blanks before, between and after letters: b l1 b l2 b ...

    Returns:
        (S, N) classes, S = 2 * longest + 1, padded with blanks; and (S, N) whether a state may
        be entered from two states before: it may unless that skips a letter or merges a repeat.
    """
    longest = max(map(len, texts))
    extended = np.full((2 * longest + 1, len(texts)), BLANK)
    for column, ids in enumerate(texts):
        extended[1 : 2 * len(ids) : 2, column] = ids
    skips = np.zeros(extended.shape, bool)
    skips[3::2] = extended[3::2] != extended[1:-2:2]
    return extended, skips


def _forward(
    scores: Doubles, extended: NDArray[np.intp], skips: NDArray[np.bool_], lengths: NDArray[np.intp]
) -> Doubles:
    """Return log-probabilities of N texts, on plain probabilities; see `extended_states`."""
    # The likeliest path weighs 1, so that underflow takes an unlikely text.
    peaks = scores.max(axis=1)
    emitted = np.exp(scores - peaks[:, None])[:, extended]  # T x S x N
    forward = np.zeros((len(extended) + 2, len(lengths)))  # two rows above the first state
    forward[2:4] = emitted[0, :2]
    states, one_above, two_above = forward[2:], forward[1:-1], forward[:-2]
    may_skip = skips.astype(np.float64)
    moved, skipped = np.empty_like(states), np.empty_like(states)
    for row in emitted[1:]:
        np.multiply(two_above, may_skip, out=skipped)
        np.add(states, one_above, out=moved)
        np.add(moved, skipped, out=moved)
        np.multiply(moved, row, out=states)
    texts = np.arange(len(lengths))
    ends = states[2 * lengths, texts] + np.where(lengths, forward[2 * lengths + 1, texts], 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(ends) + peaks.sum())


def _log_forward(
    scores: Doubles, extended: NDArray[np.intp], skips: NDArray[np.bool_]
) -> np.float64:
    """Return the log-probability of one text, on logarithms."""
    forward = np.full(len(extended), -np.inf)
    forward[:2] = scores[0, extended[:2]]
    for row in scores[1:, extended]:
        moved = np.full_like(forward, -np.inf)
        moved[1:] = forward[:-1]
        skipped = np.full_like(forward, -np.inf)
        skipped[2:] = np.where(skips[2:], forward[:-2], -np.inf)
        forward = np.logaddexp(np.logaddexp(forward, moved), skipped) + row
    return np.float64(np.logaddexp.reduce(forward[-2:]))


def check_logits(logits: Floats, alphabet: Alphabet) -> None:
    """Raise ValueError unless `logits` are (T, alphabet.classes), T at least 1."""
    if logits.ndim != 2 or logits.shape[1] != alphabet.classes or not len(logits):
        raise ValueError(
            f"Logits must be (T, {alphabet.classes}) with T >= 1. Received: {logits.shape}"
        )

"""Metrics: how far readings are from the truth, and how well confidence tells which are right."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

#: Resamples of the bootstrap, and its seed: the same readings give the same interval.
RESAMPLES = 2000
SEED = 20

#: Bins of equal width for reliability.
BINS = 10


# === Names and characters ===


@dataclass(frozen=True)
class Score:
    """The accuracy of n readings.

    Attributes:
        n: number of names.
        exact: share of names that are right in every character.
        exact_low, exact_high: its 95 % interval (Wilson).
        cer: character error rate, edit operations over characters of the truth.
        cer_low, cer_high: its 95 % interval (bootstrap over names).
        substitutions, insertions, deletions: the edit operations, counted: characters that were
            misread, read though not there, and left out.
        positional: the original project's measure: characters that are right at their place,
            over the characters of the truth; a letter lost early spoils all that follow.
    """

    n: int
    exact: float
    exact_low: float
    exact_high: float
    cer: float
    cer_low: float
    cer_high: float
    substitutions: int
    insertions: int
    deletions: int
    positional: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def score(truths: Sequence[str], readings: Sequence[str]) -> Score:
    """Return the accuracy of `readings` against `truths`, which go in pairs.

    Raises:
        ValueError: the lengths differ, or there is nothing to compare.
    """
    if len(truths) != len(readings) or not truths:
        raise ValueError(
            f"Truths and readings go in pairs, at least one. "
            f"Received: {len(truths)} and {len(readings)}"
        )
    pairs = list(zip(truths, readings, strict=True))
    lengths = np.array([len(truth) for truth in truths])
    characters = max(1, int(lengths.sum()))
    right = sum(truth == reading for truth, reading in pairs)
    operations = [Levenshtein.editops(truth, reading) for truth, reading in pairs]
    edits = np.array([len(each) for each in operations])
    kinds = Counter(operation.tag for each in operations for operation in each)
    placed = sum(a == b for t, r in pairs for a, b in zip(t, r, strict=False))
    low, high = wilson_interval(right, len(pairs))
    cer_low, cer_high = rate_interval(edits, lengths)
    return Score(
        n=len(pairs),
        exact=right / len(pairs),
        exact_low=low,
        exact_high=high,
        cer=int(edits.sum()) / characters,
        cer_low=cer_low,
        cer_high=cer_high,
        substitutions=kinds["replace"],
        insertions=kinds["insert"],
        deletions=kinds["delete"],
        positional=placed / characters,
    )


def wilson_interval(successes: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the interval that holds a share with 95 % confidence (Wilson, 1927)."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"Need 0 <= successes <= n and n > 0. Received: {successes} of {n}")
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def rate_interval(edits: NDArray[np.integer], lengths: NDArray[np.integer]) -> tuple[float, float]:
    """Return the 95 % interval of the sum of `edits`, (N,), over the sum of `lengths`, (N,).

    Names are drawn again with replacement, since the edits of one name go together (percentile
    bootstrap; Efron, 1979; for error rates: Bisani and Ney, 2004). Names of one writer go
    together, too, which it does not know: with few writers the interval is too narrow.
    """
    rng = np.random.default_rng(SEED)
    n = len(edits)
    rates = np.empty(RESAMPLES)
    for resample in range(RESAMPLES):
        drawn = rng.integers(0, n, n)
        rates[resample] = edits[drawn].sum() / max(1, lengths[drawn].sum())
    low, high = np.quantile(rates, (0.025, 0.975))
    return float(low), float(high)


@dataclass(frozen=True)
class Confusion:
    """One kind of error and how often it was made.

    Attributes:
        truth: the character that stands there; "" for one that was read though nothing does.
        read: what was read in its place; "" for one that was left out.
    """

    truth: str
    read: str
    count: int


def confusions(truths: Sequence[str], readings: Sequence[str]) -> list[Confusion]:
    """Return the character errors by kind, most frequent first.

    Readings are aligned with truths by the fewest edit operations; where several alignments
    have as few, one of them is taken, so that single counts may be off by a little.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for truth, reading in zip(truths, readings, strict=True):
        for edit in Levenshtein.editops(truth, reading):
            wanted = "" if edit.tag == "insert" else truth[edit.src_pos]
            found = "" if edit.tag == "delete" else reading[edit.dest_pos]
            counts[wanted, found] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Confusion(wanted, found, count) for (wanted, found), count in ordered]


# === Confidence ===


@dataclass(frozen=True)
class Bin:
    """The n readings whose confidence lies in low..high.

    Attributes:
        confidence: their mean confidence.
        accuracy: the share of them that is right.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def reliability(confidences: Sequence[float], right: Sequence[bool]) -> list[Bin]:
    """Return BINS bins of equal width, those without a reading left out."""
    values, hits = _checked(confidences, right)
    edges = np.linspace(0, 1, BINS + 1)
    place = np.minimum((values * BINS).astype(int), BINS - 1)
    bins = []
    for number, (low, high) in enumerate(pairwise(edges.tolist())):
        inside = place == number
        n = int(inside.sum())
        if n:
            confidence, accuracy = float(values[inside].mean()), float(hits[inside].mean())
            bins.append(Bin(low, high, n, confidence, accuracy))
    return bins


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error (Naeini et al., 2015): 0 where confidence is honest."""
    n = sum(each.n for each in bins)
    return sum(each.n * abs(each.confidence - each.accuracy) for each in bins) / n


@dataclass(frozen=True)
class Coverage:
    """What is left when only readings with a confidence of `threshold` or more are taken.

    Attributes:
        coverage: their share of all readings.
        accuracy: the share of them that is right.
    """

    coverage: float
    accuracy: float
    threshold: float


def coverage_curve(confidences: Sequence[float], right: Sequence[bool]) -> list[Coverage]:
    """Return one point for every different confidence, the highest first."""
    values, hits = _checked(confidences, right)
    order = np.argsort(-values, kind="stable")
    values, taken = values[order], np.arange(1, len(values) + 1)
    accuracy = np.cumsum(hits[order]) / taken
    # Readings of equal confidence are taken together: no threshold parts them.
    last = np.append(values[1:] != values[:-1], True)
    return [
        Coverage(float(count / len(values)), float(share), float(threshold))
        for count, share, threshold in zip(taken[last], accuracy[last], values[last], strict=True)
    ]


def risk_area(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Return the area under the risk-coverage curve (Geifman and El-Yaniv, 2017), 0 the best.

    The mean over n = 1..N of the share of errors among the n surest readings; equal confidences
    count as if in random order.
    """
    values, hits = _checked(confidences, right)
    order = np.argsort(-values, kind="stable")
    values, errors = values[order], 1 - hits[order]
    _, group, size = np.unique(-values, return_inverse=True, return_counts=True)
    shared = (np.bincount(group, errors) / size)[group]
    return float((np.cumsum(shared) / np.arange(1, len(values) + 1)).mean())


def coverage_at(curve: Sequence[Coverage], precision: float) -> Coverage | None:
    """Return the point of largest coverage at which at least `precision` is right, or None.

    The threshold is chosen by looking at the readings it is measured on: a little optimistic.
    """
    enough = [point for point in curve if point.accuracy >= precision]
    return max(enough, key=lambda point: point.coverage, default=None)


def _checked(
    confidences: Sequence[float], right: Sequence[bool]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(confidences) != len(right) or not len(right):
        raise ValueError(
            f"Confidences and readings go in pairs, at least one. "
            f"Received: {len(confidences)} and {len(right)}"
        )
    values = np.asarray(confidences, np.float64)
    if not ((values >= 0) & (values <= 1 + 1e-6)).all():
        raise ValueError(
            f"A confidence lies in 0..1. Received: {values.min():g} to {values.max():g}"
        )
    return values.clip(0, 1), np.asarray(right, np.float64)

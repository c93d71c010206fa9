"""Metrics: how far readings are from the truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True)
class Score:
    """The accuracy of n readings.

    Attributes:
        n: number of names.
        exact: share of names that are right in every character.
        exact_low, exact_high: its 95 % interval (Wilson).
        cer: character error rate, edit operations over characters of the truth.
        positional: the original project's measure: characters that are right at their place,
            over the characters of the truth; a letter lost early spoils all that follow.
    """

    n: int
    exact: float
    exact_low: float
    exact_high: float
    cer: float
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
    characters = max(1, sum(map(len, truths)))
    right = sum(truth == reading for truth, reading in pairs)
    edits = sum(Levenshtein.distance(truth, reading) for truth, reading in pairs)
    placed = sum(a == b for t, r in pairs for a, b in zip(t, r, strict=False))
    low, high = wilson_interval(right, len(pairs))
    return Score(len(pairs), right / len(pairs), low, high, edits / characters, placed / characters)


def wilson_interval(successes: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the interval that holds a share with 95 % confidence (Wilson, 1927)."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"Need 0 <= successes <= n and n > 0. Received: {successes} of {n}")
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)

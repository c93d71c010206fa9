"""Ink shift: how far from where a network emits a letter its ink stands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwr.arrays import Floats


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

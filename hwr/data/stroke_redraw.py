"""Thinning: the middle lines of written strokes, and strokes drawn along them with another pen."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr.arrays import Grey

#: Bit of each of the eight neighbours, clockwise from the upper one.
_WEIGHTS = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], np.uint8)

#: The middle lines are found at this many times the size, so that loops stay open.
_SCALE = 2

#: What counts as ink, as a share of the darkest ink nearby.
_INK = 0.4


def _removable() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return, for each of the 256 neighbourhoods, whether either half step removes the pixel."""
    p = (np.arange(256)[:, None] >> np.arange(8)) & 1
    neighbours = p.sum(axis=1)
    changes = ((p == 0) & (np.roll(p, -1, axis=1) == 1)).sum(axis=1)
    border = (neighbours >= 2) & (neighbours <= 6) & (changes == 1)
    up, right, down, left = p[:, 0], p[:, 2], p[:, 4], p[:, 6]
    first = border & (up * right * down == 0) & (right * down * left == 0)
    second = border & (up * right * left == 0) & (up * down * left == 0)
    return first, second


_STEPS = _removable()


def thin(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return lines of one pixel through the middle of the strokes of `ink`, (H, W).

    Connected ink stays connected, loops stay loops (Zhang and Suen, 1984).
    """
    lines = ink.astype(np.uint8)
    while True:
        removed = False
        for table in _STEPS:
            around = cv2.filter2D(lines, -1, _WEIGHTS, borderType=cv2.BORDER_CONSTANT)
            gone = table[around] & (lines > 0)
            if gone.any():
                lines[gone] = 0
                removed = True
        if not removed:
            return lines > 0


def redraw(image: Grey, width: float) -> Grey:
    """Return the strokes of `image` drawn anew by a round black pen, as on a drawing pad.

    Args:
        image: (H, W) uint8 with white (255) paper.
        width: of the pen in pixels, above 0.
    """
    height, columns = image.shape
    ink = 255 - cv2.resize(
        image, (columns * _SCALE, height * _SCALE), interpolation=cv2.INTER_CUBIC
    )
    ink = cv2.GaussianBlur(ink, (0, 0), 0.45 * _SCALE)
    darkest = cv2.dilate(ink, np.ones((12 * _SCALE + 1,) * 2, np.uint8))
    lines = thin(ink > np.maximum(_INK * darkest, 30))
    # The distance to the nearest line, cut off at half the width, has smooth edges.
    distance = cv2.distanceTransform((~lines).astype(np.uint8), cv2.DIST_L2, 5)
    stroke = (255 * np.clip(0.5 * width * _SCALE - distance + 0.5, 0, 1)).astype(np.uint8)
    paper = cv2.resize(stroke, (columns, height), interpolation=cv2.INTER_AREA)
    return np.asarray(255 - paper, np.uint8)

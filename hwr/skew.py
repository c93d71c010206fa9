"""Skew: by how many degrees the writing is turned, and the picture turned back.

Lines of writing and form lines alike have sharp edges above and below only when seen along their
direction, so the sum of squares of the rows' ink is largest there (Postl, 1986).
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from hwr.arrays import Doubles, Grey
from hwr.text_lines import without_cut_off_rests

#: Writing may be turned by up to so many degrees.
MOST = 32.0

#: Less than so many degrees are left as they are: people write that unevenly.
LEAST = 3.0

#: How much sharper the rows must be when turned back.
SHARPER = 1.15

#: How many times as long as high writing is whose direction shows: a short word may be longest
#: along its diagonal.
LONGER = 4

#: Points of ink that are looked at, pixels of the longer side they are taken from, and degrees
#: between the directions that are tried first.
POINTS, SIDE, STEP = 500, 200, 2.0


def skew_of(dark: Grey) -> float:
    """Return by how many degrees the writing in `dark` falls to the right; 0 if hardly.

    Args:
        dark: (H, W) uint8 darkness, 0 paper.
    """
    moments = cv2.moments(dark)
    if moments["m00"] == 0:
        return 0.0
    # The main axis of the ink says at once that most pictures are level.
    axis = 0.5 * math.atan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"])
    if abs(math.degrees(axis)) < LEAST:
        return 0.0
    factor = min(1.0, SIDE / max(dark.shape))
    small = cv2.resize(dark, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    # Rests of other lines, cut by an edge, stand anywhere.
    rows, columns = np.nonzero(without_cut_off_rests(small > 0.3 * small.max()))
    if rows.size < 30:
        return 0.0
    every = -(-rows.size // POINTS)
    y, x = rows[::every].astype(np.float64), columns[::every].astype(np.float64)
    degrees = np.arange(-MOST, MOST + STEP / 2, STEP)
    scores = _sharpness(x, y, degrees)
    best = float(degrees[scores.argmax()])
    fine = best + np.arange(-STEP, STEP + 0.1, 0.5)
    fine_scores = _sharpness(x, y, fine)
    best, most = float(fine[fine_scores.argmax()]), float(fine_scores.max())
    if abs(best) < LEAST or most < SHARPER * float(_sharpness(x, y, np.zeros(1))[0]):
        return 0.0
    along = x * math.cos(math.radians(best)) + y * math.sin(math.radians(best))
    # Rows that the writing fills: their number were the points evenly spread over them.
    filled = x.size**2 / most
    return best if np.ptp(along) >= LONGER * filled else 0.0


def _sharpness(x: Doubles, y: Doubles, degrees: Doubles) -> Doubles:
    """Return the sum of squared counts of points in rows, for each of several directions."""
    angles = np.radians(degrees)[:, None]
    across = y * np.cos(angles) - x * np.sin(angles)
    bins = np.floor(across - across.min()).astype(np.int64)
    size = int(bins.max()) + 1
    bins += np.arange(degrees.size)[:, None] * size
    counts = np.bincount(bins.ravel(), minlength=degrees.size * size)
    return np.asarray((counts.reshape(degrees.size, size).astype(np.float64) ** 2).sum(axis=1))


def turned(image: Grey, degrees: float) -> Grey:
    """Return `image`, paper 255, turned against the clock on a page that holds all of it."""
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = round(width * cos + height * sin), round(width * sin + height * cos)
    matrix[0, 2] += (size[0] - width) / 2
    matrix[1, 2] += (size[1] - height) / 2
    turned_image = cv2.warpAffine(
        image,
        matrix,
        size,
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=255,
    )
    return np.asarray(turned_image, np.uint8)

"""Specks: the dots of dithered scans and of salt-and-pepper noise, smoothed before thresholds."""

from __future__ import annotations

import cv2
import numpy as np

from hwr.arrays import Grey

#: A dot differs from all of its neighbours by more than this.
STEP = 40

#: Shares of the pixels that are dots from which on a picture is dithered, or strewn with dots.
DITHERED, STREWN = 0.08, 0.008

#: Standard deviation, in pixels, of the blur that turns the dots of a dithered scan into grey.
BLUR = 1.2

_RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
_CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.uint8)


def without_specks(grey: Grey) -> Grey:
    """Return `grey`, (H, W) uint8, without dots; `grey` itself where there are hardly any."""
    if _dots(grey, _CROSS) >= DITHERED * grey.size:
        return np.asarray(cv2.GaussianBlur(grey, (0, 0), BLUR), np.uint8)
    if _dots(grey, _RING) < STREWN * grey.size:
        return grey
    for kernel in (_RING, _CROSS):
        # Within what the neighbours are; a stroke has a neighbour that is as dark.
        grey = np.clip(grey, cv2.erode(grey, kernel), cv2.dilate(grey, kernel))
    return grey


def _dots(grey: Grey, neighbours: Grey) -> int:
    darker = cv2.subtract(cv2.erode(grey, neighbours), grey)
    lighter = cv2.subtract(grey, cv2.dilate(grey, neighbours))
    return int(np.count_nonzero(cv2.max(darker, lighter) > STEP))

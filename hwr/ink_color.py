"""Ink against paper in colour: grey pixels in which the writing stands out.

Luma hides red ink on green card, which is as bright, and shows a stamp over the name as dark as the
name. Both are told apart by their colour.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr.arrays import Doubles, Grey

#: Weights of red, green and blue in luma (ITU-R BT.601).
LUMA = np.array([0.299, 0.587, 0.114])

#: Pixels that are looked at, at most about so many.
PIXELS = 40_000

#: From this difference of two channels on a pixel has a colour.
COLOUR = 30

#: Ink differs from the paper by at least this in some direction, of 441.
LEAST = 28.0

#: Ink that differs by so much in luma is left to luma.
PLAIN = 60.0

#: How many times as clear as in luma ink must be along its own colour.
CLEARER = 2.0

#: Two inks differ by at least this angle, in degrees, and each has this share of all ink.
APART, SHARE = 10.0, 0.08

#: A stamp is at least so many times as high as the letters of the other ink.
STAMP = 1.5

#: Darkness of pure ink in the grey pixels that are returned.
DARK = 210.0


def grey_of(rgb: NDArray[np.uint8]) -> Grey | None:
    """Return grey pixels, (H, W) uint8, of (H, W, 3) uint8 RGB where luma does not do; else None.

    One ink that luma shows badly is measured along its own colour. Where a stamp of one colour lies
    over writing of another, each pixel is explained as paper, writing and stamp (linear unmixing),
    and the stamp is left out.
    """
    every = max(1, round((rgb.shape[0] * rgb.shape[1] / PIXELS) ** 0.5))
    sample = np.ascontiguousarray(rgb[::every, ::every])
    red, green, blue = cv2.split(sample)
    spread = cv2.max(cv2.absdiff(red, green), cv2.absdiff(green, blue))
    # 1 in 200 pixels is less than a name takes.
    if np.count_nonzero(spread > COLOUR) < spread.size / 200:
        return None
    small = sample.astype(np.int16)
    paper = np.median(small.reshape(-1, 3), axis=0)
    differences = small - paper
    lengths = np.linalg.norm(differences, axis=2)
    noise = float(np.median(lengths))
    ink = lengths > max(LEAST, 4 * noise)
    if not 20 <= np.count_nonzero(ink) <= ink.size / 2:
        return None
    writing, stamp = _inks(differences, lengths, ink)
    if stamp is not None:
        mixing = np.linalg.pinv(np.stack([writing, stamp], axis=1))[0]
        return _projected(rgb, paper, mixing)
    calm = differences[~ink]
    along = writing / np.linalg.norm(writing)

    def clearness(direction: Doubles) -> float:
        return float(abs(writing @ direction) / max(1.0, (calm @ direction).std()))

    if abs(writing @ LUMA) >= PLAIN or clearness(along) < CLEARER * clearness(LUMA):
        return None
    return _projected(rgb, paper, along / np.linalg.norm(writing))


def _projected(rgb: NDArray[np.uint8], paper: Doubles, mixing: Doubles) -> Grey:
    """Return 255 for paper and darker with the share of ink that `mixing`, (3,), finds."""
    matrix = np.append(-DARK * mixing, 255 + DARK * float(mixing @ paper))[None]
    return np.asarray(cv2.transform(rgb, matrix.astype(np.float32)), np.uint8)


def _inks(
    differences: NDArray[np.floating], lengths: Doubles, ink: NDArray[np.bool_]
) -> tuple[Doubles, Doubles | None]:
    """Return how the writing differs from the paper, (3,), and how a stamp does, if there is one.

    Args:
        differences: (H, W, 3) from the paper.
        lengths: (H, W), theirs.
        ink: (H, W), where there is ink.
    """
    vectors, weights = differences[ink], lengths[ink]
    units = vectors / weights[:, None]
    one = np.average(vectors, axis=0, weights=weights)
    # Two directions by k-means, from the two that are farthest from the mean and from each other.
    first = units[(units @ one).argmin()]
    centers = np.stack([first, units[(units @ first).argmin()]])
    for _ in range(8):
        nearest = (units @ centers.T).argmax(axis=1)
        for i in (0, 1):
            if (nearest == i).any():
                center = np.average(units[nearest == i], axis=0, weights=weights[nearest == i])
                centers[i] = center / np.linalg.norm(center)
    angle = np.degrees(np.arccos(np.clip(centers[0] @ centers[1], -1, 1)))
    share = np.bincount(nearest, minlength=2) / nearest.size
    if angle < APART or share.min() < SHARE:
        return one, None
    masks = []
    for i in (0, 1):
        mask = np.zeros(ink.shape, np.uint8)
        mask[ink] = nearest == i
        masks.append(mask)
    # Of the two the stamp has more colour: black print is none.
    stamp = int(_neutrality(centers[1]) < _neutrality(centers[0]))
    heights, letters = _heights(masks[stamp]), _heights(masks[1 - stamp])
    if not heights.size or not letters.size:
        return one, None
    if heights.max() < STAMP * float(np.percentile(letters, 75)):
        return one, None
    pure = [np.percentile(vectors[nearest == i] @ centers[i], 80) * centers[i] for i in (0, 1)]
    return pure[1 - stamp], pure[stamp]


def _neutrality(direction: Doubles) -> float:
    """Return how near to grey an ink is, at most 1, by its unit vector of difference."""
    return float(-direction.sum() / 3**0.5)


def _heights(mask: Grey) -> NDArray[np.int32]:
    """Return the heights of the connected pieces of ink in `mask`, specks left out."""
    joined = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    stats = cv2.connectedComponentsWithStats(joined)[2][1:]
    return np.asarray(stats[stats[:, cv2.CC_STAT_AREA] >= 16, cv2.CC_STAT_HEIGHT])

"""Paper: its brightness all over a picture, and the writing as dark strokes on white."""

from __future__ import annotations

import cv2
import numpy as np

from hwr.arrays import Floats, Grey
from hwr.text_lines import ink_of

#: Pixels of the longer side at which the brightness of the paper is measured. Twice as many take
#: four times as long, and of 1,800 pictures 9 in 10 are prepared within 8 of 255 the same.
THUMBNAIL = 80

#: Pixels of the longer side at which strokes are filled, and the widest stroke, as shares of the
#: longer and of the shorter side.
BARE_SIDE, WIDEST_STROKE, WIDEST_OF_HEIGHT = 400, 0.15, 0.6

#: The darkest stroke of a picture with writing differs from its paper by at least this
#: much (of 255); JPEG and paper noise stay below.
LEAST_CONTRAST = 20.0

#: The contrast of the faintest pencil; the least and most of a picture that writing covers; and how
#: many times weaker the grain of the paper is, except in a tenth of it.
FAINTEST, FEWEST_MARKS, MOST_MARKS, CLEAN = 6.0, 0.002, 0.15, 5.5

#: Paper in a shadow is at least this share as bright as beside it.
DARKEST_SHADOW = 0.33

#: Paper in shadow is still brighter than this; in a darker picture noise would become ink.
DARKEST_PAPER = 128

#: What paper of each brightness, 0..255, is multiplied by to make it white.
BRIGHTENING = 255.0 / np.maximum(np.arange(256), DARKEST_PAPER)

#: Rows and columns from which on a picture can show more than the paper.
LEAST_PHOTO = 120


def resize(image: Grey, width: int, height: int) -> Grey:
    """Return `image` at another size: averaged when shrinking, interpolated when enlarging."""
    shrinks = width < image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def paper_of(grey: Grey) -> Grey:
    """Return the local brightness of the paper, the same shape as `grey`.

    A median over a window larger than any stroke sees mostly paper, in light and in
    shadow. It is taken on a thumbnail, since paper changes slowly.
    """
    height, width = grey.shape
    factor = min(1.0, THUMBNAIL / max(height, width))
    small = resize(grey, max(1, round(width * factor)), max(1, round(height * factor)))
    low, high = int(small.min()), int(small.max())
    if high - low < LEAST_CONTRAST / 2:
        return np.full_like(grey, int(np.median(small)))
    window = max(3, min(small.shape) // 2 * 2 + 1, THUMBNAIL // 4 + 1)
    # Of scans, whose paper is of one light tone all over, the answer is known; the median takes ten
    # times as long as to see that, and between the lines of squared paper it would see no paper.
    tone = int(np.bincount(grey[::2, ::2].ravel(), minlength=256).argmax())
    plain = cv2.inRange(grey, max(0, tone - 8), min(255, tone + 8))
    plain = cv2.resize(plain, small.shape[::-1], interpolation=cv2.INTER_AREA)
    share = cv2.blur(plain, (window, window), borderType=cv2.BORDER_REFLECT_101)
    if tone >= DARKEST_PAPER and share.min() > 128:
        return np.full_like(grey, tone)
    # Mirrored borders: replicated ones would take a stroke at the edge for paper.
    reach = min(window // 2, min(small.shape) - 1)
    framed = cv2.copyMakeBorder(small, reach, reach, reach, reach, cv2.BORDER_REFLECT_101)
    median = cv2.medianBlur(framed, window)[reach:, reach:][: small.shape[0], : small.shape[1]]
    smooth = cv2.blur(median, (5, 5))
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def with_shadows(paper: Grey, grey: Grey) -> Grey:
    """Return `paper`, (H, W) uint8, as dark as it is within the hard edge of a shadow.

    There it is what remains of `grey` when the strokes are filled by the paper beside them.
    """
    height, width = grey.shape
    factor = min(1.0, BARE_SIDE / max(height, width))
    small = resize(grey, max(1, round(width * factor)), max(1, round(height * factor)))
    widest = max(WIDEST_STROKE * max(small.shape), WIDEST_OF_HEIGHT * min(small.shape))
    kernel = np.ones((round(widest) | 1,) * 2, np.uint8)
    bare = cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel)
    bare = resize(np.asarray(bare, np.uint8), width, height)
    # What is darker than any shadow is a stroke too wide to be filled.
    return np.where(bare >= DARKEST_SHADOW * paper, cv2.min(paper, bare), paper)


def is_light_on_dark(grey: Grey, paper: Grey) -> bool:
    """Return whether ink is lighter than the paper around it."""
    # A 3x3 mean first: the grain of blank paper must not outvote strokes.
    smooth = np.asarray(cv2.blur(grey, (3, 3)), np.uint8)

    def above(one: Grey, other: Grey) -> float:
        difference = cv2.subtract(one, other)  # 0 where it would be negative
        kept = cv2.threshold(difference, LEAST_CONTRAST, 0, cv2.THRESH_TOZERO)[1]
        return cv2.sumElems(kept)[0]

    return above(smooth, paper) > above(paper, smooth)


def even(grey: Grey, paper: Grey) -> tuple[Grey, float]:
    """Return `grey` on white paper with its darkest stroke black, and the contrast found.

    Light falls on paper and ink alike, so brightness is divided by that of the paper.
    """
    drop = cv2.subtract(paper, grey)  # 0 where it would be negative
    darkness = drop * cv2.LUT(paper, BRIGHTENING)
    # A 3x3 mean keeps one dark pixel of noise from counting as the darkest stroke.
    contrast = float(cv2.blur(darkness, (3, 3)).max())
    if contrast < LEAST_CONTRAST and not _has_faint_strokes(darkness, contrast):
        return np.full_like(grey, 255), contrast
    gain = max(1.0, 200.0 / contrast)
    return (255.0 - np.minimum(darkness * gain, 255.0)).astype(np.uint8), contrast


def _has_faint_strokes(darkness: Floats, contrast: float) -> bool:
    """Whether what is hardly darker than the paper stands clear of its grain."""
    if contrast < FAINTEST:
        return False
    smooth = cv2.blur(darkness, (3, 3))
    marks = smooth > contrast / 2
    if not FEWEST_MARKS <= np.count_nonzero(marks) / marks.size <= MOST_MARKS:
        return False
    # Grain and the blocks of JPEG leave no paper clean.
    return bool(np.percentile(smooth[~marks], 90) * CLEAN <= contrast)


def without_surroundings(evened: Grey) -> Grey:
    """Return `evened` without what a photograph shows beside the paper, such as the table.

    That is dark and reaches into a corner, and what is written on the paper keeps clear of all
    edges. Where it does not, and in pictures as low as a cut-out line, nothing is changed.
    """
    height, width = evened.shape
    if min(height, width) < LEAST_PHOTO:
        return evened
    ink = ink_of(evened)
    corners = [(y, x) for y in (0, -1) for x in (0, -1) if ink[y, x]]
    if not corners:
        return evened
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8))
    beside = {int(labels[corner]) for corner in corners}
    margin = max(2, round(0.01 * min(height, width)))
    written = False
    for label, (x, y, across, down, _) in enumerate(stats.tolist()):
        if label == 0 or label in beside or max(across, down) < 2 * margin:
            continue  # paper, surroundings, specks
        if x < margin or y < margin or x + across > width - margin or y + down > height - margin:
            return evened
        written = True
    if not written:
        return evened
    outside = np.isin(labels, list(beside))
    # With its soft edge, but nothing that is written.
    around = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    edge = cv2.dilate(outside.astype(np.uint8), around) > 0
    return np.where(outside | (edge & ~ink), np.uint8(255), evened)

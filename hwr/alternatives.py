"""Alternatives: other ways to look at a picture whose first reading is poor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from hwr.arrays import Grey
from hwr.preprocess import count_lines, is_tall

#: Other lines of writing that are tried, at most.
LINES = 2

#: Share of the pixels that are black or white in a picture of two tones.
TWO_TONES = 0.98

#: Rows up to which a picture of two tones can be a fax, whose pixels are twice as high as wide.
FAX_ROWS = 120


@dataclass(frozen=True, eq=False)
class Alternative:
    """Another way to look at a picture.

    Attributes:
        pixels: (H, W) uint8.
        line: which line of writing, see `hwr.preprocess.prepare`.
        least: the confidence from which on a reading of it is believed.
        note: what is reported to the person who gave the picture; empty for nothing.
    """

    pixels: Grey
    line: int
    least: float = 0.0
    note: str = ""


def alternatives(pixels: Grey) -> Iterator[Alternative]:
    """Yield other ways to look at `pixels`, (H, W) uint8: other lines, turned, stretched."""
    for line in range(1, min(count_lines(pixels), 1 + LINES)):
        yield Alternative(pixels, line)
    if pixels.shape[0] <= FAX_ROWS and _has_two_tones(pixels):
        size = pixels.shape[1], 2 * pixels.shape[0]
        stretched = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        yield Alternative(stretched, 0, 0.2, "Read with pixels twice as high as wide, as of a fax.")
    for quarters in (1, 3) if is_tall(pixels) else (2,):
        turned = np.ascontiguousarray(np.rot90(pixels, quarters))
        note = f"Read turned by {360 - 90 * quarters} degrees clockwise."
        yield Alternative(turned, 0, 0.6, note)


def _has_two_tones(pixels: Grey) -> bool:
    extreme = np.count_nonzero((pixels < 8) | (pixels > 247))
    return bool(extreme >= TWO_TONES * pixels.size)

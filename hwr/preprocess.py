"""Preprocessing: from a grey picture to the image that the network reads, in named steps.

The same function prepares images for training, evaluation, the command line and the app.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from hwr.arrays import Grey
from hwr.form_lines import without_form_lines
from hwr.paper import (
    LEAST_CONTRAST,
    even,
    is_light_on_dark,
    paper_of,
    resize,
    with_shadows,
    without_surroundings,
)
from hwr.skew import skew_of, turned
from hwr.spec import Spec
from hwr.specks import without_specks
from hwr.text_lines import ink_of, line_rows, rivals

#: Pictures are first reduced to this many pixels: far above what the network sees, and it
#: bounds the cost of a 20-megapixel photograph.
WORKING_PIXELS = 400_000

#: Free rows above and below the ink, as a share of its height.
MARGIN = 0.15

#: A picture is tall from this ratio of its height to its width on.
TALL = 1.2

#: Small writing is enlarged by at most this factor, so that specks do not become letters.
MOST_ENLARGED = 4.0


@dataclass(frozen=True, eq=False)
class Step:
    """One step of the preprocessing: its name and its (H, W) uint8 image, paper 255."""

    name: str
    image: Grey


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture as the network reads it.

    Attributes:
        image: (height, W) uint8, paper 255, W at most `spec.max_width`, not yet padded.
        blank: True where no ink was found; `image` is then white.
        contrast: how much darker than its paper the darkest stroke is, 0..255.
        rivals: other lines of writing, about as high and whole, that may hold the name as well.
        tall: True where the picture is so high that the name in it may run up or down.
    """

    image: Grey
    blank: bool
    contrast: float
    rivals: tuple[int, ...] = ()
    tall: bool = False


def prepare(picture: Grey, spec: Spec, *, line: int = 0) -> Prepared:
    """Return `picture`, (H, W) uint8 of any size and polarity, as the network reads it.

    Args:
        line: which line of writing, 0 the one that looks most like the name; see `count_lines`.
    """
    return _run(picture, spec, lambda name, image: None, line)


def is_tall(picture: Grey) -> bool:
    """Whether `picture`, (H, W), is so high that the name in it may run up or down."""
    return bool(picture.shape[0] > TALL * picture.shape[1])


def count_lines(picture: Grey) -> int:
    """Return how many lines of writing `picture`, (H, W) uint8, may hold; at least 1."""
    return len(lines_from_above(picture))


def lines_from_above(picture: Grey) -> list[int]:
    """Return the numbers of the lines of writing in `picture`, as `prepare` takes, from above."""
    rows = line_rows(_evened(picture, lambda name, image: None)[0])
    return sorted(range(len(rows)), key=lambda line: rows[line].start)


def trace(picture: Grey, spec: Spec, *, line: int = 0) -> tuple[Prepared, list[Step]]:
    """Return what `prepare` returns and every step on the way; the last is the network's input."""
    steps: list[Step] = []
    prepared = _run(picture, spec, lambda name, image: steps.append(Step(name, image)), line)
    steps.append(Step("pad", pad(prepared.image, spec)))
    return prepared, steps


def pad(image: Grey, spec: Spec) -> Grey:
    """Return `image` with paper added on the right up to the next multiple of `width_step`.

    The width depends on the image alone, not on its neighbours in a batch, so that a
    reading never depends on what was read beside it.
    """
    width = padded_width(image.shape[1], spec)
    padded = np.full((spec.height, width), 255, np.uint8)
    padded[:, : image.shape[1]] = image
    return padded


def padded_width(width: int, spec: Spec) -> int:
    """Return `width` columns rounded up to a multiple of `spec.width_step`."""
    return -(-width // spec.width_step) * spec.width_step


def _run(picture: Grey, spec: Spec, note: Callable[[str, Grey], None], line: int) -> Prepared:
    evened, contrast = _evened(picture, note)
    if evened.min() == 255:
        blank = np.full((spec.height, spec.width_step), 255, np.uint8)
        note("scale", blank)
        return Prepared(blank, True, contrast)
    rows = line_rows(evened)
    band = evened[rows[line]]
    note("band", band)
    crop = _crop_to_ink(band)
    note("ink crop", crop)
    scaled = _scale(crop, spec)
    note("scale", scaled)
    others = rivals(rows) if line == 0 else ()
    return Prepared(scaled, False, contrast, others, is_tall(picture))


def _evened(picture: Grey, note: Callable[[str, Grey], None]) -> tuple[Grey, float]:
    """Return dark writing on white paper, and the contrast found."""
    if picture.ndim != 2 or picture.dtype != np.uint8 or picture.size == 0:
        raise ValueError(
            f"A picture is a non-empty (H, W) uint8 array. "
            f"Received: shape {picture.shape}, dtype {picture.dtype}"
        )
    grey = reduce(picture)
    note("grey", grey)
    calm = without_specks(grey)
    if calm is not grey:
        grey = calm
        note("specks removed", grey)
    paper = paper_of(grey)
    if is_light_on_dark(grey, paper):
        grey, paper = 255 - grey, 255 - paper
    note("polarity", grey)
    if paper.min() < paper.max():
        paper = with_shadows(paper, grey)
    evened, contrast = even(grey, paper)
    evened = without_surroundings(evened)
    note("even background", evened)
    if evened.min() == 255:
        return evened, contrast
    skew = skew_of(255 - evened)
    if skew:
        evened = turned(evened, skew)
        note("straightened", evened)
    return _without_lines(evened, contrast, note)


def _without_lines(
    evened: Grey, contrast: float, note: Callable[[str, Grey], None]
) -> tuple[Grey, float]:
    """Return `evened` without form lines, its darkest stroke black again, and the contrast left."""
    dark = 255 - evened
    rest = without_form_lines(dark)
    if rest is dark:
        return evened, contrast
    most = float(cv2.blur(rest, (3, 3)).max())
    left = contrast * min(1.0, most / max(1.0, float(cv2.blur(dark, (3, 3)).max())))
    if left < min(contrast, LEAST_CONTRAST):
        return np.full_like(evened, 255), left
    evened = 255 - np.asarray(cv2.convertScaleAbs(rest, alpha=max(1.0, 200.0 / most)), np.uint8)
    note("form lines removed", evened)
    return evened, left


def reduce(picture: Grey) -> Grey:
    """Return `picture` shrunk to at most WORKING_PIXELS, aspect kept: the first step for any."""
    factor = (WORKING_PIXELS / picture.size) ** 0.5
    if factor >= 1:
        return picture
    height, width = (max(1, round(side * factor)) for side in picture.shape)
    return resize(picture, width, height)


def _crop_to_ink(band: Grey) -> Grey:
    """Return the rows and columns that hold ink, with a margin of paper."""
    ink = ink_of(band)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if rows.size == 0:
        return band
    margin = max(1, round(MARGIN * (rows[-1] + 1 - rows[0])))
    framed = cv2.copyMakeBorder(
        band[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1],
        *(margin,) * 4,
        cv2.BORDER_CONSTANT,
        value=255,
    )
    return np.asarray(framed, np.uint8)


def _scale(crop: Grey, spec: Spec) -> Grey:
    """Return `crop` at `spec.height` rows, aspect kept, at most `spec.max_width` columns."""
    height, width = crop.shape
    factor = min(spec.height / height, spec.max_width / width, MOST_ENLARGED)
    rows = min(spec.height, max(1, round(height * factor)))
    columns = min(spec.max_width, max(1, round(width * factor)))
    scaled = np.full((spec.height, columns), 255, np.uint8)
    top = (spec.height - rows) // 2
    scaled[top : top + rows] = resize(crop, columns, rows)
    return scaled

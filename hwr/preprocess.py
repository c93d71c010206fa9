"""Preprocessing: from a grey picture to the image that the network reads, in named steps.

The same function prepares images for training, evaluation, the command line and the app.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr.arrays import Grey, runs_of
from hwr.form_lines import without_form_lines
from hwr.skew import skew_of, turned
from hwr.spec import Spec
from hwr.specks import without_specks

#: Pictures are first reduced to this many pixels: far above what the network sees, and it
#: bounds the cost of a 20-megapixel photograph.
WORKING_PIXELS = 400_000

#: Pixels of the longer side at which the brightness of the paper is measured. Twice as many take
#: four times as long, and of 1,800 pictures 9 in 10 are prepared within 8 of 255 the same.
THUMBNAIL = 80

#: Pixels of the longer side at which strokes are filled, and the widest stroke as a share of it.
BARE_SIDE, WIDEST_STROKE = 640, 0.08

#: Ink is what is darker than the paper by this share of the darkest stroke.
INK_THRESHOLD = 0.3

#: The darkest stroke of a picture with writing differs from its paper by at least this
#: much (of 255); JPEG and paper noise stay below.
LEAST_CONTRAST = 20.0

#: The contrast of the faintest pencil, and what tells its strokes from noise: the share of the
#: picture that they cover, and their least extent in pixels.
FAINTEST, FEWEST_MARKS, MOST_MARKS, STROKE = 6.0, 0.002, 0.15, 7

#: Paper in shadow is still brighter than this; in a darker picture noise would become ink.
DARKEST_PAPER = 128

#: What paper of each brightness, 0..255, is multiplied by to make it white.
BRIGHTENING = 255.0 / np.maximum(np.arange(256), DARKEST_PAPER)

#: Rows and columns from which on a picture can show more than the paper.
LEAST_PHOTO = 120

#: Free rows above and below the ink, as a share of its height.
MARGIN = 0.15

#: Where among several lines of writing the name's middle is looked for, as a share of the height,
#: for prompts are printed above names; and what a line counts that the upper edge cuts. Of 2,237
#: Kaggle training pictures with several lines, the wrong one is chosen in 15; in 65 at 0.5 and 1.
NAME_AT, CUT_ABOVE = 0.6, 0.8

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
    """

    image: Grey
    blank: bool
    contrast: float


def prepare(picture: Grey, spec: Spec, *, line: int = 0) -> Prepared:
    """Return `picture`, (H, W) uint8 of any size and polarity, as the network reads it.

    Args:
        line: which line of writing, 0 the one that looks most like the name; see `count_lines`.
    """
    return _run(picture, spec, lambda name, image: None, line)


def count_lines(picture: Grey) -> int:
    """Return how many lines of writing `picture`, (H, W) uint8, may hold; at least 1."""
    return len(_line_rows(_evened(picture, lambda name, image: None)[0], others=True))


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
    band = evened[_line_rows(evened, others=line > 0)[line]]
    note("band", band)
    crop = _crop_to_ink(band)
    note("ink crop", crop)
    scaled = _scale(crop, spec)
    note("scale", scaled)
    return Prepared(scaled, False, contrast)


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
    paper = _paper(grey)
    if _is_light_on_dark(grey, paper):
        grey, paper = 255 - grey, 255 - paper
    note("polarity", grey)
    if paper.min() < paper.max():
        paper = cv2.min(paper, _bare(grey))
    evened, contrast = _even(grey, paper)
    evened = _without_surroundings(evened)
    note("even background", evened)
    if evened.min() == 255:
        return evened, contrast
    skew = skew_of(cv2.bitwise_not(evened))
    if skew:
        evened = turned(evened, skew)
        note("straightened", evened)
    return _without_lines(evened, contrast, note)


def _without_lines(
    evened: Grey, contrast: float, note: Callable[[str, Grey], None]
) -> tuple[Grey, float]:
    """Return `evened` without form lines, its darkest stroke black again, and the contrast left."""
    dark = cv2.bitwise_not(evened)
    rest = without_form_lines(dark)
    if rest is dark:
        return evened, contrast
    most = float(cv2.blur(rest, (3, 3)).max())
    left = contrast * min(1.0, most / max(1.0, float(cv2.blur(dark, (3, 3)).max())))
    if left < min(contrast, LEAST_CONTRAST):
        return np.full_like(evened, 255), left
    gained = cv2.convertScaleAbs(rest, alpha=max(1.0, 200.0 / most))
    evened = cv2.bitwise_not(gained)
    note("form lines removed", evened)
    return evened, left


def reduce(picture: Grey) -> Grey:
    """Return `picture` shrunk to at most WORKING_PIXELS, aspect kept: the first step for any."""
    factor = (WORKING_PIXELS / picture.size) ** 0.5
    if factor >= 1:
        return picture
    height, width = (max(1, round(side * factor)) for side in picture.shape)
    return _resize(picture, width, height)


def _resize(image: Grey, width: int, height: int) -> Grey:
    """Return `image` at another size: averaged when shrinking, interpolated when enlarging."""
    shrinks = width < image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def _paper(grey: Grey) -> Grey:
    """Return the local brightness of the paper, the same shape as `grey`.

    A median over a window larger than any stroke sees mostly paper, in light and in
    shadow. It is taken on a thumbnail, since paper changes slowly.
    """
    height, width = grey.shape
    factor = min(1.0, THUMBNAIL / max(height, width))
    small = _resize(grey, max(1, round(width * factor)), max(1, round(height * factor)))
    low, high = int(small.min()), int(small.max())
    if high - low < LEAST_CONTRAST / 2:
        return np.full_like(grey, int(np.median(small)))
    window = max(3, min(small.shape) // 2 * 2 + 1, THUMBNAIL // 4 + 1)
    # Mirrored borders: replicated ones would take a stroke at the edge for paper.
    reach = min(window // 2, min(small.shape) - 1)
    framed = cv2.copyMakeBorder(small, reach, reach, reach, reach, cv2.BORDER_REFLECT_101)
    # Of scans, whose paper is of one tone all over, the answer is known; the median takes ten times
    # as long as to see that, and between the lines of squared paper it would see no paper.
    counts = np.bincount(grey[::2, ::2].ravel() >> 3, minlength=32)
    tone = float(np.median(grey[(grey >> 3) == counts.argmax()]))
    plain = cv2.inRange(grey, max(0.0, tone - 8), min(255.0, tone + 8))
    plain = cv2.resize(plain, small.shape[::-1], interpolation=cv2.INTER_AREA)
    share = cv2.blur(plain, (window, window), borderType=cv2.BORDER_REFLECT_101)
    if share.min() > 128:
        return np.full_like(grey, round(tone))
    median = cv2.medianBlur(framed, window)[reach:, reach:][: small.shape[0], : small.shape[1]]
    smooth = cv2.blur(median, (5, 5))
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _bare(grey: Grey) -> Grey:
    """Return `grey` with all strokes filled by the paper beside them, the edges of shadows kept."""
    height, width = grey.shape
    factor = min(1.0, BARE_SIDE / max(height, width))
    small = _resize(grey, max(1, round(width * factor)), max(1, round(height * factor)))
    kernel = np.ones((round(WIDEST_STROKE * max(small.shape)) | 1,) * 2, np.uint8)
    bare = cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel)
    return _resize(np.asarray(bare, np.uint8), width, height)


def _is_light_on_dark(grey: Grey, paper: Grey) -> bool:
    """Return whether ink is lighter than the paper around it."""
    # A 3x3 mean first: the grain of blank paper must not outvote strokes.
    smooth = np.asarray(cv2.blur(grey, (3, 3)), np.uint8)

    def above(one: Grey, other: Grey) -> float:
        difference = cv2.subtract(one, other)  # 0 where it would be negative
        kept = cv2.threshold(difference, LEAST_CONTRAST, 0, cv2.THRESH_TOZERO)[1]
        return cv2.sumElems(kept)[0]

    return above(smooth, paper) > above(paper, smooth)


def _even(grey: Grey, paper: Grey) -> tuple[Grey, float]:
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


def _has_faint_strokes(darkness: Grey, contrast: float) -> bool:
    """Whether what is hardly darker than the paper has the shape of strokes, not of noise."""
    if contrast < FAINTEST:
        return False
    marks = cv2.blur(darkness, (3, 3)) > contrast / 2
    if not FEWEST_MARKS <= np.count_nonzero(marks) / marks.size <= MOST_MARKS:
        return False
    stats = cv2.connectedComponentsWithStats(marks.astype(np.uint8))[2][1:]
    sizes = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    areas = stats[:, cv2.CC_STAT_AREA]
    strokes = (sizes >= STROKE) & (
        areas <= 0.5 * stats[:, cv2.CC_STAT_WIDTH] * stats[:, cv2.CC_STAT_HEIGHT] + 3 * sizes
    )
    return bool(areas[strokes].sum() >= 0.7 * areas.sum())


def _without_surroundings(evened: Grey) -> Grey:
    """Return `evened` without what a photograph shows beside the paper, such as the table.

    That is dark and reaches into a corner, and what is written on the paper keeps clear of all
    edges. Where it does not, and in pictures as low as a cut-out line, nothing is changed.
    """
    height, width = evened.shape
    if min(height, width) < LEAST_PHOTO:
        return evened
    ink = _ink(evened)
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


def _ink(evened: Grey) -> NDArray[np.bool_]:
    return evened < 255 * (1 - INK_THRESHOLD)


def _line_rows(evened: Grey, *, others: bool) -> list[slice]:
    """Return the rows of the line of writing that the picture is about, and then of others.

    Forms cut out with the lines above and below show rests of them. Rows without ink
    separate lines; accents and dots, small and close to their letters, belong to them.
    Among several lines the name is tall and a little below the middle: prompts are printed
    small and above it, and neighbours are cut off at the edge.

    Args:
        others: whether other lines are wanted, the likeliest first, cut off or not.
    """
    height = evened.shape[0]
    ink = _ink(evened)
    bands = _lines(_without_cut_off_rests(ink)) or _lines(ink)
    if not bands:
        return [slice(0, height)]

    def prominence(band: tuple[int, int]) -> float:
        away = abs((band[0] + band[1]) / 2 / height - NAME_AT)
        return float((band[1] - band[0]) * (1 - away) * (1 if band[0] else CUT_ABOVE))

    def rows(band: tuple[int, int]) -> slice:
        margin = max(2, round(0.2 * (band[1] - band[0])))
        return slice(max(0, band[0] - margin), min(height, band[1] + margin))

    chosen = rows(max(bands, key=prominence))
    if not others:
        return [chosen]
    apart = [
        (top, bottom)
        for top, bottom in _lines(ink)
        if min(bottom, chosen.stop) - max(top, chosen.start) <= 0.5 * (bottom - top)
    ]
    return [chosen, *(rows(band) for band in sorted(apart, key=prominence, reverse=True))]


def _lines(ink: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the rows of each line of writing in `ink`, (H, W), from above."""
    # Ten times as fast as NumPy's sum of truth values.
    counts = cv2.reduce(ink.view(np.uint8), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
    return _merge_accents(runs_of(np.asarray(counts)[:, 0] > 1))


def _without_cut_off_rests(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `ink`, (H, W), less the connected pieces that are cut by the upper or lower edge.

    Only pieces that reach less than a third into the picture: a tall letter that touches
    the edge of a tight crop stays.
    """
    third = -(-ink.shape[0] // 3)
    kept = ink
    # A piece that reaches from the edge out of its third of the rows touches the last of them, so
    # that is all that has to be looked at.
    for flipped in (False, True):
        rows = slice(None, None, -1) if flipped else slice(None)
        if not ink[rows][0].any():
            continue
        part = ink[rows][:third].astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(part)
        cut = stats[:, cv2.CC_STAT_TOP] == 0
        cut &= stats[:, cv2.CC_STAT_HEIGHT] < ink.shape[0] / 3
        cut[0] = False  # label 0 is the paper
        if cut.any():
            kept = kept.copy() if kept is ink else kept
            kept[rows][:third] &= ~cut[labels]
    return kept


def _merge_accents(bands: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join bands that are closer than a quarter of the larger one's height."""
    merged = bands[:1]
    for top, bottom in bands[1:]:
        above = merged[-1]
        taller = max(above[1] - above[0], bottom - top)
        smaller = min(above[1] - above[0], bottom - top)
        if top - above[1] <= 0.25 * taller and smaller <= 0.5 * taller:
            merged[-1] = (above[0], bottom)
        else:
            merged.append((top, bottom))
    return merged


def _crop_to_ink(band: Grey) -> Grey:
    """Return the rows and columns that hold ink, with a margin of paper."""
    ink = _ink(band)
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
    scaled[top : top + rows] = _resize(crop, columns, rows)
    return scaled

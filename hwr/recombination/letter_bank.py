"""Letter bank: letters cut out of aligned training pictures, and the pictures without them.

The alignment of a name that a model reads as labelled gives the place of each letter. Letters
whose ink touches nothing else are kept with their source, height, baseline and stroke width; the
picture without its name keeps its printed prompts and cut-off neighbour lines.
`hwr.recombination.recombine` writes new names with both.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr.arrays import Floats, Grey
from hwr.atomic_file import replacing
from hwr.text_lines import INK_THRESHOLD

Bools = NDArray[np.bool_]
Integers = NDArray[np.integer]

#: Marks that do not stand on the baseline, or reach below it.
_OFF_LINE = frozenset("-'QJ ")

#: Letters further than this share of the pitch from their expected place show a failed alignment.
_FAR = 0.75


class Context(NamedTuple):
    """An emptied picture: where its name was, and how it was written.

    width: columns of the picture; left, right: half-open range of columns of the name;
    baseline: its row at column `left`; slope: of the baseline; cap: height of a capital;
    pitch, spread: mean and standard deviation of the distance between the middles of
    neighbouring letters; stroke: width of the pen; ink: its darkness, 0..255.
    """

    width: float
    left: float
    right: float
    baseline: float
    slope: float
    cap: float
    pitch: float
    spread: float
    stroke: float
    ink: float


@dataclass(frozen=True, eq=False)
class LetterBank:
    """Letters and emptied pictures, packed into arrays.

    Attributes:
        characters: one character per letter, (N,) of one-character strings.
        heights, widths: (N,) int32 size of each letter in pixels.
        rises: (N,) float32 rows from a letter's top to its baseline; less than its height for
            a letter that reaches below.
        caps: (N,) float32 height of a capital in the name the letter is from.
        strokes: (N,) float32 width of its pen in pixels.
        inks: (N,) float32 darkness of its ink, 0..255.
        sources: (N,) int32 position of the picture the letter is from, -1 where unknown.
        pixels: (sum of heights * widths,) uint8, paper 255.
        contexts: (M, 10) float32, the `Context` of each emptied picture.
        context_sources: (M,) int32 position of each emptied picture.
        context_pixels: (sum of height * width,) uint8.
        height: rows of an emptied picture.
        origins: names of the datasets and archives that the letters are from, (K,).
        origin_counts: how many letters are from each, (K,) int64.
    """

    characters: NDArray[np.str_]
    heights: NDArray[np.int32]
    widths: NDArray[np.int32]
    rises: NDArray[np.float32]
    caps: NDArray[np.float32]
    strokes: NDArray[np.float32]
    inks: NDArray[np.float32]
    sources: NDArray[np.int32]
    pixels: Grey
    contexts: NDArray[np.float32]
    context_sources: NDArray[np.int32]
    context_pixels: Grey
    height: int
    origins: NDArray[np.str_]
    origin_counts: NDArray[np.int64]

    @property
    def counts(self) -> dict[str, int]:
        """How many letters are from each dataset or archive."""
        return {str(n): int(c) for n, c in zip(self.origins, self.origin_counts, strict=True)}

    def save(self, file: Path) -> None:
        """Write the bank as a NumPy archive; see `hwr.atomic_file`."""
        arrays = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        with replacing(file) as stream:
            np.savez_compressed(stream, allow_pickle=False, **arrays)

    @classmethod
    def read(cls, file: str | os.PathLike[str]) -> LetterBank:
        """Return the bank that `save` wrote.

        Raises:
            ValueError: the file is no letter bank.
        """
        try:
            with np.load(file, allow_pickle=False) as archive:
                values: dict[str, Any] = {f.name: archive[f.name] for f in fields(cls)}
        except (OSError, KeyError, ValueError, EOFError) as error:
            raise ValueError(
                f"{os.fspath(file)} is no letter bank; write one with `hwr extract letters`."
            ) from error
        values["height"] = int(values["height"])
        return cls(**values)

    def with_singles(self, letters: Sequence[tuple[str, Grey]], origin: str) -> LetterBank:
        """Return this bank with single letters of the archive `origin` added, of source -1."""
        characters, images = [c for c, _ in letters], [image for _, image in letters]
        heights = np.array([len(image) for image in images], np.int32)
        pens = [_pen_width(image < 255 * (1 - INK_THRESHOLD)) for image in images]
        inks = [255 - np.percentile(image[image < 128], 20) for image in images]
        # Capitals end on the baseline, except Q and J.
        hang = np.array([0.8 if c in "QJ" else 1.0 for c in characters], np.float32)
        return replace(
            self,
            characters=np.concatenate([self.characters, np.array(characters)]),
            heights=np.concatenate([self.heights, heights]),
            widths=np.concatenate([self.widths, np.array([i.shape[1] for i in images], np.int32)]),
            rises=np.concatenate([self.rises, heights * hang]).astype(np.float32),
            caps=np.concatenate([self.caps, heights * hang]).astype(np.float32),
            strokes=np.concatenate([self.strokes, pens]).astype(np.float32),
            inks=np.concatenate([self.inks, inks]).astype(np.float32),
            sources=np.concatenate([self.sources, np.full(len(images), -1, np.int32)]),
            pixels=np.concatenate([self.pixels, *(image.ravel() for image in images)]),
            origins=np.append(self.origins, origin),
            origin_counts=np.append(self.origin_counts, len(images)),
        )


def read_singles(file: Path) -> list[tuple[str, Grey]]:
    """Return the single letters of a NumPy archive with their characters, cut to their ink.

    The archive holds `images`, (N, H, W) uint8 with paper 255, and `labels`, (N,) of
    one-character strings.

    Raises:
        ValueError: it does not.
    """
    try:
        with np.load(file, allow_pickle=False) as archive:
            images, labels = archive["images"], archive["labels"]
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{file} is no NumPy archive of images and labels.") from error
    letters = []
    for image, label in zip(images, labels, strict=True):
        ink = image < 255 * (1 - INK_THRESHOLD)
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        if len(rows) > 6 and len(columns) > 1:
            cut = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            letters.append((str(label), np.ascontiguousarray(cut)))
    return letters


@dataclass(frozen=True, eq=False)
class Letters:
    """The letters of one picture, and the picture without its name."""

    letters: tuple[tuple[str, Grey, float], ...]  # character, ink on white, rise
    emptied: Grey
    context: Context


def cut_letters(image: Grey, text: str, middles: Floats) -> Letters | None:
    """Cut the letters of a name out of its picture, or return None where that cannot be trusted.

    Connected ink is a piece, and pieces above one another are a group. A group at the expected
    place of exactly one letter is that letter. Every letter must be found, and every group
    must belong to one.

    Args:
        image: (H, W) uint8 prepared picture.
        text: its label.
        middles: (len(text),) expected column of the middle of each character's ink.
    """
    shown = [k for k, character in enumerate(text) if character != " "]
    if len(shown) < 3:
        return None
    middles = np.asarray(middles, np.float64)
    pitch = float(np.median(np.diff(middles[shown])))
    if pitch < 4:
        return None
    ink = image < 255 * (1 - INK_THRESHOLD)
    found = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    labels, stats = np.asarray(found[1], np.int32), np.asarray(found[2], np.int32)
    centres = np.asarray(found[3], np.float64)
    tops, heights = stats[:, cv2.CC_STAT_TOP], stats[:, cv2.CC_STAT_HEIGHT]
    lefts, widths = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_WIDTH]
    line = _text_line(ink, labels, tops, heights, text, middles)
    if line is None:
        return None
    baseline, slope, cap = line
    left_end, right_end = middles[shown[0]] - 0.9 * pitch, middles[shown[-1]] + 0.9 * pitch
    rows = centres[:, 1] - (baseline + slope * (centres[:, 0] - middles[shown[0]]))
    pieces = [
        number
        for number in range(1, len(stats))
        if -1.5 * cap < rows[number] < 0.35 * cap
        and left_end < centres[number, 0] < right_end
        and stats[number, cv2.CC_STAT_AREA] > 2
    ]
    for number in pieces:
        # A piece connected with a prompt, a neighbour line or the letter beside it.
        if heights[number] > 2.1 * cap or lefts[number] + widths[number] > right_end + pitch:
            return None
    groups = _groups(pieces, lefts, widths)
    assigned: list[list[int]] = [[] for _ in text]
    for members in groups:
        first = min(lefts[m] for m in members)
        last = max(lefts[m] + widths[m] for m in members)
        middle = (first + last) / 2
        inside = [k for k in shown if first - 1 <= middles[k] <= last + 1]
        if len(inside) > 1:
            return None
        nearest = inside[0] if inside else min(shown, key=lambda k: abs(middles[k] - middle))
        if abs(middle - middles[nearest]) > _FAR * pitch:
            return None
        assigned[nearest] += members
    if not all(assigned[k] for k in shown):
        return None
    return _collect(image, text, shown, assigned, labels, stats, (baseline, slope, cap), middles)


def _collect(
    image: Grey,
    text: str,
    shown: list[int],
    assigned: list[list[int]],
    labels: Integers,
    stats: Integers,
    line: tuple[float, float, float],
    middles: Floats,
) -> Letters | None:
    baseline, slope, cap = line
    soft = image < 245
    letters, boxes = [], []
    wiped = np.zeros(image.shape, bool)
    for k in shown:
        members = stats[assigned[k]]
        x0, y0 = members[:, 0].min(), members[:, 1].min()
        x1 = (members[:, 0] + members[:, 2]).max()
        y1 = (members[:, 1] + members[:, 3]).max()
        if x1 - x0 > 2.6 * cap or y1 - y0 < 3:
            return None
        x0, y0 = max(0, x0 - 1), max(0, y0 - 1)
        x1, y1 = min(image.shape[1], x1 + 1), min(image.shape[0], y1 + 1)
        own = np.isin(labels[y0:y1, x0:x1], assigned[k])
        # With the grey rim of the strokes.
        rim = cv2.dilate(own.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        rim &= soft[y0:y1, x0:x1] & ((labels[y0:y1, x0:x1] == 0) | own)
        letter = np.where(rim, image[y0:y1, x0:x1], 255).astype(np.uint8)
        wiped[y0:y1, x0:x1] |= rim
        row = baseline + slope * ((x0 + x1) / 2 - middles[shown[0]])
        letters.append((text[k], letter, float(row - y0)))
        boxes.append((int(x0), int(x1)))
    emptied = image.copy()
    # Scanning and shrinking leave a faint halo around the ink.
    halo = cv2.dilate(wiped.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    emptied[halo & ((image > 190) | wiped)] = 255
    strokes = image[wiped]
    area = float((strokes < 255 * (1 - INK_THRESHOLD)).sum())
    pen = _pen_width(wiped & (image < 255 * (1 - INK_THRESHOLD)))
    if area < 20:
        return None
    centres = np.array([(a + b) / 2 for a, b in boxes])
    steps = np.diff(centres)[[b == a + 1 for a, b in pairwise(shown)]]
    if not len(steps):
        return None
    context = Context(
        width=image.shape[1],
        left=boxes[0][0],
        right=boxes[-1][1],
        baseline=float(baseline + slope * (boxes[0][0] - middles[shown[0]])),
        slope=slope,
        cap=cap,
        pitch=float(steps.mean()),
        spread=float(steps.std()),
        stroke=pen,
        ink=float(255 - np.percentile(strokes, 20)),
    )
    return Letters(tuple(letters), emptied, context)


def _pen_width(ink: Bools) -> float:
    """Return the width of the strokes of `ink`, (H, W): twice the ridge of the distance map."""
    distance = cv2.distanceTransform(ink.astype(np.uint8), cv2.DIST_L2, 3)
    ridge = distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8)) - 1e-6
    values = distance[ridge & ink]
    return float(2 * values.mean() - 1) if values.size else 1.0


def _text_line(
    ink: Bools,
    labels: Integers,
    tops: Integers,
    heights: Integers,
    text: str,
    middles: Floats,
) -> tuple[float, float, float] | None:
    """Return (baseline row at the first letter, slope, cap height) of the letters, or None."""
    upper, lower, columns = [], [], []
    for k, character in enumerate(text):
        if character in _OFF_LINE:
            continue
        a, b = max(0, int(middles[k]) - 3), int(middles[k]) + 4
        near = labels[:, a:b]
        counts = np.bincount(near[ink[:, a:b]], minlength=1)
        if len(counts) < 2:
            continue
        piece = int(counts.argmax())
        upper.append(tops[piece])
        lower.append(tops[piece] + heights[piece])
        columns.append(middles[k])
    if len(upper) < 2:
        return None
    x = np.array(columns) - middles[0]
    rows = np.array(lower, np.float64)
    # Theil-Sen slope: one letter in ten reaches below the line, or is another letter.
    pairs = [(j, i) for i in range(len(x)) for j in range(i) if x[i] - x[j] > 8]
    slopes = [(rows[i] - rows[j]) / (x[i] - x[j]) for j, i in pairs]
    slope = float(np.clip(np.median(slopes), -0.12, 0.12)) if slopes else 0.0
    baseline = float(np.median(rows - slope * x))
    cap = float(np.median(rows - np.array(upper)))
    fits = np.abs(rows - slope * x - baseline) < 0.3 * cap
    if cap < 7 or fits.mean() < 0.6:
        return None
    return baseline, slope, cap


def _groups(pieces: list[int], lefts: Integers, widths: Integers) -> list[list[int]]:
    """Return the pieces that stand above one another together, from left to right."""
    groups: list[list[int]] = []
    end = -1
    for number in sorted(pieces, key=lambda n: lefts[n]):
        if groups and lefts[number] < end - 0.35 * widths[number]:
            groups[-1].append(number)
            end = max(end, lefts[number] + widths[number])
        else:
            groups.append([number])
            end = lefts[number] + widths[number]
    return groups


def collect(
    found: Iterable[tuple[int, Letters]], height: int, origins: Sequence[tuple[str, int]]
) -> LetterBank:
    """Pack what `cut_letters` found in pictures.

    Args:
        found: position of each picture and what it gave, by ascending position.
        height: rows of a picture.
        origins: name of each dataset and position of its first picture, ascending.
    """
    cuts = list(found)
    letters = [letter for _, cut in cuts for letter in cut.letters]
    if not letters:
        raise ValueError("No picture gave letters: the model does not read any as labelled.")
    characters, images, rises = zip(*letters, strict=True)
    sizes = np.array([image.shape for image in images], np.int32)
    contexts = np.array([cut.context for _, cut in cuts], np.float32)
    positions = np.array([position for position, _ in cuts], np.int32)
    each = [len(cut.letters) for _, cut in cuts]
    sources = positions.repeat(each)
    style = {name: contexts[:, i].repeat(each) for i, name in enumerate(Context._fields)}
    owners = np.searchsorted([first for _, first in origins], sources, side="right") - 1
    return LetterBank(
        characters=np.array(characters),
        heights=sizes[:, 0],
        widths=sizes[:, 1],
        rises=np.array(rises, np.float32),
        caps=style["cap"],
        strokes=style["stroke"],
        inks=style["ink"],
        sources=sources,
        pixels=np.concatenate([image.ravel() for image in images]),
        contexts=contexts,
        context_sources=positions,
        context_pixels=np.concatenate([cut.emptied.ravel() for _, cut in cuts]),
        height=height,
        origins=np.array([name for name, _ in origins]),
        origin_counts=np.bincount(owners, minlength=len(origins)).astype(np.int64),
    )

"""Form lines: frames, combs, rules and squares printed on the paper, found and removed.

A form line is straight, thin and longer than a letter is wide. Horizontal ones are told from bars
of letters by their length; vertical ones, which may be as short as an `I`, by the horizontal ones
that they meet and by one another. Writing that crosses a line is repaired from both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr.arrays import Doubles, Grey, runs_of

#: Darkness, of 255, from which on a pixel can belong to a line: far below that of writing, since
#: squared paper is printed pale.
PALEST = 18

#: Darkness from which on a pixel is written, as a rule.
INK = 76

#: The thickest of thin and of thick lines, which are looked for apart, as a share of the sum of
#: the picture's sides, and the least of either in pixels.
THICKEST, LEAST_THICKEST = (0.012, 0.03), 3

#: The shortest pieces of horizontal lines that are looked for, as a share of the width.
PIECE = 0.1

#: A single line is at least this long, as shares of the width and of the height.
LONG, LONG_OF_HEIGHT = 0.45, 1.2

#: A single line has ink, its own or that of writing over it, in this share of its columns.
UNBROKEN = 0.9

#: The sides of a frame may be this short, as a share of the width.
LONG_IN_FRAME = 0.15

#: The shortest vertical lines that are looked for, as a share of the height, and in pixels.
UPRIGHT, LEAST_UPRIGHT = 0.16, 8

#: How far a line may fall or bend, as a share of its length.
BEND = 0.04

#: A line's tone is at least this share of its usual one, except in so many percent of its length.
EVEN, PALE_SHARE = 0.5, 6

#: Pixels along a line over which the grain of paper is averaged, where it usually is so dark.
GRAIN, GRAINY = 7, 3

#: How far apart ends may be that belong together, as a share of the sum of the picture's sides.
NEAR = 0.009

#: How far from a line, in pixels, the end of one that meets it may be.
TOUCHING = 1.5

#: From so many teeth of a comb on they are no strokes of letters.
TEETH = 3


@dataclass(frozen=True)
class _Piece:
    """A thin straight stroke, or a part of one, in pixels.

    Attributes:
        label: its number in the map of labels.
        start, end: the columns, half open, that it runs through.
        first, last: the rows where it begins and ends.
        thickness: its mean thickness.
    """

    label: int
    start: int
    end: int
    first: float
    last: float
    thickness: float


@dataclass(frozen=True)
class _Line:
    """Pieces that continue one another, from the left."""

    pieces: tuple[_Piece, ...]

    @property
    def start(self) -> int:
        return self.pieces[0].start

    @property
    def end(self) -> int:
        return self.pieces[-1].end

    @property
    def length(self) -> int:
        return self.end - self.start

    @property
    def thickness(self) -> float:
        return max(piece.thickness for piece in self.pieces)

    @property
    def covered(self) -> float:
        return sum(piece.end - piece.start for piece in self.pieces) / self.length

    def at(self, x: float) -> float:
        """Return the row of the line in column `x`."""
        columns = [edge for piece in self.pieces for edge in (piece.start, piece.end)]
        rows = [row for piece in self.pieces for row in (piece.first, piece.last)]
        return float(np.interp(x, columns, rows))

    @property
    def middle(self) -> float:
        return self.at((self.start + self.end) / 2)

    def reached_by(self, x: float, y: float, slack: float) -> bool:
        """Whether a stroke that ends in column `x` and row `y` touches this line."""
        aside = slack + self.thickness
        near = abs(y - self.at(x)) <= self.thickness / 2 + slack
        return near and self.start - aside <= x <= self.end + aside


@dataclass(frozen=True)
class _Lines:
    """The lines along the rows of a picture, and the map of their pieces' labels, (H, W) int32."""

    lines: list[_Line]
    labels: NDArray[np.int32]

    @classmethod
    def along(
        cls,
        dark: Grey,
        least: int,
        thinnest: int,
        thick: int,
        near: float,
        other: Grey | None = None,
    ) -> Self:
        """Find the lines along the rows of `dark` whose pieces are at least `least` long.

        Args:
            other: (H, W) uint8, not 0 in lines that cross these; beside them these are not thin.
        """
        if np.median(dark) >= GRAINY:
            # Grain is weaker than a line in the mean along it.
            dark = np.asarray(cv2.blur(dark, (GRAIN, 1)), np.uint8)
        image = dark if other is None else np.where(other, np.uint8(0), dark)
        # Less what is thicker than a line: the bodies of letters and uneven paper.
        thin = cv2.subtract(image, _opened(image, (thick, 1)))
        marks = cv2.threshold(thin, PALEST, 1, cv2.THRESH_BINARY)[1]
        # Strokes that cross a line leave gaps in it; one that falls by a pixel goes on in the next.
        mask = cv2.morphologyEx(marks, cv2.MORPH_CLOSE, np.ones((1, thick), np.uint8))
        mask = cv2.dilate(mask, np.ones((3, 1), np.uint8))
        mask = _opened(np.asarray(mask, np.uint8), (1, least | 1))
        if not mask.any():
            return cls([], mask.astype(np.int32))
        # Where a stroke of writing runs along a line, it is cut.
        wide = _opened(mask, (thick + 4, 1))
        mask = _opened(mask & ~wide, (1, least | 1))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
        pieces: list[_Piece] = []
        found = np.zeros(labels.shape, np.int32)
        for label in range(1, count):
            x, y, w, h, _ = (int(value) for value in stats[label])
            box = labels[y : y + h, x : x + w]
            for start, end in _straight_runs(box == label, least):
                part = box[:, start:end] == label
                thickness = np.count_nonzero(part) / (end - start)
                if not thinnest < thickness - 2 <= thick:  # less what the dilation added
                    continue
                rows = _middles(part)
                # A row of small or of joined letters is not even.
                if _is_even(dark[y : y + h, x + start : x + end], rows):
                    number = len(pieces) + 1
                    found[y : y + h, x + start : x + end][part] = number
                    ends = float(y + rows[0]), float(y + rows[-1])
                    pieces.append(_Piece(number, x + start, x + end, *ends, thickness))
        return cls(_joined(pieces, near), found)

    def region(self, kept: list[_Line], thick: int) -> Grey:
        """Return the pixels of the lines `kept`, (H, W) uint8, 1 in them."""
        region = np.isin(self.labels, [p.label for line in kept for p in line.pieces])
        drawn = region.astype(np.uint8)
        for line in kept:
            # Where writing hides a line it goes on; and a corner belongs to neither of its lines.
            ends = line.pieces
            gaps = [(a.end, b.start, a.last, b.first, a.thickness) for a, b in pairwise(ends)]
            a, b = ends[0], ends[-1]
            gaps += [(a.start - thick, a.start, a.first, a.first, a.thickness)]
            gaps += [(b.end, b.end + thick, b.last, b.last, b.thickness)]
            for left, right, first, last, thickness in gaps:
                if left < right:
                    ends_at = (left, round(first)), (right, round(last))
                    cv2.line(drawn, *ends_at, 1, max(1, round(thickness)))
        return drawn


def _inked(dark: Grey, row: float, thickness: float) -> NDArray[np.bool_]:
    """Return in which columns, (W,), there is ink in a stroke along `row`."""
    reach = round(thickness / 2)
    band = dark[max(0, round(row) - reach) : round(row) + reach + 1]
    return np.asarray((band > PALEST).any(axis=0))


def _straight_runs(box: NDArray[np.bool_], least: int) -> list[tuple[int, int]]:
    """Return the ranges of columns, at least `least` long, in which a stroke is straight.

    Args:
        box: (H, W), True in the stroke. Where another runs beside it, it is thicker.
    """
    thickness = np.count_nonzero(box, axis=0)
    if box.shape[0] - thickness.mean() <= 1.2 + BEND * box.shape[1]:
        return [(0, box.shape[1])]
    alone = thickness <= np.percentile(thickness, 20) + 0.5
    runs = []
    for start, end in runs_of(alone):
        rows = np.flatnonzero(box[:, start:end].any(axis=1))
        extent = rows[-1] + 1 - rows[0]
        straight = extent - thickness[start:end].mean() <= 1.2 + BEND * (end - start)
        if end - start >= least and straight:
            runs.append((start, end))
    return runs


def _middles(part: NDArray[np.bool_]) -> Doubles:
    """Return the rows, (W,) float64, along which a stroke, (H, W) True in it, runs smoothly."""
    weights = part / np.count_nonzero(part, axis=0)
    rows = weights.T @ np.arange(part.shape[0])
    window = min(15, rows.size // 2 * 2 - 1)
    padded = np.pad(rows, window // 2, mode="edge")
    return np.convolve(padded, np.full(window, 1 / window), mode="valid")


def _is_even(dark: Grey, rows: Doubles) -> bool:
    """Whether a stroke is about equally dark all along `rows`, as no row of letters is."""
    middle = np.rint(rows).astype(int)
    columns = np.arange(middle.size)
    tones = [dark[np.clip(middle + shift, 0, dark.shape[0] - 1), columns] for shift in (-1, 0, 1)]
    low, usual = np.percentile(np.max(tones, axis=0), (PALE_SHARE, 50))
    return bool(low > max(PALEST, EVEN * usual))


def _opened(image: Grey, size: tuple[int, int]) -> Grey:
    """Return `image` opened by a rectangle of `size` rows and columns, both odd; 0 all around."""
    kernel, border = np.ones(size, np.uint8), cv2.BORDER_CONSTANT
    opened = cv2.morphologyEx(image, cv2.MORPH_OPEN, kernel, borderType=border, borderValue=0)
    return np.asarray(opened, np.uint8)


def _joined(pieces: list[_Piece], near: float) -> list[_Line]:
    """Return `pieces` as lines, the longest first."""
    groups: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda piece: piece.start - piece.end):
        for group in groups:
            line = _Line(tuple(sorted(group, key=lambda p: p.start)))
            middle = (piece.start + piece.end) / 2
            apart = all(piece.end <= p.start or piece.start >= p.end for p in group)
            if apart and abs(line.at(middle) - (piece.first + piece.last) / 2) <= near / 2:
                group.append(piece)
                break
        else:
            groups.append([piece])
    return [_Line(tuple(sorted(group, key=lambda p: p.start))) for group in groups]


def without_form_lines(dark: Grey) -> Grey:
    """Return `dark`, (H, W) uint8 darkness, 0 paper, without form lines.

    Where there are none it is `dark` itself.
    """
    if not _has_long_stroke(dark):
        return dark
    sides = sum(dark.shape)
    thinner, thicker = (max(LEAST_THICKEST, round(share * sides)) | 1 for share in THICKEST)
    # The strokes of letters are thinner than thick frames, beside which they do not look thin.
    return _without(_without(dark, thinner - 1, thicker), -1, thinner)


def _has_long_stroke(dark: Grey) -> bool:
    """Whether there is a piece of a horizontal line: answers at once for most pictures."""
    mask = cv2.threshold(dark, PALEST, 1, cv2.THRESH_BINARY)[1]
    mask = cv2.dilate(mask, np.ones((3, 1), np.uint8))
    least = max(20, round(PIECE * dark.shape[1])) | 1
    return bool(cv2.erode(mask, np.ones((1, least), np.uint8)).any())


def _without(dark: Grey, thinnest: int, thick: int) -> Grey:
    """Return `dark` without the form lines more than `thinnest` and up to `thick` pixels thick."""
    height, width = dark.shape
    near = max(2.5, NEAR * (height + width))
    across = _Lines.along(dark, max(20, round(PIECE * width)) | 1, thinnest, thick, near)
    if not across.lines:
        return dark
    least = max(LEAST_UPRIGHT, round(UPRIGHT * height))
    upright = _Lines.along(np.ascontiguousarray(dark.T), least, thinnest, thick, near)
    rules = _rules(across.lines, upright.lines, dark, near)
    if not rules:
        return dark
    region = across.region(rules, thick)
    upright = _Lines.along(
        np.ascontiguousarray(dark.T), least, thinnest, thick, near, other=region.T
    )
    posts = _posts(rules, upright.lines, dark, near)
    return _repaired(dark, region, upright.region(posts, thick).T)


def _rules(across: list[_Line], upright: list[_Line], dark: Grey, near: float) -> list[_Line]:
    """Return the horizontal lines that are no bars of letters."""
    height, width = dark.shape

    def framed(line: _Line) -> bool:
        """Whether it is the upper or lower side of a frame, however short."""
        return line.length >= LONG_IN_FRAME * width and any(
            other is not line
            and abs(line.start - other.start) <= near
            and abs(line.end - other.end) <= near
            and all(
                any(
                    abs(side.middle - at) <= near
                    and side.length >= 0.5 * abs(line.middle - other.middle)
                    for side in upright
                )
                for at in (line.start, line.end)
            )
            for other in across
        )

    least = max(LONG * width, LONG_OF_HEIGHT * height)
    return [
        line
        for line in across
        if (line.length >= least and line.covered >= 0.5 and _is_unbroken(line, dark))
        or framed(line)
        or _teeth(line, upright, near)
    ]


def _is_unbroken(line: _Line, dark: Grey) -> bool:
    """Whether writing fills the gaps of `line`: between the bars of letters there is paper."""
    gaps = 0
    for a, b in pairwise(line.pieces):
        between = dark[:, a.end : b.start]
        gaps += int(_inked(between, (a.last + b.first) / 2, line.thickness).sum())
    return line.covered + gaps / line.length >= UNBROKEN


def _posts(rules: list[_Line], upright: list[_Line], dark: Grey, near: float) -> list[_Line]:
    """Return the vertical lines that are no stems of letters: frames, combs and squares."""
    height = dark.shape[0]
    teeth = [tooth for rule in rules for tooth in _teeth(rule, upright, near)]

    def hidden(x: int, y: float, step: int) -> bool:
        """Whether writing covers a vertical line from its end in row `x` on to a rule or edge."""
        column = min(max(round(y), 0), dark.shape[1] - 1)
        while near < x < height - 1 - near:
            if dark[x, column] <= INK:
                return False
            if any(rule.reached_by(column, x, 0) for rule in rules):
                return True
            x += step
        return True

    def ends_at_rules(post: _Line) -> bool:
        first, last = post.pieces[0], post.pieces[-1]
        meets = [
            any(rule.reached_by(at, end, TOUCHING) for rule in rules)
            for at, end in ((first.first, first.start), (last.last, last.end))
        ]
        # Squares go on to the edges of the picture, and frames are cut there.
        edges = [first.start <= near, last.end >= height - near]
        goes_on = [hidden(first.start - 2, first.first, -1), hidden(last.end + 1, last.last, 1)]
        if all(meets):
            return True
        if any(meets):
            return all(map(max, meets, edges, goes_on))
        crossed = [rule for rule in rules if post.start < rule.at(post.middle) < post.end]
        return all(map(max, edges, goes_on)) and len(crossed) >= 2

    return teeth + [post for post in upright if ends_at_rules(post)]


def _teeth(rule: _Line, upright: list[_Line], near: float) -> list[_Line]:
    """Return the teeth of a comb with the base or top `rule`: equally high, also at its ends."""
    best: list[_Line] = []
    for below in (False, True):
        # Of a line that goes on beyond the teeth, as with a stem right above, what meets the rule.
        standing = [
            _Line((piece,))
            for line in upright
            for piece in line.pieces
            if rule.reached_by(
                piece.first if below else piece.last, piece.start if below else piece.end, TOUCHING
            )
        ]
        for model in standing:
            alike = [s for s in standing if abs(s.length - model.length) <= max(2, near / 2)]
            outer = [min(abs(s.middle - at) for s in alike) for at in (rule.start, rule.end)]
            if len(alike) > len(best) and max(outer) <= near:
                # Letters hide the far ends of some.
                best = [s for s in standing if s.length <= model.length + max(2, near / 2)]
    return best if len(best) >= TEETH else []


def _repaired(dark: Grey, across: Grey, upright: Grey) -> Grey:
    """Return `dark` with form lines turned into paper except where writing covers them.

    Args:
        across, upright: (H, W) uint8, 1 in horizontal and in vertical lines.
    """
    kept = _covered(dark, across, upright)
    kept |= _covered(dark.T, upright.T, across.T).T
    region = (across | upright) & ~kept
    rest = np.where(region, np.uint8(0), dark)
    repaired = rest
    for line, down in ((across, True), (upright, False)):
        if line.any():
            size = (_thickness(line if down else line.T) + 1) | 1
            kernel = np.ones((size, 1) if down else (1, size), np.uint8)
            closed = np.asarray(cv2.morphologyEx(rest, cv2.MORPH_CLOSE, kernel), np.uint8)
            repaired = np.where(line, np.maximum(repaired, closed), repaired)
    return repaired


def _covered(dark: Grey, line: Grey, other: Grey) -> Grey:
    """Return the pixels of horizontal lines that writing covers, (H, W) uint8 of 0 and 1.

    They are far darker than the line, or the stroke there is thicker than the line.
    """
    inside = dark[(line > 0) & (other == 0) & (dark > PALEST)]
    if not inside.size:
        return np.zeros_like(line)
    level = float(np.median(inside))
    darker = (dark > max(INK, 1.25 * level + 25)).astype(np.uint8)
    ink = ((dark > max(PALEST, 0.5 * level)) & (other == 0)).astype(np.uint8)
    size = (_thickness(ink & line) + 2) | 1
    thicker = _opened(ink, (size, 1))

    return (darker | thicker) & line


def _thickness(region: Grey) -> int:
    """Return the usual thickness of horizontal lines in `region`, (H, W) uint8 of 0 and 1."""
    edges = np.count_nonzero(np.diff(region, axis=0, prepend=0, append=0)) / 2
    return max(1, round(np.count_nonzero(region) / max(1, edges)))

"""Synthesis: pictures of names that the package draws itself, as if by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr.arrays import Grey, Singles
from hwr.synthesis import fonts as typefaces
from hwr.synthesis.letter_strokes import Variants
from hwr.synthesis.names import NAMES
from hwr.synthesis.writer import (
    Writer,
    check_text,
    has_small,
    pick,
    smooth_noise,
    trace_name,
    within,
)

Renderer = Callable[..., Grey]

PAPER: Final = 255
DETAIL: Final = 56  # height in pixels at which a capital is drawn before it is shrunk
SHIFT: Final = 4  # fractional bits of the coordinates handed to OpenCV
PRINT_CAP: Final = 8.5  # height in pixels of the capitals of printed prompts


# === Ink ===


@dataclass(frozen=True)
class _Ink:
    """Coverage (h, w) uint8, 255 where the pen went; `x`, `y`: start of the name's baseline."""

    cover: Grey
    x: float
    y: float


def _pen_line(
    strokes: Sequence[Singles], writer: Writer, rng: np.random.Generator, cap: float
) -> _Ink:
    """Strokes drawn with the writer's pen, capitals `cap` pixels high."""
    if not strokes:
        return _Ink(np.zeros((1, 1), np.uint8), 0, 0)
    detail = max(1, round(DETAIL / cap))
    scale = cap * detail
    points = np.concatenate(strokes)
    counts = np.array([len(s) for s in strokes])
    thickness = writer.thickness * scale
    press = 1 + writer.pressure * 0.5 * smooth_noise(rng, len(points), 14, 1)[:, 0]
    falling = np.diff(points[:, 1], append=0) > 0.02
    press *= np.where(falling, 1 + 0.2 * writer.pressure, 1)
    levels = np.maximum(1, np.rint(thickness * press.clip(0.45, 1.8))).astype(np.int32)
    margin = int(thickness * 1.8) // 2 + detail + 1
    low = (
        np.floor(points.min(axis=0) * scale / detail) * detail - margin // detail * detail - detail
    )
    size = np.ceil(points.max(axis=0) * scale) + margin + detail - low
    width, height = (int(n) // detail + 1 for n in size)
    canvas = np.zeros((height * detail, width * detail), np.uint8)
    fixed = np.rint((points * scale - low) * (1 << SHIFT)).astype(np.int32)
    # One thickness for every four points: few pieces, and steps too small to see.
    levels = levels[np.arange(len(levels)) // 4 * 4]
    ends = np.cumsum(counts)
    last = np.zeros(len(points), dtype=bool)
    last[ends - 1] = True
    change = np.flatnonzero(last[:-1] | (levels[1:] != levels[:-1])) + 1
    pieces: dict[int, list[NDArray[np.int32]]] = {}
    start = 0
    for stop in [*change.tolist(), len(points)]:
        reach = stop if last[stop - 1] else stop + 1
        pieces.setdefault(int(levels[start]), []).append(fixed[start:reach])
        start = stop
    for level, lines in pieces.items():
        cv2.polylines(canvas, lines, False, 255, level, cv2.LINE_8, SHIFT)
    cover = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return _Ink(np.asarray(cover, np.uint8), -low[0] / detail, -low[1] / detail)


def _typed_line(
    text: str,
    font: Path,
    writer: Writer,
    rng: np.random.Generator,
    cap: float,
    pitch: float | None,
) -> _Ink:
    """The text in a font, sheared and bent a little so that no letter comes out the same twice."""
    if pitch is None:
        line, base = typefaces.render_text(text, font, cap)
    else:
        letters = [typefaces.render_text(character, font, cap) for character in text]
        base = max(b for _, b in letters)
        low = max(c.shape[0] - b for c, b in letters)
        step = pitch * cap
        wide = max(c.shape[1] for c, _ in letters)
        line = np.zeros((base + low, int(step * len(letters)) + wide), np.uint8)
        for i, (letter, b) in enumerate(letters):
            _place(line, letter, round(step * i + (wide - letter.shape[1]) / 2), base - b)
        inked = np.flatnonzero(line.any(axis=0))
        line = line[:, inked[0] : inked[-1] + 1] if len(inked) else line[:, :1]
    pad = max(2, round(cap * 0.3))
    cover = np.pad(line, pad)
    base += pad
    rows, columns = cover.shape
    ys, xs = np.mgrid[0:rows, 0:columns].astype(np.float32)
    grid = rng.standard_normal((2, 3, 2 + columns // max(8, round(cap))), dtype=np.float32)
    bend = [cv2.resize(g, (columns, rows), interpolation=cv2.INTER_CUBIC) for g in grid]
    amount = np.float32(cap * (0.01 + writer.jitter * 2))
    xs += np.float32(writer.slant * 0.3) * (ys - base) + amount * bend[0]
    ys += amount * bend[1] + np.float32(writer.slope) * xs
    out = cv2.remap(cover, xs, ys, cv2.INTER_LINEAR)
    if writer.pen == "felt" and cap > 14:
        out = cv2.dilate(out, np.ones((2, 2), np.uint8))
    return _Ink(np.asarray(out, np.uint8), pad, base)


def _write(
    text: str,
    writer: Writer,
    rng: np.random.Generator,
    cap: float,
    *,
    room: float = np.inf,
    pitch: float | None = None,
    font: Path | None = None,
) -> _Ink:
    """A text in ink, made narrower, then smaller, where it would be wider than `room` pixels.

    pitch: distance of the boxes in pixels, None for free writing.
    """
    boxes = None if pitch is None else pitch / cap
    if font is not None and text.strip():
        ink = _typed_line(text, font, writer, rng, cap, boxes)
        if ink.cover.shape[1] > room:
            ink = _typed_line(text, font, writer, rng, cap * room / ink.cover.shape[1], boxes)
        return _Ink(_texture(ink.cover, writer, rng), ink.x, ink.y)
    if has_small(text):  # small letters fill up under a pen that suits capitals
        writer = replace(writer, thickness=min(writer.thickness * 0.85, 0.22 * writer.x_height))
    strokes = trace_name(text, writer, rng, pitch=boxes)
    if strokes:
        length = float(np.concatenate(strokes)[:, 0].max()) * cap
        if length > room:
            squeeze = max(0.78, room / length)
            strokes = [s * np.array([squeeze, 1], np.float32) for s in strokes]
            cap *= min(1.0, room / (length * squeeze))
    ink = _pen_line(strokes, writer, rng, cap)
    return _Ink(_texture(ink.cover, writer, rng), ink.x, ink.y)


def _texture(cover: Grey, writer: Writer, rng: np.random.Generator) -> Grey:
    """Coverage as this pen leaves it: grain, skips, and the darkness of the ink."""
    h, w = cover.shape
    if writer.pen == "felt" or h < 3 or w < 3:
        return np.asarray(cv2.convertScaleAbs(cover, alpha=writer.darkness), np.uint8)
    coarse = rng.standard_normal((2 + h // 10, 2 + w // 10), dtype=np.float32)
    depth = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR) * np.float32(0.12)
    if writer.pen == "pencil":
        depth += rng.standard_normal((h, w), dtype=np.float32) * np.float32(0.16)
    depth += np.float32(writer.darkness)
    ink = cover * depth
    return np.asarray(ink.clip(0, 255), np.uint8)


def _place(page: Grey, cover: Grey, x: int, y: int) -> None:
    """Lay ink on ink coverage `page` with its corner at (x, y), whatever hangs over being lost."""
    h, w = cover.shape
    top, left = max(0, y), max(0, x)
    bottom, right = min(page.shape[0], y + h), min(page.shape[1], x + w)
    if top < bottom and left < right:
        spot = page[top:bottom, left:right]
        np.maximum(spot, cover[top - y : bottom - y, left - x : right - x], out=spot)


def _jpeg(picture: Grey, quality: int) -> Grey:
    ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise RuntimeError("OpenCV could not encode a JPEG")
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def _scan(cover: Grey, rng: np.random.Generator) -> Grey:
    """Ink coverage as a scanner with a contrast curve sees it: white paper, grey edges."""
    sigma = rng.uniform(0.3, 0.75)
    soft = cv2.GaussianBlur(cover, (3, 3), sigma)
    curve = (np.arange(256) - rng.uniform(0, 50)) * rng.uniform(1.1, 1.9)
    return np.asarray(cv2.LUT(soft, (255 - curve.clip(0, 255)).astype(np.uint8)), np.uint8)


# === Pictures ===


def draw_name(
    text: str,
    writer: Writer,
    rng: np.random.Generator,
    *,
    height: int = 48,
    font: Path | None = None,
) -> Grey:
    """The name alone on white paper, (height, W) uint8, tight but for small random margins.

    height: of the picture in pixels, at least 8; font: draw with this font instead of strokes.
    """
    if height < 8:
        raise ValueError(f"a picture is at least 8 pixels high. Received: {height}")
    ink = _write(text, writer, rng, height * 0.6, font=font)
    margin = (rng.uniform(0.02, 0.2, 4) * height).astype(int) + 1
    page = np.pad(ink.cover, ((margin[0], margin[1]), (margin[2], margin[3])))
    if page.shape[0] < 8 or not ink.cover.any():
        page = np.zeros((height, height * 3), np.uint8)
    width = max(8, round(page.shape[1] * height / page.shape[0]))
    shrink = cv2.INTER_AREA if page.shape[0] > height else cv2.INTER_LINEAR
    return _scan(np.asarray(cv2.resize(page, (width, height), interpolation=shrink), np.uint8), rng)


def draw_pad(
    text: str,
    writer: Writer,
    rng: np.random.Generator,
    *,
    width: int = 800,
    height: int = 200,
    pen: int | None = None,
) -> Grey:
    """The name as a sketchpad gives it, (height, width) uint8: black brush strokes on white.

    pen: thickness of the brush in pixels, 2..20; random where None.
    """
    size = int(rng.integers(2, 21)) if pen is None else pen
    if not 1 <= size <= min(width, height) // 4:
        raise ValueError(f"the brush has 1 pixel to a quarter of the pad. Received: {size}")
    page = np.full((height, width), PAPER, np.uint8)
    strokes = trace_name(text, writer, rng)
    if not strokes:
        return page
    # A mouse reports a position now and then: straight steps between some of the points.
    every = int(rng.integers(1, 4))
    strokes = [np.concatenate([s[:-1:every], s[-1:]]) for s in strokes]
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.maximum(high - low, 0.05)
    room = np.array([width, height]) - size - 8
    largest = float((room / extent).min())
    # As large as people write on a pad, but letters stay open under the brush.
    wanted = max(height * rng.uniform(0.28, 0.75), size * (9 if has_small(text) else 5.5))
    scale = min(largest, wanted)
    free = room - extent * scale
    share = np.array([rng.beta(1, 1.6), rng.beta(2, 2)])
    shift = size / 2 + 4 + free * share - low * scale
    fixed = [np.rint((s * scale + shift) * (1 << SHIFT)).astype(np.int32) for s in strokes]
    cv2.polylines(page, fixed, False, 0, size, cv2.LINE_AA, SHIFT)
    return page


@lru_cache(maxsize=512)
def _printed(text: str, height: float, bold: bool) -> tuple[Grey, int]:
    """Form print: coverage and baseline row, drawn large and shrunk for soft edges."""
    cover, base = typefaces.render_text(text, None, height * 3, bold=1.2 if bold else 0.5)
    w, h = max(1, cover.shape[1] // 3), max(1, cover.shape[0] // 3)
    return np.asarray(cv2.resize(cover, (w, h), interpolation=cv2.INTER_AREA), np.uint8), base // 3


def _print(page: Grey, text: str, x: float, y: float, *, bold: bool = False) -> float:
    """Print a text with its baseline at y; returns where it ends."""
    cover, base = _printed(text, PRINT_CAP, bold)
    _place(page, cover, round(x), round(y) - base)
    return float(x + cover.shape[1])


def _code(rng: np.random.Generator) -> str:
    """A school code as the forms have it: seven digits, one capital."""
    return "".join(str(d) for d in rng.integers(0, 10, 7)) + chr(ord("A") + int(rng.integers(26)))


def _date(rng: np.random.Generator) -> str:
    day, month, year = rng.integers((1, 1, 1995), (29, 13, 2012))
    return (
        f"{day:02d} {month:02d} {year}" if rng.random() < 0.6 else f"{day:02d}/{month:02d}/{year}"
    )


def _ink_at(page: Grey, ink: _Ink, x: float, y: float) -> None:
    _place(page, ink.cover, round(x - ink.x), round(y - ink.y))


def _other(rng: np.random.Generator) -> str:
    return NAMES[int(rng.integers(len(NAMES)))].upper()


def draw_field(
    text: str, writer: Writer, rng: np.random.Generator, *, font: Path | None = None
) -> Grey:
    """The name in a field cut from a school form, (H, W) uint8 on white.

    One of three layouts, 284, 324 or 388 pixels wide and 20-70 high, with what else gets into the
    cut: printed prompts, the rest of the lines above and below in the same hand, a stamped time,
    frame lines and specks.
    """
    layout = (_field_plain, _field_boxed, _field_labelled)[pick(rng, 0.28, 0.4, 0.32)]
    picture = _scan(layout(text, writer, rng, font), rng)
    if rng.random() < 0.08:  # a pen that hardly wrote, or a scan too light
        picture = np.asarray(255 - cv2.convertScaleAbs(255 - picture, alpha=rng.uniform(0.4, 0.7)))
    if rng.random() < 0.75:
        picture = _jpeg(picture, int(rng.integers(55, 96)))
    return picture


def _specks(page: Grey, rng: np.random.Generator) -> None:
    if rng.random() < 0.15:
        for _ in range(int(rng.integers(1, 4))):
            x, y = int(rng.integers(page.shape[1])), int(rng.integers(page.shape[0]))
            cv2.circle(page, (x, y), int(rng.integers(0, 3)), int(rng.integers(80, 256)), -1)


@dataclass(frozen=True)
class _Line:
    """How this writer fills the boxes of this form; sizes in pixels."""

    writer: Writer
    cap: float
    pitch: float | None

    def write(
        self, text: str, rng: np.random.Generator, room: float, font: Path | None = None
    ) -> _Ink:
        # Small letters in boxes are written larger than beside capitals.
        cap = self.cap * 1.15 if has_small(text) else self.cap
        cursive = has_small(text) and self.writer.connected > 0.5
        pitch = None if cursive else self.pitch
        return _write(text, self.writer, rng, cap, room=room, pitch=pitch, font=font)


def _line(writer: Writer, rng: np.random.Generator, cap: float, pitch: float) -> _Line:
    """A line of boxes, which nine writers in ten respect (their edges do not show in a scan)."""
    size = within(cap * rng.lognormal(0, 0.14), 8, 1.5 * cap)
    # Forms are filled with a ballpoint and scanned at low resolution: lines of 1.2 to 2 pixels.
    writer = replace(writer, thickness=writer.thickness * 0.75)
    return _Line(writer, size, pitch * rng.normal(1, 0.01) if rng.random() < 0.9 else None)


def _field_plain(text: str, writer: Writer, rng: np.random.Generator, font: Path | None) -> Grey:
    """324 x 44: nothing but the name."""
    page = np.zeros((44, 324), np.uint8)
    line = _line(writer, rng, 13.5, 17.3)
    x, y = rng.normal(11, 2), rng.normal(29.5, 1.5)
    _ink_at(page, line.write(text, rng, 312 - x, font), x, y)
    if rng.random() < 0.06:
        cv2.line(page, (0, 42), (323, 42), int(rng.integers(60, 200)))
    _specks(page, rng)
    return page


def _field_boxed(text: str, writer: Writer, rng: np.random.Generator, font: Path | None) -> Grey:
    """284 wide: the prompt above the name, whole or cut, and sometimes the next prompts below."""
    kind = pick(rng, 0.6, 0.18, 0.22)
    height = (31, (45, 46, 50)[pick(rng, 0.1, 0.2, 0.7)], int(rng.integers(63, 71)))[kind]
    page = np.zeros((height, 284), np.uint8)
    line = _line(writer, rng, 12, 14.9)
    x = rng.normal(21, 2) if kind == 0 else rng.normal(33.5, 3)
    prompt = ("NOM", "PRENOM", "NAME")[pick(rng, 0.47, 0.47, 0.06)]
    if kind == 0:
        y = rng.normal(24, 1.5)
        if rng.random() < 0.5:
            _print(page, prompt, x + rng.normal(2, 2), rng.uniform(0, 6))
        if rng.random() < 0.1:
            _print(page, "NE(E) LE", x + rng.normal(0, 2), 36 + rng.uniform(0, 4))
            _print(page, "CLASSE", x + rng.normal(148, 3), 36 + rng.uniform(0, 4))
    elif kind == 1:
        y = height - rng.normal(8, 1.5)
        top = y - 12 - rng.uniform(8, 12)
        _print(page, prompt, x + rng.normal(0, 2), top)
        if rng.random() < 0.6:
            code = line.write(_code(rng), rng, 130)
            _ink_at(page, code, rng.normal(155, 6), top - rng.uniform(9, 14))
    else:
        y = rng.normal(52, 1.5)
        _print(page, prompt, x + rng.normal(-2, 2), rng.normal(14, 1.5))
        below = height + rng.uniform(1, 8)
        _print(page, "DATE DE NAISSANCE", x + rng.normal(2, 2), below)
        _print(page, "CLASSE", x + rng.normal(146, 2), below)
    _ink_at(page, line.write(text, rng, 272 - x, font), x, y)
    if rng.random() < 0.12:  # the tops of the line below
        _ink_at(page, line.write(_other(rng), rng, 240), x, height + rng.uniform(9, 13))
    _specks(page, rng)
    return page


def _field_labelled(text: str, writer: Writer, rng: np.random.Generator, font: Path | None) -> Grey:
    """388 wide: a bold prompt before the name, cut lines above and below, a stamped time."""
    line = _line(writer, rng, 12.5, 17.5)
    if rng.random() < 0.48:
        height, y = 36, rng.normal(29, 1.5)
        if rng.random() < 0.08:  # the cut sits too high: the feet of the letters are lost
            y += rng.uniform(2, 6)
        page = np.zeros((height, 388), np.uint8)
        prompt, label_x, x = "NOM :", rng.normal(7, 5), rng.normal(87, 4)
        above = y - rng.normal(23, 2)
        if rng.random() < 0.75:
            end = _print(page, "CODE RNE / UAI :", label_x - 1, above, bold=True)
            code = line.write(_code(rng), rng, 170)
            _ink_at(page, code, end + rng.uniform(2, 12), above + rng.normal(0, 1.5))
        if rng.random() < 0.25:
            _ink_at(page, line.write(_other(rng), rng, 250), x, height + rng.uniform(9, 13))
    else:
        height = int(rng.integers(18, 37))
        y = min(height - 2.0, rng.normal(18.5, 1.5))
        page = np.zeros((height, 388), np.uint8)
        prompt, label_x, x = "PRENOM :", rng.normal(10, 6), rng.normal(85, 5)
        if height > 25 and rng.random() < 0.6:
            below = y + rng.normal(22, 2)
            _print(page, "NE(E) LE :", label_x + rng.normal(-6, 2), below, bold=True)
            _print(page, "CLASSE :", label_x + rng.normal(255, 5), below, bold=True)
            _ink_at(page, line.write(_date(rng), rng, 165), x, below)
    if rng.random() < 0.92:
        end = _print(page, prompt, label_x, y + rng.normal(-0.5, 1), bold=True)
        x = max(x, end + 4)
    if rng.random() < 0.6:
        _stamp(page, rng)
    _ink_at(page, line.write(text, rng, 378 - x, font), x, y)
    if rng.random() < 0.25:
        edge = int(rng.integers(0, 10)) if rng.random() < 0.7 else int(rng.integers(376, 388))
        cv2.line(page, (edge, int(rng.integers(-8, 12))), (edge, height), 255)
    _specks(page, rng)
    return page


def _stamp(page: Grey, rng: np.random.Generator) -> None:
    """A printed time that runs up the left edge, partly out of the picture."""
    minute, second = int(rng.integers(60)), int(rng.integers(6))
    cover, _ = _printed(f":{minute:02d}:{second}", 9.0, True)
    upright = np.rot90(cover)
    shift = int(rng.integers(-upright.shape[0] // 2, page.shape[0]))
    _place(page, np.ascontiguousarray(upright), int(rng.integers(-7, 5)), shift)


def draw_photo(
    text: str, writer: Writer, rng: np.random.Generator, *, font: Path | None = None
) -> Grey:
    """The name on photographed paper, (H, W) uint8, about 50-170 pixels high.

    Uneven light, slight perspective, blank, ruled or squared paper, ink of any colour turned grey,
    noise, blur and JPEG artefacts.
    """
    cap = rng.uniform(18, 52)
    ink = _write(text, writer, rng, cap, room=720, font=font)
    if not ink.cover.any():  # as much paper as a name takes
        ink = _Ink(np.zeros((round(cap), round(cap * rng.uniform(2, 12))), np.uint8), 0, cap)
    pads = (rng.uniform(0.25, 1.3, 4) * cap).astype(int) + 4
    cover = np.pad(ink.cover, ((pads[0], pads[1]), (pads[2], pads[3])))
    h, w = cover.shape
    base = pads[0] + ink.y
    lines = np.zeros((h, w), np.uint8)
    paper = rng.random()
    if paper < 0.6:
        pitch = cap * rng.uniform(1.3, 2.4) if paper < 0.4 else cap * rng.uniform(0.4, 1)
        thick = int(max(1, cap / 30))
        start = (base + rng.uniform(0, 0.15) * cap) % pitch
        for line in np.arange(start, h, pitch):
            cv2.line(lines, (0, int(line)), (w, int(line)), 255, thick)
        if paper >= 0.4:
            for column in np.arange(rng.uniform(0, pitch), w, pitch):
                cv2.line(lines, (int(column), 0), (int(column), h), 255, thick)
    light = rng.uniform(150, 245)
    spread = rng.uniform(5, 45)
    coarse = rng.standard_normal((2, 3), dtype=np.float32) * np.float32(spread / 2)
    bright = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC) + np.float32(light)
    ink_level = rng.uniform(0.1, 0.6)  # blue and red ink are lighter grey than black
    dark = cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.4, 0.9)).astype(np.float32) / 255
    rule = lines.astype(np.float32) * np.float32(rng.uniform(0.08, 0.4) / 255)
    picture = bright * (1 - rule) * (1 - dark * np.float32(1 - ink_level))
    if rng.random() < 0.8:
        corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
        moved = corners + rng.uniform(-0.08, 0.08, (4, 2)).astype(np.float32) * h
        matrix = cv2.getPerspectiveTransform(corners, moved)
        warped = cv2.warpPerspective(picture, matrix, (w, h), borderMode=cv2.BORDER_REPLICATE)
        picture = np.asarray(warped)
    noise = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(rng.uniform(1, 8))
    if rng.random() < 0.5:
        noise = cv2.GaussianBlur(noise, (3, 3), 0.7) * 1.6
    grey = np.asarray((picture + noise).clip(0, 255), np.uint8)
    return _jpeg(grey, int(rng.integers(40, 92)))


def draw_nothing(writer: Writer, rng: np.random.Generator, *, kind: str = "field") -> Grey:
    """A picture of the renderer `kind` into which nobody wrote a name, (H, W) uint8.

    What else gets into such pictures is there: on a form the prompts and the rests of other lines,
    on photographed paper its ruling, and alone on a white page, as a pad or a tight cut gives it,
    now and then a speck, a dot where a pen rested, or a ruled line.
    """
    if kind in ("field", "photo"):
        return RENDERERS[kind]("", writer, rng)
    height = 200 if kind == "pad" else int(rng.integers(28, 97))
    width = 800 if kind == "pad" else round(height * rng.uniform(1.5, 8))
    page = np.zeros((height, width), np.uint8)
    marks = rng.random()
    if marks < 0.4:
        for _ in range(int(rng.integers(1, 4))):
            x, y = int(rng.integers(width)), int(rng.integers(height))
            radius = int(rng.integers(1, max(3, height // 16)))
            cv2.circle(page, (x, y), radius, int(rng.integers(90, 256)), -1, cv2.LINE_AA)
    elif marks < 0.8:
        middle, rise = rng.uniform(0.2, 0.95) * height, rng.normal(0, 0.01) * width
        ends = np.array([[-5, middle - rise], [width + 5, middle + rise]]) * (1 << SHIFT)
        line, level = np.rint(ends).astype(np.int32), int(rng.integers(60, 256))
        cv2.polylines(page, [line], False, level, max(1, height // 40), cv2.LINE_AA, SHIFT)
    return 255 - page if kind == "pad" else _scan(page, rng)


RENDERERS: Final[Mapping[str, Renderer]] = {
    "field": draw_field,
    "name": draw_name,
    "photo": draw_photo,
    "pad": draw_pad,
}
SHARES: Final[Mapping[str, float]] = {"field": 0.2, "name": 0.3, "photo": 0.25, "pad": 0.25}
#: The same for pictures without a name: forms, whose prompts are writing, are the hardest.
NOTHING_SHARES: Final[Mapping[str, float]] = {"field": 0.6, "photo": 0.2, "name": 0.1, "pad": 0.1}
FONT_SHARE: Final = 0.5


def draw(
    text: str,
    rng: np.random.Generator,
    *,
    variants: Variants = "train",
    fonts: Sequence[Path] = (),
    shares: Mapping[str, float] | None = None,
) -> Grey:
    """The text, as it stands, in a random hand and one of the renderers; (H, W) uint8.

    An empty text gives a picture without a name, see `draw_nothing`.
    shares: relative frequency of "field", "name", "photo" and "pad"; where None SHARES, and of
        pictures without a name NOTHING_SHARES.
    fonts: files of which one is used now and then instead of strokes, if it has all the characters.
    """
    if shares is None:
        shares = SHARES if text.strip() else NOTHING_SHARES
    unknown = set(shares) - set(RENDERERS)
    if unknown or not shares or min(shares.values()) < 0 or sum(shares.values()) <= 0:
        raise ValueError(f"shares are weights of {sorted(RENDERERS)}. Received: {dict(shares)!r}")
    check_text(text)
    writer = Writer.sample(rng, variants)
    names = list(shares)
    weights = np.array([shares[name] for name in names], dtype=np.float64)
    kind = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    if not text.strip():
        return draw_nothing(writer, rng, kind=kind)
    if kind == "name":
        size = int(rng.integers(28, 97))
    if fonts and kind != "pad" and rng.random() < FONT_SHARE:
        font = fonts[int(rng.integers(len(fonts)))]
        if typefaces.covers(font, text):
            if kind == "name":
                return draw_name(text, writer, rng, height=size, font=font)
            return RENDERERS[kind](text, writer, rng, font=font)
    if kind == "name":
        return draw_name(text, writer, rng, height=size)
    return RENDERERS[kind](text, writer, rng)

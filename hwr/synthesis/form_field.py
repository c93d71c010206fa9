"""The form field: a name in a field cut from a school form, with its surroundings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from hwr.arrays import Grey
from hwr.synthesis import fonts
from hwr.synthesis.ink import Ink, jpeg, place, scan, write
from hwr.synthesis.names import NAMES
from hwr.synthesis.writer import Writer, has_small, pick, within

PRINT_CAP: Final = 8.5  # height in pixels of the capitals of printed prompts


def draw_field(
    text: str, writer: Writer, rng: np.random.Generator, *, font: Path | None = None
) -> Grey:
    """The name in a field cut from a school form, (H, W) uint8 on white.

    One of three layouts, 284, 324 or 388 pixels wide and 18-70 high, with printed prompts, parts of
    the lines above and below by the same writer, a stamped time, frame lines and specks.
    """
    layout = (_field_plain, _field_boxed, _field_labelled)[pick(rng, 0.28, 0.4, 0.32)]
    picture = scan(layout(text, writer, rng, font), rng)
    if rng.random() < 0.08:  # a pen that hardly wrote, or a scan too light
        picture = np.asarray(255 - cv2.convertScaleAbs(255 - picture, alpha=rng.uniform(0.4, 0.7)))
    if rng.random() < 0.75:
        picture = jpeg(picture, int(rng.integers(55, 96)))
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
    ) -> Ink:
        # Small letters in boxes are written larger than beside capitals.
        cap = self.cap * 1.15 if has_small(text) else self.cap
        cursive = has_small(text) and self.writer.connected > 0.5
        pitch = None if cursive else self.pitch
        return write(text, self.writer, rng, cap, room=room, pitch=pitch, font=font)


def _line(writer: Writer, rng: np.random.Generator, cap: float, pitch: float) -> _Line:
    """A line of boxes, used by nine writers in ten; scans do not show the edges of the boxes."""
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
    upright = np.rot90(_printed(f":{minute:02d}:{second}", 9.0, True)[0])
    shift = int(rng.integers(-upright.shape[0] // 2, page.shape[0]))
    place(page, upright, int(rng.integers(-7, 5)), shift)


@lru_cache(maxsize=512)
def _printed(text: str, height: float, bold: bool) -> tuple[Grey, int]:
    """Form print: coverage and baseline row, drawn large and shrunk for soft edges."""
    cover, base = fonts.render_text(text, None, height * 3, bold=1.2 if bold else 0.5)
    w, h = max(1, cover.shape[1] // 3), max(1, cover.shape[0] // 3)
    return np.asarray(cv2.resize(cover, (w, h), interpolation=cv2.INTER_AREA), np.uint8), base // 3


def _print(page: Grey, text: str, x: float, y: float, *, bold: bool = False) -> float:
    """Print a text with its baseline at y; returns where it ends."""
    cover, base = _printed(text, PRINT_CAP, bold)
    place(page, cover, round(x), round(y) - base)
    return float(x + cover.shape[1])


def _code(rng: np.random.Generator) -> str:
    """A school code as the forms have it: seven digits, one capital."""
    return "".join(str(d) for d in rng.integers(0, 10, 7)) + chr(ord("A") + int(rng.integers(26)))


def _date(rng: np.random.Generator) -> str:
    day, month, year = rng.integers((1, 1, 1995), (29, 13, 2012))
    return (
        f"{day:02d} {month:02d} {year}" if rng.random() < 0.6 else f"{day:02d}/{month:02d}/{year}"
    )


def _ink_at(page: Grey, ink: Ink, x: float, y: float) -> None:
    place(page, ink.cover, round(x - ink.x), round(y - ink.y))


def _other(rng: np.random.Generator) -> str:
    return NAMES[int(rng.integers(len(NAMES)))].upper()

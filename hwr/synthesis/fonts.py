"""Fonts: handwriting typefaces that the user brings, as another source of letter shapes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SUFFIXES: Final = frozenset({".ttf", ".otf", ".woff", ".woff2"})

# A character that no font has: what is drawn for it is the font's "missing" box.
MISSING: Final = "\U0010fffe"
PROBE_SIZE: Final = 40


def find_fonts(folder: str | Path) -> list[Path]:
    """Font files under a folder, sorted; NotADirectoryError if there is no such folder."""
    root = Path(folder)
    if not root.is_dir():
        raise NotADirectoryError(f"fonts are searched in a folder. Received: {str(folder)!r}")
    return sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


@lru_cache(maxsize=256)
def load_font(path: str | Path | None, size: int) -> ImageFont.FreeTypeFont:
    """Font at a size in pixels; None is Pillow's own sans-serif. ValueError if it is no font."""
    if path is None:
        font = ImageFont.load_default(size)
        if not isinstance(font, ImageFont.FreeTypeFont):
            raise RuntimeError("Pillow was built without FreeType: no scalable font")
        return font
    try:
        return ImageFont.truetype(str(path), size)
    except OSError as error:
        raise ValueError(f"not a font that can be read. Received: {str(path)!r}") from error


@lru_cache(maxsize=65536)
def has_glyph(path: str | Path | None, character: str) -> bool:
    """Whether a font draws a character itself, rather than an empty or a "missing" box."""
    if character == " ":
        return True
    font = load_font(path, PROBE_SIZE)
    mask = font.getmask(character)
    ink = bytes(mask)
    return any(ink) and (mask.size, ink) != _missing(path)


@lru_cache(maxsize=1024)
def _missing(path: str | Path | None) -> tuple[tuple[int, int], bytes]:
    mask = load_font(path, PROBE_SIZE).getmask(MISSING)
    return mask.size, bytes(mask)


def covers(path: str | Path | None, text: str) -> bool:
    """Whether a font has every character of a text, and is a font at all."""
    try:
        return all(has_glyph(path, character) for character in text)
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def _capital_share(path: str | Path | None) -> float:
    """Height of a capital over the font size; 0.7 where the font's capital has no height."""
    _, top, _, bottom = load_font(path, 100).getbbox("H")
    return max(0.2, (bottom - top) / 100) if bottom > top else 0.7


def render_text(
    text: str, path: str | Path | None, height: float, *, bold: float = 0.0
) -> tuple[NDArray[np.uint8], int]:
    """Ink of a text in a font and the row of its baseline.

    height: that of a capital in pixels; bold: widening of the strokes in pixels.
    Returns (H, W) uint8, 255 where ink covers the pixel, tight around the ink plus one pixel; a
    text without ink gives one empty pixel.
    """
    font = load_font(path, max(4, round(height / _capital_share(path))))
    left, top, right, bottom = font.getbbox(text, anchor="ls", stroke_width=bold)
    if right <= left or bottom <= top:
        return np.zeros((1, 1), np.uint8), 0
    x, y = 1 - int(np.floor(left)), 1 - int(np.floor(top))
    size = (x + int(np.ceil(right)) + 1, y + int(np.ceil(bottom)) + 1)
    image = Image.new("L", size)
    ImageDraw.Draw(image).text((x, y), text, fill=255, font=font, anchor="ls", stroke_width=bold)
    return np.asarray(image, dtype=np.uint8), y

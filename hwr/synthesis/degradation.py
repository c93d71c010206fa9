"""Degradations: what paper, light and machines do to a field with a name in it.

Each takes a grey picture with dark writing on white paper, (H, W) uint8, and the random generator,
and returns another picture, grey or (H, W, 3) uint8 RGB. Some enlarge it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hwr.arrays import Grey, runs_of
from hwr.skew import turned

#: A grey or colour picture: (H, W) or (H, W, 3) uint8.
Pixels = NDArray[np.uint8]

Degradation = Callable[[Grey, np.random.Generator], Pixels]


def _margin(picture: Grey, top: int, side: int) -> Grey:
    border = (top, top, side, side)
    return np.asarray(cv2.copyMakeBorder(picture, *border, cv2.BORDER_CONSTANT, value=255))


def _ink(picture: Grey) -> tuple[int, int, int, int]:
    """Return the box of the writing: left, top, right, bottom; the whole picture if empty."""
    rows, columns = np.nonzero(picture < 160)
    if not rows.size:
        return 0, 0, picture.shape[1], picture.shape[0]
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def _stroke(
    page: Grey, start: tuple[int, int], end: tuple[int, int], tone: int, width: int
) -> None:
    """Print a line over what is there; ink never becomes lighter."""
    layer = np.full_like(page, 255)
    cv2.line(layer, start, end, tone, width)
    np.minimum(page, layer, out=page)


def _scale_of(picture: Grey) -> float:
    """Return by how much to thicken lines: school forms, of 40 rows, and up to twice as high: 1."""
    return max(1.0, float(picture.shape[0]) / 80)


def frame(picture: Grey, rng: np.random.Generator) -> Pixels:
    """A box printed around the name."""
    page = _margin(picture, int(rng.integers(3, 16)), int(rng.integers(3, 30)))
    height, width = page.shape
    away = int(rng.integers(1, 6))
    thick = round(rng.integers(1, 5) * _scale_of(picture))
    tone = int(rng.integers(0, 110))
    corners = [(away, away), (width - 1 - away, away)]
    corners += [(width - 1 - away, height - 1 - away), (away, height - 1 - away), (away, away)]
    for start, end in pairwise(corners):
        _stroke(page, start, end, tone, thick)
    return page


def _letters(picture: Grey) -> list[int]:
    """Return columns between letters, also before the first and after the last."""
    left, top, right, bottom = _ink(picture)
    darkest = picture[top:bottom, left:right].min(axis=0)
    # The writing begins and ends with ink, so that each empty run is between letters.
    cuts = [left + (start + end) // 2 for start, end in runs_of(darkest >= 160)]
    return [max(0, left - 5), *cuts, min(picture.shape[1] - 1, right + 5)]


def _comb(
    picture: Grey, rng: np.random.Generator, tone: int, share: float, *, closed: bool
) -> Grey:
    page = _margin(picture, 8, 10)
    cuts = _letters(page)
    pitch = max(6, int(np.median(np.diff(cuts))))
    cuts += range(
        cuts[-1] + pitch, min(page.shape[1], cuts[-1] + 1 + pitch * rng.integers(6)), pitch
    )
    _, top, _, bottom = _ink(page)
    top, bottom = max(0, top - int(rng.integers(3, 9))), bottom + int(rng.integers(2, 8))
    bottom = min(bottom, page.shape[0] - 1)
    thick = max(1, round(_scale_of(picture) * (1 if rng.random() < 0.8 else 2)))
    start = bottom - round(share * (bottom - top))
    for x in cuts:
        _stroke(page, (x, start), (x, bottom), tone, thick)
    _stroke(page, (cuts[0], bottom), (cuts[-1], bottom), tone, thick)
    if closed:
        _stroke(page, (cuts[0], top), (cuts[-1], top), tone, thick)
    return page


def comb(picture: Grey, rng: np.random.Generator) -> Pixels:
    """One printed box for each letter."""
    return _comb(picture, rng, int(rng.integers(20, 110)), 1.0, closed=True)


def pale_comb(picture: Grey, rng: np.random.Generator) -> Pixels:
    """One pale box for each letter."""
    return _comb(picture, rng, int(rng.integers(140, 215)), 1.0, closed=True)


def ticks(picture: Grey, rng: np.random.Generator) -> Pixels:
    """A line with short teeth between the letters."""
    return _comb(picture, rng, int(rng.integers(20, 170)), rng.uniform(0.25, 0.7), closed=False)


def _squares(picture: Grey, rng: np.random.Generator, tone: int) -> Grey:
    page = _margin(picture, 4, 4)
    pitch = round(int(rng.integers(10, 22)) * _scale_of(picture))
    first = rng.integers(0, pitch, 2)
    for y in range(int(first[0]), page.shape[0], pitch):
        _stroke(page, (0, y), (page.shape[1], y), tone, max(1, round(_scale_of(picture))))
    for x in range(int(first[1]), page.shape[1], pitch):
        _stroke(page, (x, 0), (x, page.shape[0]), tone, max(1, round(_scale_of(picture))))
    return page


def squared(picture: Grey, rng: np.random.Generator) -> Pixels:
    """Squared paper with pale lines."""
    return _squares(picture, rng, int(rng.integers(150, 220)))


def dark_squared(picture: Grey, rng: np.random.Generator) -> Pixels:
    """Squared paper with dark lines."""
    return _squares(picture, rng, int(rng.integers(60, 150)))


def ruled(picture: Grey, rng: np.random.Generator) -> Pixels:
    """Lines through the name, or close to it."""
    page = _margin(picture, 4, 4)
    pitch = round(int(rng.integers(18, 34)) * _scale_of(picture))
    tone = int(rng.integers(60, 200))
    for y in range(int(rng.integers(pitch)), page.shape[0], pitch):
        _stroke(page, (0, y), (page.shape[1], y), tone, max(1, round(_scale_of(picture))))
    return page


def dotted(picture: Grey, rng: np.random.Generator) -> Pixels:
    """A line of dots or dashes below the name."""
    page = _margin(picture, 4, 4)
    _, _, _, bottom = _ink(page)
    y = min(page.shape[0] - 2, bottom + int(rng.integers(-2, 3)))
    pitch, dash = int(rng.integers(3, 8)), int(rng.integers(0, 3))
    for x in range(int(rng.integers(8)), page.shape[1] - 8, pitch):
        _stroke(page, (x, y), (x + min(dash, pitch - 3), y), int(rng.integers(0, 120)), 1)
    return page


def _bytes(values: NDArray[Any]) -> Pixels:
    """Return numbers of any kind cut to 0..255, uint8."""
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def shadow(picture: Grey, rng: np.random.Generator) -> Pixels:
    """A shadow with a hard edge across the paper."""
    page = _margin(picture, 6, 6)
    height, width = page.shape
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    at, lean = rng.uniform(0.15, 0.85) * width, rng.uniform(-0.8, 0.8)
    soft = rng.uniform(0.5, 4)
    dark = 1 / (1 + np.exp(-np.clip((x - at - lean * (y - height / 2)) / soft, -30, 30)))
    if rng.random() < 0.5:
        dark = 1 - dark
    return _bytes(page * (1 - rng.uniform(0.3, 0.6) * dark))


def dithered(picture: Grey, rng: np.random.Generator) -> Pixels:
    """Grey paper scanned in black and white: the grey becomes dots (Floyd and Steinberg, 1976)."""
    page = (_margin(picture, 4, 4) * rng.uniform(0.72, 0.9)).astype(np.uint8)
    return np.asarray(Image.fromarray(page).convert("1").convert("L"))


def fax(picture: Grey, _: np.random.Generator) -> Pixels:
    """Black and white with half of the rows, the resolution lost."""
    height, width = picture.shape
    half = cv2.resize(picture, (width, max(8, height // 2)), interpolation=cv2.INTER_AREA)
    return np.where(half < 150, np.uint8(0), np.uint8(255))


def salt(picture: Grey, rng: np.random.Generator) -> Pixels:
    """Black and white dots all over."""
    page = picture.copy()
    hit = rng.random(page.shape)
    share = rng.uniform(0.005, 0.04)
    page[hit < share] = 0
    page[hit > 1 - share] = 255
    return page


def pattern(picture: Grey, rng: np.random.Generator) -> Pixels:
    """Security paper: fine waves printed over the paper."""
    page = _margin(picture, 4, 4)
    height, width = page.shape
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    waves = np.sin(y * rng.uniform(0.5, 1.2) + 2 * np.sin(x * rng.uniform(0.05, 0.15)))
    return np.minimum(page, _bytes(255 - rng.uniform(20, 60) * (waves > 0.3)))


def faint(picture: Grey, rng: np.random.Generator) -> Pixels:
    """Pencil hardly darker than the paper."""
    contrast = rng.uniform(18, 45) / 255
    page = 245 - (255.0 - _margin(picture, 4, 4)) * contrast
    return _bytes(page + rng.normal(0, 1.2, page.shape))


def skewed(picture: Grey, rng: np.random.Generator) -> Pixels:
    """Turned by 4 to 20 degrees."""
    return turned(picture, float(rng.uniform(4, 20) * rng.choice([-1, 1])))


def small(picture: Grey, rng: np.random.Generator) -> Pixels:
    """A half to a third of the size."""
    # Smaller ones are refused by `hwr.image.load_image`.
    factor = max(rng.uniform(0.33, 0.5), 12 / min(picture.shape))
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def compressed(picture: Grey, rng: np.random.Generator) -> Pixels:
    """JPEG of the lowest quality."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(4, 12))]
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_GRAYSCALE))


def _blend(cover: Grey, paper: NDArray[Any], ink: NDArray[Any]) -> Pixels:
    """Return paper and ink, RGB of 0..255, mixed by how dark (H, W) `cover` is."""
    share = (255.0 - cover)[..., None] / 255
    return _bytes(paper * (1 - share) + ink * share)


#: Inks and papers of nearly one brightness, RGB.
_PAIRS: Final = (
    ((200, 40, 45), (60, 130, 62)),
    ((190, 45, 60), (0, 150, 140)),
    ((170, 172, 180), (70, 110, 190)),
    ((120, 118, 115), (180, 145, 100)),
    ((30, 90, 200), (170, 70, 60)),
    ((20, 120, 60), (150, 80, 150)),
)


def coloured(picture: Grey, rng: np.random.Generator) -> Pixels:
    """Coloured ink on coloured paper of about the same brightness."""
    ink, paper = _PAIRS[int(rng.integers(len(_PAIRS)))]
    shift = rng.normal(0, 8, 3)
    page = _blend(_margin(picture, 4, 4), np.array(paper) + shift, np.array(ink) + shift)
    return _bytes(page + rng.normal(0, 1.5, page.shape))


def stamped(picture: Grey, rng: np.random.Generator) -> Pixels:
    """A coloured stamp over the name."""
    page = _margin(picture, 12, 6)
    left, top, right, bottom = _ink(page)
    center = int(rng.uniform(left, right)), int((top + bottom) / 2 + rng.normal(0, 4))
    radius = int(rng.uniform(0.9, 1.6) * (bottom - top)) + 4
    mask = np.full(page.shape, 255, np.uint8)
    for inner in (radius, radius - max(3, radius // 7)):
        cv2.circle(mask, center, inner, 0, max(1, radius // 16), cv2.LINE_AA)
    word = ("RECU", "PAID", "COPY", "OK")[int(rng.integers(4))]
    size = radius / 40
    (across, _), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_DUPLEX, size, 1)
    at = (center[0] - across // 2, center[1] + round(10 * size))
    cv2.putText(mask, word, at, cv2.FONT_HERSHEY_DUPLEX, size, 0, max(1, round(2 * size)))
    colour = ((185, 30, 35), (30, 60, 180), (30, 130, 60), (110, 40, 140))[int(rng.integers(4))]
    return np.minimum(
        np.repeat(page[..., None], 3, axis=2), _blend(mask, np.full(3, 255.0), np.array(colour))
    )


#: Every degradation by name.
KINDS: Final[dict[str, Degradation]] = {
    f.__name__: f
    for f in (
        frame, comb, pale_comb, ticks, squared, dark_squared, ruled, dotted, shadow, dithered, fax,
        salt, pattern, faint, skewed, small, compressed, coloured, stamped,
    )
}  # fmt: skip


def degraded(picture: Grey, rng: np.random.Generator) -> Pixels:
    """Return `picture`, (H, W) uint8 on white, in one of KINDS, now and then also askew."""
    kinds = list(KINDS)
    kind = kinds[int(rng.integers(len(kinds)))]
    if kind not in ("coloured", "stamped", "skewed", "small") and rng.random() < 0.15:
        return skewed(np.asarray(KINDS[kind](picture, rng)), rng)
    return KINDS[kind](picture, rng)

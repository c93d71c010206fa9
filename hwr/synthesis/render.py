"""Synthesis: pictures of names that the package draws itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from hwr.arrays import Grey
from hwr.synthesis import fonts as typefaces
from hwr.synthesis.form_field import draw_field
from hwr.synthesis.ink import SHIFT, Ink, jpeg, scan, write
from hwr.synthesis.writer import Writer, check_text, has_small, trace_name

Renderer = Callable[..., Grey]

PAD_HEIGHT, PAD_WIDTH = 200, 800


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
    ink = write(text, writer, rng, height * 0.6, font=font)
    margin = (rng.uniform(0.02, 0.2, 4) * height).astype(int) + 1
    page = np.pad(ink.cover, ((margin[0], margin[1]), (margin[2], margin[3])))
    if page.shape[0] < 8 or not ink.cover.any():
        page = np.zeros((height, height * 3), np.uint8)
    width = max(8, round(page.shape[1] * height / page.shape[0]))
    shrink = cv2.INTER_AREA if page.shape[0] > height else cv2.INTER_LINEAR
    return scan(np.asarray(cv2.resize(page, (width, height), interpolation=shrink), np.uint8), rng)


def draw_pad(
    text: str, writer: Writer, rng: np.random.Generator, *, pen: int | None = None
) -> Grey:
    """The name on a sketchpad, (200, 800) uint8: black brush strokes on white.

    pen: thickness of the brush in pixels, 1..50; random in 2..20 where None.
    """
    size = int(rng.integers(2, 21)) if pen is None else pen
    if not 1 <= size <= PAD_HEIGHT // 4:
        raise ValueError(f"the brush has 1 pixel to a quarter of the pad. Received: {size}")
    page = np.full((PAD_HEIGHT, PAD_WIDTH), 255, np.uint8)
    strokes = trace_name(text, writer, rng)
    if not strokes:
        return page
    # A mouse reports few positions, with straight lines between them.
    every = int(rng.integers(1, 4))
    strokes = [np.concatenate([s[:-1:every], s[-1:]]) for s in strokes]
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.maximum(high - low, 0.05)
    room = np.array([PAD_WIDTH, PAD_HEIGHT]) - size - 8
    largest = float((room / extent).min())
    # As large as people write on a pad, but letters stay open under the brush.
    wanted = max(PAD_HEIGHT * rng.uniform(0.28, 0.75), size * (9 if has_small(text) else 5.5))
    scale = min(largest, wanted)
    free = room - extent * scale
    share = np.array([rng.beta(1, 1.6), rng.beta(2, 2)])
    shift = size / 2 + 4 + free * share - low * scale
    fixed = [np.rint((s * scale + shift) * (1 << SHIFT)).astype(np.int32) for s in strokes]
    cv2.polylines(page, fixed, False, 0, size, cv2.LINE_AA, SHIFT)
    return page


def draw_photo(
    text: str, writer: Writer, rng: np.random.Generator, *, font: Path | None = None
) -> Grey:
    """The name on photographed paper, (H, W) uint8, about 50-170 pixels high.

    Uneven light, slight perspective, blank, ruled or squared paper, ink of any colour turned grey,
    noise, blur and JPEG artefacts.
    """
    cap = rng.uniform(18, 52)
    ink = write(text, writer, rng, cap, room=720, font=font)
    if not ink.cover.any():  # as much paper as a name takes
        ink = Ink(np.zeros((round(cap), round(cap * rng.uniform(2, 12))), np.uint8), 0, cap)
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
    return jpeg(grey, int(rng.integers(40, 92)))


def draw_nothing(writer: Writer, rng: np.random.Generator, *, kind: str = "field") -> Grey:
    """A picture of the renderer `kind` without a name, (H, W) uint8.

    A form has prompts and parts of other lines, photographed paper its ruling; a white page, of a
    pad or a tight cut, sometimes specks, dots of a resting pen, or a ruled line.
    """
    if kind in ("field", "photo"):
        return RENDERERS[kind]("", writer, rng)
    height = PAD_HEIGHT if kind == "pad" else int(rng.integers(28, 97))
    width = PAD_WIDTH if kind == "pad" else round(height * rng.uniform(1.5, 8))
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
    return 255 - page if kind == "pad" else scan(page, rng)


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
    fonts: Sequence[Path] = (),
    shares: Mapping[str, float] | None = None,
) -> Grey:
    """The text, unchanged, by a random writer in one of the renderers; (H, W) uint8.

    An empty text gives a picture without a name, see `draw_nothing`.
    shares: relative frequency of "field", "name", "photo" and "pad"; where None SHARES, and of
        pictures without a name NOTHING_SHARES.
    fonts: files of which one is sometimes used instead of strokes, if it has all the characters.
    """
    if shares is None:
        shares = SHARES if text.strip() else NOTHING_SHARES
    unknown = set(shares) - set(RENDERERS)
    if unknown or not shares or min(shares.values()) < 0 or sum(shares.values()) <= 0:
        raise ValueError(f"shares are weights of {sorted(RENDERERS)}. Received: {dict(shares)!r}")
    check_text(text)
    writer = Writer.sample(rng)
    names = list(shares)
    weights = np.array([shares[name] for name in names], dtype=np.float64)
    kind = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    if not text.strip():
        return draw_nothing(writer, rng, kind=kind)
    options: dict[str, int | Path] = {}
    if kind == "name":
        options["height"] = int(rng.integers(28, 97))
    if fonts and kind != "pad" and rng.random() < FONT_SHARE:
        font = fonts[int(rng.integers(len(fonts)))]
        if typefaces.covers(font, text):
            options["font"] = font
    return RENDERERS[kind](text, writer, rng, **options)

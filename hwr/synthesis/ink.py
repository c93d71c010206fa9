"""Ink: a text drawn by the pen of a writer or in a font, and scanned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr.arrays import Grey, Singles
from hwr.synthesis import fonts
from hwr.synthesis.writer import Writer, has_small, smooth_noise, trace_name

DETAIL: Final = 56  # height in pixels at which a capital is drawn before it is shrunk
SHIFT: Final = 4  # fractional bits of the coordinates handed to OpenCV


@dataclass(frozen=True)
class Ink:
    """Coverage (h, w) uint8, 255 under the pen; `x`, `y`: start of the name's baseline."""

    cover: Grey
    x: float
    y: float


def _pen_line(
    strokes: Sequence[Singles], writer: Writer, rng: np.random.Generator, cap: float
) -> Ink:
    """Strokes drawn with the writer's pen, capitals `cap` pixels high."""
    if not strokes:
        return Ink(np.zeros((1, 1), np.uint8), 0, 0)
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
    low = (np.floor(points.min(axis=0) * scale / detail) - margin // detail - 1) * detail
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
    return Ink(np.asarray(cover, np.uint8), -low[0] / detail, -low[1] / detail)


def _typed_line(
    text: str,
    font: Path,
    writer: Writer,
    rng: np.random.Generator,
    cap: float,
    pitch: float | None,
) -> Ink:
    """The text in a font, sheared and bent a little, so that equal letters differ."""
    if pitch is None:
        line, base = fonts.render_text(text, font, cap)
    else:
        letters = [fonts.render_text(character, font, cap) for character in text]
        base = max(b for _, b in letters)
        low = max(c.shape[0] - b for c, b in letters)
        step = pitch * cap
        wide = max(c.shape[1] for c, _ in letters)
        line = np.zeros((base + low, int(step * len(letters)) + wide), np.uint8)
        for i, (letter, b) in enumerate(letters):
            place(line, letter, round(step * i + (wide - letter.shape[1]) / 2), base - b)
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
    return Ink(np.asarray(out, np.uint8), pad, base)


def write(
    text: str,
    writer: Writer,
    rng: np.random.Generator,
    cap: float,
    *,
    room: float = np.inf,
    pitch: float | None = None,
    font: Path | None = None,
) -> Ink:
    """A text in ink, made narrower, then smaller, where it would be wider than `room` pixels.

    pitch: distance of the boxes in pixels, None for free writing.
    """
    boxes = None if pitch is None else pitch / cap
    if font is not None and text.strip():
        ink = _typed_line(text, font, writer, rng, cap, boxes)
        if ink.cover.shape[1] > room:
            ink = _typed_line(text, font, writer, rng, cap * room / ink.cover.shape[1], boxes)
        return Ink(_texture(ink.cover, writer, rng), ink.x, ink.y)
    if has_small(text):  # small letters fill up under a pen that suits capitals
        writer = replace(writer, thickness=min(writer.thickness * 0.85, 0.22 * writer.x_height))
    strokes = trace_name(text, writer, rng, pitch=boxes)
    if strokes:
        length = cap * max(float(stroke[:, 0].max()) for stroke in strokes)
        if length > room:
            squeeze = max(0.78, room / length)
            strokes = [s * np.array([squeeze, 1], np.float32) for s in strokes]
            cap *= min(1.0, room / (length * squeeze))
    ink = _pen_line(strokes, writer, rng, cap)
    return Ink(_texture(ink.cover, writer, rng), ink.x, ink.y)


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


def place(page: Grey, cover: Grey, x: int, y: int) -> None:
    """Add ink to the ink coverage `page` with its corner at (x, y), clipped to the page."""
    h, w = cover.shape
    top, left = max(0, y), max(0, x)
    bottom, right = min(page.shape[0], y + h), min(page.shape[1], x + w)
    if top < bottom and left < right:
        spot = page[top:bottom, left:right]
        np.maximum(spot, cover[top - y : bottom - y, left - x : right - x], out=spot)


def jpeg(picture: Grey, quality: int) -> Grey:
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def scan(cover: Grey, rng: np.random.Generator) -> Grey:
    """Ink coverage as a scanner with a contrast curve sees it: white paper, grey edges."""
    sigma = rng.uniform(0.3, 0.75)
    soft = cv2.GaussianBlur(cover, (3, 3), sigma)
    curve = (np.arange(256) - rng.uniform(0, 50)) * rng.uniform(1.1, 1.9)
    return np.asarray(cv2.LUT(soft, (255 - curve.clip(0, 255)).astype(np.uint8)), np.uint8)

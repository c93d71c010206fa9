"""Synthesis: names drawn by the package itself, as if by hand."""

from __future__ import annotations

import csv
import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr import fonts as typefaces
from hwr.skeletons import (
    JOINED,
    MARKS,
    PRINTED,
    STEP,
    Floats,
    Glyph,
    Variants,
    choose,
    parse,
    spell,
)

Pen = Literal["ballpoint", "felt", "pencil"]
Case = Literal["capitals", "dotted", "capitalised", "lower"]
Picture = NDArray[np.uint8]
Renderer = Callable[..., Picture]

PAPER: Final = 255
DETAIL: Final = 56  # height in pixels at which a capital is drawn before it is shrunk
SHIFT: Final = 4  # fractional bits of the coordinates handed to OpenCV
PRINT_CAP: Final = 8.5  # height in pixels of the capitals of printed prompts
DOTTED: Final = frozenset("ij")


# === Hand ===


@dataclass(frozen=True)
class Hand:
    """One writer's look. Lengths are in cap heights unless said otherwise.

    seed: which variant of each letter, and how this writer bends it.
    variants: the skeletons this writer may use.
    slant: shift to the right per unit of height, 0 upright.
    width: stretch of the letters, 1 as in the skeletons.
    spacing: gap between two capitals; small letters stand closer.
    x_height: height of small letters without ascender.
    shape: spread of the writer's own deviation from the skeletons.
    jitter: spread of the deviation from one letter to the next.
    turn: spread of the rotation of single letters, radians.
    size_jitter: relative spread of letter sizes.
    baseline_jitter, wander, slope: spread of single letters about the baseline, height of its slow
    wave, and its rise per unit of length.
    wobble: tremor of the pen.
    haste: 0 for sharp corners to 1 for washed-out ones.
    thickness: of the stroke; pressure: its relative variation, 0..1.
    darkness: of the ink, 0..1.
    connected: 0 for separate small letters, 1 for letters that join.
    """

    seed: int
    variants: Variants = "train"
    slant: float = 0.0
    width: float = 1.0
    spacing: float = 0.3
    x_height: float = 0.5
    shape: float = 0.03
    jitter: float = 0.015
    turn: float = 0.03
    size_jitter: float = 0.06
    baseline_jitter: float = 0.03
    wander: float = 0.03
    slope: float = 0.0
    wobble: float = 0.006
    haste: float = 0.2
    thickness: float = 0.12
    pressure: float = 0.2
    pen: Pen = "ballpoint"
    darkness: float = 0.9
    connected: float = 0.0
    case: Case = "capitals"

    @staticmethod
    def sample(rng: np.random.Generator, variants: Variants = "train") -> Hand:
        """A random writer; `variants` as in `hwr.skeletons.choose`."""
        choose(("", ""), variants)  # refuses an unknown word here rather than at the first letter
        pen: Pen = ("ballpoint", "felt", "pencil")[_pick(rng, 0.65, 0.2, 0.15)]
        thick = {"ballpoint": 0.09, "felt": 0.15, "pencil": 0.085}[pen]
        dark = {"ballpoint": 0.9, "felt": 0.97, "pencil": 0.65}[pen]
        care = rng.beta(1.6, 2.4)  # 0 neat, 1 careless: the deviations go together
        case: Case = ("capitals", "dotted", "capitalised", "lower")[
            _pick(rng, 0.72, 0.12, 0.13, 0.03)
        ]
        return Hand(
            seed=int(rng.integers(1 << 31)),
            variants=variants,
            slant=_within(rng.normal(0.08, 0.16), -0.35, 0.6),
            width=_within(rng.lognormal(-0.03, 0.17), 0.6, 1.5),
            spacing=_within(rng.lognormal(-1.0, 0.6), 0.06, 1.1),
            x_height=_within(rng.normal(0.55, 0.07), 0.38, 0.75),
            shape=0.015 + 0.05 * care,
            jitter=0.006 + 0.026 * care,
            turn=0.015 + 0.06 * care,
            size_jitter=0.025 + 0.09 * care,
            baseline_jitter=0.012 + 0.07 * care,
            wander=abs(rng.normal(0, 0.02 + 0.06 * care)),
            slope=rng.normal(0, 0.012),
            wobble=0.002 + rng.beta(1.2, 4) * 0.022,
            haste=rng.beta(1.3, 2.2),
            thickness=_within(thick * rng.lognormal(0, 0.25), 0.05, 0.3),
            pressure=rng.beta(1.5, 3) * 0.7,
            pen=pen,
            darkness=_within(rng.normal(dark, 0.1), 0.55, 1.0),
            connected=(0.0, rng.uniform(0.2, 0.8), 1.0)[_pick(rng, 0.4, 0.25, 0.35)],
            case=case,
        )

    def apply_case(self, text: str, rng: np.random.Generator) -> str:
        """The text in this writer's usual case, as it is to be drawn.

        "dotted" is capitals among which an I may be a small dotted i. No character is added or
        lost: a letter whose capital is more than one character (ß) stays small.
        """
        if self.case == "lower":
            return "".join(_one(c, c.lower()) for c in text)
        upper = "".join(_one(c, c.upper()) for c in text)
        if self.case == "capitals":
            return upper
        if self.case == "dotted":
            often = rng.uniform(0.5, 1)
            return "".join("i" if c == "I" and rng.random() < often else c for c in upper)
        starts = [
            i == 0 or text[i - 1] in " -'\N{RIGHT SINGLE QUOTATION MARK}" for i in range(len(text))
        ]
        return "".join(
            u if start else _one(c, c.lower())
            for u, c, start in zip(upper, text, starts, strict=True)
        )

    def skeletons(
        self, letter: str, *, joined: bool = False, plain: bool = False
    ) -> tuple[str, ...]:
        """The skeletons this writer may use for a letter of the tables, the usual one first.

        plain: leave out the capitals with a dot of their own, for a letter under an accent.
        """
        table = JOINED if joined and letter in JOINED else PRINTED
        allowed = choose(table[letter], self.variants)
        if plain and letter in "IJ":
            allowed = allowed[:2]
        # The usual shapes stand first in the tables, and are the usual ones here too.
        share = zlib.crc32(f"{self.seed} {letter} {joined}".encode()) / 2**32
        first = int(len(allowed) * share**1.3)
        return allowed[first:] + allowed[:first]


def _pick(rng: np.random.Generator, *shares: float) -> int:
    """Index drawn by shares that sum to 1; ten times as fast as `rng.choice`."""
    draw, index = rng.random(), 0
    while index < len(shares) - 1 and draw >= shares[index]:
        draw -= shares[index]
        index += 1
    return index


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _has_small(text: str) -> bool:
    """Whether small letters make up the text, an i among capitals not counted."""
    return any(c.islower() and c not in DOTTED for c in text)


def _one(character: str, other: str) -> str:
    return other if len(other) == 1 else character


# === Strokes ===


@lru_cache(maxsize=256)
def _manner(seed: int) -> Floats:
    """A writer's own bends, (256, 2) float32 standard normal."""
    return np.random.default_rng(seed).standard_normal((256, 2), dtype=np.float32)


def check_text(text: str) -> None:
    """ValueError naming every character of the text that cannot be drawn."""
    unknown = []
    for character in dict.fromkeys(text):
        try:
            spell(character)
        except ValueError:
            unknown.append(character)
    if unknown:
        raise ValueError(f"no skeleton for these characters. Received: {''.join(unknown)!r}")


@dataclass(frozen=True)
class _Part:
    """A letter or an accent on the way to the page."""

    glyph: Glyph
    small: bool  # follows the writer's x-height
    host: int  # index of the letter that an accent belongs to, else its own
    lift: float  # height of an accent's foot above the baseline before scaling
    gap: float  # room before this letter
    join: bool  # reached without lifting the pen
    box: int  # number of the character in the text


def _without_dot(glyph: Glyph, skeleton: str) -> Glyph:
    return parse(skeleton.rsplit("|", 1)[0]) if len(glyph.ends) > 1 else glyph


def _parts(text: str, hand: Hand, rng: np.random.Generator, *, joined: bool) -> list[_Part]:
    """Letters and accents of a text, in writing order."""
    parts: list[_Part] = []
    cursive = joined and hand.connected > 0.5
    gap, previous = 0.0, False
    chances = rng.random((len(text), 4))
    for box, character in enumerate(text):
        odd, link, spread, high = chances[box]
        base, marks = spell(character)
        if not base:
            gap += 0.35 + 0.9 * hand.spacing + 0.3 * spread
            previous = False
            continue
        small = base.islower()
        linked = small and cursive and base in JOINED
        options = hand.skeletons(base, joined=linked, plain=bool(marks))
        # A writer mostly repeats a shape, and now and then takes another.
        skeleton = options[int(odd * 100) % len(options)] if odd < 0.12 else options[0]
        glyph = parse(skeleton)
        above = [mark for mark in marks if mark != "\N{COMBINING CEDILLA}"]
        if above and base in DOTTED:
            glyph = _without_dot(glyph, skeleton)
        join = linked and previous and link < 0.15 + 0.85 * hand.connected
        if parts:
            if join:
                gap += 0.04 + 0.2 * hand.spacing * spread
            elif small or base in "-'.," or text[box - 1] in "-'":
                gap += 0.1 + 0.28 * hand.spacing * (0.6 + 0.8 * spread)
            else:
                gap += 0.06 + hand.spacing * (0.65 + 0.7 * spread)
        host = len(parts)
        parts.append(_Part(glyph, small, host, 0.0, gap, join, box))
        gap, previous = 0.0, linked
        _, _, _, top = glyph.size
        for mark in marks:
            shapes = MARKS[mark]
            shape = parse(shapes[zlib.crc32(f"{hand.seed} {mark}".encode()) % len(shapes)])
            lift = 0.0 if mark == "\N{COMBINING CEDILLA}" else top + 0.06 + 0.1 * high
            parts.append(_Part(shape, small, host, lift, 0.0, False, box))
    return parts


def _smooth_noise(rng: np.random.Generator, count: int, step: int, columns: int) -> Floats:
    """Noise that changes over `step` points, (count, columns) float32, about unit spread."""
    knots = rng.standard_normal((count // step + 2, columns), dtype=np.float32)
    place = np.arange(count, dtype=np.float32) / step
    left = place.astype(np.intp)
    share = (place - left)[:, None]
    share = share * share * (3 - 2 * share)
    return np.asarray(knots[left] * (1 - share) + knots[left + 1] * share, np.float32)


def trace_name(
    text: str, hand: Hand, rng: np.random.Generator, *, pitch: float | None = None
) -> list[Floats]:
    """The pen strokes of a name in writing order, (n, 2) float32 each, n >= 2.

    Units are cap heights, x to the right from the left end of the ink, y down from the baseline, so
    that the top of a capital is near y = -1. With `pitch` each character stands in its own box,
    as on a form, the boxes being that far apart, and no letters join. An empty or blank text has no
    strokes. ValueError for characters that cannot be drawn.
    """
    check_text(text)
    parts = _parts(text, hand, rng, joined=pitch is None)
    if not parts:
        return []
    controls = sum(len(part.glyph.points) for part in parts)
    noise = rng.standard_normal((controls, 2), dtype=np.float32) * np.float32(hand.jitter)
    manner = _manner(hand.seed) * np.float32(hand.shape)
    traced, used = [], 0
    for part in parts:
        glyph = part.glyph
        k = len(glyph.points)
        # The same letter starts at the same place of the writer's bends, whatever surrounds it.
        start = int(glyph.basis.shape[0] * 31 + k * 7) % (len(manner) - k)
        bend = manner[start : start + k] + noise[used : used + k]
        if part.small:  # the hand moves less where it writes smaller
            bend = bend * np.float32(0.65)
        traced.append(glyph.basis @ (glyph.points + bend))
        used += k
    points = np.concatenate(traced)
    counts = np.array([len(t) for t in traced])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    letter = np.repeat(np.arange(len(parts)), counts)
    ends = np.concatenate([s + np.array(p.glyph.ends) for s, p in zip(starts, parts, strict=True)])
    last = np.zeros(len(points), dtype=bool)
    last[ends - 1] = True
    first = np.roll(last, 1)
    small = np.array([p.small for p in parts])[letter]
    points = _round_corners(points, first | last, small, hand.haste)
    stroke = np.cumsum(first) - 1
    loose = rng.standard_normal((len(ends), 2), dtype=np.float32)
    points += (loose * np.float32(hand.jitter))[stroke]

    # Letter sizes: small letters are squeezed so that x-height and ascender keep their places.
    # A small i among capitals is written nearly as high as they are.
    x_height = hand.x_height if _has_small(text) else max(0.7, hand.x_height)
    y = points[:, 1]
    squeezed = np.where(y < 0.5, y * (2 * x_height), 1 - (1 - y) * (2 - 2 * x_height))
    points[:, 1] = np.where(small, squeezed, y)
    hosts = np.array([p.host for p in parts])
    scale = 1 + hand.size_jitter * rng.standard_normal((len(parts), 2)).clip(-2.5, 2.5)
    scale = scale[hosts].astype(np.float32)
    # Whoever writes small letters tall writes them wide too.
    wide = hand.width * np.where([p.small for p in parts], (2 * x_height) ** 0.6, 1)
    scale[:, 0] *= wide.astype(np.float32)
    angle = (hand.turn * rng.standard_normal(len(parts))).astype(np.float32)[hosts]
    points *= scale[letter]
    turn = angle[letter]
    points[:, 0] += (hand.slant - turn) * points[:, 1]
    points[:, 1] += turn * points[:, 0]

    # Places along the line, from the ink of each letter.
    left = np.minimum.reduceat(points[:, 0], starts)
    right = np.maximum.reduceat(points[:, 0], starts)
    x = np.zeros(len(parts), dtype=np.float32)
    rise = (hand.baseline_jitter * rng.standard_normal(len(parts))).astype(np.float32)[hosts]
    stray = 0.05 * rng.standard_normal(len(parts))
    cursor = 0.0
    for i, part in enumerate(parts):
        if part.host == i:
            if pitch is not None:
                cursor = (part.box + float(stray[i])) * pitch - float(right[i] - left[i]) / 2
            else:
                cursor += part.gap
            x[i] = cursor - left[i]
            # Letters overhang each other by their slant; it is no room between them.
            cursor += float(right[i] - left[i]) - abs(hand.slant) * 0.3
            cursor = max(cursor, float(x[i] + left[i]) + 0.02)
        else:
            body, high = part.host, part.lift
            if part.small:
                high = 1 - (1 - high) * (2 - 2 * x_height) if high > 0.5 else high
            high *= float(scale[i, 1])
            middle = float(left[body] + right[body]) / 2 - 0.5 * hand.slant * (0.9 if high else 0.6)
            x[i] = x[body] + middle + hand.slant * high - float(left[i] + right[i]) / 2
            rise[i] += high
    points[:, 0] += x[letter]
    phase, wave = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.6)
    points[:, 1] += (rise + hand.wander * np.sin(wave * x + phase) + hand.slope * x)[letter]
    points += _smooth_noise(rng, len(points), 5, 2) * np.float32(hand.wobble)

    points[:, 0] -= points[:, 0].min()
    points[:, 1] *= -1
    points = points.astype(np.float32, copy=False)
    return _join([points[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)], parts)


def _round_corners(
    points: Floats, keep: NDArray[np.bool_], small: NDArray[np.bool_], haste: float
) -> Floats:
    """Strokes with their corners washed out, all but the points to keep; (n, 2), (n,), (n,)."""
    turns = round(4 * haste)
    for turn in range(turns):
        middle = points.copy()
        middle[1:-1] = points[:-2] / 4 + points[1:-1] / 2 + points[2:] / 4
        # Small letters stand half as long: their bowls would close.
        fixed = keep if turn < turns / 2 else keep | small
        points = np.where(fixed[:, None], points, middle)
    return points


def _join(strokes: list[Floats], parts: Sequence[_Part]) -> list[Floats]:
    """Strokes in writing order, where letters that join share a stroke and dots come after it."""
    out: list[Floats] = []
    later: list[Floats] = []
    at = 0
    for i, part in enumerate(parts):
        main, *rest = strokes[at : at + len(part.glyph.ends)]
        at += len(part.glyph.ends)
        if part.join:
            out[-1] = np.concatenate([out[-1], _bridge(out[-1], main), main])
        else:
            out.extend(later)
            later = []
            out.append(main)
        later.extend(rest)
        # Only a letter's own first stroke can be continued: accents wait like dots.
        if part.host != i:
            later.append(out.pop())
    return out + later


def _bridge(before: Floats, after: Floats) -> Floats:
    """The line from the end of one stroke to the start of the next, ends left out, (n, 2)."""
    a, b = before[-1], after[0]
    length = float(np.hypot(*(b - a)))
    leave = before[-1] - before[max(-4, -len(before))]
    arrive = after[min(3, len(after) - 1)] - after[0]
    leave = leave / max(1e-6, float(np.hypot(*leave)))
    arrive = arrive / max(1e-6, float(np.hypot(*arrive)))
    if arrive[0] < 0.25:  # the letter starts backwards or downwards: come up to it and turn
        arrive = np.array([0.85, -0.5], dtype=np.float32)
    count = max(1, int(length / STEP))
    t = np.linspace(0, 1, count + 2, dtype=np.float32)[1:-1, None]
    bend = 0.8 * length
    return np.asarray(
        (2 * t**3 - 3 * t**2 + 1) * a
        + (t**3 - 2 * t**2 + t) * bend * leave
        + (3 * t**2 - 2 * t**3) * b
        + (t**3 - t**2) * bend * arrive,
        dtype=np.float32,
    )


# === Ink ===


@dataclass(frozen=True)
class _Ink:
    """Coverage (h, w) uint8, 255 where the pen went; `x`, `y`: start of the name's baseline."""

    cover: Picture
    x: float
    y: float


def _pen_line(strokes: Sequence[Floats], hand: Hand, rng: np.random.Generator, cap: float) -> _Ink:
    """Strokes drawn with the writer's pen, capitals `cap` pixels high."""
    if not strokes:
        return _Ink(np.zeros((1, 1), np.uint8), 0, 0)
    detail = max(1, round(DETAIL / cap))
    scale = cap * detail
    points = np.concatenate(strokes)
    counts = np.array([len(s) for s in strokes])
    thickness = hand.thickness * scale
    press = 1 + hand.pressure * 0.5 * _smooth_noise(rng, len(points), 14, 1)[:, 0]
    falling = np.diff(points[:, 1], append=0) > 0.02
    press *= np.where(falling, 1 + 0.2 * hand.pressure, 1)
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
    hand: Hand,
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
    amount = np.float32(cap * (0.01 + hand.jitter * 2))
    xs += np.float32(hand.slant * 0.3) * (ys - base) + amount * bend[0]
    ys += amount * bend[1] + np.float32(hand.slope) * xs
    out = cv2.remap(cover, xs, ys, cv2.INTER_LINEAR)
    if hand.pen == "felt" and cap > 14:
        out = cv2.dilate(out, np.ones((2, 2), np.uint8))
    return _Ink(np.asarray(out, np.uint8), pad, base)


def _write(
    text: str,
    hand: Hand,
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
        ink = _typed_line(text, font, hand, rng, cap, boxes)
        if ink.cover.shape[1] > room:
            ink = _typed_line(text, font, hand, rng, cap * room / ink.cover.shape[1], boxes)
        return _Ink(_texture(ink.cover, hand, rng), ink.x, ink.y)
    if _has_small(text):  # small letters fill up under a pen that suits capitals
        hand = replace(hand, thickness=min(hand.thickness * 0.85, 0.22 * hand.x_height))
    strokes = trace_name(text, hand, rng, pitch=boxes)
    if strokes:
        length = float(np.concatenate(strokes)[:, 0].max()) * cap
        if length > room:
            squeeze = max(0.78, room / length)
            strokes = [s * np.array([squeeze, 1], np.float32) for s in strokes]
            cap *= min(1.0, room / (length * squeeze))
    ink = _pen_line(strokes, hand, rng, cap)
    return _Ink(_texture(ink.cover, hand, rng), ink.x, ink.y)


def _texture(cover: Picture, hand: Hand, rng: np.random.Generator) -> Picture:
    """Coverage as this pen leaves it: grain, skips, and the darkness of the ink."""
    h, w = cover.shape
    if hand.pen == "felt" or h < 3 or w < 3:
        return np.asarray(cv2.convertScaleAbs(cover, alpha=hand.darkness), np.uint8)
    coarse = rng.standard_normal((2 + h // 10, 2 + w // 10), dtype=np.float32)
    depth = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR) * np.float32(0.12)
    if hand.pen == "pencil":
        depth += rng.standard_normal((h, w), dtype=np.float32) * np.float32(0.16)
    depth += np.float32(hand.darkness)
    ink = cover * depth
    return np.asarray(ink.clip(0, 255), np.uint8)


def _place(page: Picture, cover: Picture, x: int, y: int) -> None:
    """Lay ink on ink coverage `page` with its corner at (x, y), whatever hangs over being lost."""
    h, w = cover.shape
    top, left = max(0, y), max(0, x)
    bottom, right = min(page.shape[0], y + h), min(page.shape[1], x + w)
    if top < bottom and left < right:
        spot = page[top:bottom, left:right]
        np.maximum(spot, cover[top - y : bottom - y, left - x : right - x], out=spot)


def _jpeg(picture: Picture, quality: int) -> Picture:
    ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise RuntimeError("OpenCV could not encode a JPEG")
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def _scan(cover: Picture, rng: np.random.Generator) -> Picture:
    """Ink coverage as a scanner with a contrast curve sees it: white paper, grey edges."""
    sigma = rng.uniform(0.3, 0.75)
    soft = cv2.GaussianBlur(cover, (3, 3), sigma)
    curve = (np.arange(256) - rng.uniform(0, 50)) * rng.uniform(1.1, 1.9)
    return np.asarray(cv2.LUT(soft, (255 - curve.clip(0, 255)).astype(np.uint8)), np.uint8)


# === Pictures ===


def draw_name(
    text: str,
    hand: Hand,
    rng: np.random.Generator,
    *,
    height: int = 48,
    font: Path | None = None,
) -> Picture:
    """The name alone on white paper, (height, W) uint8, tight but for small random margins.

    height: of the picture in pixels, at least 8; font: draw with this font instead of strokes.
    """
    if height < 8:
        raise ValueError(f"a picture is at least 8 pixels high. Received: {height}")
    ink = _write(text, hand, rng, height * 0.6, font=font)
    margin = (rng.uniform(0.02, 0.2, 4) * height).astype(int) + 1
    page = np.pad(ink.cover, ((margin[0], margin[1]), (margin[2], margin[3])))
    if page.shape[0] < 8 or not ink.cover.any():
        page = np.zeros((height, height * 3), np.uint8)
    width = max(8, round(page.shape[1] * height / page.shape[0]))
    shrink = cv2.INTER_AREA if page.shape[0] > height else cv2.INTER_LINEAR
    return _scan(np.asarray(cv2.resize(page, (width, height), interpolation=shrink), np.uint8), rng)


def draw_pad(
    text: str,
    hand: Hand,
    rng: np.random.Generator,
    *,
    width: int = 800,
    height: int = 200,
    pen: int | None = None,
) -> Picture:
    """The name as a sketchpad gives it, (height, width) uint8: black brush strokes on white.

    pen: thickness of the brush in pixels, 2..20; random where None.
    """
    size = int(rng.integers(2, 21)) if pen is None else pen
    if not 1 <= size <= min(width, height) // 4:
        raise ValueError(f"the brush has 1 pixel to a quarter of the pad. Received: {size}")
    page = np.full((height, width), PAPER, np.uint8)
    strokes = trace_name(text, hand, rng)
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
    wanted = max(height * rng.uniform(0.28, 0.75), size * (9 if _has_small(text) else 5.5))
    scale = min(largest, wanted)
    free = room - extent * scale
    share = np.array([rng.beta(1, 1.6), rng.beta(2, 2)])
    shift = size / 2 + 4 + free * share - low * scale
    fixed = [np.rint((s * scale + shift) * (1 << SHIFT)).astype(np.int32) for s in strokes]
    cv2.polylines(page, fixed, False, 0, size, cv2.LINE_AA, SHIFT)
    return page


@lru_cache(maxsize=512)
def _printed(text: str, height: float, bold: bool) -> tuple[Picture, int]:
    """Form print: coverage and baseline row, drawn large and shrunk for soft edges."""
    cover, base = typefaces.render_text(text, None, height * 3, bold=1.2 if bold else 0.5)
    w, h = max(1, cover.shape[1] // 3), max(1, cover.shape[0] // 3)
    return np.asarray(cv2.resize(cover, (w, h), interpolation=cv2.INTER_AREA), np.uint8), base // 3


def _print(page: Picture, text: str, x: float, y: float, *, bold: bool = False) -> float:
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


def _ink_at(page: Picture, ink: _Ink, x: float, y: float) -> None:
    _place(page, ink.cover, round(x - ink.x), round(y - ink.y))


def _other(rng: np.random.Generator) -> str:
    return NAMES[int(rng.integers(len(NAMES)))].upper()


def draw_field(
    text: str, hand: Hand, rng: np.random.Generator, *, font: Path | None = None
) -> Picture:
    """The name in a field cut from a school form, (H, W) uint8 on white.

    One of three layouts, 284, 324 or 388 pixels wide and 20-70 high, with what else gets into the
    cut: printed prompts, the rest of the lines above and below in the same hand, a stamped time,
    frame lines and specks.
    """
    layout = (_field_plain, _field_boxed, _field_labelled)[_pick(rng, 0.28, 0.4, 0.32)]
    picture = _scan(layout(text, hand, rng, font), rng)
    if rng.random() < 0.08:  # a pen that hardly wrote, or a scan too light
        picture = np.asarray(255 - cv2.convertScaleAbs(255 - picture, alpha=rng.uniform(0.4, 0.7)))
    if rng.random() < 0.75:
        picture = _jpeg(picture, int(rng.integers(55, 96)))
    return picture


def _specks(page: Picture, rng: np.random.Generator) -> None:
    if rng.random() < 0.15:
        for _ in range(int(rng.integers(1, 4))):
            x, y = int(rng.integers(page.shape[1])), int(rng.integers(page.shape[0]))
            cv2.circle(page, (x, y), int(rng.integers(0, 3)), int(rng.integers(80, 256)), -1)


@dataclass(frozen=True)
class _Line:
    """How this writer fills the boxes of this form; sizes in pixels."""

    hand: Hand
    cap: float
    pitch: float | None

    def write(
        self, text: str, rng: np.random.Generator, room: float, font: Path | None = None
    ) -> _Ink:
        # Small letters in boxes are written larger than beside capitals.
        cap = self.cap * 1.15 if _has_small(text) else self.cap
        cursive = _has_small(text) and self.hand.connected > 0.5
        pitch = None if cursive else self.pitch
        return _write(text, self.hand, rng, cap, room=room, pitch=pitch, font=font)


def _line(hand: Hand, rng: np.random.Generator, cap: float, pitch: float) -> _Line:
    """A line of boxes, which nine writers in ten respect (their edges do not show in a scan)."""
    size = _within(cap * rng.lognormal(0, 0.14), 8, 1.5 * cap)
    # Forms are filled with a ballpoint and scanned at low resolution: lines of 1.2 to 2 pixels.
    hand = replace(hand, thickness=hand.thickness * 0.75)
    return _Line(hand, size, pitch * rng.normal(1, 0.01) if rng.random() < 0.9 else None)


def _field_plain(text: str, hand: Hand, rng: np.random.Generator, font: Path | None) -> Picture:
    """324 x 44: nothing but the name."""
    page = np.zeros((44, 324), np.uint8)
    line = _line(hand, rng, 13.5, 17.3)
    x, y = rng.normal(11, 2), rng.normal(29.5, 1.5)
    _ink_at(page, line.write(text, rng, 312 - x, font), x, y)
    if rng.random() < 0.06:
        cv2.line(page, (0, 42), (323, 42), int(rng.integers(60, 200)))
    _specks(page, rng)
    return page


def _field_boxed(text: str, hand: Hand, rng: np.random.Generator, font: Path | None) -> Picture:
    """284 wide: the prompt above the name, whole or cut, and sometimes the next prompts below."""
    kind = _pick(rng, 0.6, 0.18, 0.22)
    height = (31, (45, 46, 50)[_pick(rng, 0.1, 0.2, 0.7)], int(rng.integers(63, 71)))[kind]
    page = np.zeros((height, 284), np.uint8)
    line = _line(hand, rng, 12, 14.9)
    x = rng.normal(21, 2) if kind == 0 else rng.normal(33.5, 3)
    prompt = ("NOM", "PRENOM", "NAME")[_pick(rng, 0.47, 0.47, 0.06)]
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


def _field_labelled(text: str, hand: Hand, rng: np.random.Generator, font: Path | None) -> Picture:
    """388 wide: a bold prompt before the name, cut lines above and below, a stamped time."""
    line = _line(hand, rng, 12.5, 17.5)
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


def _stamp(page: Picture, rng: np.random.Generator) -> None:
    """A printed time that runs up the left edge, partly out of the picture."""
    minute, second = int(rng.integers(60)), int(rng.integers(6))
    cover, _ = _printed(f":{minute:02d}:{second}", 9.0, True)
    upright = np.rot90(cover)
    shift = int(rng.integers(-upright.shape[0] // 2, page.shape[0]))
    _place(page, np.ascontiguousarray(upright), int(rng.integers(-7, 5)), shift)


def draw_photo(
    text: str, hand: Hand, rng: np.random.Generator, *, font: Path | None = None
) -> Picture:
    """The name on photographed paper, (H, W) uint8, about 50-170 pixels high.

    Uneven light, slight perspective, blank, ruled or squared paper, ink of any colour turned grey,
    noise, blur and JPEG artefacts.
    """
    cap = rng.uniform(18, 52)
    ink = _write(text, hand, rng, cap, room=720, font=font)
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


RENDERERS: Final[Mapping[str, Renderer]] = {
    "field": draw_field,
    "name": draw_name,
    "photo": draw_photo,
    "pad": draw_pad,
}
SHARES: Final[Mapping[str, float]] = {"field": 0.5, "name": 0.2, "photo": 0.15, "pad": 0.15}
FONT_SHARE: Final = 0.3


def draw(
    text: str,
    rng: np.random.Generator,
    *,
    variants: Variants = "train",
    fonts: Sequence[Path] = (),
    shares: Mapping[str, float] = SHARES,
) -> Picture:
    """The text, as it stands, in a random hand and one of the renderers; (H, W) uint8.

    shares: relative frequency of "field", "name", "photo" and "pad".
    fonts: files of which one is used now and then instead of strokes, if it has all the characters.
    """
    unknown = set(shares) - set(RENDERERS)
    if unknown or not shares or min(shares.values()) < 0 or sum(shares.values()) <= 0:
        raise ValueError(f"shares are weights of {sorted(RENDERERS)}. Received: {dict(shares)!r}")
    check_text(text)
    hand = Hand.sample(rng, variants)
    names = list(shares)
    weights = np.array([shares[name] for name in names], dtype=np.float64)
    kind = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    if kind == "name":
        size = int(rng.integers(28, 97))
    if fonts and kind != "pad" and rng.random() < FONT_SHARE:
        font = fonts[int(rng.integers(len(fonts)))]
        if typefaces.covers(font, text):
            if kind == "name":
                return draw_name(text, hand, rng, height=size, font=font)
            return RENDERERS[kind](text, hand, rng, font=font)
    if kind == "name":
        return draw_name(text, hand, rng, height=size)
    return RENDERERS[kind](text, hand, rng)


# === Names ===

_NAMES: Final = (
    "Martin Bernard Thomas Petit Robert Richard Durand Dubois Moreau Laurent Simon Michel "
    "Lefebvre Leroy Roux David Bertrand Morel Fournier Girard Bonnet Dupont Lambert Fontaine "
    "Rousseau Vincent Muller Lefèvre Faure André Mercier Blanc Guérin Boyer Garnier Chevalier "
    "François Legrand Gauthier Garcia Perrin Robin Clément Morin Nicolas Henry Roussel "
    "Mathieu Gautier Masson Marchand Duval Denis Dumont Marie Lemaire Noël Meyer Dufour "
    "Meunier Brun Blanchard Giraud Joly Rivière Lucas Emma Léa Manon Chloé Camille Inès Sarah "
    "Zoé Jade Louise Alice Lola Lina Anaïs Eva Clara Julie Océane Maëlle Hugo Enzo Louis "
    "Gabriel Jules Arthur Nathan Théo Ethan Raphaël Maxime Antoine Kévin Alexandre Quentin "
    "Yanis Baptiste Mohamed Loïc Félix Joël Zacharie Wassim Ximena Schmidt Schneider Fischer "
    "Weber Becker Schulz Hoffmann Schäfer Koch Bauer Klein Wolf Schröder Neumann Schwarz "
    "Zimmermann Krüger Köhler Groß Jürgen Günther Björn Käthe Wilhelm Friedrich Smith Jones "
    "Taylor Brown Williams Wilson Johnson Davies Wright Walker Hughes Edwards Green Young "
    "King Baker Harrison Phillips Olivia George Harry Jack Emily Oscar Victoria Kyle Wendy "
    "Joshua "
)
NAMES: Final[tuple[str, ...]] = tuple(_NAMES.split())


def compose_name(rng: np.random.Generator, names: Sequence[str] = NAMES) -> str:
    """One of the names, now and then two with a hyphen or a space, or one with a particle."""

    def pick() -> str:
        return names[int(rng.integers(len(names)))]

    kind = rng.random()
    if kind < 0.78:
        return pick()
    if kind < 0.86:
        return f"{pick()}-{pick()}"
    if kind < 0.92:
        return f"{pick()} {pick()}"
    if kind < 0.96:
        return f"{('De', 'Le', 'Van', 'La')[int(rng.integers(4))]} {pick()}"
    return f"{('D', 'L', 'O')[int(rng.integers(3))]}'{pick()}"


def plain_label(text: str) -> str:
    """A name as the dataset labels it: capitals A-Z without accents, space, hyphen, apostrophe."""
    plain = []
    for character in text:
        base, _ = spell(character)
        plain.append(
            {"ß": "SS", "œ": "OE", "Œ": "OE", "æ": "AE", "Æ": "AE", "": " "}.get(base, base)
        )
    return "".join(plain).upper()


# === Samples ===

SPLITS: Final = (("TRAIN", 5, 0.5), ("VALIDATION", 4, 0.25), ("TEST", 4, 0.25))


def write_samples(
    folder: str | Path, *, count: int = 200, seed: int = 0, names: Sequence[str] = NAMES
) -> None:
    """Write a small dataset of fields in the layout of the Kaggle handwritten names.

    Half of `count` (at least 8) goes to training, a quarter each to validation and test: the tables
    `written_name_{train,validation,test}_v2.csv` (FILENAME, IDENTITY) and JPEG pictures such as
    `train_v2/train/TRAIN_00001.jpg`. Labels are capitals without accents; about one in twenty is
    EMPTY, UNREADABLE or blank, with a picture to match. The same arguments give the same bytes.

    FileExistsError if the folder exists and holds anything; ValueError for names that cannot be
    drawn. Nothing is left behind where it fails.
    """
    target = Path(folder)
    if count < 8:
        raise ValueError(f"a dataset has at least 8 samples. Received: {count}")
    if not names:
        raise ValueError("a dataset needs names. Received: none")
    check_text("".join(names))
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"samples go to a new or empty folder. Received: {str(folder)!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        scratch.chmod(0o755)  # mkdtemp keeps others out, a dataset need not
        rng = np.random.default_rng(seed)
        for name, digits, share in SPLITS:
            split = name.lower()
            pictures = scratch / f"{split}_v2" / split
            pictures.mkdir(parents=True)
            rows = []
            for index in range(1, round(count * share) + 1):
                label, picture = _sample(index, rng, names)
                file = f"{name}_{index:0{digits}d}.jpg"
                ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
                if not ok:
                    raise RuntimeError("OpenCV could not encode a JPEG")
                (pictures / file).write_bytes(data.tobytes())
                rows.append((file, label))
            table = scratch / f"written_name_{split}_v2.csv"
            with table.open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerows([("FILENAME", "IDENTITY"), *rows])
        if target.exists():
            target.rmdir()
        scratch.rename(target)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _sample(index: int, rng: np.random.Generator, names: Sequence[str]) -> tuple[str, Picture]:
    """Label and picture of one sample; a few at fixed places hold no name that can be read."""
    hand = Hand.sample(rng)
    if index % 48 == 7:
        return "EMPTY", draw_field("", hand, rng)
    if index % 48 == 23:
        return "", draw_field("", hand, rng)
    name = compose_name(rng, names)
    if index % 48 == 39:
        return "UNREADABLE", _spoil(draw_field(name.upper(), hand, rng), rng)
    return plain_label(name), draw_field(hand.apply_case(name, rng), hand, rng)


def _spoil(picture: Picture, rng: np.random.Generator) -> Picture:
    """A field whose name was scribbled out; the picture is changed in place."""
    height, width = picture.shape
    turns = 40
    x = np.linspace(5, width * 0.6, turns) + rng.normal(0, 6, turns)
    y = height * 0.6 + np.where(np.arange(turns) % 2, 1, -1) * rng.uniform(2, 10, turns)
    line = np.rint(np.stack([x, y], axis=1) * (1 << SHIFT)).astype(np.int32)
    cv2.polylines(picture, [line], False, int(rng.integers(0, 70)), 2, cv2.LINE_AA, SHIFT)
    return picture

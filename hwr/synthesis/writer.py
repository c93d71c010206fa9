"""The writer: the style of one person, and the pen strokes of a name in that style."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from hwr.arrays import Singles
from hwr.synthesis import letter_strokes
from hwr.synthesis.letter_strokes import STEP, Glyph, Variants, choose, parse, spell

Pen = Literal["ballpoint", "felt", "pencil"]
Case = Literal["capitals", "dotted", "capitalised", "lower"]

DOTTED: Final = frozenset("ij")
CEDILLA: Final = "\N{COMBINING CEDILLA}"


# === Writer ===


@dataclass(frozen=True)
class Writer:
    """The style of one writer. Lengths are in cap heights unless said otherwise.

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
    def sample(rng: np.random.Generator, variants: Variants = "train") -> Writer:
        """A random writer; `variants` as in `hwr.synthesis.letter_strokes.choose`."""
        choose(("", ""), variants)  # refuses an unknown word here rather than at the first letter
        pen: Pen = ("ballpoint", "felt", "pencil")[pick(rng, 0.65, 0.2, 0.15)]
        thick = {"ballpoint": 0.09, "felt": 0.15, "pencil": 0.085}[pen]
        dark = {"ballpoint": 0.9, "felt": 0.97, "pencil": 0.65}[pen]
        care = rng.beta(1.6, 2.4)  # 0 neat, 1 careless: the deviations go together
        case: Case = ("capitals", "dotted", "capitalised", "lower")[
            pick(rng, 0.72, 0.12, 0.13, 0.03)
        ]
        return Writer(
            seed=int(rng.integers(1 << 31)),
            variants=variants,
            slant=within(rng.normal(0.08, 0.16), -0.35, 0.6),
            width=within(rng.lognormal(-0.03, 0.17), 0.6, 1.5),
            spacing=within(rng.lognormal(-1.0, 0.6), 0.06, 1.1),
            x_height=within(rng.normal(0.55, 0.07), 0.38, 0.75),
            shape=0.015 + 0.05 * care,
            jitter=0.006 + 0.026 * care,
            turn=0.015 + 0.06 * care,
            size_jitter=0.025 + 0.09 * care,
            baseline_jitter=0.012 + 0.07 * care,
            wander=abs(rng.normal(0, 0.02 + 0.06 * care)),
            slope=rng.normal(0, 0.012),
            wobble=0.002 + rng.beta(1.2, 4) * 0.022,
            haste=rng.beta(1.3, 2.2),
            thickness=within(thick * rng.lognormal(0, 0.25), 0.05, 0.3),
            pressure=rng.beta(1.5, 3) * 0.7,
            pen=pen,
            darkness=within(rng.normal(dark, 0.1), 0.55, 1.0),
            connected=(0.0, rng.uniform(0.2, 0.8), 1.0)[pick(rng, 0.4, 0.25, 0.35)],
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
        before = " " + text
        return "".join(
            u if b in " -'\N{RIGHT SINGLE QUOTATION MARK}" else _one(c, c.lower())
            for u, c, b in zip(upper, text, before, strict=False)
        )

    def skeletons(
        self, letter: str, *, joined: bool = False, plain: bool = False
    ) -> tuple[str, ...]:
        """The skeletons this writer may use for a letter of the tables, the usual one first.

        plain: leave out the capitals with a dot of their own, for a letter under an accent.
        """
        printed, linked, _ = letter_strokes.skeletons()
        table = linked if joined and letter in linked else printed
        allowed = choose(table[letter], self.variants)
        if plain and letter in "IJ":
            allowed = allowed[:2]
        # The usual shapes are first in the tables, and the most frequent here.
        share = zlib.crc32(f"{self.seed} {letter} {joined}".encode()) / 2**32
        first = int(len(allowed) * share**1.3)
        return allowed[first:] + allowed[:first]


def pick(rng: np.random.Generator, *shares: float) -> int:
    """Index drawn by shares that sum to 1; ten times as fast as `rng.choice`."""
    draw, index = rng.random(), 0
    while index < len(shares) - 1 and draw >= shares[index]:
        draw -= shares[index]
        index += 1
    return index


def within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def has_small(text: str) -> bool:
    """Whether small letters make up the text, an i among capitals not counted."""
    return any(c.islower() and c not in DOTTED for c in text)


def _one(character: str, other: str) -> str:
    return other if len(other) == 1 else character


# === Strokes ===


@lru_cache(maxsize=256)
def _manner(seed: int) -> Singles:
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


def _parts(text: str, writer: Writer, rng: np.random.Generator, *, joined: bool) -> list[_Part]:
    """Letters and accents of a text, in writing order."""
    parts: list[_Part] = []
    tables = letter_strokes.skeletons()
    cursive = joined and writer.connected > 0.5
    gap, previous = 0.0, False
    chances = rng.random((len(text), 4))
    for box, character in enumerate(text):
        odd, link, spread, high = chances[box]
        base, marks = spell(character)
        if not base:
            gap += 0.35 + 0.9 * writer.spacing + 0.3 * spread
            previous = False
            continue
        small = base.islower()
        linked = small and cursive and base in tables.joined
        options = writer.skeletons(base, joined=linked, plain=bool(marks))
        # A writer mostly repeats a shape, and now and then takes another.
        skeleton = options[int(odd * 100) % len(options)] if odd < 0.12 else options[0]
        if base in DOTTED and marks.strip(CEDILLA) and "|" in skeleton:
            skeleton = skeleton.rsplit("|", 1)[0]  # an accent takes the place of the dot
        glyph = parse(skeleton)
        join = linked and previous and link < 0.15 + 0.85 * writer.connected
        if parts:
            if join:
                gap += 0.04 + 0.2 * writer.spacing * spread
            elif small or base in "-'.," or text[box - 1] in "-'":
                gap += 0.1 + 0.28 * writer.spacing * (0.6 + 0.8 * spread)
            else:
                gap += 0.06 + writer.spacing * (0.65 + 0.7 * spread)
        host = len(parts)
        parts.append(_Part(glyph, small, host, 0.0, gap, join, box))
        gap, previous = 0.0, linked
        for mark in marks:
            shapes = tables.marks[mark]
            shape = parse(shapes[zlib.crc32(f"{writer.seed} {mark}".encode()) % len(shapes)])
            lift = 0.0 if mark == CEDILLA else glyph.top + 0.06 + 0.1 * high
            parts.append(_Part(shape, small, host, lift, 0.0, False, box))
    return parts


def smooth_noise(rng: np.random.Generator, count: int, step: int, columns: int) -> Singles:
    """Noise that changes over `step` points, (count, columns) float32, about unit spread."""
    knots = rng.standard_normal((count // step + 2, columns), dtype=np.float32)
    place = np.arange(count, dtype=np.float32) / step
    left = place.astype(np.intp)
    share = (place - left)[:, None]
    share = share * share * (3 - 2 * share)
    return np.asarray(knots[left] * (1 - share) + knots[left + 1] * share, np.float32)


def trace_name(
    text: str, writer: Writer, rng: np.random.Generator, *, pitch: float | None = None
) -> list[Singles]:
    """The pen strokes of a name in writing order, (n, 2) float32 each, n >= 2.

    Units are cap heights, x to the right from the left end of the ink, y down from the baseline, so
    that the top of a capital is near y = -1. With `pitch` each character stands in its own box,
    as on a form, the boxes being that far apart, and no letters join. An empty or blank text has no
    strokes. ValueError for characters that cannot be drawn.
    """
    check_text(text)
    parts = _parts(text, writer, rng, joined=pitch is None)
    if not parts:
        return []
    controls = sum(len(part.glyph.points) for part in parts)
    noise = rng.standard_normal((controls, 2), dtype=np.float32) * np.float32(writer.jitter)
    manner = _manner(writer.seed) * np.float32(writer.shape)
    traced, used = [], 0
    for part in parts:
        glyph = part.glyph
        k = len(glyph.points)
        # The same letter starts at the same place of the writer's bends, whatever surrounds it.
        start = int(glyph.basis.shape[0] * 31 + k * 7) % (len(manner) - k)
        bend = manner[start : start + k] + noise[used : used + k]
        if part.small:  # movements are smaller in smaller writing
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
    points = _round_corners(points, first | last, small, writer.haste)
    stroke = np.cumsum(first) - 1
    loose = rng.standard_normal((len(ends), 2), dtype=np.float32)
    points += (loose * np.float32(writer.jitter))[stroke]

    # Letter sizes: small letters are squeezed so that x-height and ascender keep their places.
    # A small i among capitals is written nearly as high as they are.
    x_height = writer.x_height if has_small(text) else max(0.7, writer.x_height)
    y = points[:, 1]
    squeezed = np.where(y < 0.5, y * (2 * x_height), 1 - (1 - y) * (2 - 2 * x_height))
    points[:, 1] = np.where(small, squeezed, y)
    hosts = np.array([p.host for p in parts])
    scale = 1 + writer.size_jitter * rng.standard_normal((len(parts), 2)).clip(-2.5, 2.5)
    scale = scale[hosts].astype(np.float32)
    # Tall small letters are wide, too.
    wide = writer.width * np.where([p.small for p in parts], (2 * x_height) ** 0.6, 1)
    scale[:, 0] *= wide.astype(np.float32)
    angle = (writer.turn * rng.standard_normal(len(parts))).astype(np.float32)[hosts]
    points *= scale[letter]
    turn = angle[letter]
    points[:, 0] += (writer.slant - turn) * points[:, 1]
    points[:, 1] += turn * points[:, 0]

    # Places along the line, from the ink of each letter.
    left = np.minimum.reduceat(points[:, 0], starts)
    right = np.maximum.reduceat(points[:, 0], starts)
    x = np.zeros(len(parts), dtype=np.float32)
    rise = (writer.baseline_jitter * rng.standard_normal(len(parts))).astype(np.float32)[hosts]
    stray = 0.05 * rng.standard_normal(len(parts))
    cursor = 0.0
    for i, part in enumerate(parts):
        if part.host == i:
            if pitch is not None:
                cursor = (part.box + float(stray[i])) * pitch - float(right[i] - left[i]) / 2
            else:
                cursor += part.gap
            x[i] = cursor - left[i]
            # Letters overlap each other by their slant.
            cursor += float(right[i] - left[i]) - abs(writer.slant) * 0.3
            cursor = max(cursor, float(x[i] + left[i]) + 0.02)
        else:
            body, high = part.host, part.lift
            if part.small:
                high = 1 - (1 - high) * (2 - 2 * x_height) if high > 0.5 else high
            high *= float(scale[i, 1])
            middle = float(left[body] + right[body]) / 2 - 0.5 * writer.slant * (
                0.9 if high else 0.6
            )
            x[i] = x[body] + middle + writer.slant * high - float(left[i] + right[i]) / 2
            rise[i] += high
    points[:, 0] += x[letter]
    phase, wave = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.6)
    points[:, 1] += (rise + writer.wander * np.sin(wave * x + phase) + writer.slope * x)[letter]
    points += smooth_noise(rng, len(points), 5, 2) * np.float32(writer.wobble)

    points[:, 0] -= points[:, 0].min()
    points[:, 1] *= -1
    points = points.astype(np.float32, copy=False)
    return _join([points[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)], parts)


def _round_corners(
    points: Singles, keep: NDArray[np.bool_], small: NDArray[np.bool_], haste: float
) -> Singles:
    """Strokes with rounded corners, except at the points to keep; (n, 2), (n,), (n,)."""
    turns = round(4 * haste)
    for turn in range(turns):
        middle = points.copy()
        middle[1:-1] = points[:-2] / 4 + points[1:-1] / 2 + points[2:] / 4
        # Small letters are smoothed half as often: their bowls would close.
        fixed = keep if turn < turns / 2 else keep | small
        points = np.where(fixed[:, None], points, middle)
    return points


def _join(strokes: list[Singles], parts: Sequence[_Part]) -> list[Singles]:
    """Strokes in writing order, where letters that join share a stroke and dots come after it."""
    out: list[Singles] = []
    later: list[Singles] = []
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


def _bridge(before: Singles, after: Singles) -> Singles:
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

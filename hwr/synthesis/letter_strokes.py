"""Letter strokes: the pen strokes of each letter, from the table `letter_strokes.txt`.

The table explains its notation. Where a letter has three variants or more, the last one is held
out: drawn only on request, so that a model can be measured on shapes it was not trained on.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwr.arrays import Singles

Variants = Literal["train", "heldout", "all"]
Table = Mapping[str, tuple[str, ...]]

STEP: Final = 0.055  # cap heights between two points of a traced stroke

SPELLED: Final = {"\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{LATIN CAPITAL LETTER SHARP S}": "ß"}


class Skeletons(NamedTuple):
    """Skeleton strings of `letter_strokes.txt` by character, one per variant.

    printed: separate letters; joined: small letters that join; marks: combining accents.
    """

    printed: Table
    joined: Table
    marks: Table


@cache
def skeletons() -> Skeletons:
    """The table of strokes that lies beside this module, read once."""
    tables: dict[str, dict[str, list[str]]] = {name: {} for name in Skeletons._fields}
    table, variants = tables["printed"], list[str]()
    for line in Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            table = tables[line.strip("[]")]
        elif line[:1].isspace():
            variants.append(line.strip())
        elif line and not line.startswith("#"):
            character = line if len(line) == 1 else unicodedata.lookup(line)
            variants = table.setdefault(character, [])
    return Skeletons(*({c: tuple(v) for c, v in table.items()} for table in tables.values()))


@dataclass(frozen=True)
class Glyph:
    """One way to write one letter.

    points: (k, 2) float32 control points in cap heights, x to the right from the leftmost, y up.
    basis: (n, k) float32; `basis @ points` are the n points along the strokes, `STEP` apart.
    ends: index after the last traced point of each stroke, ascending, the last being n.
    top: height of the highest control point in cap heights.
    """

    points: Singles
    basis: Singles
    ends: tuple[int, ...]
    top: float


def _spline(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (n, k) of a centripetal Catmull-Rom curve through (k, 2) points, ends included.

    Centripetal knots make no cusps or loops where control points lie unevenly, uniform ones do.
    """
    count = len(points)
    identity = np.eye(count)
    if count == 2:
        steps = max(2, int(np.ceil(np.linalg.norm(points[1] - points[0]) / STEP)) + 1)
        share = np.linspace(0, 1, steps)[:, None]
        return np.hstack([1 - share, share])
    # Phantom neighbours at both ends, mirrored through the end points.
    weights = np.vstack([2 * identity[0] - identity[1], identity, 2 * identity[-1] - identity[-2]])
    padded = weights @ points
    gaps = np.sqrt(np.linalg.norm(np.diff(padded, axis=0), axis=1)).clip(1e-6)
    knots = np.concatenate([[0.0], np.cumsum(gaps)])
    rows = []
    for i in range(1, count):
        t0, t1, t2, t3 = knots[i - 1 : i + 3]
        w0, w1, w2, w3 = weights[i - 1 : i + 3]
        steps = max(2, int(np.ceil(np.linalg.norm(padded[i + 1] - padded[i]) / STEP)))
        t = np.linspace(t1, t2, steps, endpoint=False)[:, None]
        a1 = (t1 - t) / (t1 - t0) * w0 + (t - t0) / (t1 - t0) * w1
        a2 = (t2 - t) / (t2 - t1) * w1 + (t - t1) / (t2 - t1) * w2
        a3 = (t3 - t) / (t3 - t2) * w2 + (t - t2) / (t3 - t2) * w3
        b1 = (t2 - t) / (t2 - t0) * a1 + (t - t0) / (t2 - t0) * a2
        b2 = (t3 - t) / (t3 - t1) * a2 + (t - t1) / (t3 - t1) * a3
        rows.append((t2 - t) / (t2 - t1) * b1 + (t - t1) / (t2 - t1) * b2)
    return np.vstack([*rows, identity[-1:]])


@cache
def parse(text: str) -> Glyph:
    """Glyph of one skeleton string; ValueError if it is malformed."""
    strokes: list[NDArray[np.float64]] = []
    bases: list[NDArray[np.float64]] = []
    for part in text.split("|"):
        tokens = part.removeprefix("/").split()
        corners = [part.startswith("/") or token.endswith("!") for token in tokens]
        try:
            pairs = [[float(n) for n in token.rstrip("!").split(",")] for token in tokens]
            points = np.array(pairs, dtype=np.float64).reshape(len(tokens), 2) / 100
        except ValueError as error:
            raise ValueError(f"a stroke is points 'x,y'. Received: {part!r}") from error
        if len(points) == 0:
            raise ValueError(f"a stroke needs a point. Received: {text!r}")
        basis = np.zeros((0, len(points)))
        if len(points) == 1:
            basis = np.ones((2, 1))
        cuts = [0, *(i for i in range(1, len(points) - 1) if corners[i]), len(points) - 1]
        for first, last in pairwise(cuts):
            if first == last:
                continue
            weights = _spline(points[first : last + 1])
            run = np.zeros((len(weights), len(points)))
            run[:, first : last + 1] = weights
            basis = np.vstack([basis[:-1], run])
        strokes.append(points)
        bases.append(basis)
    points = np.vstack(strokes)
    points[:, 0] -= points[:, 0].min()
    ends = np.cumsum([len(block) for block in bases])
    basis = np.zeros((ends[-1], len(points)))
    column = 0
    for end, block in zip(ends, bases, strict=True):
        basis[end - len(block) : end, column : column + block.shape[1]] = block
        column += block.shape[1]
    return Glyph(
        points=points.astype(np.float32),
        basis=basis.astype(np.float32),
        ends=tuple(ends.tolist()),
        top=float(points[:, 1].max()),
    )


def choose(skeletons: tuple[str, ...], variants: Variants) -> tuple[str, ...]:
    """The skeletons that `variants` allows: "train" leaves out the last one where three or more
    exist, "heldout" is that one alone (all of them where none is held out), "all" is all.
    """
    if variants not in ("train", "heldout", "all"):
        raise ValueError(f"variants is 'train', 'heldout' or 'all'. Received: {variants!r}")
    if variants == "all" or len(skeletons) < 3:
        return skeletons
    return skeletons[:-1] if variants == "train" else skeletons[-1:]


@cache
def spell(character: str) -> tuple[str, str]:
    """Base letter and combining accents of a character, as the tables name them.

    ValueError for a character that cannot be drawn. A space is ("", "").
    """
    character = SPELLED.get(character, character)
    if character == " ":
        return "", ""
    printed, _, accents = skeletons()
    if character in printed:
        return character, ""
    letters = unicodedata.normalize("NFD", character)
    base, marks = letters[:1], letters[1:]
    if base in printed and all(mark in accents for mark in marks):
        return base, marks
    raise ValueError(f"no skeleton for this character. Received: {character!r}")

"""Subwords: a written word of known text, cut between letters by alignment.

A recurrent network memorises words and then guesses: of joined writing by unseen writers it read
69 % of the words whose text it was trained on and 57 % of the others. Most subwords are no words,
so they can only be read letter by letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwr.arrays import Grey
from hwr.decoding.alignment import edges, ink_profile

#: Fewest letters of a piece, and most of one that is not the last.
SHORTEST, LONGEST = 3, 8

#: Columns from which on a piece is worth keeping.
_NARROWEST = 12


@dataclass(frozen=True)
class Piece:
    """A piece of a word: its text and its half-open range of columns."""

    text: str
    left: int
    right: int


def cut_subwords(
    image: Grey, text: str, spans: Sequence[tuple[int, int]], cut: float, rng: np.random.Generator
) -> list[Piece]:
    """Return pieces of a word of SHORTEST to LONGEST letters and a few more, from left to right.

    A piece ends at the column with the least ink nearby, so that few strokes are cut, and between
    two letters: hyphens are aligned less reliably. Words of up to SHORTEST letters have none.

    Args:
        image: (H, W) uint8 prepared image of the word, paper white.
        text: what is written, a character for each of `spans`.
        spans: time steps of the letters, see `hwr.decoding.alignment.align`.
        cut: see `hwr.decoding.alignment.edges`.
    """
    count, seams = len(text), [0]
    if count <= SHORTEST:
        return []
    columns, ink = edges(spans, image, cut), ink_profile(image)
    while count - seams[-1] >= SHORTEST + 1:
        wanted = seams[-1] + int(rng.integers(SHORTEST, LONGEST + 1))
        near = [
            n
            for n in (wanted - 1, wanted, wanted + 1)
            if seams[-1] + SHORTEST <= n < count and text[n - 1 : n + 1].isalpha()
        ]
        if not near:
            break
        seams.append(min(near, key=lambda n: ink[min(columns[n], len(ink) - 1)]))
    if len(seams) == 1:
        return []
    pieces = []
    for first, last in zip(seams, [*seams[1:], count], strict=True):
        left = columns[first] if first else 0
        right = columns[last] if last < count else image.shape[1]
        written = text[first:last].strip()
        if len(written) >= SHORTEST and right - left >= _NARROWEST:
            pieces.append(Piece(written, left, right))
    return pieces

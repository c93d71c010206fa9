"""Recombination: new names written with real letters into real pictures.

A few thousand labelled names hold every letter many times over, but only those names. Letters
of similar pen and size are set on the baseline of a picture whose own name was wiped out, so
that prompts, neighbour lines and spacing stay real.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import fold, frames_needed
from hwr.arrays import Grey
from hwr.recombination.letter_bank import LetterBank
from hwr.spec import COLUMNS_PER_STEP, Spec

#: Letters drawn at random, of which the one most like the hand of the name is taken.
CHOICES = 24

#: Tries to write a name for which the picture is too narrow or a letter is missing.
TRIES = 50

#: Dark pixels of an emptied picture that is more than white paper.
LEAST_INK = 40


@dataclass(frozen=True)
class _Letter:
    image: Grey
    rise: float


class RecombinedSource:
    """Names written anew with the letters of a bank; see `Source` in `hwr.data.batches`.

    Args:
        bank: letters and emptied pictures.
        names: what to write.
        weights: how often each name is written, any positive scale; equally often if None.
        own: chance that a letter is taken from the very picture, where it has it.
        singles: share of names written with single letters of other sources, if the bank has
            any.
        empty: share of emptied pictures left as they are, labelled "", where ink is left.
    """

    def __init__(
        self,
        bank: LetterBank,
        names: Sequence[str],
        spec: Spec,
        weights: Sequence[float] | None = None,
        own: float = 0.6,
        singles: float = 0.15,
        empty: float = 0.06,
    ) -> None:
        if bank.height != spec.height:
            raise ValueError(
                f"The letter bank was cut from pictures {bank.height} rows high, the model "
                f"reads {spec.height}; cut it again with `hwr extract letters`."
            )
        self.bank, self.names, self.spec, self.own, self.empty = bank, names, spec, own, empty
        self._letters = _by_character(bank, bank.sources >= 0)
        self._singles = _by_character(bank, bank.sources < 0)
        self._share = singles if self._singles else 0.0
        self._offsets = np.concatenate(([0], np.cumsum(bank.heights * bank.widths)))
        widths = bank.contexts[:, 0].astype(np.int64)
        self._context_offsets = np.concatenate(([0], np.cumsum(widths * bank.height)))
        self._styles = np.stack([np.log(bank.strokes + 0.5), np.log(bank.caps)], axis=1)
        writable = [i for i, name in enumerate(names) if self._can_write(fold(name))]
        if not writable:
            raise ValueError("The letter bank lacks letters of every name given.")
        self._writable = np.array(writable)
        self._cumulative: NDArray[np.float64] | None = None
        if weights is not None:
            chosen = np.asarray(weights, np.float64)[self._writable]
            self._cumulative = np.cumsum(chosen) / chosen.sum()

    def draw(self, rng: np.random.Generator) -> tuple[Grey, str]:
        """Return a (height, W) uint8 picture of a new name and its text."""
        nothing = rng.random() < self.empty
        for _ in range(TRIES):
            if nothing:
                page = self._context(int(rng.integers(len(self.bank.contexts))))
                if (page < 128).sum() > LEAST_INK:
                    return page, ""
                continue
            text = fold(self.names[self._pick_name(rng)])
            letters = self._letters
            if rng.random() < self._share and all(c in self._singles for c in text):
                letters = self._singles
            image = self.write(text, int(rng.integers(len(self.bank.contexts))), rng, letters)
            if image is None:
                continue
            needed = frames_needed(self.spec.alphabet.encode(text))
            if needed <= image.shape[1] // COLUMNS_PER_STEP:
                return image, text
        raise ValueError("No name fits the pictures of the letter bank; give other names.")

    def write(
        self,
        text: str,
        context: int,
        rng: np.random.Generator,
        letters: dict[str, NDArray[np.int64]] | None = None,
    ) -> Grey | None:
        """Return `text` written into emptied picture `context`, or None if it gets too wide.

        Args:
            letters: by character, the positions in the bank to choose from; those cut out of
                pictures if None.
        """
        letters = self._letters if letters is None else letters
        bank = self.bank
        row = bank.contexts[context]
        left, right = int(row[1]), int(row[2])
        baseline, slope, cap, pitch, spread, stroke, ink = (float(v) for v in row[3:])
        writer = np.array([np.log(stroke + 0.5), np.log(cap)])
        source = int(bank.context_sources[context])
        # Where letters stand in boxes the pitch is even; a free hand sets them by their width.
        even = spread < 0.18 * pitch
        gap = max(0.5, pitch - 0.72 * cap)
        tight = rng.uniform(0.8, 1.15)
        placed: list[tuple[_Letter, float]] = []
        x = float(left)
        middle: float | None = None
        end = x
        for character in text:
            if character == " ":
                step = pitch * (1.0 if even else rng.uniform(0.7, 1.3))
                x += step
                middle = None if middle is None else middle + step
                continue
            letter = self._letter(letters[character], writer, source, cap, ink, rng)
            width = letter.image.shape[1]
            if even:
                middle = left + width / 2 if middle is None else middle + pitch
                start = max(middle - width / 2 + rng.normal(0, 0.06 * pitch), end - 1)
            else:
                start = x
                x += width + max(-1.0, gap * tight * rng.uniform(0.4, 1.6))
            placed.append((letter, start))
            end = max(end, start + width)
        return self._paste(context, placed, (left, right, round(end)), baseline, slope)

    def _paste(
        self,
        context: int,
        placed: list[tuple[_Letter, float]],
        columns: tuple[int, int, int],
        baseline: float,
        slope: float,
    ) -> Grey | None:
        left, right, end = columns
        old = self._context(context)
        # What stood to the right of the old name stands to the right of the new one.
        width = end + old.shape[1] - right
        if width > self.spec.max_width:
            return None
        page = np.full((old.shape[0], width), 255, np.uint8)
        kept = min(right, end)
        page[:, :kept] = old[:, :kept]
        page[:, end:] = old[:, right:]
        for letter, start in placed:
            _place(page, letter, start, baseline + slope * (start - left))
        return page

    def _letter(
        self,
        known: NDArray[np.int64],
        writer: NDArray[np.float64],
        source: int,
        cap: float,
        ink: float,
        rng: np.random.Generator,
    ) -> _Letter:
        choices = known[rng.integers(0, len(known), CHOICES)]
        cost = np.abs(self._styles[choices] - writer) @ np.array([1.0, 0.7])
        number = int(choices[int((cost + rng.uniform(0, 0.1, len(cost))).argmin())])
        if rng.random() < self.own:
            start = np.searchsorted(self.bank.sources[known], source)
            stop = np.searchsorted(self.bank.sources[known], source, side="right")
            if stop > start:
                number = int(known[rng.integers(start, stop)])
        bank = self.bank
        shape = (int(bank.heights[number]), int(bank.widths[number]))
        first, last = self._offsets[number : number + 2]
        image = bank.pixels[first:last].reshape(shape)
        factor = cap / float(bank.caps[number]) * float(np.exp(rng.normal(0, 0.05)))
        size = (
            max(2, round(shape[1] * factor * float(np.exp(rng.normal(0, 0.06))))),
            max(2, round(shape[0] * factor)),
        )
        if size != (shape[1], shape[0]):
            method = cv2.INTER_AREA if size[0] < shape[1] else cv2.INTER_LINEAR
            image = np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)
        # Pens of one darkness, as far as the paper allows.
        strength = ink / max(1.0, float(bank.inks[number]))
        image = (255 - np.clip((255 - image.astype(np.float32)) * strength, 0, 255)).astype(
            np.uint8
        )
        return _Letter(image, float(bank.rises[number]) * factor + rng.normal(0, 0.035) * cap)

    def _context(self, number: int) -> Grey:
        first, last = self._context_offsets[number : number + 2]
        return self.bank.context_pixels[first:last].reshape(self.bank.height, -1)

    def _can_write(self, text: str) -> bool:
        return bool(text) and all(c == " " or c in self._letters for c in text)

    def _pick_name(self, rng: np.random.Generator) -> int:
        if self._cumulative is None:
            return int(self._writable[rng.integers(len(self._writable))])
        place = int(np.searchsorted(self._cumulative, rng.random()))
        return int(self._writable[min(place, len(self._writable) - 1)])


def _by_character(bank: LetterBank, chosen: NDArray[np.bool_]) -> dict[str, NDArray[np.int64]]:
    """Return the positions of the chosen letters by character, in the order of the bank."""
    positions = np.flatnonzero(chosen)
    characters = bank.characters[positions]
    return {str(c): positions[characters == c] for c in np.unique(characters)}


def _place(page: Grey, letter: _Letter, start: float, baseline: float) -> None:
    """Darken `page` by `letter` with its baseline on row `baseline`; what sticks out is lost."""
    height, width = letter.image.shape
    top, left = round(baseline - letter.rise), round(start)
    y0, y1 = max(0, top), min(page.shape[0], top + height)
    x0, x1 = max(0, left), min(page.shape[1], left + width)
    if y0 >= y1 or x0 >= x1:
        return
    view = page[y0:y1, x0:x1]
    np.minimum(view, letter.image[y0 - top : y1 - top, x0 - left : x1 - left], out=view)

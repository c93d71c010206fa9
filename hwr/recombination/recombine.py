"""Recombination: new names composed of real letters, in real pictures.

A few thousand labelled names hold each letter many times, but only those names. Letters of
similar pen and size are put on the baseline of a picture whose own name was erased, so that
prompts, neighbour lines and spacing stay real.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import fold, frames_needed
from hwr.arrays import Floats, Grey
from hwr.recombination.letter_bank import Context, LetterBank
from hwr.spec import COLUMNS_PER_STEP, Spec

#: Letters drawn at random, of which the one nearest in pen and size is taken.
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
        own: probability that a letter is taken from the picture itself, where it has it.
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
        self.bank, self.spec, self.own, self.empty = bank, spec, own, empty
        self._letters = _by_character(bank, bank.sources >= 0)
        self._singles = _by_character(bank, bank.sources < 0)
        self._share = singles if self._singles else 0.0
        self._offsets = np.concatenate(([0], np.cumsum(bank.heights * bank.widths)))
        widths = bank.contexts[:, 0].astype(np.int64)
        self._context_offsets = np.concatenate(([0], np.cumsum(widths * bank.height)))
        self._styles = np.stack([np.log(bank.strokes + 0.5), np.log(bank.caps)], axis=1)
        texts = [fold(name) for name in names]
        known = {" ", *self._letters}
        writable = [i for i, text in enumerate(texts) if text and set(text) <= known]
        if not writable:
            raise ValueError("The letter bank lacks letters of every name given.")
        self._writable = [texts[i] for i in writable]
        self._cumulative: Floats | None = None
        if weights is not None:
            chosen = np.asarray(weights, np.float64)[writable]
            self._cumulative = np.cumsum(chosen) / chosen.sum()

    def draw(self, rng: np.random.Generator) -> tuple[Grey, str]:
        """Return a (height, W) uint8 picture of a new name and its text."""
        nothing = rng.random() < self.empty
        for _ in range(TRIES):
            if nothing:
                page = self._emptied(int(rng.integers(len(self.bank.contexts))))
                if (page < 128).sum() > LEAST_INK:
                    return page, ""
                continue
            text = self._name(rng)
            letters = self._letters
            if rng.random() < self._share and all(c in self._singles for c in text):
                letters = self._singles
            image = self.write(text, int(rng.integers(len(self.bank.contexts))), rng, letters)
            needed = frames_needed(self.spec.alphabet.encode(text))
            if image is not None and needed <= image.shape[1] // COLUMNS_PER_STEP:
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
        place = Context(*self.bank.contexts[context].tolist())
        pitch, source = place.pitch, int(self.bank.context_sources[context])
        # Letters in boxes have an even pitch; without boxes they follow each other by width.
        even = place.spread < 0.18 * pitch
        gap = max(0.5, pitch - 0.72 * place.cap)
        tight = rng.uniform(0.8, 1.15)
        placed: list[tuple[_Letter, float]] = []
        x = end = place.left
        middle: float | None = None
        for character in text:
            if character == " ":
                step = pitch * (1.0 if even else rng.uniform(0.7, 1.3))
                x += step
                middle = None if middle is None else middle + step
                continue
            letter = self._letter(letters[character], place, source, rng)
            width = letter.image.shape[1]
            if even:
                middle = place.left + width / 2 if middle is None else middle + pitch
                start = max(middle - width / 2 + rng.normal(0, 0.06 * pitch), end - 1)
            else:
                start = x
                x += width + max(-1.0, gap * tight * rng.uniform(0.4, 1.6))
            placed.append((letter, start))
            end = max(end, start + width)
        old, right, end = self._emptied(context), int(place.right), round(end)
        # What was to the right of the old name is put to the right of the new one.
        width = end + old.shape[1] - right
        if width > self.spec.max_width:
            return None
        page = np.full((old.shape[0], width), 255, np.uint8)
        kept = min(right, end)
        page[:, :kept] = old[:, :kept]
        page[:, end:] = old[:, right:]
        for letter, start in placed:
            _paste(page, letter, start, place.baseline + place.slope * (start - place.left))
        return page

    def _letter(
        self,
        known: NDArray[np.int64],
        place: Context,
        source: int,
        rng: np.random.Generator,
    ) -> _Letter:
        """Return one of the `known` letters, in the size and ink of the picture `place`."""
        choices = known[rng.integers(0, len(known), CHOICES)]
        style = np.log([place.stroke + 0.5, place.cap])
        cost = np.abs(self._styles[choices] - style) @ np.array([1.0, 0.7])
        number = int(choices[int((cost + rng.uniform(0, 0.1, len(cost))).argmin())])
        if rng.random() < self.own:
            start, stop = np.searchsorted(self.bank.sources[known], [source, source + 1])
            if stop > start:
                number = int(known[rng.integers(start, stop)])
        bank = self.bank
        height, width = int(bank.heights[number]), int(bank.widths[number])
        first, last = self._offsets[number : number + 2]
        image = bank.pixels[first:last].reshape(height, width)
        factor = place.cap / float(bank.caps[number]) * float(np.exp(rng.normal(0, 0.05)))
        size = (
            max(2, round(width * factor * float(np.exp(rng.normal(0, 0.06))))),
            max(2, round(height * factor)),
        )
        if size != (width, height):
            method = cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR
            image = np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)
        # Pens of one darkness, as far as the paper allows.
        strength = place.ink / max(1.0, float(bank.inks[number]))
        ink = np.clip((255 - image.astype(np.float32)) * strength, 0, 255)
        rise = float(bank.rises[number]) * factor + rng.normal(0, 0.035) * place.cap
        return _Letter((255 - ink).astype(np.uint8), rise)

    def _emptied(self, number: int) -> Grey:
        first, last = self._context_offsets[number : number + 2]
        return self.bank.context_pixels[first:last].reshape(self.bank.height, -1)

    def _name(self, rng: np.random.Generator) -> str:
        if self._cumulative is None:
            return self._writable[int(rng.integers(len(self._writable)))]
        place = int(np.searchsorted(self._cumulative, rng.random()))
        return self._writable[min(place, len(self._writable) - 1)]


def _by_character(bank: LetterBank, chosen: NDArray[np.bool_]) -> dict[str, NDArray[np.int64]]:
    """Return the positions of the chosen letters by character, in the order of the bank."""
    positions = np.flatnonzero(chosen)
    characters = bank.characters[positions]
    return {str(c): positions[characters == c] for c in np.unique(characters)}


def _paste(page: Grey, letter: _Letter, start: float, baseline: float) -> None:
    """Darken `page` by `letter` with its baseline on row `baseline`, clipped to the page."""
    height, width = letter.image.shape
    top, left = round(baseline - letter.rise), round(start)
    y0, y1 = max(0, top), min(page.shape[0], top + height)
    x0, x1 = max(0, left), min(page.shape[1], left + width)
    if y0 >= y1 or x0 >= x1:
        return
    view = page[y0:y1, x0:x1]
    np.minimum(view, letter.image[y0 - top : y1 - top, x0 - left : x1 - left], out=view)

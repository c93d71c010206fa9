"""The alphabet: which characters the network can write, and their class ids."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

#: Class id of the CTC blank. Keras' CTC functions hard-wire blank and padding to 0.
BLANK = 0

#: Letters of the names, upper case, with the three marks that occur inside them.
NAME_CHARACTERS = " '-ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Letters that Unicode does not decompose into a base letter and an accent, and the
# typographic twins of the three marks.
_FOLDS = str.maketrans(
    {
        "Œ": "OE",
        "œ": "OE",
        "Æ": "AE",
        "æ": "AE",
        "ß": "SS",
        "ẞ": "SS",
        "Ø": "O",
        "ø": "O",
        "Đ": "D",
        "đ": "D",
        "Ł": "L",
        "ł": "L",
        "ı": "I",
        "’": "'",
        "‘": "'",
        "ʼ": "'",
        "`": "'",
        "´": "'",
        "‐": "-",
        "‑": "-",
        "–": "-",
        "—": "-",
        "_": "-",
    }
)


def fold(text: str) -> str:
    """Return `text` as labels are written: upper case, no accents, single spaces.

    É becomes E, Œ becomes OE, ß becomes SS; curly apostrophes and dashes become their
    plain forms; runs of white space become one space and the ends are trimmed.
    Characters without such a form (digits, full stops) stay, so that the caller can
    refuse them by name.
    """
    text = unicodedata.normalize("NFKD", text.translate(_FOLDS))
    text = "".join(character for character in text if not unicodedata.combining(character))
    return " ".join(text.translate(_FOLDS).upper().split())


class UnknownCharacterError(ValueError):
    """A text holds a character that the alphabet cannot write."""

    def __init__(self, character: str, text: str) -> None:
        super().__init__(
            f"The character {character!r} in {text!r} is not in the alphabet; "
            f"remove it or train a model whose alphabet has it."
        )
        self.character = character
        self.text = text


@dataclass(frozen=True)
class Alphabet:
    """A bijection between characters and the class ids 1..len(characters); 0 is the blank."""

    characters: str = NAME_CHARACTERS

    def __post_init__(self) -> None:
        if not self.characters:
            raise ValueError("An alphabet needs at least one character. Received: ''")
        twice = sorted({c for c in self.characters if self.characters.count(c) > 1})
        if twice:
            raise ValueError(f"Each character may occur once. Received twice: {twice!r}")

    @property
    def classes(self) -> int:
        """Number of network outputs: the blank and every character."""
        return len(self.characters) + 1

    def encode(self, text: str) -> list[int]:
        """Return the class ids of `text`.

        Raises:
            UnknownCharacterError: a character is not in the alphabet.
        """
        ids = [self.characters.find(character) + 1 for character in text]
        if 0 in ids:
            raise UnknownCharacterError(text[ids.index(0)], text)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of class ids; the inverse of `encode`.

        Raises:
            ValueError: an id is the blank or outside 1..len(characters).
        """
        text = []
        for id_ in ids:
            if not 1 <= id_ <= len(self.characters):
                raise ValueError(
                    f"Class ids must lie in 1..{len(self.characters)} (0 is the blank). "
                    f"Received: {id_}"
                )
            text.append(self.characters[id_ - 1])
        return "".join(text)


def frames_needed(ids: Sequence[int]) -> int:
    """Return the least number of time steps in which CTC can emit `ids`.

    One step per character and one blank between equal neighbours (Graves et al., 2006).
    """
    return len(ids) + sum(a == b for a, b in pairwise(ids))

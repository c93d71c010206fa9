"""The name list: names to draw where nobody gives others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from hwr.alphabet import Alphabet, fold
from hwr.name_files import NameFileError, read_name_file
from hwr.synthesis.writer import check_text

#: The names of `names.txt`, which stands beside this module.
NAMES: Final = tuple(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split())


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


def read_names(file: Path, alphabet: Alphabet) -> list[str]:
    """Return the names of `read_weighted_names` alone."""
    return read_weighted_names(file, alphabet)[0]


def read_weighted_names(file: Path, alphabet: Alphabet) -> tuple[list[str], list[float] | None]:
    """Return the names of a file that can be drawn and that the alphabet can write.

    Letters that cannot be drawn with their accent are drawn without.

    Returns:
        The names, and how often to write each: the square root of the counts of the file, so
        that frequent names are seen more often and rare ones are kept; None if it has no counts.

    Raises:
        NameFileError: see `hwr.name_files.read_name_file`; or no name is left.
    """
    listed = read_name_file(file)
    names, weights = [], []
    counts = listed.counts or (1.0,) * len(listed.names)
    for name, count in zip(listed.names, counts, strict=True):
        text = fold(name)
        if re.search(r"\w", name) and set(text) <= set(alphabet.characters):
            names.append(name if _can_be_drawn(name) else text)
            weights.append(max(1.0, count) ** 0.5)
    if not names:
        raise NameFileError(f"{file.name} holds no name that the alphabet can write.")
    return names, None if listed.counts is None else weights


def _can_be_drawn(name: str) -> bool:
    """Return whether there are strokes for `name` in capitals, capitalised and lower case."""
    try:
        check_text(name + name.upper() + name.title() + name.lower())
    except ValueError:
        return False
    return True

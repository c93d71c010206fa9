"""The name list: names to draw where nobody gives others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from hwr.alphabet import Alphabet, UnknownCharacterError, fold
from hwr.name_files import NameFileError, read_name_file
from hwr.synthesis.writer import check_text

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


def read_names(file: Path, alphabet: Alphabet) -> list[str]:
    """Return the names of a file that can be drawn and that the alphabet can write.

    Letters that cannot be drawn with their accent are drawn without.

    Raises:
        NameFileError: see `hwr.name_files.read_name_file`; or no name is left.
    """
    names = []
    for name in read_name_file(file).names:
        try:
            alphabet.encode(fold(name))
        except UnknownCharacterError:
            continue
        if re.search(r"\w", name):
            names.append(name if _can_be_drawn(name) else fold(name))
    if not names:
        raise NameFileError(f"{file.name} holds no name that the alphabet can write.")
    return names


def _can_be_drawn(name: str) -> bool:
    """Return whether there are strokes for `name` in capitals, capitalised and lower case."""
    try:
        check_text(name + name.upper() + name.title() + name.lower())
    except ValueError:
        return False
    return True


def name_weights(file: Path, names: Sequence[str]) -> list[float] | None:
    """Return how often to write each of the `names` that `read_names` returned, or None.

    The square root of the counts of the file, if it has them: frequent names shall be seen more
    often, without rare ones being lost.
    """
    listed = read_name_file(file)
    if listed.counts is None:
        return None
    counts = dict(zip(map(fold, listed.names), listed.counts, strict=True))
    return [max(1.0, counts.get(fold(name), 1.0)) ** 0.5 for name in names]

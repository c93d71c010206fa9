"""The name list: names to draw where nobody gives others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

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

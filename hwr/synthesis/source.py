"""The synthetic source: labelled images of names that the package draws itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hwr.alphabet import fold, frames_needed
from hwr.arrays import Grey
from hwr.image import load_image
from hwr.preprocess import prepare
from hwr.spec import COLUMNS_PER_STEP, Spec
from hwr.synthesis.degradation import degraded
from hwr.synthesis.names import compose_name

#: Drawings after which a synthetic source gives up.
TRIES = 200


#: The share of the pictures to which paper, light and machines do something.
DEGRADED = 0.4

#: The darkest pixel of a picture with something on it is at most this bright.
FAINT = 200


class Renderer(Protocol):
    """A function that draws a text as a picture, such as `hwr.synthesis.render.draw`."""

    def __call__(self, text: str, rng: np.random.Generator) -> Grey: ...


@dataclass(frozen=True, eq=False)
class SyntheticSource:
    """Names drawn by the package itself.

    Attributes:
        names: what to draw.
        render: draws a name, or "" as a picture without a name.
        spec: of the network.
        empty: the share of pictures without a name, labelled "". They contain ink (prompts,
            ruling, specks), as blank paper never gets to the network.
        composed: whether names are also combined (`hwr.synthesis.names.compose_name`): lists hold
            too few apostrophes for a network to learn to read them.
    """

    names: Sequence[str]
    render: Renderer
    spec: Spec
    empty: float = 0.0
    composed: bool = False

    def draw(self, rng: np.random.Generator) -> tuple[Grey, str]:
        nothing = self.empty > 0 and rng.random() < self.empty
        for _ in range(TRIES):
            name = "" if nothing else written_case(self._name(rng), rng)
            picture = self.render(name, rng)
            if picture.min() < FAINT and rng.random() < DEGRADED:
                picture = load_image(degraded(picture, rng)).pixels
            prepared = prepare(picture, self.spec)
            text = fold(name)
            needed = frames_needed(self.spec.alphabet.encode(text))
            # No ink is found, or the picture has too few time steps for its text.
            if not prepared.blank and needed <= prepared.image.shape[1] // COLUMNS_PER_STEP:
                return prepared.image, text
        raise ValueError(
            f"No usable picture came of {TRIES} drawn names, the last of them {name!r}; "
            f"give other --names."
        )

    def _name(self, rng: np.random.Generator) -> str:
        if self.composed:
            return compose_name(rng, self.names)
        return self.names[int(rng.integers(len(self.names)))]


def written_case(name: str, rng: np.random.Generator) -> str:
    """Return `name` as a person may write it: CAPITALS, Capitalised, or lower case."""
    return (name.upper, name.title, name.lower)[int(rng.choice(3, p=(0.35, 0.55, 0.1)))]()

"""The spec: every fact about a network that its weights assume."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from hwr.alphabet import Alphabet

#: Raised whenever `hwr.preprocess` changes what the network sees, so that prepared caches
#: and old weights are never mixed with new pixels unnoticed.
PREPROCESS_VERSION = 1

#: Raised whenever it prepares a few pictures otherwise, such as by choosing another line, but what
#: the network sees looks the same: caches are made anew, and weights stay.
PREPROCESS_REVISION = 4

#: Two stages halve the width, so four image columns make one time step.
COLUMNS_PER_STEP = 4


@dataclass(frozen=True)
class Spec:
    """Shape of the input and of the network.

    Attributes:
        alphabet: characters the network writes.
        height: rows of a prepared image, a multiple of 8.
        max_width: widest prepared image in columns; wider names are scaled down to it.
        width_step: prepared images are padded to a multiple of this many columns.
        filters: output channels of the three convolution stages.
        features: channels of a time step when the height has been folded away.
        units: units of one direction of each recurrent layer.
        layers: number of bidirectional recurrent layers.
        dropout: fraction dropped before each recurrent layer and before the logits.
        preprocess: version of the preprocessing that prepared the training images.
    """

    alphabet: Alphabet = field(default_factory=Alphabet)
    height: int = 40
    max_width: int = 640
    width_step: int = 64
    filters: tuple[int, ...] = (32, 64, 128)
    features: int = 224
    units: int = 144
    layers: int = 2
    dropout: float = 0.2
    preprocess: int = PREPROCESS_VERSION

    def __post_init__(self) -> None:
        if self.height < 16 or self.height % 8:
            raise ValueError(
                f"height must be a multiple of 8, at least 16. Received: {self.height}"
            )
        if self.width_step < 1 or self.width_step % COLUMNS_PER_STEP:
            raise ValueError(
                f"width_step must be a multiple of {COLUMNS_PER_STEP}. Received: {self.width_step}"
            )
        if self.max_width < 1 or self.max_width % self.width_step:
            raise ValueError(
                f"max_width must be a multiple of width_step={self.width_step}. "
                f"Received: {self.max_width}"
            )
        if len(self.filters) != 3:
            raise ValueError(f"filters must name three stages. Received: {self.filters}")
        if self.layers < 2:
            raise ValueError(f"layers must be at least 2. Received: {self.layers}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in 0..1, below 1. Received: {self.dropout:g}")

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as JSON values; the alphabet is one string, so a space survives."""
        values = dataclasses.asdict(self)
        values["alphabet"] = self.alphabet.characters
        values["filters"] = list(self.filters)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Spec:
        """Return the spec that `to_dict` described.

        Raises:
            ValueError: a field is missing, unknown or out of range.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        if set(values) != known:
            missing, unknown = sorted(known - set(values)), sorted(set(values) - known)
            raise ValueError(
                f"A spec has exactly the fields {sorted(known)}. "
                f"Received: missing {missing}, unknown {unknown}"
            )
        values = dict(values)
        values["alphabet"] = Alphabet(values["alphabet"])
        values["filters"] = tuple(values["filters"])
        return cls(**values)

    @property
    def preparation_key(self) -> str:
        """Twelve hex digits that change when prepared images would change."""
        facts = [self.preprocess, PREPROCESS_REVISION, self.height, self.max_width]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]

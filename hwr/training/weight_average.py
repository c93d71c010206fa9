"""Exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from hwr.training.devices import put


class WeightAverage:
    """An exponential moving average of a model's weights.

    The average of the last steps generalises like a lower learning rate without having to
    wait for it (Izmailov et al., 2018), so a run that is stopped early loses little.
    """

    def __init__(self, model: keras.Model, momentum: float = 0.98) -> None:
        self.model = model
        self.momentum = momentum
        self.updates = 0
        self.values = get_weights(model)

    def update(self) -> None:
        """Move the average towards the current weights, with less momentum at first."""
        momentum = min(self.momentum, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for mean, value in zip(self.values, get_weights(self.model), strict=True):
            mean += (1 - momentum) * (value - mean)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Use the averaged weights in the model within the context."""
        present = get_weights(self.model)
        set_weights(self.model, self.values)
        try:
            yield
        finally:
            set_weights(self.model, present)


def as_array(variable: Any) -> NDArray[Any]:
    """Return a writable copy; PyTorch shares its memory and JAX arrays are read-only."""
    return np.array(keras.ops.convert_to_numpy(variable))


def get_weights(model: keras.Model) -> list[NDArray[Any]]:
    return [as_array(variable) for variable in model.weights]


def set_weights(model: keras.Model, values: list[NDArray[Any]]) -> None:
    for variable, value in zip(model.weights, values, strict=True):
        put(variable, value)

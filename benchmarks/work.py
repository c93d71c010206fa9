"""The arithmetic of the network."""

from __future__ import annotations

from hwr.spec import Spec


def multiply_adds(spec: Spec, width: int) -> int:
    """Return the multiply-adds of reading one image of `width` columns."""
    first, second, third = spec.filters
    steps = width // 4
    quarter, eighth = spec.height // 4 * steps, spec.height // 8 * steps
    total = spec.height // 2 * width // 2 * 25 * first
    total += quarter * 9 * (first * second + second * second)
    total += eighth * 9 * (second * third + third * third)
    total += steps * spec.height // 8 * 3 * third * spec.features
    inputs = spec.features
    for _ in range(spec.layers):
        total += steps * 2 * 4 * spec.units * (inputs + spec.units)
        inputs = 2 * spec.units
    return int(total + steps * inputs * spec.alphabet.classes)

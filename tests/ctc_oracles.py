"""CTC by enumeration, and logits to try it on."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import strategies as st

from hwr.alphabet import Alphabet

ABC = Alphabet("AB ")


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    """Return the label of a path by the definition: merge repeats, then drop blanks."""
    return tuple(k for k, _ in itertools.groupby(path) if k != 0)


def enumerate_labels(logits: np.ndarray) -> dict[tuple[int, ...], float]:
    """Return the probability of every label by summing over all paths."""
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = exp / exp.sum(axis=1, keepdims=True)
    labels: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(p.shape[1]), repeat=len(p)):
        label = collapse(path)
        chance = math.prod(float(p[t, k]) for t, k in enumerate(path))
        labels[label] = labels.get(label, 0.0) + chance
    return labels


@st.composite
def small_logits(draw: st.DrawFn) -> np.ndarray:
    steps, classes = draw(st.integers(1, 5)), draw(st.integers(2, 4))
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).normal(0, 3, (steps, classes)).astype(np.float32)


def spike(path: str, classes: str = "_AB ") -> np.ndarray:
    """Return logits whose best path is `path`; '_' is the blank. The best has p = 0.7."""
    logits = np.full((len(path), len(classes)), math.log(0.1))
    logits[np.arange(len(path)), [classes.index(c) for c in path]] = math.log(0.7)
    return logits

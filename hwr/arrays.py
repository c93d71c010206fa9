"""Array types, by what they hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Grey pixels, 0 black to 255 white.
Grey = NDArray[np.uint8]

#: Numbers of any precision.
Floats = NDArray[np.floating]

#: Numbers in float32 and in float64.
Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]


def runs_of(present: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the half-open ranges where `present`, (N,) bool, is True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], present.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]

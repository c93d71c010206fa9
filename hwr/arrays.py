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

"""Test-time augmentation: shifted, sheared and scaled copies of one image.

The mean of the network's outputs over the copies is right more often than the output for the
image alone (on handwriting: Kizilirmak and Yanikoglu, 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hwr.arrays import Doubles, Floats, Grey
from hwr.decoding.ctc import log_softmax


@dataclass(frozen=True)
class View:
    """One shear, scaling and shift of a prepared image; the width stays the same.

    Attributes:
        lean: shear: columns by which each row lies further right than the one below it.
        size: factor of the letters' height.
        shift: rows downwards.
    """

    lean: float = 0.0
    size: float = 1.0
    shift: float = 0.0

    def of(self, image: Grey) -> Grey:
        """Return the view of `image`, (H, W) uint8 with white paper; the same shape."""
        height, width = image.shape
        middle = (height - 1) / 2
        # From where in `image` each pixel comes: x + lean * (y - middle), and so on.
        source = np.array(
            [
                [1, self.lean, -self.lean * middle],
                [0, 1 / self.size, middle - (middle + self.shift) / self.size],
            ]
        )
        return np.asarray(
            cv2.warpAffine(
                image,
                source,
                (width, height),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderValue=255,
            ),
            np.uint8,
        )


#: The views that are read beside the image itself.
VIEWS = (View(lean=0.15), View(lean=-0.15), View(size=0.85), View(shift=1.5), View(shift=-1.5))


def blend(logits: Sequence[Floats]) -> Doubles:
    """Return the normalised geometric mean of the network's outputs: log-probabilities, (T, C).

    Args:
        logits: (T, C) of each view.
    """
    return log_softmax(np.mean([log_softmax(each) for each in logits], axis=0))

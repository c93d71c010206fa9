from __future__ import annotations

import numpy as np
import pytest

from hwr.recombination.ink_shift import ink_shift


def test_ink_shift_is_measured_on_letters_that_stand_alone() -> None:
    image = np.full((40, 200), 255, np.uint8)
    lefts = np.arange(20, 180, 16)
    for left in lefts:
        image[10:30, left : left + 8] = 0
    joined = image.copy()
    joined[18:22, 20:180] = 0
    text = "ABCDEFGHIJ"
    emitted = lefts + 4 - 6.5
    assert ink_shift([image, image, joined], [text] * 3, [emitted] * 3) == pytest.approx(6.5)
    with pytest.raises(ValueError, match="separate letters"):
        ink_shift([joined] * 3, [text] * 3, [emitted] * 3)

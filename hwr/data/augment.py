"""Augmentation: random distortions of a prepared image that keep its text, in NumPy and OpenCV.

Images are (H, W) uint8 with white (255) paper.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numpy as np

from hwr.arrays import Grey
from hwr.data.stroke_redraw import redraw


@dataclass(frozen=True)
class Strength:
    """Limits of an augmentation; 0 leaves a property unchanged.

    Attributes:
        stretch: standard deviation of the logarithm of the horizontal scale.
        size: largest shrinking of the height; a tenth of it is the largest enlarging.
        slant: standard deviation of the horizontal shear.
        turn: standard deviation of the rotation in degrees.
        bend: standard deviation of the elastic displacement in pixels.
        pen: probability that the strokes are redrawn by a pen of even width, as on a pad.
        thickness: probability of thicker or thinner strokes.
        tone: probability of fainter ink, of another gamma, of blur, of noise (each).
        mask: probability that a narrow bar or a patch is erased.
    """

    stretch: float = 0.13
    size: float = 0.25
    slant: float = 0.18
    turn: float = 1.2
    bend: float = 1.1
    pen: float = 0.3
    thickness: float = 0.35
    tone: float = 0.2
    mask: float = 0.15

    def scaled(self, factor: float) -> Strength:
        """Return every property times `factor`, 0..2."""
        if not 0 <= factor <= 2:
            raise ValueError(f"The factor of the augmentation lies in 0..2. Received: {factor:g}")
        return Strength(**{name: factor * value for name, value in asdict(self).items()})


def augment(
    image: Grey, rng: np.random.Generator, *, max_width: int, strength: Strength = Strength()
) -> Grey:
    """Return a distorted (H, W') uint8 copy of an image, W' <= max_width."""
    image = _deform(image, rng, max_width, strength)
    if rng.random() < strength.pen:
        # Widths around 1.6 pixels; a wide pen would fill the loops of small writing.
        image = redraw(image, float(np.clip(np.exp(rng.normal(0.45, 0.4)), 0.8, 3.2)))
    elif rng.random() < strength.thickness:
        image = _thicken(image, rng)
    image = _retone(image, rng, strength.tone)
    if rng.random() < strength.mask:
        _erase(image, rng)
    return image


def _deform(image: Grey, rng: np.random.Generator, max_width: int, strength: Strength) -> Grey:
    """Stretch, shear, rotate, shift and bend `image` in one interpolation."""
    height, width = image.shape
    stretch = float(np.exp(np.clip(rng.normal(0, strength.stretch), -0.4, 0.35)))
    before, after = rng.integers(0, 9, 2)
    columns = int(min(max_width, max(8, round(width * stretch) + before + after)))
    scale_x = (
        width / (columns - before - after) if columns > before + after + 8 else width / columns
    )
    scale_y = 1 / (1 - strength.size * rng.random() + 0.1 * strength.size)
    slant = rng.normal(0, strength.slant)
    # Limited, so that the ends of a long word stay in the image.
    turn = float(np.tan(np.radians(rng.normal(0, strength.turn))).clip(-5 / columns, 5 / columns))
    room = max(0.0, 0.5 * height * (scale_y - 1))
    shift_y = rng.uniform(-room, room) + rng.normal(0, 0.7)
    # Displacements on a coarse grid, enlarged smoothly: elastic bending (Simard et al., 2003).
    cells = (3, max(3, columns // 18))
    bend = rng.normal(0, strength.bend, (2, *cells)).astype(np.float32)
    dx, dy = (cv2.resize(grid, (columns, height), interpolation=cv2.INTER_CUBIC) for grid in bend)
    x = np.arange(columns, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None] - (height - 1) / 2
    map_x = (x - before) * scale_x + y * (slant * scale_x) + dx
    map_y = y * scale_y + (x - columns / 2) * turn + ((height - 1) / 2 + shift_y) + dy
    maps = (map_x.astype(np.float32), map_y.astype(np.float32))
    return np.asarray(cv2.remap(image, *maps, cv2.INTER_LINEAR, borderValue=255), np.uint8)


_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((2, 2), np.uint8)


def _thicken(image: Grey, rng: np.random.Generator) -> Grey:
    """Make the strokes thicker or thinner by up to a pixel on each side."""
    kernel = _CROSS if rng.random() < 0.5 else _SQUARE
    change = cv2.erode if rng.random() < 0.6 else cv2.dilate  # eroding paper thickens ink
    share = rng.uniform(0.3, 1.0)
    other = change(image, kernel)
    return np.asarray(cv2.addWeighted(image, 1 - share, other, share, 0), np.uint8)


def _retone(image: Grey, rng: np.random.Generator, probability: float) -> Grey:
    """Change ink strength, gamma, sharpness and noise, each with `probability`."""
    faint, curved, blurred, noisy = rng.random(4) < probability
    if faint or curved:
        ink = 1 - np.arange(256, dtype=np.float32) / 255
        if curved:
            ink **= float(np.exp(rng.normal(0, 0.4)))
        if faint:
            ink *= rng.uniform(0.35, 1.0)
        image = np.asarray(cv2.LUT(image, (255 * (1 - ink)).astype(np.uint8)), np.uint8)
    if blurred:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.1)), np.uint8)
    if noisy:
        noise = rng.integers(-20, 21, image.shape, dtype=np.int16) * rng.uniform(0.2, 1.0)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    return image


def _erase(image: Grey, rng: np.random.Generator) -> None:
    """Fill one to three patches of `image` with paper, in place.

    A patch is too narrow to erase a letter, which must be read from its rest.
    """
    height, width = image.shape
    for _ in range(rng.integers(1, 4)):
        patch_width = int(rng.integers(2, 7))
        left = int(rng.integers(0, max(1, width - patch_width)))
        patch_height = int(rng.integers(4, height // 2))
        top = int(rng.integers(0, height - patch_height))
        image[top : top + patch_height, left : left + patch_width] = 255

"""The figure: a reading drawn over the image the network read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from hwr.recognizer import Reading

#: The prepared image is shown this many times larger.
ZOOM = 3
HEADER, LETTERS, MARGIN = 34, 44, 10
INK, MUTED, PAPER = (24, 28, 36), (110, 118, 130), (255, 255, 255)


def draw_reading(reading: Reading) -> NDArray[np.uint8]:
    """Return a figure of `reading`, (H, W, 3) uint8 RGB.

    The name and its confidence stand on top; each letter, with its probability in percent,
    stands above the columns of the prepared image that emit it. A doubtful letter is red,
    a sure one green, in steps between.

    Raises:
        ValueError: the reading was made without steps (`Recognizer.read_many`).
    """
    if not reading.steps:
        raise ValueError("Only a reading with its steps can be drawn; make it with `read`.")
    prepared = reading.steps[-1].image
    height, width = (ZOOM * side for side in prepared.shape)
    title = ImageFont.load_default(20)
    small = ImageFont.load_default(11)
    large = ImageFont.load_default(22)
    head = f"{reading.text or '(nothing written)'}   {reading.confidence:.0%}   {reading.verdict}"
    total = max(width, int(title.getlength(head))) + 2 * MARGIN
    page = Image.new("RGB", (total, HEADER + LETTERS + height + MARGIN), PAPER)
    pen = ImageDraw.Draw(page, "RGBA")
    pen.text((MARGIN, 6), head, INK, title)
    page.paste(
        Image.fromarray(prepared).resize((width, height), Image.Resampling.BICUBIC),
        (MARGIN, HEADER + LETTERS),
    )
    for letter in reading.letters:
        centre = MARGIN + ZOOM * (letter.left + letter.right) / 2
        colour = _colour(letter.probability)
        pen.text((centre, HEADER), letter.character, colour, large, anchor="ma")
        pen.text((centre, HEADER + 28), f"{letter.probability:.0%}"[:-1], MUTED, small, anchor="ma")
        pen.line([(centre, HEADER + 41), (centre, HEADER + LETTERS + height)], (*colour, 90), 1)
    return np.asarray(page)


def _colour(probability: float) -> tuple[int, int, int]:
    """Return red for 0.5 and less, green for 1, and the mixture between."""
    share = min(1.0, max(0.0, 2 * probability - 1))
    return tuple(
        round(a + share * (b - a)) for a, b in zip((190, 30, 30), (20, 120, 60), strict=True)
    )  # type: ignore[return-value]

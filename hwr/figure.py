"""The figure: letters drawn over the image the network read, above what the network saw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hwr.arrays import Grey
from hwr.letter import Letter, Timeline, percent
from hwr.spec import COLUMNS_PER_STEP

#: The prepared image is shown this many times larger.
ZOOM = 3

#: Heights: the name, the letters with their probabilities and alternatives, the timeline.
HEADER, LETTERS, TIMELINE, MARGIN = 34, 72, 110, 10

INK, MUTED, PAPER, GRID = (24, 28, 36), (100, 108, 120), (255, 255, 255), (226, 230, 236)

#: Letters of the timeline in turn; all have a contrast of 4.5 and more on white.
COLOURS = (
    (29, 78, 216), (185, 28, 28), (21, 128, 61), (126, 34, 206), (161, 98, 7), (15, 118, 110),
    (190, 24, 93), (71, 85, 105),
)  # fmt: skip

NOTE = "probability of each letter, left to right; grey: between letters"

#: A letter is drawn in the timeline where it reaches this probability, and an alternative
#: stands below its letter from this one on.
SEEN, SHOWN = 0.02, 0.02


def draw(
    image: Grey, letters: Sequence[Letter], timeline: Timeline | None = None, heading: str = ""
) -> Grey:
    """Return a figure of a reading, (H, W, 3) uint8 RGB.

    The heading stands on top; each letter, with its probability in percent and what else it
    may be, stands above its ink. A doubtful letter is red, a sure one green, in steps between.
    Below, the probability of each letter at each time step.

    Args:
        image: (H, W) uint8, the prepared image.
        letters: with columns of that image.
        timeline: what the network saw along the image; nothing is drawn below without it.
        heading: a line of text; the figure has no room for it where it is empty.
    """
    head = HEADER if heading else 0
    height, width = (ZOOM * side for side in image.shape)
    wide = width
    if heading:
        wide = max(wide, int(_title_font().getlength(heading)))
    if timeline:
        wide = max(wide, int(_note_font().getlength(NOTE)) + 1)
    top = head + LETTERS
    below = TIMELINE + MARGIN if timeline else 0
    page = Image.new("RGB", (wide + 2 * MARGIN, top + height + MARGIN + below), PAPER)
    pen = ImageDraw.Draw(page, "RGBA")
    enlarged = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
    page.paste(enlarged, (MARGIN, top))
    for letter in letters:
        _draw_letter(pen, letter, head, top + height)
    if timeline:
        _draw_timeline(pen, timeline, top + height + MARGIN, width)
    pen.text((MARGIN, 6), heading, INK, _title_font())
    return np.asarray(page)


def _draw_letter(pen: ImageDraw.ImageDraw, letter: Letter, top: int, bottom: int) -> None:
    """Write a letter, its probability and its best alternative above its ink."""
    left, right = (MARGIN + ZOOM * column for column in (letter.left, letter.right))
    centre = (left + right) / 2
    colour = _colour(letter.probability)
    small = ImageFont.load_default(11)
    pen.text((centre, top), _shown(letter.character), colour, _large(), anchor="ma")
    pen.text((centre, top + 28), percent(letter.probability), MUTED, small, anchor="ma")
    for other, probability in letter.alternatives[:1]:
        if probability >= SHOWN:
            said = f"{_shown(other) or 'none'} {percent(probability)}"
            pen.text((centre, top + 42), said, (190, 30, 30), small, anchor="ma")
    pen.line([(left + 2, top + 60), (right - 2, top + 60)], colour, 3)
    for edge in (left, right):
        pen.line([(edge, top + 60), (edge, bottom)], (*MUTED, 60), 1)


def _draw_timeline(pen: ImageDraw.ImageDraw, timeline: Timeline, top: int, width: int) -> None:
    """Draw the probability of each letter over the columns of the image above.

    Of a step that spans columns, the value stands in its middle.
    """
    bottom = top + TIMELINE - 14
    rise = bottom - top - 16
    for share in (0, 0.5, 1):
        y = bottom - share * rise
        pen.line([(MARGIN, y), (MARGIN + width, y)], GRID, 1)
    middles = (np.arange(len(timeline.probabilities)) + 0.5) * COLUMNS_PER_STEP * ZOOM + MARGIN
    columns = timeline.probabilities
    classes = [c for c in range(1, columns.shape[1]) if columns[:, c].max() >= SEEN]
    small = ImageFont.load_default(12)
    drawn = [(0, (176, 184, 196)), *((c, COLOURS[c % len(COLOURS)]) for c in classes)]
    for class_, colour in drawn:
        values = columns[:, class_]
        points = [
            (float(x), bottom - float(v) * rise) for x, v in zip(middles, values, strict=True)
        ]
        pen.line(points, colour, 1 if class_ == 0 else 2)
        if class_ == 0:
            continue
        inner = np.concatenate([[-1], values, [-1]])
        crests = (values >= 0.1) & (inner[1:-1] >= inner[:-2]) & (inner[1:-1] > inner[2:])
        for step in np.flatnonzero(crests):
            x, y = points[int(step)]
            name = _shown(timeline.characters[class_ - 1])
            pen.text((x, y - 2), name, colour, small, anchor="mb")
    pen.text((MARGIN, bottom + 2), NOTE, MUTED, _note_font())


def _title_font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(20)


def _note_font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(10)


def _large() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(22)


def _shown(character: str) -> str:
    """Return a character as it is drawn: a space as a bar that one can see."""
    return character.replace(" ", "_")


def _colour(probability: float) -> tuple[int, int, int]:
    """Return red for 0.5 and less, green for 1, and the mixture between."""
    share = min(1.0, max(0.0, 2 * probability - 1))
    return tuple(
        round(a + share * (b - a)) for a, b in zip((190, 30, 30), (20, 120, 60), strict=True)
    )  # type: ignore[return-value]

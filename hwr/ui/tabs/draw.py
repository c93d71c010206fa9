"""The Draw tab: a pad whose reading follows the pen."""

from __future__ import annotations

from typing import Any

import cv2
import gradio as gr
import numpy as np

from hwr.arrays import Grey
from hwr.image import ImageError
from hwr.synthesis.writer import Writer, trace_name
from hwr.ui.background_reader import Read
from hwr.ui.panel import Panel
from hwr.ui.tabs.pad import HEIGHT, PENS, WIDTH, lay_pad, picture_of, value_of

#: Names that a click puts on the pad, and the seeds of the writers that draw them.
EXAMPLES = (("ANNA", 1), ("MARTIN", 2), ("LE GALL", 3), ("O'NEIL", 4))


def write(text: str, seed: int) -> Grey:
    """Return a pad with `text` in a synthetic writing, (HEIGHT, WIDTH) uint8."""
    rng = np.random.default_rng(seed)
    strokes = trace_name(text, Writer(seed=seed), rng)
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = min(0.7 * WIDTH / (high - low)[0], 0.4 * HEIGHT / (high - low)[1])
    middle = np.array([WIDTH, HEIGHT]) / 2
    pad = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for stroke in strokes:
        # In sixteenths of a pixel, as polylines takes them with shift=4.
        line = np.round(16 * ((stroke - (low + high) / 2) * scale + middle)).astype(np.int32)
        cv2.polylines(pad, [line], False, 0, PENS[1], cv2.LINE_AA, shift=4)
    return pad


class Draw:
    """The pad and its examples."""

    name = "Draw"

    def __init__(self, read: Read) -> None:
        self._read = read
        self.pad = lay_pad()
        self.examples = gr.Dataset(
            components=["textbox"],
            samples=[[text] for text, _ in EXAMPLES],
            label="Examples",
            type="index",
            elem_id="pad-examples",
        )

    def show(self, value: str | None) -> list[Any]:
        """Return the panel's values for what is on the pad."""
        try:
            return Panel.result(self._read(picture_of(value)))
        except ImageError as error:
            return Panel.refusal(str(error))

    def show_example(self, number: int) -> list[Any]:
        """Return a written pad and the panel's values for it."""
        value = value_of(write(*EXAMPLES[number]))
        return [value, *self.show(value)]

    def listen(self, page: gr.Blocks, panel: Panel, tab: gr.Tab) -> None:
        """Let the panel follow the pen."""
        panel.follow(self.name, [page.load, self.pad.input], self.show, [self.pad])
        panel.follow(
            self.name, [self.examples.click], self.show_example, [self.examples], [self.pad]
        )
        panel.turn_to(self.name, tab, self.show, [self.pad])

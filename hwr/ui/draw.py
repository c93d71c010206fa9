"""The Draw tab: a pad whose reading follows the pen."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from hwr.ui.panel import Panel
from hwr.ui.reader import Read

WIDTH, HEIGHT = 800, 200
PEN, RUBBER = 8, 32


def white_pad() -> dict[str, Any]:
    """Return the value of an empty pad.

    A pad without a background loses all strokes until a tool is chosen; on white paper the
    brush is ready at once (Gradio 6.31). What clears the pad must put the paper back.
    """
    return {"background": _paper(), "layers": [], "composite": None}


def drawing(value: dict[str, Any] | None) -> NDArray[np.uint8]:
    """Return what is drawn on the pad, (HEIGHT, WIDTH) uint8; an untouched pad is white.

    Of the value only the composite holds the ink in every image mode.
    """
    composite = value.get("composite") if value else None
    return _paper() if composite is None else np.asarray(composite, np.uint8)


def _paper() -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH), 255, np.uint8)


class Draw:
    """The pad and its clear button."""

    name = "Draw"

    def __init__(self, read: Read) -> None:
        """Lay the tab out in the current Gradio context."""
        self._read = read
        self.pad = gr.Sketchpad(
            value=white_pad(),
            height=260,
            label="Write a name",
            elem_id="pad",
            image_mode="L",
            canvas_size=(WIDTH, HEIGHT),
            fixed_canvas=True,
            layers=False,
            transforms=(),
            buttons=[],
            brush=gr.Brush(default_size=PEN, colors=["#000000"], color_mode="fixed"),
            eraser=gr.Eraser(default_size=RUBBER),
        )
        self.clear = gr.Button("Clear the pad", elem_id="clear-pad", size="sm")

    def show(self, value: dict[str, Any] | None) -> list[Any]:
        """Return the panel's values for what is on the pad."""
        return Panel.result(self._read(drawing(value)))

    def listen(self, panel: Panel, tab: gr.Tab) -> None:
        """Let the panel follow the pen."""
        # The first stroke on a pad with a background fires `input` alone, later ones both.
        panel.follow(self.name, [self.pad.input, self.pad.change], self.show, [self.pad])
        panel.turn_to(self.name, tab, self.show, [self.pad])
        gr.on(
            [self.pad.clear, self.clear.click],
            white_pad,
            None,
            self.pad,
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )

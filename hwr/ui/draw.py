"""The Draw tab: a pad whose reading follows the pen."""

from __future__ import annotations

from functools import wraps
from typing import Any

import cv2
import gradio as gr
import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException

from hwr.hand import Hand, trace_name
from hwr.ui.panel import Panel
from hwr.ui.reader import Read

#: Pixels of the paper; high enough for a finger on a phone, where it is 370 wide.
WIDTH, HEIGHT = 800, 300
PEN, RUBBER = 8, 32

#: Bytes of drawings that were sent and wait to be read, and layers of one of them.
WAITING, LAYERS = 64 * 1024 * 1024, 4

#: Names that a click puts on the pad, and the seeds of the hands that write them.
EXAMPLES = (("ANNA", 1), ("MARTIN", 2), ("LE GALL", 3), ("O'NEIL", 4))


def white_pad() -> dict[str, Any]:
    """Return the value of an empty pad.

    A pad without a background loses all strokes until a tool is chosen; on white paper the
    brush is ready at once (Gradio 6.31). What clears the pad must put the paper back.
    """
    return {"background": _paper(), "layers": [], "composite": None}


def drawing(value: dict[str, Any] | None) -> NDArray[np.uint8]:
    """Return what is drawn on the pad, (HEIGHT, WIDTH) uint8; an untouched pad is white.

    Of the value only the composite holds the ink in every image mode; before the first stroke
    there is none, and an example is the background.
    """
    for part in ("composite", "background"):
        if value and value.get(part) is not None:
            return np.asarray(value[part], np.uint8)
    return _paper()


def write(text: str, seed: int) -> NDArray[np.uint8]:
    """Return a pad on which a drawn hand has written `text`, (HEIGHT, WIDTH) uint8."""
    rng = np.random.default_rng(seed)
    strokes = trace_name(text, Hand(seed=seed), rng)
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = min(0.7 * WIDTH / (high - low)[0], 0.4 * HEIGHT / (high - low)[1])
    middle = np.array([WIDTH, HEIGHT]) / 2
    pad = _paper()
    for stroke in strokes:
        # In sixteenths of a pixel, as polylines takes them with shift=4.
        line = np.round(16 * ((stroke - (low + high) / 2) * scale + middle)).astype(np.int32)
        cv2.polylines(pad, [line], False, 0, PEN, cv2.LINE_AA, shift=4)
    return pad


def limit_drawings(pad: gr.Sketchpad) -> None:
    """Let a pad keep no more drawings than WAITING, and drop the oldest first.

    Gradio 6.31 keeps each until it is read, which a client need not ask for, and makes room for
    as many layers as a client says.
    """
    accept = pad.accept_blobs

    @wraps(accept)
    def accept_blobs(data: Any) -> None:
        fields = data.data if isinstance(data.data, dict) else {}
        complete = {"type", "id", "index"} <= fields.keys() and data.files
        if not complete or fields["index"] not in ("", "null", *map(str, range(LAYERS))):
            raise HTTPException(400, "This is no part of a drawing.")
        accept(data)
        kept = pad.blob_storage
        while len(kept) > 1 and sum(map(_size, list(kept.values()))) > WAITING:
            kept.pop(next(iter(kept)), None)

    pad.accept_blobs = accept_blobs


def _size(blobs: Any) -> int:
    parts = [blobs.background, blobs.composite, *blobs.layers]
    return sum(len(part) for part in parts if part is not None)


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
            height=340,
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
        limit_drawings(self.pad)
        self.clear = gr.Button("Clear the pad", elem_id="clear-pad", size="sm")
        self.examples = gr.Dataset(
            components=["textbox"],
            samples=[[text] for text, _ in EXAMPLES],
            label="Examples",
            type="index",
            elem_id="pad-examples",
        )

    def show(self, value: dict[str, Any] | None) -> list[Any]:
        """Return the panel's values for what is on the pad."""
        return Panel.result(self._read(drawing(value)))

    def show_example(self, number: int) -> list[Any]:
        """Return a written pad and the panel's values for it."""
        value = {**white_pad(), "background": write(*EXAMPLES[number])}
        return [value, *self.show(value)]

    def listen(self, panel: Panel, tab: gr.Tab) -> None:
        """Let the panel follow the pen."""
        # The first stroke on a pad with a background fires `input` alone, later ones both.
        panel.follow(self.name, [self.pad.input, self.pad.change], self.show, [self.pad])
        panel.follow(
            self.name, [self.examples.click], self.show_example, [self.examples], [self.pad]
        )
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

"""The pad: a canvas to write on with a mouse, a pen or a finger.

Gradio's own sketchpad (6.31) sends three pictures for each of its ten events a stroke: from pen-up
to the reading it took 1.9 s on two idle cores. This one sends one small picture with the event:
0.17 s (`benchmarks/pen_latency.py`, median of 20).
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

import cv2
import gradio as gr
import numpy as np

from hwr.arrays import Grey
from hwr.image import ImageError

#: Pixels of the paper; high enough for a finger on a phone, where it is 370 wide.
WIDTH, HEIGHT = 800, 300

#: Pixels of the pen: thinnest, as it comes, thickest.
PENS = (2, 8, 20)

_PREFIX = "data:image/png;base64,"

#: Characters of a value; a picture of the paper has a tenth of this.
_LONGEST = 2_000_000


def lay_pad() -> gr.HTML:
    """Return a pad, laid out in the current Gradio context.

    Its value is a PNG as a data URL, or None before the first stroke. Its event `input` fires
    when a stroke ends, every 0.3 s while one lasts, and after undo, redo and clear.
    """
    html, css, js = (
        Path(__file__).with_suffix(suffix).read_text(encoding="utf-8")
        for suffix in (".html", ".css", ".js")
    )
    return gr.HTML(
        html_template=html.format(width=WIDTH, height=HEIGHT, pens=PENS),
        css_template=css,
        js_on_load=js,
        apply_default_css=False,
        elem_id="pad",
    )


def picture_of(value: object) -> bytes | Grey:
    """Return what is on the pad as `hwr.image.load_image` takes it; white before any stroke.

    Raises:
        ImageError: `value` is no data URL of a PNG; only a program can have sent it.
    """
    if value is None or value == "":
        return np.full((HEIGHT, WIDTH), 255, np.uint8)
    if not isinstance(value, str) or not value.startswith(_PREFIX) or len(value) > _LONGEST:
        raise ImageError(
            "bad-source", "The pad's picture must be a PNG as a data URL; draw it anew."
        )
    try:
        return base64.b64decode(value[len(_PREFIX) :], validate=True)
    except binascii.Error as error:
        raise ImageError("damaged", "The pad's picture is damaged; draw it anew.") from error


def value_of(picture: Grey) -> str:
    """Return the value of a pad that shows `picture`, (H, W) uint8."""
    data = cv2.imencode(".png", picture)[1].tobytes()
    return _PREFIX + base64.b64encode(data).decode("ascii")

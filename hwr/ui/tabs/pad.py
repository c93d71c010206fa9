"""The pad: paper in the page to write on with a mouse, a pen or a finger.

Gradio's own sketchpad (6.31) draws by WebGL and sends three pictures to the server for each of its
ten events a stroke: from pen-up to the reading it took 1.9 s on an idle machine of two cores.
This one is a plain canvas that sends one small picture with the event itself: 0.17 s
(`benchmarks/pen_latency.py`, median of 20).
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

import cv2
import gradio as gr
import numpy as np
from numpy.typing import NDArray

from hwr.image import ImageError

#: Pixels of the paper; high enough for a finger on a phone, where it is 370 wide.
WIDTH, HEIGHT = 800, 300

#: Pixels of the pen: thinnest, as it comes, thickest.
PENS = (2, 8, 20)

_PREFIX = "data:image/png;base64,"

#: A picture of the paper has a tenth of this.
_LONGEST = 2_000_000

_HTML = f"""
<canvas width="{WIDTH}" height="{HEIGHT}" role="img"
  aria-label="Paper: write a name with a mouse, a pen or a finger"></canvas>
<div class="tools" role="toolbar" aria-label="Tools of the pad">
  <button type="button" data-tool="draw" aria-pressed="true">Draw</button>
  <button type="button" data-tool="erase" aria-pressed="false">Erase</button>
  <button type="button" data-tool="undo" disabled>Undo</button>
  <button type="button" data-tool="redo" disabled>Redo</button>
  <button type="button" data-tool="clear" id="clear-pad">Clear the pad</button>
  <label>Pen <input type="range" min="{PENS[0]}" max="{PENS[2]}" value="{PENS[1]}"
    aria-label="Thickness of the pen in pixels"></label>
</div>
"""


def lay_pad() -> gr.HTML:
    """Return a pad, laid out in the current Gradio context.

    Its value is a PNG as a data URL, or None before the first stroke. Its event `input` fires
    when a stroke ends, every 0.3 s while one lasts, and after undo, redo and clear.
    """
    return gr.HTML(
        html_template=_HTML,
        css_template=Path(__file__).with_suffix(".css").read_text(encoding="utf-8"),
        js_on_load=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id="pad",
    )


def picture_of(value: object) -> bytes | NDArray[np.uint8]:
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


def value_of(picture: NDArray[np.uint8]) -> str:
    """Return the value of a pad that shows `picture`, (H, W) uint8."""
    data = cv2.imencode(".png", picture)[1].tobytes()
    return _PREFIX + base64.b64encode(data).decode("ascii")

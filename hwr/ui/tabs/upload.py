"""The Upload tab: a picture from a file, the camera or the clipboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from hwr.image import ImageError
from hwr.ui.background_reader import Read
from hwr.ui.panel import Panel

#: On a phone the reading is below the fold.
_SHOW_READING = Path(__file__).with_name("show_reading.js").read_text(encoding="utf-8")


def uploaded(file: dict[str, Any] | None) -> Path:
    """Return the path of an uploaded file, with its original bytes.

    The value is taken unprocessed, since Gradio would open the picture itself and refuse it in
    its own words. Gradio 6.31 checks that the file is an upload only if `meta` says so.

    Raises:
        ImageError: there is no file, or it is not an upload.
    """
    if not file or not file.get("path"):
        raise ImageError("no-picture", "There is no picture; choose or drop a file.")
    path = Path(file["path"]).resolve()
    if not path.is_relative_to(Path(get_upload_folder()).resolve()):
        raise ImageError("no-picture", "This file was not uploaded; choose or drop it again.")
    return path


class Upload:
    """The picture input and its examples."""

    name = "Upload"

    def __init__(self, read: Read, examples: Sequence[Path]) -> None:
        self._read = read
        self.picture = gr.Image(
            label="A picture of one handwritten name",
            elem_id="upload",
            sources=["upload", "webcam", "clipboard"],
            type="filepath",
            image_mode=None,
            height=280,
            webcam_options=gr.WebcamOptions(mirror=False),
            buttons=["fullscreen"],
            alt_text="the picture to be read",
        )
        gr.Markdown("PNG, JPEG, WebP, BMP, TIFF or GIF, up to 5 MB.", elem_classes="hint")
        if examples:
            gr.Examples([[str(path)] for path in examples], [self.picture], elem_id="examples")

    def show(self, file: dict[str, Any] | None) -> list[Any]:
        """Return the panel's values for the uploaded file, or for none."""
        if file is None:
            return Panel.nothing()
        try:
            return Panel.result(self._read(uploaded(file)))
        except ImageError as error:
            return Panel.refusal(str(error))

    def listen(self, panel: Panel, tab: gr.Tab) -> None:
        """Read each new picture."""
        inputs = [self.picture]
        panel.follow(self.name, [self.picture.change], self.show, inputs, preprocess=False)
        panel.turn_to(self.name, tab, self.show, inputs, preprocess=False)
        self.picture.change(None, inputs, None, js=_SHOW_READING)

"""Files made for one visitor, with the name they are saved under.

Gradio 6.31 has only a download button that needs its file before the click. Here a click makes
the file, and a script saves it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hwr.ui.server.temp_folder import remove_old, scratch

#: Saves the file that is its only argument, in JavaScript.
SAVE = Path(__file__).with_name("save.js").read_text(encoding="utf-8")


def download(name: str, write: Callable[[Path], object]) -> str:
    """Return the path of a file called `name` that `write` has filled."""
    folder = scratch("downloads")
    remove_old(folder)
    file = Path(tempfile.mkdtemp(dir=folder)) / name
    write(file)
    return str(file)

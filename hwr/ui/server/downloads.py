"""Files made for one visitor, with the name they are saved under.

Gradio 6.31 has only a download button that needs its file before the click. Here a click makes
the file, and a script saves it.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hwr.ui.server.temp_folder import scratch

#: Seconds after which a file has long been copied by Gradio and is removed.
KEPT = 300

#: Saves the file that is its only argument, in JavaScript.
SAVE = """
(file) => {
  if (!file) return;
  const link = document.createElement("a");
  link.href = file.url;
  link.download = file.orig_name;
  document.body.append(link);
  link.click();
  link.remove();
}
"""


def download(name: str, write: Callable[[Path], object]) -> str:
    """Return the path of a file called `name` that `write` has filled."""
    _remove_old()
    file = Path(tempfile.mkdtemp(dir=scratch("downloads"))) / name
    write(file)
    return str(file)


def _remove_old() -> None:
    for folder in scratch("downloads").iterdir():
        with suppress(FileNotFoundError):  # removed by another thread meanwhile
            if folder.stat().st_mtime < time.time() - KEPT:
                shutil.rmtree(folder, ignore_errors=True)

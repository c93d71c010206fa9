"""The downloads: files made for one visitor, under the name that they are saved by."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

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
    file = Path(tempfile.mkdtemp(dir=_folder())) / name
    write(file)
    return str(file)


@cache
def _folder() -> Path:
    """Return a folder of this process alone, removed when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="hwr-downloads-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _remove_old() -> None:
    for folder in _folder().iterdir():
        if folder.stat().st_mtime < time.time() - KEPT:
            shutil.rmtree(folder, ignore_errors=True)

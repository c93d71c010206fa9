"""One private temporary folder per process.

Gradio 6.31 puts uploads into a folder that all its applications on a machine share. This one is
readable by its user alone and removed when the process ends; that of a killed process is removed
by the next one.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO

try:
    import fcntl
except ImportError:  # Windows; what a killed process left is not removed there.
    fcntl = None  # type: ignore[assignment,unused-ignore]

PREFIX = "hwr-page-"

#: Name of the file in a scratch folder that its process keeps locked.
LOCK = "lock"

#: Seconds after which Gradio has long copied a file that was handed to it.
KEPT = 300

#: Seconds for which a folder without a lock may be one that is just being made.
_YOUNG = 60


def scratch(part: str) -> Path:
    """Return the folder for one kind of file, made anew where it was swept away."""
    folder = scratch_root() / part
    folder.mkdir(exist_ok=True)
    return folder


def remove_old(folder: Path) -> None:
    """Remove the files and folders in `folder` that Gradio has long copied."""
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # removed by another thread meanwhile
            if path.stat().st_mtime < time.time() - KEPT:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def remove_abandoned(base: Path) -> None:
    """Remove from `base` the scratch folders of processes that have ended."""
    for folder in base.glob(f"{PREFIX}*") if fcntl else ():
        with suppress(OSError):
            status = folder.lstat()
            if status.st_uid != os.getuid() or time.time() - status.st_mtime < _YOUNG:
                continue
            lock = folder / LOCK
            # A process that still runs holds its lock, whatever it does.
            with lock.open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)


def size_of(folder: Path) -> int:
    """Return the bytes of all files in `folder`, at any depth."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            # Another thread may have removed it in between.
            with suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118
    return total


def sweep(folder: Path, age: float, keep: Collection[str] = ()) -> int:
    """Remove files older than `age` seconds but those in `keep`; return how many.

    The age counts from when a file came to its name, so that one uploaded again is new.
    """
    removed = 0
    for parent, folders, names in os.walk(folder, topdown=False):
        for name in names:
            path = os.path.join(parent, name)  # noqa: PTH118
            with suppress(OSError):
                if path not in keep and time.time() - os.lstat(path).st_ctime > age:
                    os.unlink(path)  # noqa: PTH108
                    removed += 1
        for name in folders:
            # Fails where something is left in it.
            with suppress(OSError):
                child = os.path.join(parent, name)  # noqa: PTH118
                if time.time() - os.lstat(child).st_ctime > age:
                    os.rmdir(child)  # noqa: PTH106
    return removed


def scratch_root() -> Path:
    """Return the folder of this process, which holds those of `scratch`."""
    # `cache` lets two first callers at the same time each make a folder.
    with _making:
        return _make_root()


@cache
def _make_root() -> Path:
    base = Path(tempfile.gettempdir())
    remove_abandoned(base)
    root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base)).resolve()
    if fcntl is not None:
        # Locked for as long as this process runs.
        file = (root / LOCK).open("w")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _held.append(file)
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root


_making = Lock()

#: Open locks; one that is closed no longer holds.
_held: list[IO[str]] = []

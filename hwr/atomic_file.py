"""The whole file: written beside its place and renamed into it, so that nobody ever sees half.

Every file and folder that hwr writes goes through here. What stood there before stays until all
of the new is on the disk. A process that is killed leaves a hidden `.NAME.*.partial` behind, which
the next one that writes NAME removes.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_SUFFIX = ".partial"

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)

# Of linux/fs.h and fcntl.h.
_RENAME_EXCHANGE, _AT_FDCWD = 2, -100


class WriteError(OSError):
    """A file or folder cannot be written; what stood there before is unchanged."""

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(message)
        self.errno = number


@contextmanager
def replacing(file: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Give a binary stream; what is written to it becomes `file` if all goes well.

    It is on the disk before it gets the name, so that a power cut leaves the old or the new.
    Folders on the way are made.

    Raises:
        WriteError: the disk is full or the folder cannot be written to.
    """
    target = Path(file).resolve()
    with _told(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        stream, partial = _locked_file(target)
        try:
            with stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
                partial.chmod(0o644)  # mkstemp keeps others out
                partial.replace(target)
            _flush_folder(target.parent)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def write_bytes(file: Path, data: bytes) -> None:
    """Write a file; see `replacing`."""
    with replacing(file) as stream:
        stream.write(data)


def write_text(file: Path, text: str) -> None:
    """Write a file in UTF-8, line ends as they are; see `replacing`."""
    write_bytes(file, text.encode())


@contextmanager
def new_folder(folder: str | os.PathLike[str], *, replace: bool = False) -> Iterator[Path]:
    """Give an empty folder to write into that becomes `folder` if all goes well.

    Args:
        replace: whether a folder that stands there gives way, at the very end and at once;
            then all files are on the disk before. Else it has to be empty.

    Raises:
        WriteError: the disk is full or the folder above cannot be written to.
        OSError: `folder` is not empty and not to be replaced.
    """
    target = Path(folder).resolve()
    with _told(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _restore(target)
        _sweep(target)
        scratch, lock = _locked_folder(target)
        try:
            yield scratch
            scratch.chmod(0o755)  # mkdtemp keeps others out
            if replace:
                _flush_tree(scratch)
            if replace and target.exists():
                _exchange(scratch, target)
            else:
                if target.exists():
                    target.rmdir()
                scratch.rename(target)
            _flush_folder(target.parent)
        finally:
            # After an exchange this is what stood there before.
            shutil.rmtree(scratch, ignore_errors=True)
            if lock is not None:
                os.close(lock)


# === Errors ===


@contextmanager
def _told(target: Path) -> Iterator[None]:
    """Say in one sentence why `target` cannot be written."""
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        number = error.errno
        if number in _FULL:
            reason, remedy = "the disk is full", "free some space and try again"
        elif number == errno.EFBIG:
            reason, remedy = "it is larger than this system allows", "raise the limit (ulimit -f)"
        elif number in _FORBIDDEN:
            reason, remedy = "writing is not allowed there", "choose another folder"
        elif number in (errno.ENOTDIR, errno.EEXIST) and not target.parent.is_dir():
            reason, remedy = "what it lies in is no folder", "choose another folder"
        elif number in (errno.EISDIR, errno.ENOTDIR):
            reason = f"there is a {'folder' if target.is_dir() else 'file'} of that name"
            remedy = "choose another name"
        else:
            raise
        raise WriteError(
            f"{target.name} cannot be written to {target.parent}: {reason}; {remedy}. "
            "What stood there before is unchanged.",
            number,
        ) from error


# === Partial files ===

# A writer holds a lock on its partial file or folder, which the system takes back when the
# process ends in whatever way. So what can be locked has been abandoned.


def _locked_file(target: Path) -> tuple[IO[bytes], Path]:
    while True:
        handle, name = tempfile.mkstemp(_SUFFIX, f".{target.name}.", target.parent)
        # Between these two lines another process may have swept it away.
        if _lock(handle) and Path(name).exists():
            # Some writers seek and read, such as that of NumPy archives.
            return os.fdopen(handle, "w+b"), Path(name)
        os.close(handle)


def _locked_folder(target: Path) -> tuple[Path, int | None]:
    while True:
        scratch = Path(tempfile.mkdtemp(_SUFFIX, f".{target.name}.", target.parent))
        if fcntl is None:  # and a folder cannot be opened, either
            return scratch, None
        handle = os.open(scratch, os.O_RDONLY)
        if _lock(handle) and scratch.exists():
            return scratch, handle
        os.close(handle)


def _lock(handle: int) -> bool:
    """Lock an open file, and return whether nobody else holds it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: partial files stay
    return True


def _sweep(target: Path) -> None:
    """Remove what killed processes left behind of `target`."""
    if fcntl is None:
        return
    prefix = f".{target.name}."
    for partial in target.parent.iterdir():
        if not (partial.name.startswith(prefix) and partial.name.endswith(_SUFFIX)):
            continue
        try:
            handle = os.open(partial, os.O_RDONLY)
        except OSError:
            continue  # gone, or somebody else's
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # being written, or a file system without locks
        else:
            if partial.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
            else:
                partial.unlink(missing_ok=True)
        finally:
            os.close(handle)


# === Folders ===


def _exchange(source: Path, target: Path) -> None:
    """Let two folders swap names, at once where the system can."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if _linux() else None
    if rename is not None:
        names = os.fsencode(source), os.fsencode(target)
        if not rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
            return
        number = ctypes.get_errno()
        if number not in (errno.ENOSYS, errno.EINVAL):
            raise OSError(number, os.strerror(number))
    # Killed between the two renames, `_restore` undoes the first.
    previous = _previous(target)
    shutil.rmtree(previous, ignore_errors=True)
    target.rename(previous)
    source.rename(target)
    shutil.rmtree(previous, ignore_errors=True)


def _linux() -> bool:
    return sys.platform == "linux"


def _previous(target: Path) -> Path:
    return target.with_name(f".{target.name}.previous")


def _restore(target: Path) -> None:
    if _previous(target).is_dir() and not target.exists():
        _previous(target).rename(target)


def _flush_tree(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            with (Path(parent) / name).open("rb+") as stream:
                os.fsync(stream.fileno())
        _flush_folder(Path(parent))


def _flush_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    if fcntl is None:
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

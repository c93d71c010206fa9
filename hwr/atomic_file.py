"""Atomic writes: a temporary file or folder beside its place, then a rename.

Every file and folder that hwr writes goes through here. The old content stays until all of the new
is on the disk. A killed process leaves a hidden `.NAME.*.partial` behind; the next write of NAME
removes it.
"""

from __future__ import annotations

import ctypes
import errno
import glob
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: no locks, and folders cannot be opened
    fcntl = None

_FULL = ("the disk is full", "free some space and try again")
_FORBIDDEN = ("writing is not allowed there", "choose another folder")
_REASONS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _FULL),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _FORBIDDEN),
    errno.EFBIG: ("it is larger than this system allows", "raise the limit (ulimit -f)"),
}

# Of linux/fs.h and fcntl.h.
_RENAME_EXCHANGE, _AT_FDCWD = 2, -100


class WriteError(OSError):
    """A file or folder cannot be written; what stood there before is unchanged."""

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(message)
        self.errno = number


@contextmanager
def replacing(file: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Give a binary stream; what is written to it becomes `file` if no exception is raised.

    The data are on the disk before the rename, so a power cut leaves the old file or the new one.
    A new file gets the permissions of the umask, a replacement those of the old file. Missing
    parent folders are made.

    Raises:
        WriteError: the disk is full or the folder cannot be written to.
    """
    target = Path(file).resolve()
    with _explained(target):
        mode = _permissions(target)
        first = 0o666 if mode is None else mode | 0o600
        with _partial(target, lambda path: path.touch(first, exist_ok=False)) as partial:
            # Readable, too: some writers seek and read, such as that of NumPy archives.
            with partial.open("r+b") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            if mode is not None:
                partial.chmod(mode)
            partial.replace(target)


def write_bytes(file: Path, data: bytes) -> None:
    """Write a file; see `replacing`."""
    with replacing(file) as stream:
        stream.write(data)


def write_text(file: Path, text: str) -> None:
    """Write a file in UTF-8, line ends as they are; see `replacing`."""
    write_bytes(file, text.encode())


@contextmanager
def new_folder(folder: str | os.PathLike[str], *, replace: bool = False) -> Iterator[Path]:
    """Give an empty folder to write into that becomes `folder` if no exception is raised.

    Permissions are those of the umask, or of the folder that is replaced.

    Args:
        replace: whether an existing folder is replaced, in one step after all files are on the
            disk. Otherwise it has to be empty.

    Raises:
        WriteError: the disk is full, the folder above cannot be written to, or `folder` is a file.
        OSError: `folder` is not empty and not to be replaced.
    """
    target = Path(folder).resolve()
    previous = _previous(target)
    with _explained(target):
        if target.is_file():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if previous.is_dir() and not target.exists():
            previous.rename(target)  # killed within `_exchange`
        mode = _permissions(target)
        first = 0o777 if mode is None else mode | 0o700
        with _partial(target, lambda path: path.mkdir(first)) as scratch:
            yield scratch
            if replace:
                for path in (*scratch.rglob("*"), scratch):
                    _flush(path)
            if mode is not None:
                scratch.chmod(mode)
            if replace and target.exists():
                _exchange(scratch, target)
            else:
                if target.exists():
                    target.rmdir()
                scratch.rename(target)


def _permissions(target: Path) -> int | None:
    return stat.S_IMODE(target.stat().st_mode) if target.exists() else None


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Raise WriteError with the reason why `target` cannot be written, and the remedy."""
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        number = error.errno
        if number in _REASONS:
            reason, remedy = _REASONS[number]
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


@contextmanager
def _partial(target: Path, create: Callable[[Path], None]) -> Iterator[Path]:
    """Give a new file or folder beside `target`, and remove what has its name at the end.

    A writer holds a lock on it, which the system releases however the process ends. So a partial
    file that can be locked has been abandoned.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.partial"):
        with suppress(OSError):  # gone, being written, of somebody else, or no locks here
            handle = _lock(left)
            try:
                _remove(left)
            finally:
                os.close(handle)
    while True:
        partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
        create(partial)
        # Until it is locked, another process may take it for abandoned and remove it.
        try:
            lock = _lock(partial)
        except (BlockingIOError, FileNotFoundError):
            continue
        except OSError:
            lock = None  # a system without locks: partial files stay
        if lock is None or partial.exists():
            break
        os.close(lock)
    try:
        yield partial
        _flush(target.parent)
    finally:
        _remove(partial)  # after an exchange, what stood there before
        if lock is not None:
            os.close(lock)


def _lock(path: Path) -> int:
    """Open and lock a file or folder; raise BlockingIOError if another process holds it."""
    if fcntl is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _exchange(source: Path, target: Path) -> None:
    """Swap the names of two folders, in one step where the system can."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if _linux() else None
    if rename is not None:
        names = os.fsencode(source), os.fsencode(target)
        if not rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
            return
        number = ctypes.get_errno()
        if number not in (errno.ENOSYS, errno.EINVAL):
            raise OSError(number, os.strerror(number))
    # If killed between the two renames, the next `new_folder` undoes the first.
    previous = _previous(target)
    shutil.rmtree(previous, ignore_errors=True)
    target.rename(previous)
    source.rename(target)
    shutil.rmtree(previous, ignore_errors=True)


def _linux() -> bool:
    return sys.platform == "linux"


def _previous(target: Path) -> Path:
    return target.with_name(f".{target.name}.previous")


def _flush(path: Path) -> None:
    """Bring the bytes of a file, or the names in a folder, to the disk."""
    if path.is_dir() and fcntl is None:
        return
    handle = os.open(path, os.O_RDONLY if fcntl else os.O_RDWR)  # Windows flushes only the latter
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

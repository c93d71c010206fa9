"""Reads untrusted ZIP archives of images within limits.

Members are never unpacked to disk, so their names cannot lead out of a folder. An archive over a
limit is refused before a member is read; a member that cannot be read gives its reason.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from hwr.image import MAX_BYTES

#: Bytes of an archive, and of all its members when unpacked.
MAX_ARCHIVE = 100 * 1024 * 1024
MAX_UNPACKED = 500 * 1024 * 1024

#: Members of any kind, and bytes of the directory that lists them.
MAX_MEMBERS = 5000
MAX_DIRECTORY = 400 * MAX_MEMBERS

#: Largest compression ratio of members over SMALL bytes. A white BMP with writing has about 100,
#: a ZIP bomb up to the 1,000 of deflate.
MAX_RATIO = 500
SMALL = 1024 * 1024

#: Suffixes of images.
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")

_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")

#: Files that operating systems add.
_CLUTTER = ("Thumbs.db", "desktop.ini")

# What zipfile raises on malformed archives; a name that is not UTF-8 is a ValueError.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)

# End of central directory record, and the ZIP64 locator before it (APPNOTE 4.3.15, 4.3.16).
_END, _END_SIZE, _END_64, _LOCATOR_SIZE = b"PK\x05\x06", 22, b"PK\x06\x07", 20


class ArchiveError(ValueError):
    """An archive or one of its members is refused; the message says why."""


@dataclass(frozen=True)
class Member:
    """One file of an archive.

    Attributes:
        name: its path in the archive, for display only.
        place: its position in the directory.
        problem: why it cannot be read, as far as known without reading it, or None.
    """

    name: str
    place: int
    problem: str | None


def is_archive(path: Path) -> bool:
    """Return whether a file starts with the signature of a ZIP archive."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", _END)


def list_members(path: Path) -> list[Member]:
    """Return the files of an archive in order, without those that operating systems add.

    Raises:
        ArchiveError: it is damaged or over a limit.
    """
    _check_directory(path)
    with _open(path) as archive:
        infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        count = f"{len(infos):,} files, more than {MAX_MEMBERS:,}"
        raise ArchiveError(f"The archive holds {count}; split it.")
    members = [
        Member(info.filename, place, _problem(info))
        for place, info in enumerate(infos)
        if not info.filename.endswith("/") and not _is_clutter(info.filename)
    ]
    unpacked = sum(infos[member.place].file_size for member in members if not member.problem)
    if unpacked > MAX_UNPACKED:
        raise _too_large("archive's pictures have", unpacked, MAX_UNPACKED)
    return members


def read_member(path: Path, place: int) -> bytes:
    """Return the content of the member at a position of the directory.

    Raises:
        ArchiveError: the member is refused or damaged, or the archive was removed.
    """
    (content,) = read_members(path, [place])
    if isinstance(content, ArchiveError):
        raise content
    return content


def read_members(path: Path, places: Iterable[int]) -> Iterator[bytes | ArchiveError]:
    """Yield the content of several members, or an error for each that cannot be read.

    The directory, which takes longer than unpacking a member, is read once.

    Raises:
        ArchiveError: the archive was removed or is damaged.
    """
    with _open(path) as archive:
        infos = archive.infolist()
        for place in places:
            yield _content(archive, infos[place])


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | ArchiveError:
    problem = _problem(info)
    if problem:
        return ArchiveError(problem)
    try:
        # zipfile reads no more than the size in the directory, which `_problem` has checked.
        with archive.open(info) as file:
            return file.read()
    except _DAMAGED:
        return ArchiveError("It is damaged in the archive; pack it again.")


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise ArchiveError("The archive is no longer there; choose it again.") from None
    except _DAMAGED as error:
        raise ArchiveError("The archive is damaged; pack it again.") from error


def _check_directory(path: Path) -> None:
    """Check the size of an archive and its directory, which zipfile reads into memory.

    Raises:
        ArchiveError: it is too large, has 64-bit fields, or no directory.
    """
    size = path.stat().st_size
    if size > MAX_ARCHIVE:
        raise _too_large("archive has", size, MAX_ARCHIVE)
    with path.open("rb") as file:
        file.seek(max(size - _END_SIZE - 0xFFFF - _LOCATOR_SIZE, 0))
        tail = file.read()
    # As zipfile searches: at the end of the file, else the last signature before a comment.
    at = len(tail) - _END_SIZE
    if not (at >= 0 and tail[at:].startswith(_END) and tail.endswith(b"\0\0")):
        at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_SIZE:
        raise ArchiveError("The archive is damaged; pack it again.")
    (directory,) = struct.unpack_from("<I", tail, at + 12)
    wide = tail[max(at - _LOCATOR_SIZE, 0) : at].startswith(_END_64)
    if wide or directory > MAX_DIRECTORY:
        raise ArchiveError(f"The archive holds more than {MAX_MEMBERS:,} files; split it.")


def _too_large(what: str, size: int, limit: int) -> ArchiveError:
    megabytes = f"{size / 2**20:,.0f} MB, more than {limit // 2**20} MB"
    return ArchiveError(f"The {what} {megabytes}; split it.")


def _is_clutter(name: str) -> bool:
    path = PurePosixPath(name)
    return "__MACOSX" in path.parts or path.name.startswith(".") or path.name in _CLUTTER


def _problem(info: zipfile.ZipInfo) -> str | None:
    """Return why a member is not read, or None."""
    suffix = PurePosixPath(info.filename).suffix.lower()
    paths = (PurePosixPath(info.filename), PureWindowsPath(info.filename))
    if any(path.anchor or ".." in path.parts for path in paths):
        return "Its path leads out of the archive; pack it again."
    if stat.S_ISLNK(info.external_attr >> 16):
        return "It is a link, not a file; pack the file itself."
    if suffix in _ARCHIVES:
        return "It is an archive in an archive; unpack it first."
    if suffix not in PICTURES:
        return f"Its name does not end as a picture's does ({', '.join(PICTURES)})."
    if info.flag_bits & 0x1:
        return "It is encrypted; pack it without a password."
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "It is packed by a rare method; pack it as an ordinary ZIP file."
    if info.file_size > MAX_BYTES:
        size = f"{info.file_size / 2**20:,.1f} MB, more than {MAX_BYTES // 2**20} MB"
        return f"It has {size}; make it smaller."
    if info.file_size > max(SMALL, MAX_RATIO * info.compress_size):
        return "It unpacks to far more than a picture does; it is not opened."
    return None

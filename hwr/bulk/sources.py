"""Listing of the images in folders, patterns, tables, archives and Parquet files.

Listing is lazy: in memory are the names of one directory, one image of an archive, or a small
batch of a Parquet file.
"""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hwr.bulk.zip_archive import PICTURES, ArchiveError, list_members, read_members

#: Names of the column of paths in a CSV file; by default the first column.
PATHS = ("path", "file", "filename")

TABLE, ARCHIVE, PARQUET = ".csv", ".zip", (".parquet", ".pq")

#: Rows of a Parquet file that are decoded together.
BATCH = 64

#: Bytes of a Parquet file read at a time; else the whole column of a row group is read.
BUFFER = 1 << 20

#: The file that marks a folder as output of a transcription; such folders are skipped.
OUTPUT = "transcription.json"

Kind = Literal["picture", "archive", "parquet", "problem"]
Wanted = Callable[[str, str], bool]


class SourceError(ValueError):
    """A source cannot be listed; the message says why."""


@dataclass(frozen=True)
class Entry:
    """One image to transcribe, identified by `source` and `entry`.

    Attributes:
        source: absolute path of the file, archive or table; see `printable`.
        entry: the path in the archive, or the row of the table, from 0; empty for a file.
        content: the file's path, or the encoded image; None if there is a problem.
        problem: why it cannot be read, as far as known from listing, or None.
    """

    source: str
    entry: str = ""
    content: str | bytes | None = None
    problem: str | None = None


def check_sources(sources: Sequence[str], column: str | None = None) -> None:
    """Check that sources can be listed.

    Raises:
        SourceError: a source does not exist, or is a table or archive that cannot be used.
    """
    for source in sources:
        name = source.lower()
        if not os.path.exists(source):
            if not (glob.has_magic(source) and any(glob.iglob(source, recursive=True))):
                raise SourceError(f"There is no file or folder {source!r}; check the path.")
        elif not os.path.isfile(source):
            continue
        elif name.endswith(TABLE):
            next(_table_paths(source, column), None)
        elif name.endswith(PARQUET):
            _picture_column(source, column)
        elif name.endswith(ARCHIVE):
            try:
                list_members(Path(source))
            except ArchiveError as error:
                raise SourceError(f"{os.path.basename(source)}: {error}") from None


def list_entries(
    sources: Sequence[str], column: str | None = None, wanted: Wanted = lambda source, entry: True
) -> Iterator[Entry]:
    """Yield the images of `sources`, always in the same order.

    Folders are searched recursively, in order of names, for images, ZIP archives and Parquet
    files, but not hidden files, links to folders and output of transcriptions. Paths in a CSV file
    are relative to its folder. What cannot be listed is yielded with its problem.

    Args:
        column: of paths in CSV files, or of encoded images in Parquet files.
        wanted: called with source and entry before an image is loaded.

    Raises:
        SourceError: see `check_sources`.
    """
    for kind, path, problem in _files(sources, column):
        source = printable(path)
        if kind == "archive":
            yield from _archive_entries(path, source, wanted)
        elif kind == "parquet":
            yield from _parquet_entries(path, source, column, wanted)
        elif wanted(source, ""):
            yield Entry(source, "", None if problem else path, problem)


def count_entries(sources: Sequence[str], column: str | None = None) -> Iterator[int]:
    """Yield the number of images that `list_entries` yields for each file, without loading them."""
    for kind, path, _ in _files(sources, column):
        count = 1  # an image, or a problem
        if kind == "archive":
            with suppress(ArchiveError, OSError):
                count = len(list_members(Path(path)))
        elif kind == "parquet":
            with suppress(SourceError), _open_parquet(path) as file:
                count = file.metadata.num_rows
        yield count


def printable(path: str) -> str:
    """Return a path as text that can be encoded; bytes that are not UTF-8 are escaped."""
    return path.encode("utf-8", "backslashreplace").decode()


# === Files ===


def _files(sources: Sequence[str], column: str | None) -> Iterator[tuple[Kind, str, str | None]]:
    """Yield kind, absolute path and problem of each file."""
    for source in sources:
        if os.path.isdir(source):
            yield from _walk(os.path.abspath(source))
        elif not os.path.exists(source) and glob.has_magic(source):
            # A pattern with ** matches what is in the folders, too.
            deep = "**" in source
            for path in sorted(glob.iglob(source, recursive=True)):
                if not os.path.isdir(path):
                    yield _file(os.path.abspath(path))
                elif not deep:
                    yield from _walk(os.path.abspath(path))
        elif source.lower().endswith(TABLE):
            for path in _table_paths(source, column):
                yield "picture", path, None
        else:
            yield _file(os.path.abspath(source))


def _file(path: str) -> tuple[Kind, str, None]:
    name = path.lower()
    if name.endswith(ARCHIVE):
        return "archive", path, None
    return ("parquet" if name.endswith(PARQUET) else "picture"), path, None


def _walk(folder: str) -> Iterator[tuple[Kind, str, str | None]]:
    try:
        with os.scandir(folder) as found:
            names = sorted(
                item.name + "/" if item.is_dir(follow_symlinks=False) else item.name
                for item in found
                if not item.name.startswith(".")
            )
    except OSError as error:
        yield "problem", folder, f"The folder cannot be listed ({error.strerror})."
        return
    if OUTPUT in names:
        return
    for name in names:
        path = f"{folder}{os.sep}{name}"
        if name.endswith("/"):
            yield from _walk(path[:-1])
        elif name.lower().endswith((*PICTURES, ARCHIVE, *PARQUET)):
            yield _file(path)


# === Tables ===


def _table_paths(table: str, column: str | None) -> Iterator[str]:
    """Yield the absolute paths that a CSV file lists."""
    name, folder = os.path.basename(table), os.path.dirname(os.path.abspath(table))
    try:
        # Bytes of a path that are not UTF-8 are kept.
        with open(table, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            rows = csv.reader(file, strict=True)
            first = next(rows, [])
            at, header = _path_column(name, first, column)
            if first and not header:
                yield os.path.abspath(os.path.join(folder, first[at]))
            for row in rows:
                if row and len(row) <= at:
                    where = f"{name}, line {rows.line_num}"
                    received = ",".join(row)
                    raise SourceError(
                        f"{where}: there is no column {at + 1}. Received: {received!r}"
                    )
                if row:
                    yield os.path.abspath(os.path.join(folder, row[at]))
    except csv.Error as error:
        raise SourceError(f"{name} is no valid CSV file: {error}.") from error


def _path_column(name: str, first: list[str], column: str | None) -> tuple[int, bool]:
    """Return which column holds the paths, and whether the first row is a header."""
    titles = [title.strip() for title in first]
    if column is not None:
        if column not in titles:
            found = ", ".join(titles) or "no row at all"
            raise SourceError(f"{name} has no column {column!r}; it has {found}.")
        return titles.index(column), True
    lower = [title.lower() for title in titles]
    known = next((lower.index(title) for title in PATHS if title in lower), None)
    return known or 0, known is not None


# === Archives ===


def _archive_entries(path: str, source: str, wanted: Wanted) -> Iterator[Entry]:
    try:
        members = list_members(Path(path))
    except (ArchiveError, OSError) as error:
        if wanted(source, ""):
            yield Entry(source, problem=str(error))
        return
    chosen: dict[str, int] = {}
    names: set[str] = set()
    for member in members:
        # An archive may hold a name twice, for different images.
        name = printable(member.name)
        while name in names:
            name += f" ({member.place})"
        names.add(name)
        if wanted(source, name):
            chosen[name] = member.place
    left = iter(chosen)
    try:
        for content in read_members(Path(path), chosen.values()):
            problem = str(content) if isinstance(content, ArchiveError) else None
            yield Entry(
                source, next(left), content if isinstance(content, bytes) else None, problem
            )
    except ArchiveError as error:  # it was removed since it was listed
        for name in left:
            yield Entry(source, name, problem=str(error))


# === Parquet files ===


def import_pyarrow() -> Any:
    """Return pyarrow with its Parquet part loaded.

    Raises:
        SourceError: it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError:
        remedy = "install it with: pip install 'hwr[bulk]'"
        raise SourceError(f"Parquet needs pyarrow; {remedy}") from None
    return pyarrow


def _open_parquet(path: str) -> Any:
    arrow = import_pyarrow()
    try:
        return arrow.parquet.ParquetFile(path, buffer_size=BUFFER)
    except (arrow.ArrowException, OSError) as error:
        raise SourceError(
            f"{os.path.basename(path)} is no valid Parquet file: {str(error).splitlines()[0]}"
        ) from None


def _picture_column(path: str, column: str | None) -> tuple[str, bool]:
    """Return the column of images, and whether it is a struct with a field `bytes`.

    Raises:
        SourceError: there is none, there are several, or `column` is missing.
    """
    types = import_pyarrow().types
    with _open_parquet(path) as file:
        schema = file.schema_arrow
    found: dict[str, bool] = {}
    for field in schema:
        kind = field.type
        struct = types.is_struct(kind) and kind.get_field_index("bytes") >= 0
        data = kind.field("bytes").type if struct else kind
        if types.is_binary(data) or types.is_large_binary(data):
            found[field.name] = struct
    if column is None and len(found) == 1:
        column = next(iter(found))
    if column not in found:
        needed = "one column" if column is None else f"a column {column!r}"
        raise SourceError(
            f"{os.path.basename(path)} needs {needed} of encoded pictures (binary, or a struct "
            f"with bytes); name it with --column. It has {', '.join(found) or 'none'}."
        )
    return column, found[column]


def _parquet_entries(path: str, source: str, column: str | None, wanted: Wanted) -> Iterator[Entry]:
    arrow = import_pyarrow()
    number = 0
    try:
        name, struct = _picture_column(path, column)
        with _open_parquet(path) as file:
            for batch in file.iter_batches(BATCH, columns=[f"{name}.bytes" if struct else name]):
                for value in batch.column(0).field("bytes") if struct else batch.column(0):
                    entry, number = str(number), number + 1
                    if wanted(source, entry):
                        data = value.as_py() or None
                        yield Entry(
                            source, entry, data, None if data else "The row holds no picture."
                        )
    except (SourceError, arrow.ArrowException, OSError) as error:
        # The number of rows that follow is not known, so they are one problem.
        entry = str(number) if number else ""
        if wanted(source, entry):
            yield Entry(source, entry, problem=str(error).splitlines()[0])

"""The sources: the pictures of folders, patterns, tables, archives and Parquet files, one by one.

Listing is lazy: of a folder the names of one directory are held at a time, of an archive or a
Parquet file one picture.
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

from hwr.bulk.zip_archive import PICTURES, ArchiveError, Member, list_members, read_members

#: Names of the column of a CSV file that holds paths; else the first column does.
PATHS = ("path", "file", "filename")

TABLE, ARCHIVE, PARQUET = ".csv", ".zip", (".parquet", ".pq")

#: Rows of a Parquet file that are decoded together.
BATCH = 64

#: Bytes of a Parquet file read at a time; without, a column of a row group is read as a whole.
BUFFER = 1 << 20

#: The file that marks a folder as the output of a transcription, which is no source.
OUTPUT = "transcription.json"

Kind = Literal["picture", "archive", "parquet", "problem"]
Wanted = Callable[[str, str], bool]


class SourceError(ValueError):
    """A source cannot be listed; the message says why in one sentence."""


@dataclass(frozen=True)
class Entry:
    """One picture to transcribe; `source` and `entry` together are its name.

    Attributes:
        source: absolute path of the file, archive or table; bytes that are no UTF-8 escaped.
        entry: the path in the archive, or the row of the table, from 0; empty for a file.
        content: the file's path, or the encoded picture; None where there is a problem.
        problem: why it cannot be read, as far as listing tells, or None.
    """

    source: str
    entry: str = ""
    content: str | bytes | None = None
    problem: str | None = None


def check_sources(sources: Sequence[str], column: str | None = None) -> None:
    """Refuse at once what could only fail later.

    Raises:
        SourceError: a source is not there, or is a table or archive that cannot be used.
    """
    for source in sources:
        path = Path(source)
        suffix = path.suffix.lower()
        if not path.exists():
            if not (_is_pattern(source) and any(True for _ in glob.iglob(source, recursive=True))):
                raise SourceError(f"There is no file or folder {source!r}; check the path.")
        elif not path.is_file():
            continue
        elif suffix == TABLE:
            next(_table_paths(source, column), None)
        elif suffix in PARQUET:
            _picture_column(source, column)
        elif suffix == ARCHIVE:
            try:
                list_members(path)
            except ArchiveError as error:
                raise SourceError(f"{path.name}: {error}") from None


def list_entries(
    sources: Sequence[str], column: str | None = None, wanted: Wanted = lambda source, entry: True
) -> Iterator[Entry]:
    """Yield the pictures of `sources`, always in the same order.

    A folder is searched with the folders in it, by name, for pictures, ZIP archives and Parquet
    files; hidden ones, links to folders, other files and the output of transcriptions are passed
    over. Paths of a CSV file are
    relative to its folder. What cannot be listed is yielded with its problem.

    Args:
        column: of CSV files, with paths, or of Parquet files, with encoded pictures.
        wanted: asked with source and entry before a picture is loaded.

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
    """Yield how many pictures `list_entries` comes to in each file, without loading them."""
    for kind, path, _ in _files(sources, column):
        count = 1  # a file, or the problem with it
        if kind == "archive":
            with suppress(ArchiveError, OSError):
                count = len(list_members(Path(path)))
        elif kind == "parquet":
            with suppress(SourceError), _open_parquet(path) as file:
                count = file.metadata.num_rows
        yield count


def printable(path: str) -> str:
    """Return a path as a text that UTF-8 can write; it says the same of the same path."""
    return path.encode("utf-8", "backslashreplace").decode()


# === Files ===


def _files(sources: Sequence[str], column: str | None) -> Iterator[tuple[Kind, str, str | None]]:
    """Yield kind, absolute path and problem of each file."""
    for source in sources:
        if os.path.isdir(source):
            yield from _walk(os.path.abspath(source))
        elif not os.path.exists(source) and _is_pattern(source):
            # Two stars come to what is in a folder by themselves.
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


def _is_pattern(source: str) -> bool:
    return glob.has_magic(source)


# === Tables ===


def _table_paths(table: str, column: str | None) -> Iterator[str]:
    """Yield the absolute paths that a CSV file lists."""
    name, folder = os.path.basename(table), os.path.dirname(os.path.abspath(table))
    try:
        # A path that is no UTF-8 comes back as the bytes it was.
        with open(table, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            rows = csv.reader(file, strict=True)
            first = next(rows, [])
            at, header = _path_column(name, first, column)
            if first and not header:
                yield os.path.abspath(os.path.join(folder, first[at]))
            for row in rows:
                if row and len(row) <= at:
                    raise SourceError(
                        f"{name}, line {rows.line_num}: there is no column {at + 1}. "
                        f"Received: {','.join(row)!r}"
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
            raise SourceError(
                f"{name} has no column {column!r}; it has {', '.join(titles) or 'no row at all'}."
            )
        return titles.index(column), True
    lower = [title.lower() for title in titles]
    known = [lower.index(title) for title in PATHS if title in lower]
    return (known[0], True) if known else (0, False)


# === Archives ===


def _archive_entries(path: str, source: str, wanted: Wanted) -> Iterator[Entry]:
    try:
        members = list_members(Path(path))
    except (ArchiveError, OSError) as error:
        if wanted(source, ""):
            yield Entry(source, problem=str(error))
        return
    done = 0
    chosen: list[tuple[str, Member]] = []
    names: set[str] = set()
    for member in members:
        # An archive may hold a name twice; both are pictures of their own.
        name = printable(member.name)
        name = name if name not in names else f"{name} ({member.place})"
        names.add(name)
        if wanted(source, name):
            chosen.append((name, member))
    try:
        contents = read_members(Path(path), [member.place for _, member in chosen])
        for (name, _), content in zip(chosen, contents, strict=False):
            done += 1
            if isinstance(content, ArchiveError):
                yield Entry(source, name, problem=str(content))
            else:
                yield Entry(source, name, content)
    except ArchiveError as error:  # it vanished since it was listed
        for name, _ in chosen[done:]:
            yield Entry(source, name, problem=str(error))


# === Parquet files ===


def import_pyarrow() -> Any:
    """Return pyarrow with its Parquet part loaded.

    Raises:
        SourceError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise SourceError(
            "Parquet needs pyarrow; install it with: pip install 'hwr[bulk]'"
        ) from None
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
    """Return which column holds pictures, and whether it is a struct with `bytes` among others.

    Raises:
        SourceError: there is none, or several, or not the one that was asked for.
    """
    arrow = import_pyarrow()
    with _open_parquet(path) as file:
        schema = file.schema_arrow
    found: dict[str, bool] = {}
    for field in schema:
        kind = field.type
        struct = arrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
        data = kind.field("bytes").type if struct else kind
        if arrow.types.is_binary(data) or arrow.types.is_large_binary(data):
            found[field.name] = struct
    if column is None and len(found) == 1:
        column = next(iter(found))
    if column not in found:
        asked = "one column" if column is None else f"a column {column!r}"
        raise SourceError(
            f"{os.path.basename(path)} needs {asked} of encoded pictures (binary, or a struct "
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
                values = batch.column(0).field("bytes") if struct else batch.column(0)
                for value in values:
                    entry, number = str(number), number + 1
                    if wanted(source, entry):
                        data = value.as_py()
                        problem = None if data else "The row holds no picture."
                        yield Entry(source, entry, data or None, problem)
    except (SourceError, arrow.ArrowException, OSError) as error:
        # What follows cannot be told from what was there, so it is one problem.
        entry = str(number) if number else ""
        if wanted(source, entry):
            yield Entry(source, entry, problem=str(error).splitlines()[0])

"""Lists of names in files: text, one name a line, or CSV with a column of names."""

from __future__ import annotations

import csv
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hwr.alphabet import fold

#: Headers of a column of names, and of a column that says how often each occurs; folded.
NAME_HEADERS = frozenset({"NAME", "NOM", "PRENOM", "IDENTITY", "LABEL", "TEXT"})
COUNT_HEADERS = frozenset({"COUNT", "FREQUENCY", "NUMBER", "N"})

_DELIMITERS = ",;\t"


class NameFileError(ValueError):
    """A file holds no list of names."""


@dataclass(frozen=True)
class NameFile:
    """What a file says.

    Attributes:
        names: as they stand there, in that order; empty rows are left out.
        counts: how often each occurs; None where the file has no numbers.
    """

    names: tuple[str, ...]
    counts: tuple[float, ...] | None = None


def read_name_file(file: str | os.PathLike[str]) -> NameFile:
    """Return the names of a text file (one a line) or of a CSV file, and their counts.

    Of a CSV file (.csv, .tsv, or a first line that names both columns) the column whose header
    is one of NAME_HEADERS is taken, else the first; counts stand in the column whose header is
    one of COUNT_HEADERS, or in the second where no header says anything. Commas, semicolons or
    tabs separate columns.

    Raises:
        NameFileError: there is no such file, it is no UTF-8 text, or a count is no number.
    """
    path = Path(file)
    if not path.is_file():
        raise NameFileError(f"There is no file {str(file)!r}; check the path of the list.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise NameFileError(f"{path.name} is no UTF-8 text; save it as UTF-8.") from error
    if "\0" in text:
        raise NameFileError(f"{path.name} is no text file; give a text or CSV file.")
    lines = text.splitlines()
    head = lines[0] if lines else ""
    delimiter = max(_DELIMITERS, key=head.count)
    titles = [fold(cell) for cell in head.split(delimiter)]
    names_both = bool(NAME_HEADERS & set(titles)) and bool(COUNT_HEADERS & set(titles))
    if path.suffix.lower() not in (".csv", ".tsv") and not names_both:
        return NameFile(tuple(line.strip() for line in lines if line.strip()))
    return _from_table(path, lines, delimiter)


def _from_table(path: Path, lines: list[str], delimiter: str) -> NameFile:
    try:
        reader = csv.reader(lines, delimiter=delimiter)
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise NameFileError(f"{path.name} is no valid CSV file: {error}.") from error
    titles = [fold(cell) for cell in rows[0][1]] if rows else []
    name_at = next((i for i, title in enumerate(titles) if title in NAME_HEADERS), None)
    count_at = next((i for i, title in enumerate(titles) if title in COUNT_HEADERS), None)
    titled = name_at is not None
    body = rows[1:] if titled else rows
    at = name_at or 0
    body = [(line, row) for line, row in body if len(row) > at and row[at].strip()]
    names = tuple(row[at].strip() for _, row in body)
    if titled and count_at is not None:
        return NameFile(names, tuple(_count(path, line, row, count_at) for line, row in body))
    second = [row[1].strip() if len(row) > 1 else "" for _, row in body]
    if not titled and second and all(cell.isdigit() for cell in second):
        return NameFile(names, tuple(float(cell) for cell in second))
    return NameFile(names)


def _count(path: Path, line: int, row: list[str], at: int) -> float:
    cell = row[at].strip() if len(row) > at else ""
    try:
        count = float(cell)
    except ValueError:
        count = -1.0
    if not 0 <= count < float("inf"):
        raise NameFileError(
            f"{path.name}, line {line}: COUNT must be a number, 0 or more. Received: {cell!r}"
        )
    return count


def weighted_path(entry: str, default: float) -> tuple[str, float]:
    """Return the path and the number of PATH[:NUMBER]; a path that is there stays whole."""
    path, _, number = entry.rpartition(":")
    if path and not Path(entry).exists():
        with suppress(ValueError):
            return path, float(number)
    return entry, default

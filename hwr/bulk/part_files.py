"""Transcript: the rows of a bulk transcription, in part files that are written atomically."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any, Literal, Self

from hwr.atomic_file import write_bytes, write_text
from hwr.bulk.digest_set import Seen
from hwr.bulk.sources import OUTPUT, Entry, import_pyarrow
from hwr.image import ImageError
from hwr.letter import Candidate
from hwr.reading import Reading

if sys.platform != "win32":  # which has no lock against a second run
    import fcntl

Format = Literal["csv", "parquet"]

#: Rows of a part: less than two minutes of work at 100 images a second and core.
PART = 10_000

_LOCK = ".lock"
_NAME = re.compile(r"part-[0-9]{5,}\.(csv|parquet)")


class TranscriptError(ValueError):
    """A folder cannot be written to, or a part is damaged; the message says why."""


@dataclass(frozen=True)
class Row:
    """The reading of one image.

    Attributes:
        source: absolute path of the file, archive or table.
        entry: the path in the archive or the row of the table; empty for a file.
        text: the name; empty if nothing is written, None if the image cannot be read.
        confidence: probability that `text` is right, 0..1, four digits, or None.
        verdict: see `hwr.reading.Reading`.
        candidates: the most probable texts, best first, probabilities with four digits.
        absent: with a lexicon, the probability that the name is not on it.
        notes: remarks on the file.
        error: why the image cannot be read, or None.
    """

    source: str
    entry: str
    text: str | None = None
    confidence: float | None = None
    verdict: str | None = None
    candidates: tuple[Candidate, ...] = ()
    absent: float | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None

    @classmethod
    def of(cls, entry: Entry, result: Reading | ImageError | str) -> Row:
        """Return the row of an image, with its reading or an error."""
        if not isinstance(result, Reading):
            return cls(entry.source, entry.entry, error=str(result))
        read = (result.text, round(result.confidence, 4), result.verdict)
        candidates = tuple(Candidate(c.text, round(c.probability, 4)) for c in result.candidates)
        absent = None if result.absent is None else round(result.absent, 4)
        return cls(entry.source, entry.entry, *read, candidates, absent, result.notes)


COLUMNS = tuple(field.name for field in fields(Row))


class Transcript:
    """The part files of a folder, `part-00000.csv` and so on; a context manager.

    On exit, also by an exception, the remaining rows are written as a shorter part.

    Attributes:
        seen: the images that the parts hold.
        before: rows in the folder when it was opened.
        written: rows written since.
    """

    def __init__(
        self,
        folder: Path,
        facts: Mapping[str, Any],
        *,
        format: Format = "csv",
        resume: bool = False,
        part: int = PART,
    ) -> None:
        """Open a new or empty folder or, with `resume`, that of an earlier run.

        Args:
            facts: what rows depend on; those of an earlier run must be equal.

        Raises:
            TranscriptError: the folder holds parts and `resume` is not set, its facts differ, or
                another run writes into it.
            hwr.bulk.sources.SourceError: `format` is Parquet and pyarrow is not installed.
        """
        if part < 1:
            raise TranscriptError(f"A part has at least 1 row. Received: {part}")
        if format == "parquet":
            import_pyarrow()
        if folder.exists() and not folder.is_dir():
            raise TranscriptError(f"{folder.name!r} is a file; name a folder to write into.")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._format, self._part = folder, format, part
        self._rows: list[Row] = []
        self.written = 0
        self.seen = Seen()
        self._lock = _lock(folder)
        try:
            parts = find_parts(folder)
            self._open(parts, {"format": format} | dict(facts), resume)
        except BaseException:
            self._lock.close()
            raise
        self._number = 1 + _number(parts[-1]) if parts else 0
        self.before = len(self.seen)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.flush()
        finally:
            self._lock.close()

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows; write each part when it is full."""
        for row in rows:
            self._rows.append(row)
            if len(self._rows) >= self._part:
                self.flush()

    def flush(self) -> None:
        """Write the pending rows as a part."""
        if not self._rows:
            return
        file = self._folder / f"part-{self._number:05d}.{self._format}"
        data = parquet_bytes(self._rows) if self._format == "parquet" else csv_bytes(self._rows)
        write_bytes(file, data)
        # Rows are cleared before the number goes up: an interrupt in between writes none twice.
        self.written, self._rows = self.written + len(self._rows), []
        self._number += 1

    def _open(self, parts: list[Path], facts: dict[str, Any], resume: bool) -> None:
        for file in self._folder.glob(".part-*"):
            file.unlink()  # temporary file of a killed run
        if parts and not resume:
            found = f"{self._folder.name!r} holds {len(parts)} part files already"
            raise TranscriptError(f"{found}; go on with them by --resume, or name another folder.")
        note = self._folder / OUTPUT
        if parts and note.is_file():
            _compare(self._folder.name, note, facts)
        for file in parts:
            for source, entry in _keys(file):
                self.seen.add(source, entry)
        write_text(note, json.dumps(facts, indent=2) + "\n")


def find_parts(folder: Path) -> list[Path]:
    """Return the part files of a folder in the order of writing."""
    return sorted((f for f in folder.iterdir() if _NAME.fullmatch(f.name)), key=_number)


def read_transcript(folder: Path) -> Iterator[Row]:
    """Yield the rows of all parts of a folder.

    Raises:
        TranscriptError: a part is damaged.
    """
    for file in find_parts(folder):
        with _damage_named(file):
            yield from _parquet_rows(file) if file.suffix == ".parquet" else _csv_rows(file)


@contextmanager
def _damage_named(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, LookupError, TypeError, ValueError, csv.Error) as error:
        remedy = "remove it, and --resume reads its pictures again"
        raise TranscriptError(f"{file.name} is damaged ({error}); {remedy}.") from error


# === CSV ===


def csv_bytes(rows: Iterable[Row]) -> bytes:
    """Return rows as CSV in UTF-8; candidates and notes are JSON, missing values are empty."""
    stream = io.StringIO()
    # Lines end in CR LF (RFC 4180), csv's default. Before Python 3.13, csv quotes a CR or LF only
    # where it is part of the line's end; with LF alone a name such as "Icon\r" would end its row.
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for row in rows:
        cells = _plain(row)
        for name in ("candidates", "notes"):
            cells[name] = json.dumps(cells[name], ensure_ascii=False)
        writer.writerow(cells.values())
    return stream.getvalue().encode()


def _csv_rows(file: Path) -> Iterator[Row]:
    for cells in _csv_cells(file):
        source, entry, text, confidence, verdict, candidates, absent, notes, error = cells
        yield Row(
            *(source, entry, None if error else text),
            float(confidence) if confidence else None,
            verdict or None,
            tuple(Candidate(**c) for c in json.loads(candidates)),
            float(absent) if absent else None,
            tuple(json.loads(notes)),
            error or None,
        )


def _csv_cells(file: Path) -> Iterator[list[str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        rows = csv.reader(stream, strict=True)
        if next(rows, []) != list(COLUMNS):
            raise ValueError("other columns")
        for row in rows:
            if len(row) != len(COLUMNS):
                raise ValueError(f"line {rows.line_num} is cut off")
            yield row


# === Parquet ===


def parquet_bytes(rows: Iterable[Row]) -> bytes:
    """Return rows as a Parquet file; candidates are a list of structs."""
    arrow = import_pyarrow()
    text, number = arrow.string(), arrow.float64()
    candidates = arrow.list_(arrow.struct([("text", text), ("probability", number)]))
    kinds = dict.fromkeys(COLUMNS, text) | {
        "confidence": number,
        "candidates": candidates,
        "absent": number,
        "notes": arrow.list_(text),
    }
    table = arrow.Table.from_pylist([_plain(row) for row in rows], arrow.schema(kinds.items()))
    sink = arrow.BufferOutputStream()
    arrow.parquet.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _parquet_rows(file: Path) -> Iterator[Row]:
    for batch in _parquet_batches(file, COLUMNS):
        for values in batch.to_pylist():
            candidates = tuple(Candidate(**c) for c in values["candidates"])
            yield Row(**values | {"candidates": candidates, "notes": tuple(values["notes"])})


def _parquet_batches(file: Path, columns: Sequence[str]) -> Iterator[Any]:
    with import_pyarrow().parquet.ParquetFile(file) as stored:
        yield from stored.iter_batches(10_000, columns=list(columns))


# === Both ===


def _plain(row: Row) -> dict[str, Any]:
    """Return the values of a row by column, with candidates as dictionaries."""
    return vars(row) | {"candidates": [vars(candidate) for candidate in row.candidates]}


def _keys(file: Path) -> Iterator[tuple[str, str]]:
    """Yield (source, entry) of each row of a part, six times as fast as making the rows.

    Raises:
        TranscriptError: the part is damaged.
    """
    with _damage_named(file):
        if file.suffix == ".parquet":
            for batch in _parquet_batches(file, COLUMNS[:2]):
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
        else:
            yield from ((cells[0], cells[1]) for cells in _csv_cells(file))


# === Files ===


def _number(file: Path) -> int:
    return int(file.stem.removeprefix("part-"))


def _lock(folder: Path) -> IO[bytes]:
    """Return a file that is locked, except on Windows, until it is closed or this process ends."""
    file = (folder / _LOCK).open("wb")
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            remedy = "wait for it, or name another folder"
            raise TranscriptError(f"Another run writes into {folder.name!r}; {remedy}.") from None
    return file


def _compare(name: str, note: Path, facts: dict[str, Any]) -> None:
    try:
        before = json.loads(note.read_text(encoding="utf-8"))
        other = [key for key in facts if before.get(key) != facts[key]]
    except (ValueError, AttributeError) as error:
        raise TranscriptError(f"{name}/{OUTPUT} is damaged: {error}") from error
    if other:
        differences = ", ".join(f"{key} {before.get(key)} instead of {facts[key]}" for key in other)
        made = f"The rows in {name!r} were made with another {' and '.join(other)} ({differences})"
        raise TranscriptError(f"{made}; name another folder, or use the settings of the first run.")

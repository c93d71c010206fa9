"""The rows of a batch as files for other programs."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from hwr.atomic_file import replacing
from hwr.bulk.zip_archive import PICTURES, ArchiveError
from hwr.ui.batch.rows import Row

COLUMNS = ("FILENAME", "IDENTITY", "CONFIDENCE", "VERDICT", "CHECKED", "PROBLEM")

#: What makes a spreadsheet program take a cell for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ExportError(ValueError):
    """There is nothing that could be exported."""


def csv_table(rows: Sequence[Row]) -> bytes:
    """Return rows as CSV in UTF-8, each text exactly as it is."""
    return _table(rows).encode()


def spreadsheet_table(rows: Sequence[Row]) -> bytes:
    """Return rows as CSV for spreadsheet programs.

    A byte order mark says that it is UTF-8; an apostrophe stands before what would be a formula.
    """
    return _table(rows, guard=True).encode("utf-8-sig")


def json_lines(rows: Iterable[Row]) -> bytes:
    """Return rows as one JSON object a line, with the name as read beside the corrected one."""
    lines = [
        {
            "file": row.source.name,
            "text": row.text,
            "read": row.read,
            "confidence": row.confidence,
            "verdict": row.verdict,
            "checked": row.checked,
            "problem": row.problem,
        }
        for row in rows
    ]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def write_training_folder(rows: Iterable[Row], archive: Path) -> int:
    """Write the checked names and their pictures as a ZIP file; return how many there are.

    Its one folder, corrections/, holds labels.csv and images/, as `train.py --data` takes them.

    Raises:
        ExportError: no row with a name was checked, or a picture is no longer there.
    """
    labelled = [row for row in rows if row.checked and row.text and row.problem is None]
    if not labelled:
        raise ExportError("No name has been checked yet; accept or correct some rows first.")
    names: set[str] = set()
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(("FILENAME", "IDENTITY"))
    # Pictures are compressed already.
    with replacing(archive) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as packed:
        for row in labelled:
            name = _file_name(row.source.name, names)
            packed.writestr(f"corrections/images/{name}", _content(row))
            writer.writerow((name, row.text))
        packed.writestr("corrections/labels.csv", table.getvalue())
    return len(labelled)


def _table(rows: Sequence[Row], guard: bool = False) -> str:
    stream = io.StringIO()
    # With "\n" as line end the writer of Python 3.11 leaves a carriage return unquoted.
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for row in rows:
        texts = [
            row.source.name,
            row.text,
            "" if row.confidence is None else f"{row.confidence:.4f}",
            row.verdict,
            "yes" if row.checked else "no",
            row.problem or "",
        ]
        writer.writerow([f"'{t}" if guard and t.startswith(_FORMULA) else t for t in texts])
    return stream.getvalue()


def _content(row: Row) -> bytes:
    try:
        loaded = row.source.load()
        return loaded if isinstance(loaded, bytes) else loaded.read_bytes()
    except (ArchiveError, OSError) as error:
        raise ExportError(
            f"The picture {row.source.name!r} is no longer there, as uploads are deleted after "
            "an hour or two; read the batch again."
        ) from error


def _file_name(name: str, taken: set[str]) -> str:
    """Return a file name like `name` that any system takes, and add it to those taken."""
    path = PurePosixPath(name.replace("\\", "/"))
    stem = re.sub(r"[^\w.-]+", "_", path.stem).strip("._")[:80] or "picture"
    suffix = path.suffix.lower() if path.suffix.lower() in PICTURES else ".img"
    number, unique = 1, stem + suffix
    # Some file systems ignore case.
    while unique.lower() in taken:
        number += 1
        unique = f"{stem}-{number}{suffix}"
    taken.add(unique.lower())
    return unique

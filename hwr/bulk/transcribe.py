"""Bulk transcription of sources into a transcript.

list_entries -> units -> workers, or a cluster -> Transcript
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hwr.bulk.digest_set import Seen
from hwr.bulk.part_files import PART, Format, Row, Transcript
from hwr.bulk.process_pool import read_units
from hwr.bulk.sources import Entry, SourceError, check_sources, count_entries, list_entries
from hwr.bulk.unit_reader import BulkReader, Settings
from hwr.decoding.confidence import CONFIDENCE
from hwr.decoding.language_model import LANGUAGE_MODEL
from hwr.network.engine import chosen_engine
from hwr.network.model_folder import CONFIG
from hwr.parallel import usable_cores

#: Images that one process reads together. With 16, an image took 6 to 10 % more processor time,
#: with 64 or 256 the same within 5 %; fewer units are less overhead on a cluster.
UNIT = 128

#: Images of the first units: small, so that a few images keep all processes busy.
FIRST = 16

#: Bytes of images that are sent to a process together.
UNIT_BYTES = 16 << 20

#: Yields the rows of all images of sources that are not in the set, in any order.
ReadAll = Callable[[Sequence[str], str | None, Seen], Generator[list[Row], None, None]]


@dataclass(frozen=True)
class Progress:
    """Progress of a transcription.

    Attributes:
        read: rows of this run.
        failed: how many of them have an error.
        before: rows of earlier runs.
        total: images of the sources, or None until they are counted.
        seconds: since reading began.
    """

    read: int = 0
    failed: int = 0
    before: int = 0
    total: int | None = None
    seconds: float = 0.0

    @property
    def speed(self) -> float:
        """Images a second."""
        return self.read / self.seconds if self.seconds else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds left at the speed so far, or None while unknown."""
        if self.total is None or not self.speed:
            return None
        return max(0, self.total - self.before - self.read) / self.speed


def transcribe(
    sources: Sequence[str],
    folder: Path,
    settings: Settings,
    *,
    column: str | None = None,
    format: Format = "csv",
    resume: bool = False,
    part: int = PART,
    read_all: ReadAll | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Read every image of `sources` once into part files of `folder`.

    All rows are written when the run ends, also by an error or interrupt; a killed process loses
    those of the unfinished part. With `resume`, only images without a row are read. An image that
    is listed twice has one row.

    Args:
        column: see `hwr.bulk.sources.list_entries`.
        format, resume, part: see `hwr.bulk.part_files.Transcript`.
        read_all: reads the images; by default `read_locally`.
        report: called after each unit.

    Raises:
        hwr.bulk.sources.SourceError: a source cannot be listed, or there is no image.
        hwr.bulk.part_files.TranscriptError: see `hwr.bulk.part_files.Transcript`.
        hwr.bulk.process_pool.WorkerError: processes die again and again.
        ValueError: see `hwr.bulk.unit_reader.BulkReader.load`.
    """
    check_sources(sources, column)
    BulkReader.load(settings)  # raises before anything is written
    read_all = read_all or partial(read_locally, settings=settings)
    start = time.monotonic()
    with (
        Transcript(folder, facts(settings), format=format, resume=resume, part=part) as transcript,
        closing(_Count(sources, column)) as count,
    ):
        progress = Progress(before=transcript.before)
        report(progress)
        try:
            with closing(read_all(sources, column, transcript.seen)) as chunks:
                for rows in chunks:
                    transcript.add(rows)
                    progress = replace(
                        progress,
                        read=progress.read + len(rows),
                        failed=progress.failed + sum(row.error is not None for row in rows),
                        total=count.total,
                        seconds=time.monotonic() - start,
                    )
                    report(progress)
        except KeyboardInterrupt:
            transcript.flush()
            report(replace(progress, read=transcript.written))
            raise
        if not progress.read and not progress.before:
            raise SourceError(f"There are no pictures in {', '.join(sources)}.")
    return replace(progress, seconds=time.monotonic() - start)


def read_locally(
    sources: Sequence[str],
    column: str | None,
    seen: Seen,
    *,
    settings: Settings,
    workers: int | None = None,
) -> Generator[list[Row], None, None]:
    """Yield rows read by `workers` processes of this machine, by default one for each core."""
    count = workers or usable_cores()
    entries = list_entries(sources, column, seen.add)
    return read_units(group(entries, count), partial(BulkReader.load, settings), count)


def group(entries: Iterable[Entry], workers: int = 1) -> Iterator[list[Entry]]:
    """Yield entries in units of at most UNIT; the first ones are smaller."""
    unit: list[Entry] = []
    number = size = 0
    for entry in entries:
        unit.append(entry)
        size += len(entry.content) if isinstance(entry.content, bytes) else 0
        if len(unit) >= min(UNIT, FIRST << min(number // workers, 10)) or size >= UNIT_BYTES:
            yield unit
            unit, size = [], 0
            number += 1
    if unit:
        yield unit


def facts(settings: Settings) -> dict[str, Any]:
    """Return what rows depend on; a transcript is resumed only with equal facts.

    The digest of the model covers the sha256 of each engine's file, which config.json holds
    and loading checks.

    Raises:
        ValueError: there is no such engine.
    """
    lexicon, choice = settings.lexicon, settings.language_model
    modelled = lexicon is None and choice is not False
    return {
        "model": _digest(settings.model / CONFIG, settings.model / CONFIDENCE),
        "engine": chosen_engine(settings.model, settings.engine),
        "lexicon": None if lexicon is None else _sha256("\n".join(lexicon).encode()),
        "language_model": choice,
        "language_model_file": _digest(LANGUAGE_MODEL) if modelled else None,
        "tta": settings.tta,
    }


def _digest(*files: Path) -> str:
    return _sha256(b"".join(file.read_bytes() for file in files if file.is_file()))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


class _Count:
    """Counts the images of sources in a thread, since network drives can be slow."""

    def __init__(self, sources: Sequence[str], column: str | None) -> None:
        self.total: int | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(sources, column), daemon=True)
        self._thread.start()

    def _run(self, sources: Sequence[str], column: str | None) -> None:
        total = 0
        try:
            for count in count_entries(sources, column):
                if self._stopped.is_set():
                    return
                total += count
        except (SourceError, OSError):
            return  # listing reports it
        self.total = total

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(5)

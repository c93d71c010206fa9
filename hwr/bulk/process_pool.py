"""The workers: processes that each turn units of pictures into rows.

Processes, since decoding is Python, of which the threads of one process run one at a time.
Each has one unit at once, so that it is known whose pictures a process took with it that ended.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing.connection import Connection, wait
from typing import Any

from hwr.bulk.part_files import Row
from hwr.bulk.sources import Entry
from hwr.parallel import limit_cores, prefetch, start

ReadUnit = Callable[[Sequence[Entry]], list[Row]]

#: Makes a reader in the process that uses it; must be picklable, as functools.partial is.
MakeReader = Callable[[], ReadUnit]

#: Processes for each worker that may end with no unit read in between.
DEATHS = 5


class WorkerError(RuntimeError):
    """The processes end again and again without reading anything."""


def read_units(
    units: Iterable[Sequence[Entry]], make: MakeReader, count: int
) -> Generator[list[Row], None, None]:
    """Yield the rows of each unit, in the order in which they are done.

    Units are listed ahead in a thread, two for each worker. A unit whose process ends is read
    again by a new one, then in halves; a single picture whose process ends twice becomes a row
    with an error.

    Raises:
        WorkerError: the processes end again and again.
        Exception: whatever `make` or the listing raises.
    """
    with closing(prefetch(units, 2 * count)) as listed:
        # No more processes than there are units, and all started before one waits for its pictures.
        first = list(islice(listed, count))
        crew = [_Worker(make) for _ in first]
        try:
            yield from _run(crew, chain(first, listed), make)
        finally:
            for worker in crew:
                worker.stop()


@dataclass
class _Unit:
    entries: Sequence[Entry]
    deaths: int = 0

    def after_death(self) -> list[_Unit]:
        """Return what to read now that a process ended over this unit; nothing to give up."""
        if not self.deaths:
            return [_Unit(self.entries, 1)]
        half = len(self.entries) // 2
        return [_Unit(part, 1) for part in (self.entries[:half], self.entries[half:]) if half]


def _run(
    crew: list[_Worker], listed: Iterator[Sequence[Entry]], make: MakeReader
) -> Iterator[list[Row]]:
    again: deque[_Unit] = deque()
    more, deaths = True, 0
    while True:
        for worker in crew:
            if worker.unit is None and (again or more):
                unit = again.popleft() if again else _next(listed)
                more = more and unit is not None
                if unit is not None:
                    worker.give(unit)
        busy = {worker.connection: worker for worker in crew if worker.unit is not None}
        if not busy:
            return
        for connection in wait(list(busy)):
            worker = busy[connection]  # type: ignore[index]
            unit = worker.unit
            assert unit is not None
            answer = worker.take()
            if isinstance(answer, list):
                deaths = 0
                yield answer
                continue
            if isinstance(answer, BaseException):
                raise answer
            code = worker.stop()
            crew.remove(worker)
            deaths += 1
            if deaths >= DEATHS * (len(crew) + 1):
                raise WorkerError(
                    f"{deaths} processes ended one after the other without reading a picture, the "
                    f"last with exit code {code}; there may be too little memory, so try fewer "
                    "--workers."
                )
            crew.append(_Worker(make))
            rest = unit.after_death()
            if not rest:
                deaths = 0  # the picture was at fault
                yield [
                    Row.of(entry, f"The process that read it ended twice (exit code {code}).")
                    for entry in unit.entries
                ]
            again.extend(rest)


def _next(listed: Iterator[Sequence[Entry]]) -> _Unit | None:
    entries = next(listed, None)
    return None if entries is None else _Unit(entries)


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, make: MakeReader) -> None:
        # Not forked: neither TensorFlow nor threads survive that.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.unit: _Unit | None = None
        self._process = context.Process(target=_work, args=(theirs, make), daemon=True)
        start(self._process)
        theirs.close()

    def give(self, unit: _Unit) -> None:
        self.unit = unit
        with suppress(OSError):  # it has ended, which `take` finds
            self.connection.send(list(unit.entries))

    def take(self) -> list[Row] | BaseException | None:
        """Return the rows or the error that the process sent, or None where it has ended."""
        try:
            answer: list[Row] | BaseException = self.connection.recv()
        except (EOFError, OSError):
            return None
        self.unit = None
        return answer

    def stop(self) -> int | None:
        """End the process and return its exit code."""
        self.connection.close()
        if self.unit is not None:
            self._process.terminate()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        code = self._process.exitcode
        self._process.close()
        return code


def _work(connection: Connection[Any, Any], make: MakeReader) -> None:
    """Read units until the pipe is closed, by the end of the other process too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    limit_cores(1)
    read: ReadUnit | None = None
    error: Exception | None = None
    try:
        read = make()
    except Exception as raised:
        error = raised
    try:
        while True:
            entries = connection.recv()
            try:
                connection.send(read(entries) if read else error)
            except OSError:
                raise
            except Exception as raised:
                connection.send(raised)
    except (EOFError, OSError):
        return  # nobody listens any more

"""Pool of processes that read units of images into rows, since decoding holds the GIL.

Each has a pipe of its own and one unit at a time, so that the images of a dead one are known.
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

#: Makes a reader in the process that uses it; picklable, such as a functools.partial.
MakeReader = Callable[[], ReadUnit]

#: Deaths per worker, with no unit read in between, after which the run fails.
DEATHS = 5


class WorkerError(RuntimeError):
    """Processes die again and again without reading anything."""


def read_units(
    units: Iterable[Sequence[Entry]], make: MakeReader, count: int
) -> Generator[list[Row], None, None]:
    """Yield the rows of each unit, in the order of completion.

    A thread lists units ahead, two for each worker. A unit whose process dies is read again by a
    new one, then in halves; an image whose process dies twice becomes a row with an error.

    Raises:
        WorkerError: processes die again and again.
        Exception: whatever `make` or the listing raises.
    """
    with closing(prefetch(units, 2 * count)) as listed:
        # No more processes than units; all are started before the first one waits for its images.
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
    died: bool = False

    def after_death(self) -> list[_Unit]:
        """Return the units to read after a process died over this one; none to give up."""
        if not self.died:
            return [_Unit(self.entries, True)]
        half = len(self.entries) // 2
        return [_Unit(part, True) for part in (self.entries[:half], self.entries[half:]) if half]


def _run(
    crew: list[_Worker], listed: Iterator[Sequence[Entry]], make: MakeReader
) -> Iterator[list[Row]]:
    waiting = map(_Unit, listed)
    again: deque[_Unit] = deque()
    deaths = 0
    while True:
        for worker in crew:
            if worker.unit is None:
                unit = again.popleft() if again else next(waiting, None)
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
                    f"{deaths} processes ended in a row without reading a picture, the last with "
                    f"exit code {code}; memory may be short, so try fewer --workers."
                )
            crew.append(_Worker(make))
            rest = unit.after_death()
            if not rest:
                deaths = 0  # the image was the cause
                problem = f"The process that read it ended twice (exit code {code})."
                yield [Row.of(entry, problem) for entry in unit.entries]
            again.extend(rest)


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, make: MakeReader) -> None:
        # Not fork, which is unsafe with TensorFlow and with threads.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.unit: _Unit | None = None
        self._process = context.Process(target=_work, args=(theirs, make), daemon=True)
        start(self._process)
        theirs.close()

    def give(self, unit: _Unit) -> None:
        self.unit = unit
        with suppress(OSError):  # the process has died, which `take` finds
            self.connection.send(list(unit.entries))

    def take(self) -> list[Row] | BaseException | None:
        """Return the rows or the error that the process sent, or None if it has died."""
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
    """Read units until the pipe is closed or the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    limit_cores(1)
    answer: list[Row] | Exception
    read: ReadUnit | None = None
    with suppress(EOFError, OSError):  # the parent has closed the pipe
        while True:
            entries = connection.recv()
            try:
                read = read or make()
                answer = read(entries)
            except Exception as error:
                answer = error
            connection.send(answer)

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from hwr.bulk.part_files import Row
from hwr.bulk.process_pool import ReadUnit, WorkerError, read_units
from hwr.bulk.sources import Entry
from hwr.parallel import prefetch


def read(notes: Path, entries: Sequence[Entry]) -> list[Row]:
    """Read a picture's name as its text; some names end the process, or fail."""
    rows = []
    for entry in entries:
        with (notes / "read").open("a") as file:
            file.write(f"{entry.source}\n")
        if entry.source == "fatal" or (entry.source == "once" and not (notes / "died").exists()):
            (notes / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if entry.source == "wrong":
            raise ValueError("I cannot go on")
        rows.append(Row(entry.source, "", f"{os.getpid()}"))
    return rows


def make(notes: Path) -> ReadUnit:
    return partial(read, notes)


def make_none() -> ReadUnit:
    raise ValueError("There is no model")


def make_and_die() -> ReadUnit:
    os._exit(3)


def units(*names: str) -> list[list[Entry]]:
    return [[Entry(name) for name in unit.split()] for unit in names]


def test_all_are_read_once_by_several_processes(tmp_path: Path) -> None:
    wanted = [[Entry(f"{u}-{n}") for n in range(20)] for u in range(30)]
    rows = [row for rows in read_units(wanted, partial(make, tmp_path), 2) for row in rows]
    assert sorted(row.source for row in rows) == sorted(e.source for unit in wanted for e in unit)
    assert str(os.getpid()) not in {row.text for row in rows}
    assert len({row.text for row in rows}) == 2


def test_a_process_that_ends_loses_nothing(tmp_path: Path) -> None:
    wanted = units("a b", "c once d", "e fatal", "f")
    rows = [row for rows in read_units(wanted, partial(make, tmp_path), 1) for row in rows]
    assert sorted(row.source for row in rows) == [*"abcdef", "fatal", "once"]
    assert {row.source: row.error for row in rows if row.error} == {
        "fatal": "The process that read it ended twice (exit code -9)."
    }
    assert (tmp_path / "read").read_text().split().count("fatal") == 3  # with e twice, then alone


def test_errors_come_to_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^There is no model$"):
        list(read_units(units("a"), make_none, 1))
    with pytest.raises(ValueError, match=r"^I cannot go on$"):
        list(read_units(units("wrong"), partial(make, tmp_path), 1))

    def listing() -> Iterator[list[Entry]]:
        yield from units("a")
        raise ValueError("The listing ends here")

    with pytest.raises(ValueError, match=r"^The listing ends here$"):
        list(read_units(listing(), partial(make, tmp_path), 1))


def test_processes_that_only_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwr.bulk.process_pool.DEATHS", 2)
    with pytest.raises(WorkerError, match=r"2 processes ended .* exit code 3; .* fewer --workers"):
        list(read_units(units("a b c"), make_and_die, 1))


def test_prefetch_is_ahead_but_not_far() -> None:
    asked: list[int] = []

    def count() -> Iterator[int]:
        for n in range(100):
            asked.append(n)
            yield n

    items = prefetch(count(), 3)
    assert next(items) == 0
    time.sleep(0.2)
    assert 2 <= len(asked) <= 5  # one handed out, three waiting, one in the hand
    items.close()
    time.sleep(0.2)
    assert len(asked) <= 6
    assert list(prefetch(range(50), 3)) == list(range(50))

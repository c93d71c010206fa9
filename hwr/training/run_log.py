"""Log of a training run."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from hwr.atomic_file import write_text


class RunLog:
    """The history of a run as TensorBoard events and as log.csv."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary import Writer

        folder.mkdir(parents=True, exist_ok=True)
        self.events = Writer(str(folder / "tensorboard"))
        self.table = folder / "log.csv"

    def write(self, step: int, history: Sequence[Mapping[str, float | None]]) -> None:
        """Add the last entry of `history` to the events and rewrite the table.

        Appending would duplicate rows after a run was killed and resumed.
        """
        for name, value in history[-1].items():
            if value is not None:
                self.events.add_scalar(name, value, step)
        self.events.flush()
        columns = dict.fromkeys(name for entry in history for name in entry)
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, fieldnames=list(columns))
        writer.writeheader()
        writer.writerows(history)
        write_text(self.table, table.getvalue())

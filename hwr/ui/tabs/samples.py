"""The samples of a dataset folder, by split and index."""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

from hwr.alphabet import Alphabet
from hwr.data.dataset import SPLITS, Dataset, DatasetError, Sample, open_dataset

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """One sample and its place in the split.

    Attributes:
        sample: the picture and its label.
        dropped: why the row is left out of training and scores, or None.
        position: its place among the indices of the split, from 1.
        count: how many indices the split has.
    """

    sample: Sample
    dropped: str | None
    position: int
    count: int


@dataclass(frozen=True)
class _Split:
    dataset: Dataset
    indices: tuple[int, ...]
    dropped: dict[int, str]


class Samples:
    """The dataset in one folder; each split is read once. Thread-safe.

    Error messages never name the folder: visitors see them.
    """

    def __init__(self, folder: Path, alphabet: Alphabet | None = None) -> None:
        self.folder = folder
        self._alphabet = alphabet or Alphabet()
        self._splits: dict[str, _Split] = {}
        self._lock = threading.Lock()

    def find(self, split: str, index: int) -> Found:
        """Return the sample with `index`, usable or not.

        Raises:
            DatasetError: there is no such folder, split or index.
        """
        opened = self._open(split)
        sample = opened.dataset.find(index)
        position = bisect_left(opened.indices, index) + 1
        return Found(sample, opened.dropped.get(index), position, len(opened.indices))

    def indices(self, split: str) -> tuple[int, ...]:
        """Return all indices of a split in ascending order.

        Raises:
            DatasetError: there is no such folder or split, or it is empty.
        """
        indices = self._open(split).indices
        if not indices:
            raise DatasetError(f"The {split} split has no pictures; choose another one.")
        return indices

    def usable(self, split: str, count: int) -> list[Sample]:
        """Return the first `count` usable samples; fewer where there are fewer."""
        try:
            return list(self._open(split).dataset.samples[:count])
        except DatasetError:
            return []

    def _open(self, split: str) -> _Split:
        if not self.folder.is_dir():
            raise DatasetError("There is no dataset here; start the app with --data FOLDER.")
        with self._lock:
            if split not in self._splits:
                try:
                    dataset = open_dataset(self.folder, split, self._alphabet)
                except (DatasetError, OSError) as error:
                    if split not in SPLITS:
                        raise
                    # The reason names files of the server, so it goes to the log alone.
                    _LOG.warning("%s", error)
                    raise DatasetError(
                        f"There is no {split} split that can be read; choose another split."
                    ) from error
                dropped = {row.sample.index: row.reason for row in dataset.dropped}
                self._splits[split] = _Split(dataset, dataset.indices, dropped)
            return self._splits[split]

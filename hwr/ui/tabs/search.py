"""Search for the next picture of a dataset whose reading is of some kind."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from hwr.image import ImageError
from hwr.reading import Reading
from hwr.ui.background_reader import ReadMany
from hwr.ui.tabs.samples import Found, Samples

#: Any picture, a reading that is not its label, one to be checked, an empty one.
KINDS = ("all", "wrong", "unsure", "empty")

#: Pictures read together, and the seconds after which a search pauses so that others can read.
CHUNK = 16
SECONDS = 3.0


@dataclass(frozen=True)
class Hit:
    """Result of a search.

    Attributes:
        index: of the picture found, or None.
        last: the last index searched, or None where there was none.
        looked: how many pictures were searched.
        ended: whether none is left.
    """

    index: int | None
    last: int | None
    looked: int
    ended: bool


class Search:
    """Reads pictures until one fits, each only once. Thread-safe."""

    def __init__(self, read_many: ReadMany, samples: Samples) -> None:
        self._read_many = read_many
        self._samples = samples
        self._kinds: dict[tuple[str, int], frozenset[str]] = {}
        self._lock = threading.Lock()

    def find(self, split: str, indices: Sequence[int], kind: str) -> Hit:
        """Return the first of `indices` whose reading is of `kind`.

        Raises:
            DatasetError: the split cannot be read.
            ValueError: there is no such kind.
        """
        if kind not in KINDS:
            raise ValueError(f"A filter is one of {', '.join(KINDS)}. Received: {kind!r}")
        stop = time.monotonic() + SECONDS
        looked = 0
        for start in range(0, len(indices), CHUNK):
            chunk = indices[start : start + CHUNK]
            for index, kinds in zip(chunk, self._read(split, chunk), strict=True):
                looked += 1
                if kind in kinds:
                    return Hit(index, index, looked, False)
            if time.monotonic() > stop and looked < len(indices):
                return Hit(None, chunk[-1], looked, False)
        return Hit(None, indices[-1] if indices else None, looked, True)

    def _read(self, split: str, indices: Sequence[int]) -> list[frozenset[str]]:
        """Return the kinds of each index, read now or before."""
        with self._lock:
            new = [index for index in indices if (split, index) not in self._kinds]
            found = [self._samples.find(split, index) for index in new]
            results = self._read_many([f.sample.path for f in found])
            for index, sample, result in zip(new, found, results, strict=True):
                self._kinds[split, index] = _kinds(sample, result)
            return [self._kinds[split, index] for index in indices]


def _kinds(found: Found, result: Reading | ImageError) -> frozenset[str]:
    """Return all kinds that a result is of; a picture that cannot be read is only of "all"."""
    kinds = {"all"}
    if isinstance(result, Reading):
        if not found.dropped and result.text != found.sample.text:
            kinds.add("wrong")
        if result.verdict == "please check":
            kinds.add("unsure")
        if not result.text:
            kinds.add("empty")
    return frozenset(kinds)

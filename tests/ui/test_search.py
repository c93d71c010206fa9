from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import write_folder

from hwr.data.dataset import DatasetError
from hwr.image import ImageError
from hwr.reading import Reading
from hwr.ui.tabs import search
from hwr.ui.tabs.samples import Samples
from hwr.ui.tabs.search import Hit, Search

# Of Gradio 6.31: event loops left behind.
pytestmark = [
    pytest.mark.usefixtures("gradio"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

ROWS = [
    ("a.png", "ANNA"),
    ("b.png", "BEN"),
    ("c.png", "EMPTY"),
    ("!d.png", "DORA"),
    ("e.png", "EVA"),
]


class Reader:
    """Reads every picture as ANNA, with less certainty from one to the next."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def __call__(self, sources: Iterable[Any]) -> Iterator[Reading | ImageError]:
        for path in sources:
            self.taken.append(path.name)
            if not path.is_file():
                yield ImageError("missing-file", "It is gone.")
                continue
            text = "" if path.name == "e.png" else "ANNA"
            confidence = {"a": 1.0, "b": 0.95, "c": 0.5, "e": 0.2}[path.stem]
            yield Reading(text, confidence, (), (), (), False, (), 1.0)


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    table = write_folder(tmp_path / "names", ROWS) / "labels.csv"
    head, *rows = table.read_text().splitlines()
    table.write_text("\n".join([f"{head},SPLIT", *(f"{row},train" for row in rows)]) + "\n")
    return Samples(table.parent)


@pytest.fixture
def split(samples: Samples) -> str:
    """The split that holds all five pictures."""
    assert samples.indices("train") == (1, 2, 3, 4, 5)
    return "train"


def test_each_kind_is_found(samples: Samples, split: str) -> None:
    find = Search(Reader(), samples).find
    every = samples.indices(split)
    assert find(split, every, "wrong") == Hit(2, 2, 2, False)
    assert find(split, every[2:], "wrong") == Hit(5, 5, 3, False)
    assert find(split, every, "unsure") == Hit(3, 3, 3, False)
    assert find(split, every, "empty") == Hit(5, 5, 5, False)
    assert find(split, every[:4], "empty") == Hit(None, 4, 4, True)
    assert find(split, (), "wrong") == Hit(None, None, 0, True)


def test_nothing_is_read_twice(samples: Samples, split: str) -> None:
    reader = Reader()
    find = Search(reader, samples).find
    for _ in range(3):
        find(split, samples.indices(split), "empty")
    assert reader.taken == ["a.png", "b.png", "c.png", "d.png", "e.png"]


def test_a_long_search_pauses(
    samples: Samples, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CHUNK", 2)
    monkeypatch.setattr(search, "SECONDS", 0.0)
    find = Search(Reader(), samples).find
    assert find(split, samples.indices(split), "empty") == Hit(None, 2, 2, False)
    assert find(split, (3, 4, 5), "empty") == Hit(None, 4, 2, False)
    assert find(split, (5,), "empty") == Hit(5, 5, 1, False)


def test_a_wrong_kind_or_split_is_refused(samples: Samples) -> None:
    find = Search(Reader(), samples).find
    with pytest.raises(ValueError, match=r"^A filter is one of all, wrong, .* Received: 'odd'$"):
        find("train", (1,), "odd")
    with pytest.raises(DatasetError):
        find("train", (77,), "wrong")

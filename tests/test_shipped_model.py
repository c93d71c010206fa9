"""The shipped model reads the shipped samples."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hwr.alphabet import Alphabet
from hwr.data.dataset import SPLITS, Dataset, open_dataset
from hwr.defaults import MODEL, SAMPLES
from hwr.reading import Reading
from hwr.recognizer import Recognizer

#: Of 188 samples 170 and more are read exactly; a network that reads nothing reads none.
LEAST = 165


def splits() -> Iterator[Dataset]:
    for split in SPLITS:
        yield open_dataset(SAMPLES, split, Alphabet())


def test_samples_are_read_as_on_the_page() -> None:
    samples = [sample for split in splits() for sample in split]
    assert len(samples) == 188
    readings = list(Recognizer.load().read_many([s.path for s in samples], tta=True))
    assert all(isinstance(reading, Reading) for reading in readings)
    texts = [reading.text for reading in readings if isinstance(reading, Reading)]
    right = sum(text == sample.text for text, sample in zip(texts, samples, strict=True))
    assert right >= LEAST


def test_empty_samples_read_as_empty() -> None:
    dropped = [d.sample for split in splits() for d in split.dropped]
    empty = [sample.path for sample in dropped if sample.text in ("", "EMPTY")]
    assert len(empty) == 8
    readings = list(Recognizer.load().read_many(empty, tta=True))
    assert [r.text for r in readings if isinstance(r, Reading)] == [""] * 8


@pytest.mark.parametrize("engine", ["onnx", "int8", "keras"])
def test_every_engine_reads(engine: str) -> None:
    samples = list(open_dataset(SAMPLES, "test", Alphabet()))[:10]
    readings = Recognizer.load(MODEL, engine=engine).read_many([s.path for s in samples])
    texts = [reading.text for reading in readings if isinstance(reading, Reading)]
    right = sum(text == sample.text for text, sample in zip(texts, samples, strict=True))
    assert right >= 8

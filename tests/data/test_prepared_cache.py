from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import TINY, write_folder

from hwr.data.dataset import Dataset, open_dataset
from hwr.data.prepared_cache import prepare_dataset
from hwr.image import load_image
from hwr.preprocess import prepare


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    rows = [(f"{i}.png", text) for i, text in enumerate(["ANNA", "LEO", "IDA", "ELLA"] * 5)]
    folder = write_folder(tmp_path / "data", [*rows, ("bad.png", "EVA"), ("x.png", "A" * 60)])
    (folder / "images" / "bad.png").write_bytes(b"no picture")
    return open_dataset(folder, "train", TINY.alphabet)


def test_cached_images_are_bit_identical_to_prepared_ones(dataset: Dataset, tmp_path: Path) -> None:
    images = prepare_dataset(dataset, TINY, folder=tmp_path / "cache")
    assert len(images) >= 4
    for number, sample in enumerate(images.samples):
        expected = prepare(load_image(sample.path).pixels, TINY).image
        assert images.image(number).tobytes() == expected.tobytes()
        assert images.image(number).shape == expected.shape


def test_pictures_that_fail_are_dropped_with_their_file_name(
    dataset: Dataset, tmp_path: Path
) -> None:
    reasons = [d.reason for d in prepare_dataset(dataset, TINY, folder=tmp_path / "c").dropped]
    assert any(r.startswith("unreadable file: bad.png: ") for r in reasons)
    assert any(r.startswith("label too long for its picture: x.png: ") for r in reasons)


def test_labelled_pictures_without_ink_are_dropped(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "d", [(f"{i}.png", "ANNA") for i in range(1, 4)])
    dataset = open_dataset(folder, "train", TINY.alphabet)
    name = dataset.samples[0].path.name
    cv2.imwrite(str(folder / "images" / name), np.full((40, 200), 255, np.uint8))
    images = prepare_dataset(dataset, TINY, folder=tmp_path / "cache")
    assert name not in {s.path.name for s in images.samples}
    assert [d.reason for d in images.dropped] == [f"no ink found: {name}: labelled 'ANNA'"]


def test_second_call_reads_the_file_written_by_the_first(dataset: Dataset, tmp_path: Path) -> None:
    first = prepare_dataset(dataset, TINY, folder=tmp_path / "cache")
    (file,) = (tmp_path / "cache").glob("*/pixels.bin")
    written = bytearray(file.read_bytes())
    written[0] ^= 255
    file.write_bytes(written)
    second = prepare_dataset(dataset, TINY, folder=tmp_path / "cache")
    assert isinstance(second.pixels, np.memmap)
    assert second.pixels[0] == written[0]
    assert second.samples == first.samples


def test_changed_picture_is_prepared_again(dataset: Dataset, tmp_path: Path) -> None:
    prepare_dataset(dataset, TINY, folder=tmp_path / "cache")
    picture = dataset.samples[0].path
    picture.write_bytes(dataset.samples[1].path.read_bytes() + b" ")
    images = prepare_dataset(dataset, TINY, folder=tmp_path / "cache")
    assert images.image(0).tobytes() == images.image(1).tobytes()


def test_interrupted_preparation_leaves_nothing_behind(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hwr.data.prepared_cache.prepare", fail)
        with pytest.raises(KeyboardInterrupt):
            prepare_dataset(dataset, TINY, folder=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []

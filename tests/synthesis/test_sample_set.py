"""Sample sets of drawn names."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from hwr.alphabet import Alphabet
from hwr.data.dataset import open_dataset
from hwr.synthesis import sample_set
from hwr.synthesis.sample_set import write_pad_samples, write_samples
from hwr.synthesis.writer import Writer


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_write_samples_layout_and_labels(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "samples"
    write_samples(folder, count=200, seed=7)
    files = contents(folder)
    expected = {f"written_name_{split}_v2.csv" for split in ("train", "validation", "test")}
    expected |= {f"train_v2/train/TRAIN_{i:05d}.jpg" for i in range(1, 101)}
    expected |= {f"validation_v2/validation/VALIDATION_{i:04d}.jpg" for i in range(1, 51)}
    expected |= {f"test_v2/test/TEST_{i:04d}.jpg" for i in range(1, 51)}
    assert set(files) == expected
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["samples"]
    header, *rows = read(folder / "written_name_train_v2.csv")
    assert header == ["FILENAME", "IDENTITY"]
    assert [name for name, _ in rows] == [f"TRAIN_{i:05d}.jpg" for i in range(1, 101)]
    labels = [label for _, label in rows]
    assert labels.count("EMPTY") == 2
    assert labels.count("UNREADABLE") == 2
    assert labels.count("") == 2
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ -'")
    assert all(set(label) <= allowed for label in labels)
    assert len(set(labels)) > 60
    for name, data in files.items():
        if name.endswith(".jpg"):
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            assert picture is not None, name
            assert picture.ndim == 2, name
            assert picture.shape[1] in (284, 324, 388), name


def test_write_samples_repeats_itself(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_samples(tmp_path / name, count=24, seed=seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_write_samples_takes_other_names(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()  # an empty folder is as good as none
    write_samples(tmp_path / "out", count=40, seed=0, names=["Éloïse"])
    labels = {label for _, label in read(tmp_path / "out" / "written_name_train_v2.csv")[1:]}
    assert "ELOISE" in labels
    assert all("ELOISE" in label or label == "EMPTY" for label in labels)


def test_write_samples_leaves_nothing_behind_on_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="Received"):
        write_samples(full, count=20, seed=0)
    with pytest.raises(ValueError, match="Received: '漢'"):
        write_samples(tmp_path / "x", count=20, seed=0, names=["漢"])
    with pytest.raises(ValueError, match="Received: 3"):
        write_samples(tmp_path / "x", count=3, seed=0)
    with pytest.raises(ValueError, match="none"):
        write_samples(tmp_path / "x", count=20, seed=0, names=[])

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(sample_set, "_sample", fail)
    with pytest.raises(OSError, match="disk full"):
        write_samples(tmp_path / "x", count=20, seed=0)
    assert [p.name for p in tmp_path.iterdir()] == ["full"]
    assert [p.name for p in full.iterdir()] == ["mine.txt"]


def test_pad_samples_are_a_test_set_of_shapes_never_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[Writer, int]] = []
    real = sample_set.draw_pad

    def spy(text: str, writer: Writer, rng: np.random.Generator, *, pen: int) -> np.ndarray:
        drawn.append((writer, pen))
        return real(text, writer, rng, pen=pen)

    monkeypatch.setattr(sample_set, "draw_pad", spy)
    write_pad_samples(tmp_path / "pad", count=200, seed=3)
    header, *rows = read(tmp_path / "pad" / "labels.csv")
    assert header == ["FILENAME", "IDENTITY", "SPLIT", "PEN", "CASE"]
    assert {writer.variants for writer, _ in drawn} == {"heldout"}
    assert [int(row[3]) for row in rows] == [pen for _, pen in drawn]
    assert [row[4] for row in rows] == [writer.case for writer, _ in drawn]
    pens = np.array([pen for _, pen in drawn])
    assert (pens.min(), pens.max()) == (2, 20)
    assert 0.4 < (pens < 40**0.5).mean() < 0.6  # the middle on a logarithmic scale
    assert all((row[1] == row[1].upper()) == (row[4] == "capitals") for row in rows)
    data = open_dataset(tmp_path / "pad", "test", Alphabet())
    assert (len(data), data.dropped) == (200, ())
    picture = cv2.imread(str(data.samples[0].path), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (200, 800)
    assert not len(open_dataset(tmp_path / "pad", "train", Alphabet()))
    write_pad_samples(tmp_path / "again", count=200, seed=3)
    assert contents(tmp_path / "again") == contents(tmp_path / "pad")
    with pytest.raises(ValueError, match="Received: 0"):
        write_pad_samples(tmp_path / "none", count=0)
    with pytest.raises(FileExistsError, match="new or empty"):
        write_pad_samples(tmp_path / "pad", count=5)


def test_a_table_of_samples_is_read_back_as_written(tmp_path: Path) -> None:
    rows = [("FILENAME", "IDENTITY"), ("a.png", "AN\rNA"), ("b.png", "O'BRIEN, ZOE")]
    sample_set._write_table(tmp_path / "labels.csv", rows)
    assert read(tmp_path / "labels.csv") == [list(row) for row in rows]

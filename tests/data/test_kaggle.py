from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
from helpers import write_word

from hwr.cli import main
from hwr.data.dataset import SPLITS


def kaggle_with(splits: tuple[str, ...], asked: list[tuple]) -> SimpleNamespace:
    """Stand for kagglehub and a Kaggle that has these splits."""

    def dataset_download(handle: str, output_dir: str | None = None) -> str:
        asked.append((handle, output_dir))
        root = Path(output_dir or "kaggle-cache")
        for split in splits:
            images = root / f"{split}_v2" / split
            images.mkdir(parents=True)
            cv2.imwrite(str(images / f"{split.upper()}_00001.jpg"), write_word("ANNA"))
            table = f"FILENAME,IDENTITY\n{split.upper()}_00001.jpg,ANNA\n"
            (root / f"written_name_{split}_v2.csv").write_text(table)
        return str(root)

    return SimpleNamespace(dataset_download=dataset_download)


def test_download_says_where_the_dataset_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "kagglehub", kaggle_with(SPLITS, asked))
    assert main(["download", "--out", "names"]) == 0
    assert capsys.readouterr().out == "names\n"
    assert main(["download"]) == 0
    assert asked == [
        ("landlord/handwriting-recognition", "names"),
        ("landlord/handwriting-recognition", None),
    ]
    assert main(["evaluate", "--data", "names", "--model", "nowhere"]) == 2


def test_what_is_not_the_dataset_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "kagglehub", kaggle_with(("train", "validation"), []))
    assert main(["download", "--out", "part"]) == 2
    assert "no dataset with a test split" in capsys.readouterr().err


def test_a_failed_download_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(handle: str, output_dir: str | None = None) -> str:
        raise ConnectionError("no route")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=fail))
    assert main(["download"]) == 2
    error = capsys.readouterr().err
    assert "ConnectionError: no route" in error
    assert error.count("\n") == 1
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    assert main(["download"]) == 2
    assert "hwr[kaggle]" in capsys.readouterr().err

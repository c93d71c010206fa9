"""Names in fields on paper, read by the shipped model.

The pictures in `tests/fields` are made of validation pictures of the Kaggle set
landlord/handwriting-recognition (CC0).
"""

from __future__ import annotations

import csv

import pytest
from helpers import ROOT

from benchmarks import fields
from hwr.reading import Reading
from hwr.recognizer import Recognizer

FOLDER = ROOT / "tests" / "fields"

#: Of 16; without preprocessing for such fields 2 were read right.
LEAST = 14


def test_most_are_read_right_and_none_is_wrong_and_sure() -> None:
    with (FOLDER / "labels.csv").open(encoding="utf-8", newline="") as stream:
        truths = {row["FILENAME"]: row["IDENTITY"] for row in csv.DictReader(stream)}
    assert len(truths) == 16
    found = Recognizer.load().read_many([FOLDER / name for name in truths], tta=True)
    readings = dict(zip(truths, found, strict=True))
    wrong = {
        name: reading
        for name, reading in readings.items()
        if not isinstance(reading, Reading) or reading.text != truths[name]
    }
    assert len(wrong) <= len(truths) - LEAST, wrong
    assert not [r for r in wrong.values() if isinstance(r, Reading) and r.verdict == "sure"], wrong


def test_the_benchmark_prints_a_row_for_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = ["untouched", "comb", "sixteen_bit"]
    data = ["--data", str(ROOT / "assets" / "samples"), "--split", "test"]
    assert fields.main([*data, "--count", "3", "--kinds", *kinds]) == 0
    lines = [
        [cell.strip() for cell in line.split("|")] for line in capsys.readouterr().out.split("\n")
    ]
    assert [cells[1] for cells in lines[2:-1]] == kinds
    # Only what is read right as it is was taken, and 16 bits that hold 8 are the same picture.
    assert lines[2][3:6] == ["100% (n = 3)", "0", "0"]
    assert lines[4][3:6] == lines[2][3:6]


def test_a_dataset_of_which_nothing_is_read_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fields, "readable", lambda *_: [])
    data = str(ROOT / "assets" / "samples")
    assert fields.main(["--data", data, "--split", "test"]) == 1
    assert capsys.readouterr().err == f"No picture of {data} (test) is read right and sure.\n"

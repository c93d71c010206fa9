from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import cv2
import pytest
from helpers import write_word

from hwr.alphabet import Alphabet
from hwr.data.dataset import open_dataset
from hwr.ui.batch.files import (
    ExportError,
    csv_table,
    json_lines,
    spreadsheet_table,
    write_training_folder,
)
from hwr.ui.batch.rows import Row, Source

FORMULA = '=HYPERLINK("http://x")'


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """Ten checked pictures of one name but for the last two: a formula, a broken file."""
    path = tmp_path / "upload.png"
    cv2.imwrite(str(path), write_word("ANNA"))
    rows = [
        Row(i, Source(f"box {i % 3}/é.png", path), 'Zoé, "A"', "ZOE", 0.5, "please check")
        for i in range(1, 11)
    ]
    rows = [row.accept(row.text) for row in rows]
    formula = Row(11, Source("=a.png", path), FORMULA, FORMULA, 0.25, "please check")
    broken = Row(12, Source("c.png", path), problem="It is damaged.")
    return [*rows, formula, broken]


def test_csv_holds_each_text_exactly(rows: list[Row]) -> None:
    table = list(csv.reader(io.StringIO(csv_table(rows[9:]).decode("utf-8"))))
    assert table == [
        ["FILENAME", "IDENTITY", "CONFIDENCE", "VERDICT", "CHECKED", "PROBLEM"],
        ["box 1/é.png", 'Zoé, "A"', "0.5000", "please check", "yes", ""],
        ["=a.png", FORMULA, "0.2500", "please check", "no", ""],
        ["c.png", "", "", "cannot be read", "no", "It is damaged."],
    ]


@pytest.mark.parametrize("text", ["A\rB", "A\nB", "A\r\nB"])
def test_line_breaks_in_a_name_can_be_read_back(text: str) -> None:
    row = Row(1, Source("a.png", Path("a")), text, text, 0.5, "sure")
    for table in (csv_table([row]).decode(), spreadsheet_table([row]).decode("utf-8-sig")):
        assert table.endswith("\r\n")
        assert [cells[1] for cells in csv.reader(io.StringIO(table, newline=""))][1:] == [text]


def test_spreadsheets_get_no_formulas(rows: list[Row]) -> None:
    data = spreadsheet_table(rows[9:])
    assert data.startswith(b"\xef\xbb\xbfFILENAME,")
    table = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert table[1][:2] == ["box 1/é.png", 'Zoé, "A"']
    assert table[2][:2] == ["'=a.png", f"'{FORMULA}"]
    for start in "=+-@\t\r":
        row = Row(1, Source("a", Path("a")), f"{start}1", "", 0.5, "sure")
        cell = list(csv.reader(io.StringIO(spreadsheet_table([row]).decode(), newline="")))[1][1]
        assert cell == f"'{start}1"


def test_json_lines_hold_what_was_read_and_what_is_right(rows: list[Row]) -> None:
    lines = [json.loads(line) for line in json_lines(rows[9:]).decode().splitlines()]
    assert lines[0] == {
        "file": "box 1/é.png",
        "text": 'Zoé, "A"',
        "read": "ZOE",
        "confidence": 0.5,
        "verdict": "please check",
        "checked": True,
        "problem": None,
    }
    assert [line["problem"] for line in lines] == [None, None, "It is damaged."]


def test_the_training_folder_is_a_dataset(rows: list[Row], tmp_path: Path) -> None:
    archive = tmp_path / "corrections.zip"
    rows = [row.accept("Zoé") if row.checked else row for row in rows]
    assert write_training_folder(rows, archive) == 10
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "out")
    samples = []
    for split in ("train", "validation"):
        dataset = open_dataset(tmp_path / "out" / "corrections", split, Alphabet())
        assert dataset.dropped == ()
        samples += list(dataset)
    assert sorted(s.index for s in samples) == list(range(1, 11))
    assert {s.text for s in samples} == {"ZOE"}
    assert {s.label for s in samples} == {"Zoé"}
    assert samples[0].path.read_bytes() == (tmp_path / "upload.png").read_bytes()


def test_a_carriage_return_in_a_label_stays_in_its_row(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), write_word("ANNA"))
    row = Row(1, Source("a.png", tmp_path / "a.png"), "A\rB", checked=True)
    write_training_folder([row], tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        table = packed.read("corrections/labels.csv").decode()
    assert list(csv.reader(io.StringIO(table, newline="")))[1:] == [["a.png", "A\rB"]]


def test_nothing_checked_or_a_vanished_picture_leaves_no_file(
    rows: list[Row], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(ExportError, match=r"^No name has been checked yet; "):
        write_training_folder(rows[10:], folder / "a.zip")
    (tmp_path / "upload.png").unlink()
    with pytest.raises(ExportError, match=r"'box 1/é\.png' is no longer there"):
        write_training_folder(rows, folder / "a.zip")
    assert list(folder.iterdir()) == []

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from helpers import ROOT, write_folder, write_word

from hwr.alphabet import Alphabet, fold
from hwr.data.dataset import (
    HELD_OUT,
    SPLITS,
    DatasetError,
    _hash,
    corrected,
    open_dataset,
    split_calibration,
)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder in the layout of the Kaggle set, with every kind of trouble in its labels."""
    images = tmp_path / "train_v2" / "train"
    images.mkdir(parents=True)
    rows = [
        ("TRAIN_00001.jpg", "Élodie"),
        ("TRAIN_00002.jpg", ""),
        ("TRAIN_00003.jpg", "UNREADABLE"),
        ("TRAIN_00004.jpg", "EMPTY"),
        ("TRAIN_00007.jpg", "NULL"),
        ("TRAIN_00009.jpg", "R2D2"),
        ("TRAIN_00010.jpg", "GONE"),
    ]
    for name, _ in rows[:-1]:
        cv2.imwrite(str(images / name), write_word("A"))
    table = "FILENAME,IDENTITY\n" + "".join(f"{name},{label}\n" for name, label in rows)
    (tmp_path / "written_name_train_v2.csv").write_text(table, encoding="utf-8")
    return tmp_path


def test_published_layout_is_cleaned_and_counted(published: Path) -> None:
    dataset = open_dataset(published, "train", Alphabet())
    assert [(s.index, s.text, s.label) for s in dataset] == [
        (1, "ELODIE", "Élodie"),
        (7, "NULL", "NULL"),
    ]
    assert dataset.reasons() == {
        "blank label": 1,
        "label UNREADABLE": 1,
        "label EMPTY": 1,
        "unknown character": 1,
        "missing image": 1,
    }
    assert [d.reason for d in dataset.dropped][-2:] == [
        "unknown character: '2' in 'R2D2'",
        "missing image: TRAIN_00010.jpg",
    ]


def test_index_is_the_number_in_the_file_name(published: Path) -> None:
    dataset = open_dataset(published, "train", Alphabet())
    assert dataset.find(7).path.name == "TRAIN_00007.jpg"
    assert dataset.find(4).label == "EMPTY"
    assert dataset.indices == (1, 2, 3, 4, 7, 9, 10)
    with pytest.raises(
        DatasetError, match=r"no picture with index 8; the train split has indices 1 to 10\."
    ):
        dataset.find(8)


def test_missing_split_names_what_was_found(published: Path) -> None:
    with pytest.raises(DatasetError, match=r"no dataset with a test split.*found: written_name_t"):
        open_dataset(published, "test", Alphabet())


@pytest.mark.parametrize(
    ("folder", "split", "message"),
    [
        (".", "train", "neither .* nor labels.csv .found: no CSV file"),
        ("nowhere", "train", "no folder"),
        (".", "dev", "A split is one of train, validation, test. Received: 'dev'"),
    ],
)
def test_what_is_no_dataset_is_refused(
    tmp_path: Path, folder: str, split: str, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        open_dataset(tmp_path / folder, split, Alphabet())


def test_writers_of_the_validation_split_are_never_trained_on(tmp_path: Path) -> None:
    rows = [(f"{i}.png", "ANNA") for i in range(400)]
    write_folder(tmp_path / "d", rows, writers=True)
    train = open_dataset(tmp_path / "d", "train", Alphabet())
    held_out = open_dataset(tmp_path / "d", "validation", Alphabet())
    assert len(train) + len(held_out) == 400
    assert len(held_out) > 0
    assert {(s.index - 1) % 20 for s in train}.isdisjoint({(s.index - 1) % 20 for s in held_out})


@pytest.mark.parametrize(("writers", "held_out"), [(13, 1), (19, 2)])
def test_a_validation_split_by_writers_is_never_empty(
    tmp_path: Path, writers: int, held_out: int
) -> None:
    """Names of writers of which no hash falls on the validation split."""
    kept = [w for w in (f"w{i}" for i in range(60)) if _hash(w) % HELD_OUT][:writers]
    rows = [(f"{i}.png", "ANNA") for i in range(2 * writers)]
    table = write_folder(tmp_path / "d", rows) / "labels.csv"
    head, *lines = table.read_text().splitlines()
    lines = [f"{line},{kept[i % writers]}" for i, line in enumerate(lines)]
    table.write_text("\n".join([f"{head},WRITER", *lines]) + "\n")
    splits = [open_dataset(tmp_path / "d", split, Alphabet()) for split in ("train", "validation")]
    trained, measured = ({sample.writer for sample in split} for split in splits)
    assert len(measured) == held_out
    assert trained | measured == set(kept)
    assert not trained & measured


@pytest.mark.parametrize(("pictures", "sizes"), [(1, (1, 0)), (2, (1, 1)), (5, (4, 1))])
def test_a_few_pictures_have_both_splits(
    tmp_path: Path, pictures: int, sizes: tuple[int, int]
) -> None:
    names = [n for n in (f"{i}.png" for i in range(60)) if _hash(n) % HELD_OUT][:pictures]
    write_folder(tmp_path / "d", [(name, "ANNA") for name in names])
    splits = [open_dataset(tmp_path / "d", split, Alphabet()) for split in ("train", "validation")]
    assert tuple(map(len, splits)) == sizes


@pytest.mark.parametrize("writer", ["writer1", "w0", "anna"])
def test_one_writer_has_both_splits(tmp_path: Path, writer: str) -> None:
    write_folder(tmp_path / "d", [(f"{i}.png", "ANNA") for i in range(60)])
    table = tmp_path / "d" / "labels.csv"
    head, *rows = table.read_text().splitlines()
    table.write_text("\n".join([f"{head},WRITER", *(f"{row},{writer}" for row in rows)]) + "\n")
    assert len(open_dataset(tmp_path / "d", "train", Alphabet())) > 30
    assert len(open_dataset(tmp_path / "d", "validation", Alphabet())) > 0


def test_added_rows_do_not_move_others_between_splits(tmp_path: Path) -> None:
    rows = [(f"{i}.png", "ANNA") for i in range(60)]
    before = open_dataset(write_folder(tmp_path / "a", rows[:40]), "train", Alphabet())
    after = open_dataset(write_folder(tmp_path / "b", rows), "train", Alphabet())
    assert {s.path.name for s in before} < {s.path.name for s in after}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "NAME,TEXT\na.png,ANNA\n",
            "needs the columns FILENAME and IDENTITY. Received: NAME, TEXT",
        ),
        ("", "Received: an empty file"),
        ("FILENAME,IDENTITY\n../a.png,ANNA\n", "line 2: FILENAME must be a path below"),
        ("FILENAME,IDENTITY\n/etc/passwd,ANNA\n", "line 2: FILENAME must be a path below"),
        ("FILENAME,IDENTITY\nC:\\a.png,ANNA\n", "line 2: FILENAME must be a path below"),
        ('FILENAME,IDENTITY\na.png,"ANNA\nb.png,LEO\n', "a quotation mark is opened and not"),
    ],
    ids=["columns", "empty", "parent", "absolute", "drive", "quote"],
)
def test_bad_tables_are_refused(tmp_path: Path, table: str, message: str) -> None:
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(DatasetError, match=message):
        open_dataset(tmp_path, "train", Alphabet())


def test_table_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes("FILENAME,IDENTITY\na.png,Élodie\n".encode("cp1252"))
    with pytest.raises(DatasetError, match=r"labels\.csv is no UTF-8 text; save it as"):
        open_dataset(tmp_path, "train", Alphabet())


def test_name_too_long_for_the_file_system_is_a_missing_image(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(f"FILENAME,IDENTITY\n{'a' * 300}.png,ANNA\n")
    splits = [open_dataset(tmp_path, split, Alphabet()) for split in ("train", "validation")]
    assert [d.reason[:13] for s in splits for d in s.dropped] == ["missing image"]


def test_one_training_picture_in_twenty_is_set_aside_and_stays_so(tmp_path: Path) -> None:
    rows = [(f"{number:04d}.png", "ANNA") for number in range(300)]
    train = open_dataset(write_folder(tmp_path / "a", rows), "train", Alphabet())
    trained, aside = split_calibration(train)
    assert sorted([*trained, *aside], key=lambda sample: sample.index) == list(train)
    assert len(aside) == 10
    fewer = open_dataset(write_folder(tmp_path / "b", rows[::2]), "train", Alphabet())
    kept = {sample.path.name for sample in aside} & {name for name, _ in rows[::2]}
    assert {sample.path.name for sample in split_calibration(fewer)[1]} == kept


def test_training_labels_are_corrected_by_a_table(published: Path, tmp_path: Path) -> None:
    table = tmp_path / "better.csv"
    head = "FILENAME,IDENTITY,PUBLISHED\n"
    table.write_text(f"{head}TRAIN_00007.jpg,Null\u00e9,NULL\nTRAIN_99999.jpg,X,Y\n", "utf-8")
    train = open_dataset(published, "train", Alphabet())
    better = corrected(train, table, Alphabet())
    assert [(s.index, s.text) for s in better] == [(1, "ELODIE"), (7, "NULLE")]
    assert better.dropped == train.dropped
    # A second table is held against the published label, too, and overrides the first.
    table.write_text(f"{head}TRAIN_00007.jpg,NULA,NULL\nTRAIN_00001.jpg,X,ELODIE\n")
    assert [s.text for s in corrected(better, table, Alphabet())] == ["ELODIE", "NULA"]
    table.write_text(f"{head}TRAIN_00007.jpg,,NULL\n")
    fewer = corrected(train, table, Alphabet())
    assert [s.index for s in fewer] == [1]
    assert [(d.sample.index, d.reason) for d in fewer.dropped[len(train.dropped) :]] == [
        (7, "blank label")
    ]
    table.write_text(f"{head}TRAIN_00007.jpg,R2D2,NULL\n")
    with pytest.raises(DatasetError, match=r"TRAIN_00007\.jpg to 'R2D2': unknown character"):
        corrected(train, table, Alphabet())
    with pytest.raises(DatasetError, match="no file"):
        corrected(train, tmp_path / "gone.csv", Alphabet())
    with pytest.raises(DatasetError, match="Only training labels"):
        corrected(replace(train, split="validation"), table, Alphabet())


def test_corrections_need_the_published_labels(published: Path, tmp_path: Path) -> None:
    table = tmp_path / "better.csv"
    table.write_text("FILENAME,IDENTITY\nTRAIN_00007.jpg,NULLE\n")
    train = open_dataset(published, "train", Alphabet())
    with pytest.raises(DatasetError, match=r"better\.csv lacks the column PUBLISHED; add it, with"):
        corrected(train, table, Alphabet())


def test_corrections_go_by_the_path_in_the_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    for name in ("a", "b"):
        (folder / "images" / name).mkdir(parents=True)
        cv2.imwrite(str(folder / "images" / name / "1.png"), write_word("A"))
    rows = "FILENAME,IDENTITY,SPLIT\na/1.png,ANA,train\nb/1.png,ANA,train\n"
    (folder / "labels.csv").write_text(rows)
    table = tmp_path / "better.csv"
    train = open_dataset(folder, "train", Alphabet())
    for name, texts in [("b/1.png", ["ANA", "ANNA"]), ("1.png", ["ANA", "ANA"])]:
        table.write_text(f"FILENAME,IDENTITY,PUBLISHED\n{name},ANNA,ANA\n")
        assert [s.text for s in corrected(train, table, Alphabet())] == texts


@pytest.mark.parametrize("name", ["kaggle_corrections.csv", "mixed_corrections.csv"])
def test_shipped_corrections_leave_other_datasets_alone(name: str) -> None:
    """Pictures of the sample set bear the file names of other pictures of the Kaggle set."""
    train = open_dataset(ROOT / "assets" / "samples", "train", Alphabet())
    assert corrected(train, ROOT / "assets" / name, Alphabet()) == train


def test_the_corrections_that_come_with_the_project_are_of_training_pictures() -> None:
    file = ROOT / "assets" / "kaggle_corrections.csv"
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["FILENAME"] for row in rows}) == len(rows) > 300
    for row in rows:
        assert re.fullmatch(r"TRAIN_\d{5}\.jpg", row["FILENAME"])
        assert Alphabet().encode(row["IDENTITY"])
        assert row["IDENTITY"] == fold(row["IDENTITY"]) != row["PUBLISHED"]
    with file.with_name("mixed_corrections.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["FILENAME"] for row in rows}) == len(rows) > 200
    for row in rows:
        assert re.fullmatch(r"(w\d\d|\w*wikitexte)_\w+\.jpg", row["FILENAME"])
        assert row["IDENTITY"] == fold(row["IDENTITY"]) != fold(row["PUBLISHED"])
        Alphabet().encode(row["IDENTITY"])


def test_a_split_column_decides(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "d", [(f"{i}.png", "ANNA") for i in range(12)])
    table = folder / "labels.csv"
    head, *rows = table.read_text().splitlines()
    splits = ["test"] * 6 + ["train"] * 4 + ["validation"] * 2
    told = [f"{row},{split}" for row, split in zip(rows, splits, strict=True)]
    table.write_text("\n".join([f"{head},SPLIT", *told]) + "\n")
    for split in SPLITS:
        found = open_dataset(folder, split, Alphabet())
        expected = [number for number, own in enumerate(splits, start=1) if own == split]
        assert [sample.index for sample in found] == expected
    table.write_text("\n".join([f"{head},SPLIT", f"{rows[0]},test", f"{rows[1]},dev"]) + "\n")
    with pytest.raises(DatasetError, match="row 2: SPLIT is one of train"):
        open_dataset(folder, "test", Alphabet())

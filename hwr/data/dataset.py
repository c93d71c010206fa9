"""The dataset: labelled pictures of a folder, by split and index."""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath

from hwr.alphabet import Alphabet, fold

SPLITS = ("train", "validation", "test")

#: Table of a dataset in our own layout.
LABELS = "labels.csv"

#: Labels of the Kaggle set that are no names. EMPTY is no ground truth either: a third of the
#: pictures with that label hold a legible name.
REMARKS = ("EMPTY", "UNREADABLE")

#: One writer in this many, or one picture where writers are unknown or fewer, is kept for
#: validation in folders that come without splits.
HELD_OUT = 10

#: One training picture in this many is in the calibration split: never trained on, but used to
#: fit the confidence and other parameters of decoding, so that the validation split stays unseen.
CALIBRATION_SHARE = 20


class DatasetError(ValueError):
    """A folder is not a dataset, or lacks what is wanted."""


@dataclass(frozen=True)
class Sample:
    """One labelled picture.

    Attributes:
        index: the number in the file name of the Kaggle set (TRAIN_10261 is 10261), else the
            row of the table, counted from 1.
        split: "train", "validation" or "test".
        path: the picture.
        text: the label, corrected where a better one is known, in the alphabet's form.
        label: the label in the dataset's own table.
        writer: who wrote it, where the table says.
    """

    index: int
    split: str
    path: Path
    text: str
    label: str
    writer: str = ""


@dataclass(frozen=True)
class Dropped:
    """One row that cannot be used, and why."""

    sample: Sample
    reason: str


@dataclass(frozen=True)
class Dataset:
    """The usable samples of one split, in the order of the table, and what was dropped."""

    folder: Path
    split: str
    samples: tuple[Sample, ...]
    dropped: tuple[Dropped, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    @cached_property
    def _by_index(self) -> dict[int, Sample]:
        every = [d.sample for d in self.dropped] + list(self.samples)
        return {sample.index: sample for sample in every}

    @property
    def indices(self) -> tuple[int, ...]:
        """Every index of the split, of dropped rows too, in ascending order."""
        return tuple(sorted(self._by_index))

    def find(self, index: int) -> Sample:
        """Return the sample with `index`, usable or not.

        Raises:
            DatasetError: there is none.
        """
        if index in self._by_index:
            return self._by_index[index]
        known = self.indices
        span = f"indices {known[0]} to {known[-1]}" if known else "no pictures"
        raise DatasetError(
            f"There is no picture with index {index}; the {self.split} split has {span}."
        )

    def reasons(self) -> dict[str, int]:
        """Return how many rows were dropped for each reason, most frequent first."""
        return count_reasons(self.dropped)


def corrected(dataset: Dataset, file: str | os.PathLike[str], alphabet: Alphabet) -> Dataset:
    """Return a training split with the texts of a table of corrections.

    The table has the columns FILENAME, IDENTITY and PUBLISHED, the label in the dataset's own
    table. A row applies where both the file name and that label match; other rows are ignored.
    A blank IDENTITY drops the picture.

    Raises:
        DatasetError: the table cannot be read, or the split is not for training: what a model
            is measured on stays as it was published.
    """
    if dataset.split != "train":
        raise DatasetError(f"Only training labels are corrected. Received: {dataset.split}")
    path = Path(file)
    if not path.is_file():
        raise DatasetError(f"There is no file {str(file)!r}; check the path of the corrections.")
    _, images = _table_and_images(dataset.folder, dataset.split)
    rows = list(_read_table(path))
    if rows and "PUBLISHED" not in rows[0]:
        raise DatasetError(
            f"{path.name} lacks the column PUBLISHED; add it, with the label that the dataset's "
            f"own table gives each picture, so that only that picture is corrected."
        )
    texts = {(images / row["FILENAME"], row["PUBLISHED"]): row["IDENTITY"] for row in rows}
    samples, dropped = [], list(dataset.dropped)
    for sample in dataset:
        text = texts.get((sample.path, sample.label))
        better = sample if text is None else replace(sample, text=fold(text))
        reason = _unusable(better, alphabet)
        if reason is None:
            samples.append(better)
        elif not better.text:
            dropped.append(Dropped(better, reason))
        else:
            raise DatasetError(f"{path.name} corrects {sample.path.name} to {text!r}: {reason}")
    return replace(dataset, samples=tuple(samples), dropped=tuple(dropped))


def split_calibration(dataset: Dataset) -> tuple[Dataset, Dataset]:
    """Return the part of a training split to train on, and the calibration split.

    A hash of the file name decides, so that the choice stays when rows are added.
    """
    parts: tuple[list[Sample], list[Sample]] = ([], [])
    for sample in dataset:
        parts[_hash(sample.path.name) % CALIBRATION_SHARE == 1].append(sample)
    trained, calibration = (replace(dataset, samples=tuple(part)) for part in parts)
    return trained, calibration


def _hash(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)


def count_reasons(dropped: Iterable[Dropped]) -> dict[str, int]:
    """Return how many rows were dropped for each reason, most frequent first."""
    counts = Counter(d.reason.split(":")[0] for d in dropped)
    return dict(counts.most_common())


def open_dataset(folder: str | os.PathLike[str], split: str, alphabet: Alphabet) -> Dataset:
    """Read the table of one split of a dataset folder.

    Two layouts are known: the Kaggle set `landlord/handwriting-recognition` as published
    (`written_name_train_v2.csv`, `train_v2/train/`, ...), and `labels.csv` with the columns
    FILENAME and IDENTITY beside `images/`. The second may have a WRITER column; a tenth of
    its writers (of its pictures, where there are fewer than ten writers) is the validation
    split, chosen by a hash, so that the choice stays when rows are added. A SPLIT column
    ("train", "validation" or "test" in every row) decides instead, where there is one.

    Raises:
        DatasetError: the folder has neither layout, or no such split.
    """
    root = Path(folder)
    if split not in SPLITS:
        raise DatasetError(f"A split is one of {', '.join(SPLITS)}. Received: {split!r}")
    if not root.is_dir():
        raise DatasetError(f"There is no folder {str(folder)!r}; check the path given as data.")
    table, images = _table_and_images(root, split)
    rows = _labelled_rows if table.name == LABELS else _published_rows
    samples, dropped = [], []
    for sample in rows(table, images, split):
        reason = _unusable(sample, alphabet)
        if reason is None:
            samples.append(sample)
        else:
            dropped.append(Dropped(sample, reason))
    return Dataset(root, split, tuple(samples), tuple(dropped))


def _table_and_images(root: Path, split: str) -> tuple[Path, Path]:
    """Return the table of labels and the folder that its file names start from."""
    published, labels = root / f"written_name_{split}_v2.csv", root / LABELS
    if published.is_file():
        return published, root / f"{split}_v2" / split
    if labels.is_file():
        return labels, root / "images"
    tables = sorted(p.name for p in root.glob("*.csv"))
    raise DatasetError(
        f"{root.name!r} is no dataset with a {split} split: it has neither "
        f"{published.name} nor {LABELS} (found: {', '.join(tables) or 'no CSV file'})."
    )


def _published_rows(table: Path, images: Path, split: str) -> Iterator[Sample]:
    for number, row in enumerate(_read_table(table), start=1):
        digits = re.search(r"(\d+)\D*$", row["FILENAME"])
        index = int(digits.group(1)) if digits else number
        label = row["IDENTITY"]
        yield Sample(index, split, images / row["FILENAME"], fold(label), label)


def _labelled_rows(table: Path, images: Path, split: str) -> Iterator[Sample]:
    rows = list(_read_table(table))
    # Few writers are not split: their pictures are.
    by_writer = len({row.get("WRITER") for row in rows}) >= HELD_OUT
    groups = [(by_writer and row.get("WRITER")) or row["FILENAME"] for row in rows]
    held_out = _held_out(set(groups))
    for number, (row, group) in enumerate(zip(rows, groups, strict=True), start=1):
        own = row.get("SPLIT")
        if own is None:
            own = "validation" if group in held_out else "train"
        elif own not in SPLITS:
            raise DatasetError(
                f"{table.name}, row {number}: SPLIT is one of {', '.join(SPLITS)}. "
                f"Received: {own!r}"
            )
        if split == own:
            label = row["IDENTITY"]
            path, writer = images / row["FILENAME"], row.get("WRITER") or ""
            yield Sample(number, split, path, fold(label), label, writer)


def _held_out(groups: Set[str]) -> set[str]:
    """Return the writers, or pictures, to validate on: about a tenth, at least one if two."""
    held = {group for group in groups if _hash(group) % HELD_OUT == 0}
    if held or len(groups) < 2:
        return held if len(groups) > len(held) else set()
    # No hash is 0: the lowest, so that the choice still seldom changes when rows are added.
    ranked = sorted(groups, key=lambda group: (_hash(group) % HELD_OUT, _hash(group)))
    return set(ranked[: max(1, round(len(groups) / HELD_OUT))])


def _read_table(table: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file as they are: NULL and NA are surnames, not missing values."""
    try:
        yield from _read_rows(table)
    except UnicodeDecodeError as error:
        raise DatasetError(f"{table.name} is no UTF-8 text; save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise DatasetError(f"{table.name} is no valid CSV file: {error}.") from error


def _read_rows(table: Path) -> Iterator[dict[str, str]]:
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or ()
        if not {"FILENAME", "IDENTITY"} <= set(columns):
            raise DatasetError(
                f"{table.name} needs the columns FILENAME and IDENTITY. "
                f"Received: {', '.join(columns) or 'an empty file'}"
            )
        for row in reader:
            name = row["FILENAME"] or ""
            if not name or _leaves_its_folder(name):
                raise DatasetError(
                    f"{table.name}, line {reader.line_num}: FILENAME must be a path below "
                    f"the image folder. Received: {name!r}"
                )
            row["IDENTITY"] = row["IDENTITY"] or ""
            if "\n" in name + row["IDENTITY"]:
                raise DatasetError(
                    f"{table.name}, line {reader.line_num}: a quotation mark is opened and not "
                    f"closed in the row of {name.splitlines()[0]!r}."
                )
            yield row


def _leaves_its_folder(name: str) -> bool:
    """Return whether a file name points out of its folder, on any system."""
    kinds = (PurePosixPath(name), PureWindowsPath(name))
    return any(path.anchor or ".." in path.parts for path in kinds)


def _unusable(sample: Sample, alphabet: Alphabet) -> str | None:
    """Return why a row cannot be used, or None; details follow a colon."""
    if not sample.text:
        return "blank label"
    if sample.text in REMARKS:
        return f"label {sample.text}"
    unknown = sorted(set(sample.text) - set(alphabet.characters))
    if unknown:
        return f"unknown character: {''.join(unknown)!r} in {sample.label!r}"
    try:
        present = sample.path.is_file()
    except OSError:  # a name too long for the file system
        present = False
    return None if present else f"missing image: {sample.path.name[:80]}"

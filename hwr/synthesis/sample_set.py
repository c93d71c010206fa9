"""The sample set: a small dataset of drawn names, of fields of a form or of sketchpads."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from hwr.alphabet import fold
from hwr.arrays import Grey
from hwr.atomic_file import new_folder
from hwr.synthesis.form_field import draw_field
from hwr.synthesis.ink import SHIFT
from hwr.synthesis.names import NAMES, compose_name
from hwr.synthesis.render import draw_pad
from hwr.synthesis.writer import Case, Writer, check_text

SPLITS: Final = (("TRAIN", 5), ("VALIDATION", 4), ("TEST", 4))
PENS: Final = (2, 20)  # brushes of the sketchpad, pixels


def write_samples(
    folder: str | Path, *, count: int = 200, seed: int = 0, names: Sequence[str] = NAMES
) -> None:
    """Write a small dataset of fields in the layout of the Kaggle handwritten names.

    Half of `count` (at least 8) goes to training, a quarter each to validation and test: the tables
    `written_name_{train,validation,test}_v2.csv` (FILENAME, IDENTITY) and JPEG pictures such as
    `train_v2/train/TRAIN_00001.jpg`. Labels are capitals without accents; about one in twenty is
    EMPTY, UNREADABLE or blank, with a picture to match. The same arguments give the same bytes.

    FileExistsError if the folder exists and holds anything; ValueError for names that cannot be
    drawn. Nothing is left behind where it fails.
    """
    if count < 8:
        raise ValueError(f"a dataset has at least 8 samples. Received: {count}")
    _check_names(names)
    with _new_folder(folder) as scratch:
        rng = np.random.default_rng(seed)
        quarter = round(count / 4)
        counts = (count - 2 * quarter, quarter, quarter)
        for (name, digits), pictures_wanted in zip(SPLITS, counts, strict=True):
            split = name.lower()
            pictures = scratch / f"{split}_v2" / split
            pictures.mkdir(parents=True)
            rows = [("FILENAME", "IDENTITY")]
            for index in range(1, pictures_wanted + 1):
                label, picture = _sample(index, rng, names)
                file = f"{name}_{index:0{digits}d}.jpg"
                data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
                (pictures / file).write_bytes(data.tobytes())
                rows.append((file, label))
            _write_table(scratch / f"written_name_{split}_v2.csv", rows)


def write_pad_samples(
    folder: str | Path, *, count: int = 600, seed: int = 0, names: Sequence[str] = NAMES
) -> None:
    """Write a test set of names drawn on a sketchpad with letter shapes never trained on.

    `labels.csv` (FILENAME, IDENTITY, SPLIT, PEN, CASE) and pictures such as
    `images/PAD_00001.png`, 800 x 200, all of the test split. The writers use the held-out skeletons
    alone; half of the names are in capitals, half capitalised; brushes are 2 to 20 pixels thick,
    uniform on a logarithmic scale. The same arguments give the same bytes.

    Raises:
        FileExistsError: the folder exists and holds anything.
        ValueError: the names cannot be drawn, or `count` is less than 1.
    """
    if count < 1:
        raise ValueError(f"a test set has at least 1 sample. Received: {count}")
    _check_names(names)
    with _new_folder(folder) as scratch:
        (scratch / "images").mkdir()
        rng = np.random.default_rng(seed)
        rows: list[tuple[str, ...]] = [("FILENAME", "IDENTITY", "SPLIT", "PEN", "CASE")]
        for index in range(1, count + 1):
            case: Case = ("capitals", "capitalised")[index % 2]
            writer = replace(Writer.sample(rng, "heldout"), case=case)
            text = writer.apply_case(compose_name(rng, names), rng)
            pen = round(math.exp(rng.uniform(*np.log(PENS))))
            data = cv2.imencode(".png", draw_pad(text, writer, rng, pen=pen))[1]
            file = f"PAD_{index:05d}.png"
            (scratch / "images" / file).write_bytes(data.tobytes())
            rows.append((file, text, "test", str(pen), case))
        _write_table(scratch / "labels.csv", rows)


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise ValueError("a dataset needs names. Received: none")
    check_text("".join(names))


def _new_folder(folder: str | Path) -> AbstractContextManager[Path]:
    """Return a context with a temporary folder, which becomes `folder` unless it fails."""
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"samples go to a new or empty folder. Received: {str(folder)!r}")
    return new_folder(target)


def _write_table(file: Path, rows: Sequence[tuple[str, ...]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)


def _sample(index: int, rng: np.random.Generator, names: Sequence[str]) -> tuple[str, Grey]:
    """Label and picture of one sample; three in 48 hold no name that can be read."""
    writer = Writer.sample(rng)
    if index % 48 == 7:
        return "EMPTY", draw_field("", writer, rng)
    if index % 48 == 23:
        return "", draw_field("", writer, rng)
    name = compose_name(rng, names)
    if index % 48 == 39:
        return "UNREADABLE", _spoil(draw_field(name.upper(), writer, rng), rng)
    return fold(name), draw_field(writer.apply_case(name, rng), writer, rng)


def _spoil(picture: Grey, rng: np.random.Generator) -> Grey:
    """A field whose name was scribbled out; the picture is changed in place."""
    height, width = picture.shape
    turns = 40
    x = np.linspace(5, width * 0.6, turns) + rng.normal(0, 6, turns)
    y = height * 0.6 + np.where(np.arange(turns) % 2, 1, -1) * rng.uniform(2, 10, turns)
    line = np.rint(np.stack([x, y], axis=1) * (1 << SHIFT)).astype(np.int32)
    cv2.polylines(picture, [line], False, int(rng.integers(0, 70)), 2, cv2.LINE_AA, SHIFT)
    return picture

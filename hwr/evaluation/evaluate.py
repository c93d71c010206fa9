"""Evaluation: reading a split and scoring the readings against one or two sets of labels."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from hwr.alphabet import fold
from hwr.data.dataset import REMARKS, Dataset, DatasetError, Sample
from hwr.evaluation.metrics import Score, score
from hwr.image import ImageError
from hwr.recognizer import Recognizer

#: By file name, every text that the ink allows.
Reference = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Row:
    """One picture and how it was read.

    Attributes:
        sample: the picture and its label.
        text, confidence: the reading.
        labelled: whether the label names somebody, so that it counts.
        reference: every text that the ink allows, hyphens folded; None where it was not read again
            or holds no name that can be read.
    """

    sample: Sample
    text: str
    confidence: float
    labelled: bool
    reference: tuple[str, ...] | None

    @property
    def reference_pair(self) -> tuple[str, str]:
        """The re-read text nearest to the reading, and the reading, hyphens folded in both."""
        reading = plain_hyphens(self.text)
        return nearest(self.reference or ("",), reading), reading


@dataclass(frozen=True)
class Evaluation:
    """What was measured on one split.

    Attributes:
        score: against the labels of the dataset.
        dropped: rows left out, counted by reason.
        failures: pictures that could not be read, with the reason.
        reference: against the re-read labels, where such were given.
        reference_dropped: pictures the re-reading found EMPTY or UNREADABLE, counted.
        ceiling: of the re-read labels against those of the dataset: what a reader that is never
            wrong would reach.
        tta: see `evaluate`.
        rows: every picture that was read.
    """

    score: Score
    dropped: dict[str, int]
    failures: tuple[str, ...]
    reference: Score | None
    reference_dropped: dict[str, int]
    rows: tuple[Row, ...] = ()
    ceiling: Score | None = None
    tta: bool = False

    def to_dict(self) -> dict[str, Any]:
        values: dict[str, Any] = self.score.to_dict() | {
            "dropped": self.dropped,
            "failures": list(self.failures),
        }
        if self.reference is not None:
            values["reference"] = self.reference.to_dict() | {"dropped": self.reference_dropped}
        if self.ceiling is not None:
            values["ceiling"] = self.ceiling.to_dict()
        return values


def evaluate(
    recognizer: Recognizer,
    dataset: Dataset,
    reference: Reference | None = None,
    *,
    tta: bool = False,
) -> Evaluation:
    """Read the usable pictures of a split, greedily and without a list, and score them.

    Args:
        tta: see `hwr.recognizer.Recognizer.read`.

    Raises:
        DatasetError: no picture is left to score.
    """
    if reference is not None and not any(row.path.name in reference for row in dataset):
        raise DatasetError(
            f"The re-read labels name no picture of the {dataset.split} split of "
            f"{dataset.folder.name}; check the split and the file."
        )
    usable = set(dataset.samples)
    rows = list(dataset.samples)
    if reference is not None:
        # A re-reading may find a name where the label says EMPTY.
        rows += [d.sample for d in dataset.dropped if d.sample.path.name in reference]
    rows = [row for row in rows if row.path.is_file()]
    paths = (row.path for row in rows)
    readings = recognizer.read_many(paths, greedy=True, tta=tta)
    results = list(zip(rows, readings, strict=True))
    failures = [f"{row.path.name}: {r}" for row, r in results if isinstance(r, ImageError)]
    read, reference_dropped = [], dict.fromkeys(REMARKS, 0)
    for row, r in results:
        if isinstance(r, ImageError):
            continue
        texts = reference.get(row.path.name) if reference else None
        if texts and texts[0] in REMARKS:
            reference_dropped[texts[0]] += len(texts) == 1
            texts = None
        read.append(Row(row, r.text, r.confidence, row in usable, texts))
    scored = [row for row in read if row.labelled]
    if not scored:
        raise DatasetError(
            f"The {dataset.split} split of {dataset.folder.name} has no picture to evaluate."
        )
    dropped = dataset.reasons()
    if failures:
        dropped["unreadable file"] = len(failures)
    pairs = [row.reference_pair for row in read if row.reference is not None]
    labels = [
        (plain_hyphens(row.sample.text), row.reference)
        for row in scored
        if row.reference is not None
    ]
    ceiling = [(label, nearest(texts, label)) for label, texts in labels]
    return Evaluation(
        score([row.sample.text for row in scored], [row.text for row in scored]),
        dropped,
        tuple(failures),
        score(*zip(*pairs, strict=True)) if pairs else None,
        {remark: count for remark, count in reference_dropped.items() if count},
        tuple(read),
        score(*zip(*ceiling, strict=True)) if ceiling else None,
        tta,
    )


def read_reference(file: str | os.PathLike[str]) -> Reference:
    """Return the re-read labels of a CSV file with the columns FILENAME and GOLD.

    `A|B` gives two texts that the ink allows.

    Raises:
        DatasetError: the file is missing or has other columns.
    """
    path = Path(file)
    if not path.is_file():
        raise DatasetError(f"There is no file {str(file)!r}; check the path given as gold.")
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        if {"FILENAME", "GOLD"} - set(reader.fieldnames or ()):
            raise DatasetError(
                f"{path.name} needs the columns FILENAME and GOLD. "
                f"Received: {', '.join(reader.fieldnames or ()) or 'an empty file'}"
            )
        return {
            row["FILENAME"]: tuple(plain_hyphens(fold(t)) for t in (row["GOLD"] or "").split("|"))
            for row in reader
        }


def plain_hyphens(text: str) -> str:
    """Return `text` with spaces and hyphens around a hyphen collapsed into that hyphen.

    Labels write KHADIM - SOPHANE and PASSEBON--MACCET without a rule.
    """
    return re.sub(r"\s*-[\s-]*", "-", text)


def nearest(texts: Sequence[str], reading: str) -> str:
    """Return the one of `texts` that is the fewest edits from `reading`."""
    return min(texts, key=lambda text: Levenshtein.distance(text, reading))

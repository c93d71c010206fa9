"""The JSON record of a reading, as the named endpoints return it."""

from __future__ import annotations

from typing import TypedDict

from hwr.data.dataset import Sample
from hwr.reading import Reading
from hwr.ui.batch.rows import Row


class AlternativeRecord(TypedDict):
    """What else a letter may be; "" for no letter at all."""

    character: str
    probability: float


class LetterRecord(TypedDict):
    """One letter; `left` and `right` are columns of the prepared picture, half-open."""

    character: str
    probability: float
    left: int
    right: int
    alternatives: list[AlternativeRecord]


class CandidateRecord(TypedDict):
    """One text that the picture may hold."""

    text: str
    probability: float


class ReadingRecord(TypedDict):
    """What a picture says; see `hwr.reading.Reading`."""

    text: str
    confidence: float
    verdict: str
    blank: bool
    letters: list[LetterRecord]
    candidates: list[CandidateRecord]
    absent: float | None
    notes: list[str]
    milliseconds: float


class SampleRecord(ReadingRecord):
    """What the picture of a dataset says, beside what its label says."""

    label: str
    index: int
    split: str
    file: str


class RowRecord(TypedDict):
    """One picture of a batch; `problem` says why it cannot be read, else it is None."""

    file: str
    text: str
    confidence: float | None
    verdict: str
    notes: list[str]
    problem: str | None


def reading_record(reading: Reading) -> ReadingRecord:
    """Return `reading` as JSON holds it, without the pictures of its steps."""
    return {
        "text": reading.text,
        "confidence": reading.confidence,
        "verdict": reading.verdict,
        "blank": reading.blank,
        "letters": [
            {
                "character": letter.character,
                "probability": letter.probability,
                "left": letter.left,
                "right": letter.right,
                "alternatives": [
                    {"character": character, "probability": probability}
                    for character, probability in letter.alternatives
                ],
            }
            for letter in reading.letters
        ],
        "candidates": [{"text": c.text, "probability": c.probability} for c in reading.candidates],
        "absent": reading.absent,
        "notes": list(reading.notes),
        "milliseconds": reading.milliseconds,
    }


def sample_record(reading: Reading, sample: Sample) -> SampleRecord:
    """Return the reading of a dataset's picture; of its path only the file name."""
    return {
        **reading_record(reading),
        "label": sample.label,
        "index": sample.index,
        "split": sample.split,
        "file": sample.path.name,
    }


def row_record(row: Row) -> RowRecord:
    """Return a row of a batch as JSON holds it."""
    return {
        "file": row.source.name,
        "text": row.text,
        "confidence": row.confidence,
        "verdict": row.verdict,
        "notes": list(row.notes),
        "problem": row.problem,
    }

"""The letter: one character of a reading, above its ink, beside what else was likely."""

from __future__ import annotations

from dataclasses import dataclass

from hwr.arrays import Singles


@dataclass(frozen=True)
class Letter:
    """One letter of a reading.

    Attributes:
        character: the letter.
        probability: how likely it is given that the other letters are right, 0..1.
        left, right: half-open range of columns of the prepared image that it stands on.
        alternatives: other characters at its place with their probabilities, best first; ""
            says that no letter stands there.
    """

    character: str
    probability: float
    left: int
    right: int
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A text that the picture may hold, and its probability, 0..1."""

    text: str
    probability: float


@dataclass(frozen=True, eq=False)
class Timeline:
    """What the network saw along the width of a picture.

    Attributes:
        characters: of the classes from 1 on; class 0 is the blank.
        probabilities: (T, classes) float32; a step is COLUMNS_PER_STEP columns wide.
    """

    characters: str
    probabilities: Singles


def percent(probability: float) -> str:
    """Return a probability in whole percents; 100 % is said only of certainty."""
    whole = whole_percent(probability)
    return f"{whole} %" if whole else "<1 %"


def whole_percent(probability: float) -> int:
    """Return the number that `percent` says, 0 for less than 1 %."""
    whole = round(100 * probability)
    return 99 if whole == 100 and probability < 1 else whole

"""The reading: what a picture says, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from hwr.arrays import Grey
from hwr.letter import Candidate, Letter, Timeline, percent
from hwr.preprocess import Step

#: From this probability on a reading is called sure, unless the model folder says another.
SURE = 0.9


@dataclass(frozen=True, eq=False, repr=False)
class Reading:
    """What a picture says, and how sure that is.

    Attributes:
        text: the name; empty where nothing is written. With a lexicon it is spelt as there,
            unless `absent` says that it is likelier not on it.
        confidence: probability that `text` is right in every character, 0..1; the network's
            own where the model folder holds no calibration.
        letters: the letters of `text`, in the alphabet of the model, with probabilities,
            alternatives and columns of the prepared image; only of `Recognizer.read` with details.
        candidates: the likeliest texts with probabilities, at most five, best first.
        steps: the preprocessing, step by step; the last image is what the network read.
        blank: True where no ink was found.
        notes: remarks on the file, for instance that only its first page was read.
        milliseconds: time from bytes to reading.
        absent: with a lexicon, the probability that the name is not on it.
        sure: the confidence from which on a reading is called sure.
        timeline: what the network saw along the width; only of `Recognizer.read` with details.
        others: what other lines of the picture say; such a reading is never called sure, for each
            of them may be the name. See `Recognizer.read_lines`.
    """

    text: str
    confidence: float
    letters: tuple[Letter, ...]
    candidates: tuple[Candidate, ...]
    steps: tuple[Step, ...]
    blank: bool
    notes: tuple[str, ...]
    milliseconds: float
    absent: float | None = None
    sure: float = SURE
    timeline: Timeline | None = None
    others: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Reading {self.text!r}, {percent(self.confidence)}, {self.verdict}>"

    @property
    def listed(self) -> bool:
        """Whether the text is a name of the lexicon that was given."""
        return self.absent is not None and self.absent < 0.5

    @property
    def verdict(self) -> str:
        """One of "sure", "please check", "nothing written"."""
        # A name that nobody expected is for a person to see, however clear it is.
        missed = self.absent is not None and not self.listed
        if self.confidence < self.sure or missed or self.others:
            return "please check"
        return "sure" if self.text else "nothing written"

    def draw(self) -> Grey:
        """Return a figure of this reading, (H, W, 3) uint8 RGB; see `hwr.figure.draw`.

        Raises:
            ValueError: the reading was made without steps (`Recognizer.read_many`).
        """
        text = self.text or "(nothing written)"
        return self._drawn(f"{text}   {percent(self.confidence)}   {self.verdict}")

    def draw_timeline(self) -> Grey:
        """Return `draw` without the name on top, for a page that shows it already.

        Raises:
            ValueError: the reading was made without steps (`Recognizer.read_many`).
        """
        return self._drawn("")

    def _drawn(self, heading: str) -> Grey:
        from hwr.figure import draw

        if not self.steps:
            raise ValueError("Only a reading with its steps can be drawn; make it with `read`.")
        return draw(self.steps[-1].image, self.letters, self.timeline, heading)

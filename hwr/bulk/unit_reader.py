"""Reads units of entries into rows, with one recognizer on one core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from hwr.bulk.part_files import Row
from hwr.bulk.sources import Entry
from hwr.decoding.decoder import LanguageModelChoice
from hwr.recognizer import Recognizer


@dataclass(frozen=True)
class Settings:
    """Settings of reading, sent to each process.

    Attributes:
        model: model folder.
        engine: see `hwr.network.engine.load_engine`.
        lexicon: names that can occur, or None.
        language_model, tta: see `hwr.recognizer.Recognizer.read`.
    """

    model: Path
    engine: str | None = None
    lexicon: tuple[str, ...] | None = None
    language_model: LanguageModelChoice = "auto"
    tta: bool = False


class BulkReader:
    """Reads entries in batches; an entry that cannot be read gives a row with an error."""

    def __init__(self, recognizer: Recognizer, settings: Settings) -> None:
        """Wrap a recognizer; compile the lexicon of `settings`.

        Raises:
            hwr.decoding.lexicon.LexiconError: the lexicon cannot be used.
            hwr.decoding.language_model.LanguageModelError: the language model cannot be used.
            ValueError: the language model has another alphabet than the model.
        """
        lexicon = recognizer.lexicon(settings.lexicon)
        model = settings.language_model
        self._read_many = partial(
            recognizer.read_many, lexicon=lexicon, language_model=model, tta=settings.tta
        )
        # Decoding loads the language model, whose error would else be that of every image.
        nothing = np.zeros((1, recognizer.spec.alphabet.classes), np.float32)
        recognizer.decoder.decode(nothing, lexicon=lexicon, language_model=model)

    @classmethod
    def load(cls, settings: Settings) -> BulkReader:
        """Return a reader with a new recognizer; `BulkReader` and `Recognizer.load` raise."""
        return cls(Recognizer.load(settings.model, engine=settings.engine), settings)

    def __call__(self, entries: Sequence[Entry]) -> list[Row]:
        """Return one row for each entry, in order."""
        try:
            return self._read(entries)
        except Exception as error:
            # An error in one image must not end a run of a million.
            if len(entries) == 1:
                problem = f"Reading it failed ({type(error).__name__}: {error})."
                return [Row.of(entries[0], problem)]
            return [row for entry in entries for row in self([entry])]

    def _read(self, entries: Sequence[Entry]) -> list[Row]:
        results = self._read_many([e.content for e in entries if e.content is not None])
        return [
            Row.of(e, e.problem or "It holds nothing." if e.content is None else next(results))
            for e in entries
        ]

"""The lexicon: the names that can occur, and how likely each of them is the one in a picture."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import Alphabet, UnknownCharacterError, fold
from hwr.arrays import Doubles, Floats
from hwr.decoding.ctc import log_probabilities
from hwr.decoding.trie import Trie
from hwr.letter import Candidate
from hwr.name_files import read_name_file

#: Most names that a lexicon may hold.
MOST = 100_000

#: Lexicons of up to this many names are scored exactly; from there on a beam is faster.
EXACT = 10_000

#: The probability is shared among this many likeliest names. Exact scores and the beam agree on
#: these, and the calibration fits `Evidence` to as many. The share of all others would depend on
#: which of them the beam finds: high temperatures give unlikely names some weight.
COMPARED = 30

#: How sure one may be, before looking, that a name is on the list.
LISTED = 0.9

#: Shown where the answer is none of the names.
NOT_LISTED = "not on the list"

# Between the parts of a name people write a hyphen, a space or nothing.
_SEPARATORS = re.compile(r"[ -]+")


class LexiconError(ValueError):
    """A list of names cannot be used."""


@dataclass(frozen=True)
class Evidence:
    """How much the scores of a lexicon weigh; fitted by `hwr.evaluation.calibration`.

    The chances of the names r of a lexicon and of "not on the list" are in proportion to

        p(r) ** (1 / temperature)   and   odds * best ** (1 / temperature) * exp(offset + growth *
        log(size))

    with p the CTC probability, `best` that of the likeliest text that is not on the list, and
    `odds` those, before looking, that the name is missing. The longer the list, the likelier
    some name on it resembles by accident what is written; `growth` pays for that.
    """

    temperature: float = 1.67
    offset: float = -6.0
    growth: float = 0.4


@dataclass(frozen=True)
class Match:
    """What a lexicon says about a picture.

    Attributes:
        candidates: the likeliest names, spelt as they were given, with their probabilities.
        texts: the form of each candidate that fits the ink best, in letters of the alphabet.
        absent: probability that the name is not on the list; all add up to at most 1.
    """

    candidates: tuple[Candidate, ...]
    texts: tuple[str, ...]
    absent: float

    @property
    def listed(self) -> bool:
        """Whether the name is more likely on the list than not."""
        return bool(self.candidates) and self.absent < 0.5


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Names that can occur, each once.

    Names that differ only in case, accents, hyphens and spaces are the same name, and each
    is looked for with a hyphen, a space and nothing between its parts.

    Attributes:
        names: as they were given, in that order.
        duplicates: how many were left out because they stood there already.
    """

    names: tuple[str, ...]
    duplicates: int
    alphabet: Alphabet

    @classmethod
    def of(cls, names: Iterable[str], alphabet: Alphabet | None = None) -> Lexicon:
        """Return the lexicon of `names`; empty ones are skipped.

        Raises:
            LexiconError: there is no name, or too many, or one that the alphabet cannot write.
        """
        alphabet = alphabet or Alphabet()
        kept: dict[str, str] = {}
        given = 0
        for number, name in enumerate(names, start=1):
            folded = fold(name)
            if not folded:
                continue
            given += 1
            try:
                alphabet.encode(folded)
            except UnknownCharacterError as error:
                raise LexiconError(
                    f"Entry {number} of the list, {name.strip()!r}, holds {error.character!r}, "
                    f"which this model cannot write; write the name in letters or remove it."
                ) from None
            key = _SEPARATORS.sub("", folded)
            if not key.strip("'"):
                raise LexiconError(
                    f"Entry {number} of the list, {name.strip()!r}, has no letter; remove it."
                )
            kept.setdefault(key, " ".join(name.split()))
            if len(kept) > MOST:
                raise LexiconError(f"A list may hold {MOST:,} names; give a shorter one.")
        if not kept:
            raise LexiconError("The list holds no name; write one name a line.")
        return cls(tuple(kept.values()), given - len(kept), alphabet)

    @classmethod
    def parse(cls, text: str, alphabet: Alphabet | None = None) -> Lexicon:
        """Return the lexicon of a pasted text: one name a line.

        On a single line, commas, semicolons or tabs may part the names instead.

        Raises:
            LexiconError: see `of`.
        """
        lines = text.strip().splitlines()
        return cls.of(lines if len(lines) > 1 else re.split(r"[,;\t]", text), alphabet)

    @classmethod
    def read(cls, file: str | os.PathLike[str], alphabet: Alphabet | None = None) -> Lexicon:
        """Return the lexicon of a file; see `hwr.name_files.read_name_file`.

        Raises:
            hwr.name_files.NameFileError: the file cannot be read.
            LexiconError: see `of`.
        """
        return cls.of(read_name_file(file).names, alphabet)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _forms(self) -> tuple[list[str], NDArray[np.intp]]:
        """Return every form in which a name may be written, sorted, and the name it is of."""
        forms: dict[str, int] = {}
        for owner, name in enumerate(self.names):
            folded = fold(name)
            forms.setdefault(folded, owner)
            for separator in (" ", "-", ""):
                if separator in self.alphabet.characters:
                    forms.setdefault(_SEPARATORS.sub(separator, folded).strip(" -"), owner)
        ordered = sorted(forms)
        return ordered, np.array([forms[form] for form in ordered])

    @cached_property
    def _trie(self) -> Trie:
        return Trie.of([self.alphabet.encode(form) for form in self._forms[0]])

    def score(self, logits: Floats, *, exact: bool | None = None) -> Scores:
        """Return the CTC probability of the names given `logits`, (T, C).

        Args:
            exact: score every name; else a beam looks for the likeliest. The default is to be
                exact for up to `EXACT` names.
        """
        if exact is None:
            exact = len(self) <= EXACT
        forms, owners = self._forms
        if exact:
            chances = self._trie.forward(logits)
            found = np.flatnonzero(chances)
            chances = chances[found]
        else:
            # A name has up to three forms.
            found = self._trie.beam(logits, 3 * COMPARED)
            ids = [self.alphabet.encode(forms[i]) for i in found]
            chances = np.exp(log_probabilities(logits, ids)) if ids else np.zeros(0)
        totals = np.zeros(len(self))
        np.add.at(totals, owners[found], chances)
        return Scores(self, totals, found, chances)

    def match(
        self,
        logits: Floats,
        free: Sequence[Candidate],
        evidence: Evidence | None = None,
        *,
        listed: float = LISTED,
        count: int = 5,
        exact: bool | None = None,
    ) -> Match:
        """Return the likeliest names and how likely it is that none of them is right.

        Args:
            logits: (T, C); condensed ones (`hwr.decoding.ctc.Condensed`) take a third of the time.
            free: what the picture says without the list, by `hwr.decoding.beam.beam`.
            evidence: how to weigh the scores.
            listed: probability, before looking, that the name is on the list, 0 to 1; 1 rules
                out that it is missing.
            count: most names to return.
            exact: see `score`.
        """
        if not 0 < listed <= 1:
            raise ValueError(f"listed must lie above 0 and up to 1. Received: {listed}")
        evidence = evidence or Evidence()
        scores = self.score(logits, exact=exact)
        best = np.argsort(-scores.totals, kind="stable")[:COMPARED]
        best = best[scores.totals[best] > 0]
        weights = np.log(scores.totals[best]) / evidence.temperature
        absent = -np.inf
        if listed < 1:
            absent = np.log(max(self._unlisted(free), 1e-300)) / evidence.temperature
            absent += evidence.offset + evidence.growth * np.log(len(self))
            absent += np.log(1 - listed) - np.log(listed)
        if not len(best):  # no name on the list can be written in so few steps
            return Match((), (), 1.0)
        top = max(float(weights.max()), absent)
        weights, missing = np.exp(weights - top), float(np.exp(absent - top))
        total = float(weights.sum()) + missing
        shown = [(int(i), float(w / total)) for i, w in zip(best, weights, strict=True) if w][
            :count
        ]
        return Match(
            tuple(Candidate(self.names[i], share) for i, share in shown),
            tuple(scores.form(i) for i, _ in shown),
            missing / total,
        )

    def _unlisted(self, free: Sequence[Candidate]) -> float:
        """Return the probability of the likeliest text that is not on the list."""
        forms = self._known
        return max((c.probability for c in free if c.text not in forms), default=0.0)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._forms[0])


@dataclass(frozen=True, eq=False)
class Scores:
    """The CTC probabilities of a lexicon's names.

    Attributes:
        totals: (N,) of each name, summed over the forms in which it may be written; 0 where a
            beam did not find the name.
    """

    lexicon: Lexicon
    totals: Doubles
    _found: NDArray[np.intp]
    _chances: Doubles

    def form(self, name: int) -> str:
        """Return the likeliest form of a name, in letters of the alphabet."""
        forms, owners = self.lexicon._forms
        own = np.flatnonzero(owners[self._found] == name)
        return forms[int(self._found[own[self._chances[own].argmax()]])]

"""The language model: which texts look like names, as a small model of letter sequences."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import BLANK, Alphabet, fold
from hwr.arrays import Doubles
from hwr.atomic_file import replacing
from hwr.defaults import ASSETS
from hwr.name_files import read_name_file

#: The language model that comes with the project.
LANGUAGE_MODEL = ASSETS / "language_model.npz"

FORMAT = 1

#: Letters looked back at, and how often they must occur in a row to be a state of their own.
ORDER, LEAST = 7, 12.0

#: A probability is stored as a byte: its negative logarithm in steps of this size.
STEP = 1 / 20


class LanguageModelError(ValueError):
    """A language model cannot be estimated, or its file cannot be used."""


@dataclass(frozen=True, eq=False)
class FusedLanguageModel:
    """A weighted language model for the beam search; a `hwr.decoding.beam.Automaton`."""

    start: int
    factors: Doubles
    ends: Doubles
    following: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A letter n-gram model over the names of lists.

    A state is what was read last: as many letters as the lists hold often enough. Every
    state has probabilities for each letter and for the end, smoothed by Witten and Bell's
    method ("The Zero-Frequency Problem", 1991), so that no name is impossible.

    Attributes:
        alphabet: of the names.
        contexts: (S, ORDER) uint8, the letters of each state, right-aligned; 0 stands for none
            and `alphabet.classes` for the beginning. Ordered by length.
        costs: (S, classes) uint8, negative log-probabilities in units of STEP; column 0 is the
            end of the name.
    """

    alphabet: Alphabet
    contexts: NDArray[np.uint8]
    costs: NDArray[np.uint8]

    def __post_init__(self) -> None:
        states, _ = self.contexts.shape
        if self.contexts.dtype != np.uint8 or self.costs.dtype != np.uint8:
            raise LanguageModelError(
                f"A language model is stored as bytes. Received: {self.contexts.dtype} and "
                f"{self.costs.dtype}"
            )
        if self.costs.shape != (states, self.alphabet.classes) or not states:
            raise LanguageModelError(
                f"A language model needs one row of costs per context and one column per class. "
                f"Received: {self.contexts.shape} and {self.costs.shape}"
            )

    @classmethod
    def estimate(
        cls,
        counts: Mapping[str, float],
        alphabet: Alphabet | None = None,
        *,
        order: int = ORDER,
        least: float = LEAST,
    ) -> LanguageModel:
        """Return the language model of names with how often each occurs.

        Args:
            counts: by name, in letters of the alphabet; any positive weights.
            order: letters looked back at, the beginning included.
            least: count from which on a sequence of letters is a state.

        Raises:
            LanguageModelError: there is no name.
            hwr.alphabet.UnknownCharacterError: the alphabet cannot write one.
        """
        alphabet = alphabet or Alphabet()
        texts = [alphabet.encode(name) for name, count in counts.items() if name and count > 0]
        weights = np.array([count for name, count in counts.items() if name and count > 0])
        if not texts:
            raise LanguageModelError("There is no name to estimate a language model from.")
        base, begin = alphabet.classes + 1, alphabet.classes
        # One long row of symbols: the beginning, the letters and the end of every name.
        lengths = np.array([len(ids) + 2 for ids in texts])
        symbols = np.concatenate([np.array([begin, *ids, BLANK]) for ids in texts])
        weight = np.repeat(weights, lengths)
        position = np.arange(len(symbols)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        contexts = [np.zeros((1, order), np.uint8)]
        rows: list[Doubles] = []
        lower: dict[int, int] = {}  # row of each context one shorter, by code
        for length in range(order + 1):
            where = np.flatnonzero(position >= max(1, length))
            code = np.zeros(len(where), np.int64)
            for back in range(length, 0, -1):
                code = code * base + symbols[where - back]
            codes, inverse = np.unique(code, return_inverse=True)
            totals = np.bincount(inverse, weight[where])
            kept = np.flatnonzero(totals >= least) if length else np.zeros(1, np.intp)
            if not len(kept):
                break
            number = np.full(len(codes), -1)
            number[kept] = np.arange(len(kept))
            chosen = number[inverse] >= 0
            pairs = number[inverse[chosen]] * alphabet.classes + symbols[where[chosen]]
            table = np.bincount(
                pairs, weight[where[chosen]], minlength=len(kept) * alphabet.classes
            ).reshape(len(kept), alphabet.classes)
            kinds = (table > 0).sum(axis=1, keepdims=True)
            if length:
                below = np.array([lower[c] for c in (codes[kept] % base ** (length - 1)).tolist()])
                shorter = rows[length - 1][below]
                digits = codes[kept][:, None] // base ** np.arange(length - 1, -1, -1) % base
                contexts.append(np.zeros((len(kept), order), np.uint8))
                contexts[-1][:, order - length :] = digits
            else:
                shorter = np.full((1, alphabet.classes), 1 / alphabet.classes)
            rows.append((table + kinds * shorter) / (table.sum(axis=1, keepdims=True) + kinds))
            lower = dict(zip(codes[kept].tolist(), range(len(kept)), strict=True))
        costs = -np.log(np.concatenate(rows)) / STEP
        return cls(
            alphabet, np.concatenate(contexts), np.clip(np.round(costs), 0, 255).astype(np.uint8)
        )

    @classmethod
    def load(cls, file: str | os.PathLike[str] = LANGUAGE_MODEL) -> LanguageModel:
        """Return the language model of a file.

        Raises:
            LanguageModelError: the file is missing, damaged or of another version.
        """
        path = Path(file)
        if not path.is_file():
            raise LanguageModelError(
                f"There is no file {str(file)!r}; make a language model with `hwr language-model`."
            )
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                version = int(arrays["format"])
                if version != FORMAT:
                    raise LanguageModelError(
                        f"{path.name} has format {version}, this program reads format {FORMAT}; "
                        f"make the language model again with `hwr language-model`."
                    )
                return cls(Alphabet(str(arrays["alphabet"])), arrays["contexts"], arrays["costs"])
        except LanguageModelError:
            raise
        except Exception as error:  # what np.load raises is not documented
            raise LanguageModelError(
                f"{path.name} is damaged, no language model: {error}"
            ) from error

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the language model; what stood there before is replaced only when all is
        written.
        """
        with replacing(file) as stream:
            np.savez_compressed(
                stream,
                format=np.int64(FORMAT),
                alphabet=np.array(self.alphabet.characters),
                contexts=self.contexts,
                costs=self.costs,
            )

    def log_probability(self, text: str) -> float:
        """Return the log-probability of a name.

        Raises:
            hwr.alphabet.UnknownCharacterError: the alphabet cannot write it.
        """
        state, cost = self._states.start, 0
        for class_ in self.alphabet.encode(text):
            cost += int(self.costs[state, class_])
            state = int(self._states.following[state, class_])
        return -STEP * (cost + int(self.costs[state, BLANK]))

    @cached_property
    def _states(self) -> _States:
        try:
            return _States.of(self.contexts, self.alphabet.classes)
        except (KeyError, IndexError) as error:
            raise LanguageModelError(
                "The contexts of a language model hold each shorter one, too."
            ) from error

    @cached_property
    def _fused(self) -> dict[tuple[float, float], FusedLanguageModel]:
        return {}

    def fused(self, weight: float, reward: float) -> FusedLanguageModel:
        """Return the language model for a beam search; made once for each pair of arguments.

        A text's score grows by weight * log-probability + reward * letters; the reward makes up
        for the preference for short names.
        """
        key = (weight, reward)
        if key not in self._fused:
            logs = -STEP * weight * self.costs.astype(np.float64)
            factors = np.exp(logs + reward)
            factors[:, BLANK] = 1
            self._fused[key] = FusedLanguageModel(
                self._states.start, factors, np.exp(logs[:, BLANK]), self._states.following
            )
        return self._fused[key]


def count_names(
    file: str | os.PathLike[str], alphabet: Alphabet | None = None
) -> tuple[Counter[str], int]:
    """Return how often each name of a list occurs, folded, and how many rows were left out.

    Left out are names that the alphabet cannot write.

    Raises:
        hwr.name_files.NameFileError: the file cannot be read.
    """
    known = set((alphabet or Alphabet()).characters)
    listed = read_name_file(file)
    counts: Counter[str] = Counter()
    dropped = 0
    for name, count in zip(listed.names, listed.counts or repeat(1.0), strict=False):
        folded = fold(name)
        if not folded or set(folded) - known:
            dropped += bool(folded)
        else:
            counts[folded] += count  # type: ignore[assignment]
    return counts, dropped


@dataclass(frozen=True, eq=False)
class _States:
    """Which state follows which."""

    start: int
    following: NDArray[np.int32]

    @classmethod
    def of(cls, contexts: NDArray[np.uint8], classes: int) -> _States:
        """Return the states of contexts ordered by length; see `LanguageModel`."""
        base = classes + 1
        length = (contexts > 0).sum(axis=1)
        places = base ** np.arange(contexts.shape[1] - 1, -1, -1, dtype=np.int64)
        codes = contexts.astype(np.int64) @ places
        keys = zip(length.tolist(), codes.tolist(), strict=True)
        rows = {key: row for row, key in enumerate(keys)}
        following = np.zeros((len(contexts), classes), np.int32)
        # The state one letter shorter at the front says what follows, unless there is a state
        # that is one letter longer at the end.
        for n in range(1, int(length.max()) + 1):
            own = np.flatnonzero(length == n)
            starts = np.array([rows.get((n - 1, c), -1) for c in (codes[own] // base).tolist()])
            last = contexts[own, -1].astype(np.intp)
            inside = (starts >= 0) & (last < classes)
            following[starts[inside], last[inside]] = own[inside]
            shorter = [rows[n - 1, c] for c in (codes[own] % base ** (n - 1)).tolist()]
            following[own] = following[shorter]
        return cls(rows.get((1, classes), 0), following)

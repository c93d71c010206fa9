"""The beam: the likeliest texts of logits, alone or with a language model over texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import BLANK, Alphabet
from hwr.arrays import Doubles, Floats
from hwr.decoding.ctc import SURELY_BLANK, check_logits, log_probabilities, log_softmax
from hwr.letter import Candidate

#: Prefixes that the beam search keeps.
WIDTH = 10

#: Letters less probable than this at a time step are not looked at there, and prefixes whose
#: chance is less than that share of the best one's are dropped.
PLAUSIBLE, HOPELESS = 3e-4, 1e-5


@dataclass(frozen=True)
class Hypothesis:
    """A text that the beam search found.

    Attributes:
        ids: its class ids.
        log_probability: exact, the sum over all of its paths; without any language model.
        score: `log_probability` plus what the language model adds; not normalised.
    """

    ids: tuple[int, ...]
    log_probability: float
    score: float


class Automaton(Protocol):
    """A language model read letter by letter; see
    `hwr.decoding.language_model.FusedLanguageModel`.
    """

    @property
    def start(self) -> int:
        """State before the first letter."""

    @property
    def factors(self) -> Doubles:
        """What class c multiplies the chance of a text by: (states, classes); 1 in column 0."""

    @property
    def ends(self) -> Doubles:
        """What the end of the text multiplies it by: (states,)."""

    @property
    def following(self) -> NDArray[np.int32]:
        """The state after class c: (states, classes)."""


def beam(
    logits: Floats, alphabet: Alphabet, width: int = WIDTH, language_model: Automaton | None = None
) -> list[Candidate]:
    """Return the likeliest texts of `logits`, (T, C), at most `width`, best first.

    Without a language model the probabilities are exact. A language model shares the same total
    out anew among the texts found, in proportion to their scores.

    Raises:
        ValueError: the shape is not (T, alphabet.classes), or `width` is below 1.
    """
    check_logits(logits, alphabet)
    found = beam_search(logits, width, language_model)
    chances = np.exp([h.log_probability for h in found])
    if language_model is not None:
        scores = np.array([h.score for h in found])
        weights = np.exp(scores - scores.max())
        chances = chances.sum() * weights / weights.sum()
    return [
        Candidate(alphabet.decode(h.ids), float(chance))
        for h, chance in zip(found, chances, strict=True)
    ]


def beam_search(
    logits: Floats, width: int = WIDTH, language_model: Automaton | None = None
) -> list[Hypothesis]:
    """Return the texts with the best scores, at most `width`, best first.

    Prefix beam search (Hannun et al., "First-Pass Large Vocabulary Continuous Speech
    Recognition using Bi-Directional Recurrent DNNs", 2014); the texts found are then scored
    exactly. What is hopeless is dropped on the way, so a clear picture costs little: few
    prefixes and few classes are left, too few for arrays to be worth their while.

    Raises:
        ValueError: `width` is below 1.
    """
    if width < 1:
        raise ValueError(f"A beam needs a width of at least 1. Received: {width}")
    probabilities = np.exp(log_softmax(logits))
    rows = probabilities.tolist()
    plausible: list[list[tuple[int, float]]] = [[] for _ in rows]
    steps, classes = np.nonzero(probabilities[:, BLANK + 1 :] >= PLAUSIBLE)
    for step, class_ in zip(steps.tolist(), classes.tolist(), strict=True):
        plausible[step].append((class_ + BLANK + 1, rows[step][class_ + BLANK + 1]))
    tree = _Prefixes(language_model)
    # Looked up once: this loop takes most of the time of a reading that is not the network's.
    last_of, bonus_of, child_of, add_child = tree.last, tree.bonus, tree.children, tree.add
    # The chance that a prefix's paths end in a blank, and that they end in its last letter.
    beam: dict[int, tuple[float, float]] = {0: (1.0, 0.0)}
    after_blank = False
    for row, letters in zip(rows, plausible, strict=True):
        blank = row[BLANK]
        if blank >= SURELY_BLANK:  # the texts found are scored exactly all the same
            if not after_blank:
                beam = {n: (in_blank + in_letter, 0.0) for n, (in_blank, in_letter) in beam.items()}
            after_blank = True
            continue
        after_blank = False
        going: dict[int, float] = {}
        for number, (in_blank, in_letter) in beam.items():
            total, last = in_blank + in_letter, last_of[number]
            going[number] = going.get(number, 0.0) + in_letter * row[last]
            for class_, chance in letters:
                # A repeat needs a blank between.
                grown = chance * (in_blank if class_ == last else total)
                if grown >= HOPELESS:
                    longer = child_of.get((number, class_)) or add_child(number, class_)
                    going[longer] = going.get(longer, 0.0) + grown
        ended = {n: (in_blank + in_letter) * blank for n, (in_blank, in_letter) in beam.items()}
        ranked = [((ended.get(n, 0.0) + chance) * bonus_of[n], n) for n, chance in going.items()]
        ranked.sort(reverse=True)
        weighed, best = ranked[0]
        least, scale = weighed * HOPELESS, bonus_of[best] / weighed
        beam = {
            n: (ended.get(n, 0.0) * scale, going[n] * scale)
            for weighed, n in ranked[:width]
            if weighed >= least
        }
    texts = [tree.text(number) for number in beam]
    exact = log_probabilities(logits, texts)
    scores = exact + np.log([tree.bonus[n] * tree.end(n) for n in beam])
    return [
        Hypothesis(texts[i], float(exact[i]), float(scores[i]))
        for i in np.argsort(-scores, kind="stable")
        if np.isfinite(exact[i])
    ]


class _Prefixes:
    """The prefixes that a beam search has met; number 0 is the empty one.

    Attributes:
        last: the last class of each; BLANK of the empty one.
        bonus: what the language model multiplies the chance of each by.
        children: the prefix that follows (prefix, class), never 0, of those met.
    """

    def __init__(self, language_model: Automaton | None) -> None:
        self.language_model = language_model
        self.last = [BLANK]
        self.bonus = [1.0]
        self.children: dict[tuple[int, int], int] = {}
        self._parents = [0]
        self._states = [0 if language_model is None else language_model.start]
        if language_model is not None:  # numbers come out of views as Python's own, twice as fast
            self._factors, self._following = (
                language_model.factors.data,
                language_model.following.data,
            )

    def add(self, number: int, class_: int) -> int:
        """Return a new prefix that follows `number` by a letter."""
        new = self.children[number, class_] = len(self.last)
        self.last.append(class_)
        self._parents.append(number)
        bonus, state = self.bonus[number], self._states[number]
        if self.language_model is not None:
            bonus *= self._factors[state, class_]
            state = self._following[state, class_]
        self.bonus.append(bonus)
        self._states.append(state)
        return new

    def end(self, number: int) -> float:
        """Return what the language model multiplies the chance of a text by because it ends."""
        return (
            1.0
            if self.language_model is None
            else float(self.language_model.ends[self._states[number]])
        )

    def text(self, number: int) -> tuple[int, ...]:
        """Return the class ids of a prefix."""
        ids = []
        while number:
            ids.append(self.last[number])
            number = self._parents[number]
        return tuple(reversed(ids))

"""CTC decoding: from logits to texts, letters and exact probabilities, in NumPy.

Connectionist temporal classification: Graves et al., 2006. Class 0 is the blank. A path is
one class per time step; its text is what remains when repeats are merged and blanks removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import BLANK, Alphabet, frames_needed
from hwr.spec import COLUMNS_PER_STEP

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]
Grey = NDArray[np.uint8]

#: Prefixes that the beam search keeps.
WIDTH = 10

#: The beam takes a time step whose blank is at least this probable for a blank. Most steps are
#: such, and skipping them takes a third of the time; probabilities are exact all the same.
SURELY_BLANK = 1 - 3e-4

#: Below this a sum of products in float64 may have lost paths to underflow.
TINY = 1e-250

#: Cells (time steps x states x texts) that the forward algorithm handles at once; more
#: fall out of the processor's cache.
CELLS = 400_000

#: Where letters meet between their peaks if nobody has measured it, and how far from there,
#: as a share of the way between the peaks, a gap in the ink is looked for.
CUT, REACH = 0.5, 0.2

#: Other letters are weighed where their probability at some time step reaches this.
POSSIBLE = 1e-3


@dataclass(frozen=True)
class Letter:
    """One letter of a reading.

    Attributes:
        character: the letter.
        probability: of `greedy`, the mean over the time steps that emit it; of `place`, how
            likely it is given that the other letters are right; 0..1.
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
    probabilities: NDArray[np.float32]

    @classmethod
    def of(cls, logits: Floats, alphabet: Alphabet) -> Timeline:
        """Return the timeline of `logits`, (T, C)."""
        return cls(alphabet.characters, np.exp(log_softmax(logits)).astype(np.float32))


@dataclass(frozen=True)
class Hypothesis:
    """A text that the beam search found.

    Attributes:
        ids: its class ids.
        log_probability: exact, the sum over all of its paths; without any prior.
        score: `log_probability` plus what the prior adds; not normalised.
    """

    ids: tuple[int, ...]
    log_probability: float
    score: float


class Automaton(Protocol):
    """A prior over texts that is read letter by letter; see `hwr.prior.FusedPrior`."""

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


def log_softmax(logits: Floats) -> Doubles:
    """Return log-probabilities over the last axis, float64, the same shape as `logits`."""
    x = np.asarray(logits, np.float64)
    x = x - x.max(axis=-1, keepdims=True)
    return np.asarray(x - np.log(np.exp(x).sum(axis=-1, keepdims=True)))


# === The best path ===


def greedy(logits: Floats, alphabet: Alphabet) -> tuple[str, list[Letter]]:
    """Return the text of the best path of `logits`, (T, C), and its letters.

    Raises:
        ValueError: the shape is not (T, alphabet.classes).
    """
    _check(logits, alphabet)
    probabilities = np.exp(log_softmax(logits))
    path = probabilities.argmax(axis=1)
    letters = []
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(path)], strict=True):
        if path[start] == BLANK:
            continue
        letters.append(
            Letter(
                alphabet.decode([int(path[start])]),
                float(probabilities[start:stop, path[start]].mean()),
                int(start) * COLUMNS_PER_STEP,
                int(stop) * COLUMNS_PER_STEP,
            )
        )
    return "".join(letter.character for letter in letters), letters


def greedy_text(logits: Floats, alphabet: Alphabet) -> str:
    """Return the text of the best path of `logits`, (T, C)."""
    _check(logits, alphabet)
    path = np.asarray(logits).argmax(axis=1)
    changed = path[np.flatnonzero(np.diff(path, prepend=-1))]
    return alphabet.decode(int(i) for i in changed if i != BLANK)


# === All paths ===


def log_probability(logits: Floats, ids: Sequence[int]) -> float:
    """Return the log-probability of one text; see `log_probabilities`."""
    return float(log_probabilities(logits, [ids])[0])


def log_probabilities(logits: Floats, texts: Sequence[Sequence[int]]) -> Doubles:
    """Return the log-probability of each text: the sum over all of its paths.

    The forward algorithm of Graves et al., for thousands of texts at once. It runs on plain
    probabilities, which is ten times faster than on logarithms; texts so unlikely that
    float64 might underflow are computed again on logarithms, so every value is exact.

    Args:
        logits: (T, C).
        texts: class ids in 1..C-1; an empty text has the all-blank path alone.

    Returns:
        (N,) float64 values <= 0; -inf where a text cannot be emitted in T steps.
    """
    scores = log_softmax(logits)
    lengths = np.fromiter(map(len, texts), np.intp, len(texts))
    result = np.full(len(texts), -np.inf)
    # Texts of similar length go together, so that little is padding.
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        count = max(1, CELLS // (len(scores) * (2 * int(lengths[order[start]]) + 3)))
        chosen = order[start : start + count]
        start += count
        extended, skips = _extend([texts[i] for i in chosen])
        values = _forward(scores, extended, skips, lengths[chosen])
        for i in np.flatnonzero(values < np.log(TINY)):
            n = int(lengths[chosen[i]])
            values[i] = _log_forward(scores, extended[: 2 * n + 1, i], skips[: 2 * n + 1, i])
        result[chosen] = values
    return result


def _extend(texts: Sequence[Sequence[int]]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the states of texts, blanks before, between and after letters: b l1 b l2 b ...

    Returns:
        (S, N) classes, S = 2 * longest + 1, padded with blanks; and (S, N) whether a state may
        be entered from two states before: it may unless that skips a letter or merges a repeat.
    """
    longest = max(map(len, texts))
    extended = np.full((2 * longest + 1, len(texts)), BLANK)
    for column, ids in enumerate(texts):
        extended[1 : 2 * len(ids) : 2, column] = ids
    skips = np.zeros(extended.shape, bool)
    skips[3::2] = extended[3::2] != extended[1:-2:2]
    return extended, skips


def _forward(
    scores: Doubles, extended: NDArray[np.intp], skips: NDArray[np.bool_], lengths: NDArray[np.intp]
) -> Doubles:
    """Return log-probabilities of N texts, on plain probabilities; see `_extend`."""
    # The likeliest path weighs 1, so that underflow takes an unlikely text.
    peaks = scores.max(axis=1)
    emitted = np.exp(scores - peaks[:, None])[:, extended]  # T x S x N
    forward = np.zeros((len(extended) + 2, len(lengths)))  # two rows above the first state
    forward[2:4] = emitted[0, :2]
    states = forward[2:]
    may_skip = skips.astype(np.float64)
    moved, skipped = np.empty_like(states), np.empty_like(states)
    for row in emitted[1:]:
        np.multiply(forward[:-2], may_skip, out=skipped)
        np.add(states, forward[1:-1], out=moved)
        np.add(moved, skipped, out=moved)
        np.multiply(moved, row, out=states)
    texts = np.arange(len(lengths))
    ends = states[2 * lengths, texts] + np.where(lengths, forward[2 * lengths + 1, texts], 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(ends) + peaks.sum())


def _log_forward(
    scores: Doubles, extended: NDArray[np.intp], skips: NDArray[np.bool_]
) -> np.float64:
    """Return the log-probability of one text, on logarithms."""
    forward = np.full(len(extended), -np.inf)
    forward[:2] = scores[0, extended[:2]]
    for row in scores[1:, extended]:
        moved = np.full_like(forward, -np.inf)
        moved[1:] = forward[:-1]
        skipped = np.full_like(forward, -np.inf)
        skipped[2:] = np.where(skips[2:], forward[:-2], -np.inf)
        forward = np.logaddexp(np.logaddexp(forward, moved), skipped) + row
    return np.float64(np.logaddexp.reduce(forward[-2:]))


# === Beam ===


def beam(
    logits: Floats, alphabet: Alphabet, width: int = WIDTH, prior: Automaton | None = None
) -> list[Candidate]:
    """Return the likeliest texts of `logits`, (T, C), at most `width`, best first.

    Without a prior the probabilities are exact. A prior shares the same total out anew
    among the texts found, in proportion to their scores.

    Raises:
        ValueError: the shape is not (T, alphabet.classes), or `width` is below 1.
    """
    _check(logits, alphabet)
    found = beam_search(logits, width, prior)
    chances = np.exp([h.log_probability for h in found])
    if prior is not None:
        scores = np.array([h.score for h in found])
        weights = np.exp(scores - scores.max())
        chances = chances.sum() * weights / weights.sum()
    return [
        Candidate(alphabet.decode(h.ids), float(chance))
        for h, chance in zip(found, chances, strict=True)
    ]


def beam_search(
    logits: Floats, width: int = WIDTH, prior: Automaton | None = None
) -> list[Hypothesis]:
    """Return the texts with the best scores, at most `width`, best first.

    Prefix beam search (Hannun et al., "First-Pass Large Vocabulary Continuous Speech
    Recognition using Bi-Directional Recurrent DNNs", 2014), vectorised over prefixes and
    classes; the texts found are then scored exactly.

    Raises:
        ValueError: `width` is below 1.
    """
    if width < 1:
        raise ValueError(f"A beam needs a width of at least 1. Received: {width}")
    probabilities = np.exp(log_softmax(logits))
    classes = probabilities.shape[1]
    parents, letters = [0], [BLANK]  # of every prefix met; number 0 is the empty one
    known: dict[tuple[int, int], int] = {}
    place = np.full(1 + width * len(probabilities), -1)  # of a prefix in the beam, or -1
    # The beam: prefix, its parent, its last class, the chance to end in a blank and not to.
    number, parent, last = np.zeros(1, int), np.full(1, -1), np.zeros(1, int)
    in_blank, in_letter = np.ones(1), np.zeros(1)
    bonus, state = np.ones(1), np.zeros(1, int)
    if prior is not None:
        state[0] = prior.start
    after_blank = False
    for row, blank in zip(probabilities, probabilities[:, BLANK] >= SURELY_BLANK, strict=True):
        if blank:
            if not after_blank:
                in_blank, in_letter = in_blank + in_letter, np.zeros_like(in_letter)
            after_blank = True
            continue
        after_blank = False
        total = in_blank + in_letter
        rows = np.arange(len(total))
        chances = total[:, None] * row  # W x C; a prefix and the class that follows it
        chances[rows, last] = in_blank * row[last]  # a repeat needs a blank between
        stay_letter = in_letter * row[last]
        # The extension of one prefix may be another one of the beam.
        place[number] = rows
        grown = np.flatnonzero(parent >= 0)
        grown = grown[place[parent[grown]] >= 0]
        origin = place[parent[grown]]
        stay_letter[grown] += chances[origin, last[grown]]
        chances[origin, last[grown]] = 0
        stay_blank = total * row[BLANK]
        chances[:, BLANK] = stay_blank + stay_letter  # column 0: nothing follows
        weighed = chances if prior is None else chances * bonus[:, None] * prior.factors[state]
        flat = weighed.ravel()
        count = min(width, int(np.count_nonzero(flat)))
        best = np.argpartition(flat, len(flat) - count)[len(flat) - count :]
        source, class_ = best // classes, best % classes
        stays = class_ == BLANK
        place[number] = -1
        chance = chances[source, class_]
        in_blank = np.where(stays, stay_blank[source], 0.0)
        in_letter = np.where(stays, stay_letter[source], chance)
        if prior is not None:
            bonus = bonus[source] * prior.factors[state[source], class_]
            state = np.where(stays, state[source], prior.following[state[source], class_])
        parent = np.where(stays, parent[source], number[source])
        last = np.where(stays, last[source], class_)
        number = number[source]
        for i in np.flatnonzero(~stays):
            key = (int(number[i]), int(class_[i]))
            if key not in known:
                known[key] = len(parents)
                parents.append(key[0])
                letters.append(key[1])
            number[i] = known[key]
        scale = 1 / chance.max()
        in_blank *= scale
        in_letter *= scale
    texts = [_prefix(int(i), parents, letters) for i in number]
    exact = log_probabilities(logits, texts)
    scores = exact
    if prior is not None:
        scores = exact + np.log(bonus) + np.log(prior.ends[state])
    return [
        Hypothesis(texts[i], float(exact[i]), float(scores[i]))
        for i in np.argsort(-scores, kind="stable")
        if np.isfinite(exact[i])
    ]


def _prefix(number: int, parents: list[int], letters: list[int]) -> tuple[int, ...]:
    """Return the class ids of a prefix."""
    ids = []
    while number:
        ids.append(letters[number])
        number = parents[number]
    return tuple(reversed(ids))


# === Alignment ===


def align(logits: Floats, ids: Sequence[int]) -> list[tuple[int, int]]:
    """Return the time steps, half-open, at which each letter of a text is emitted.

    Those of the text's best path (Viterbi); two letters never share a step.

    Args:
        logits: (T, C).
        ids: class ids in 1..C-1.

    Raises:
        ValueError: the text cannot be emitted in T steps.
    """
    if frames_needed(ids) > len(logits):
        raise ValueError(
            f"A text that needs {frames_needed(ids)} time steps cannot be aligned to {len(logits)}."
        )
    extended, skips = (array[:, 0] for array in _extend([ids]))
    scores = log_softmax(logits)[:, extended]
    states = len(extended)
    best = np.full(states + 2, -np.inf)  # two entries before the first state
    best[2:4] = scores[0, :2]
    barred = np.where(skips, 0.0, -np.inf)
    back = np.zeros((len(scores), states), np.int8)
    for step in range(1, len(scores)):
        ways = np.stack([best[2:], best[1:-1], best[:-2] + barred])
        back[step] = ways.argmax(axis=0)
        best[2:] = ways.max(axis=0) + scores[step]
    state = states - 1 if states < 2 or best[-1] >= best[-2] else states - 2
    path = [state]
    for step in range(len(scores) - 1, 0, -1):
        state -= int(back[step, state])
        path.append(state)
    steps = np.array(path[::-1])
    return [
        (int(emitted[0]), int(emitted[-1]) + 1)
        for emitted in (np.flatnonzero(steps == 2 * i + 1) for i in range(len(ids)))
    ]


def place(
    logits: Floats, ids: Sequence[int], alphabet: Alphabet, image: Grey, *, cut: float = CUT
) -> list[Letter]:
    """Return the letters of a text above their ink, with what else each may be.

    CTC emits a letter in a peak of one or two steps somewhere over its ink, so peaks say where
    letters are, but neither how wide they are nor where one ends; see `edges`. The
    probability of a letter is that of the text over those of the texts that have another
    letter, or none, at its place, each summed over all paths.

    Args:
        logits: (T, C).
        ids: class ids in 1..C-1.
        image: (H, W) uint8 prepared image before padding, paper 255.
        cut: see `edges`.

    Raises:
        ValueError: the text cannot be emitted in T steps, or the shape does not fit.
    """
    _check(logits, alphabet)
    if not ids:
        return []
    spans = align(logits, ids)
    others = _others(logits, ids, spans)
    letters = []
    for i, (left, right) in enumerate(pairwise(edges(spans, image, cut))):
        own = others[i].pop(ids[i])
        ranked = sorted(others[i].items(), key=lambda item: -item[1])
        alternatives = tuple(
            (alphabet.decode([c]) if c != BLANK else "", p) for c, p in ranked if p >= POSSIBLE
        )
        letters.append(Letter(alphabet.decode([ids[i]]), own, left, right, alternatives))
    return letters


def peaks(spans: Sequence[tuple[int, int]]) -> list[float]:
    """Return the column of the prepared image at the middle of each span of time steps."""
    return [(start + stop) / 2 * COLUMNS_PER_STEP for start, stop in spans]


def edges(spans: Sequence[tuple[int, int]], image: Grey, cut: float) -> list[int]:
    """Return the columns at which letters begin; the last entry is where the last one ends.

    Where between two peaks the letters meet depends on how the network was trained, so it is
    measured (`hwr.calibration`): of the shipped one, peaks stand in the left third of the
    ink. Around that place the letters are parted where there is least ink.

    Args:
        spans: of the letters, by `align`; at least one.
        image: (H, W) uint8 prepared image before padding, paper 255.
        cut: the share of the way from one peak to the next at which letters meet, 0..1.
    """
    width = image.shape[1]
    columns = peaks(spans)
    if len(columns) == 1:
        return [0, width]
    ink = ink_profile(image)
    found = [columns[0] - (1 - cut) * (columns[1] - columns[0])]
    for a, b in pairwise(columns):
        middle, reach = a + cut * (b - a), REACH * (b - a)
        near = np.arange(max(0, round(middle - reach)), min(width - 1, round(middle + reach)) + 1)
        # Of columns with little ink, the nearest.
        cost = ink[near] + 0.1 * np.abs(near - middle) / max(reach, 1)
        found.append(float(near[cost.argmin()]) if len(near) else middle)
    found.append(columns[-1] + cut * (columns[-1] - columns[-2]))
    # Letters follow one another, and stand on the image.
    ordered = np.maximum.accumulate(np.clip(np.round(found), 0, width))
    return [int(column) for column in ordered]


def ink_profile(image: Grey) -> Doubles:
    """Return how much ink is in and beside each column of a (H, W) image, 0..1."""
    ink = np.convolve((255.0 - image).sum(axis=0), np.full(3, 1 / 3), "same")
    return np.asarray(ink / max(float(ink.max()), 1.0))


def _others(
    logits: Floats, ids: Sequence[int], spans: Sequence[tuple[int, int]]
) -> list[dict[int, float]]:
    """Return, for each letter, the probability of each class at its place; BLANK is no letter."""
    probabilities = np.exp(log_softmax(logits))
    texts, owners = [], []
    for i, own in enumerate(ids):
        start = spans[i - 1][1] if i else 0
        stop = spans[i + 1][0] if i + 1 < len(spans) else len(logits)
        peaks = probabilities[start:stop].max(axis=0)
        for c in [*np.flatnonzero(peaks >= POSSIBLE).tolist(), own, BLANK]:
            if (i, c) not in owners:
                owners.append((i, c))
                texts.append([*ids[:i], *([c] if c != BLANK else []), *ids[i + 1 :]])
    scores = log_probabilities(logits, texts)
    chances = np.exp(scores - scores.max())
    found: list[dict[int, float]] = [{} for _ in ids]
    for (i, c), chance in zip(owners, chances, strict=True):
        found[i][c] = float(chance)
    for row in found:
        total = sum(row.values())
        for c in row:
            row[c] /= total
    return found


def _check(logits: Floats, alphabet: Alphabet) -> None:
    if logits.ndim != 2 or logits.shape[1] != alphabet.classes or not len(logits):
        raise ValueError(
            f"Logits must be (T, {alphabet.classes}) with T >= 1. Received: {logits.shape}"
        )

"""Alignment: where in a picture the letters of a text stand, and what else each may be."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from hwr.alphabet import BLANK, Alphabet, frames_needed
from hwr.arrays import Doubles, Floats, Grey
from hwr.decoding.ctc import (
    Condensed,
    check_logits,
    extended_states,
    log_probabilities,
    log_softmax,
)
from hwr.letter import Letter
from hwr.spec import COLUMNS_PER_STEP

#: Where letters meet between their peaks if nobody has measured it, and how far from there,
#: as a share of the way between the peaks, a gap in the ink is looked for.
CUT, REACH = 0.5, 0.2

#: How far the last letter goes on, as a share of the mean way between peaks, if its ink does,
#: and how much ink a column must have.
LAST, FAINT = 0.8, 0.04

#: Other letters are weighed where their probability at some time step reaches this.
POSSIBLE = 1e-3


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
    extended, skips = (array[:, 0] for array in extended_states([ids]))
    scores = log_softmax(logits)[:, extended]
    states = len(extended)
    best = np.full(states + 2, -np.inf)  # two entries before the first state
    best[2:4] = scores[0, :2]
    barred = np.where(skips, 0.0, -np.inf)
    back = np.zeros((len(scores), states), np.intp)
    ways = np.empty((3, states))
    for step in range(1, len(scores)):
        ways[0], ways[1] = best[2:], best[1:-1]
        np.add(best[:-2], barred, out=ways[2])
        ways.argmax(axis=0, out=back[step])
        np.add(ways.max(axis=0), scores[step], out=best[2:])
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
    steps: Condensed, ids: Sequence[int], alphabet: Alphabet, image: Grey, *, cut: float = CUT
) -> list[Letter]:
    """Return the letters of a text above their ink, with what else each may be.

    CTC emits a letter in a peak of one or two steps somewhere over its ink, so peaks say where
    letters are, but neither how wide they are nor where one ends; see `edges`. The
    probability of a letter is that of the text over those of the texts that have another
    letter, or none, at its place, each summed over all paths.

    Args:
        steps: condensed, or whole for texts that the beam did not find: these may need letters
            in steps that are surely blank.
        ids: class ids in 1..C-1.
        image: (H, W) uint8 prepared image before padding, paper 255.
        cut: see `edges`.

    Raises:
        ValueError: the text cannot be emitted in T steps, or the shape does not fit.
    """
    check_logits(steps.scores, alphabet)
    if not ids:
        return []
    aligned = align(steps.scores, ids)
    others = _others(steps.scores, ids, aligned)
    letters = []
    for i, (left, right) in enumerate(pairwise(edges(steps.spans(aligned), image, cut))):
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
    measured (`hwr.evaluation.calibration`): of the shipped one, peaks stand in the left third of
    the ink. Around that place the letters are parted where there is least ink. The last letter
    reaches to the end of its ink.

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
    pitch = (columns[-1] - columns[0]) / (len(columns) - 1)
    found.append(_end_of_ink(ink, columns[-1] + cut * (columns[-1] - columns[-2]), LAST * pitch))
    # Letters follow one another, and stand on the image.
    ordered = np.maximum.accumulate(np.clip(np.round(found), 0, width))
    return [int(column) for column in ordered]


def _end_of_ink(ink: Doubles, start: float, furthest: float) -> float:
    """Return where the ink that stands at column `start` ends, at most `furthest` columns on."""
    column, stop = max(0, round(start)), min(len(ink), round(start + furthest))
    if column >= len(ink) or ink[column] < FAINT:
        return start
    white = np.flatnonzero(ink[column:stop] < FAINT)
    return float(column + white[0]) if len(white) else float(stop)


def ink_profile(image: Grey) -> Doubles:
    """Return how much ink is in and beside each column of a (H, W) image, 0..1."""
    ink = np.convolve((255.0 - image).sum(axis=0), np.full(3, 1 / 3), "same")
    return np.asarray(ink / max(float(ink.max()), 1.0))


def _others(
    scores: Doubles, ids: Sequence[int], spans: Sequence[tuple[int, int]]
) -> list[dict[int, float]]:
    """Return, for each letter, the probability of each class at its place; BLANK is no letter."""
    probabilities = np.exp(scores)
    texts, owners = [], []
    for i, own in enumerate(ids):
        start = spans[i - 1][1] if i else 0
        stop = spans[i + 1][0] if i + 1 < len(spans) else len(scores)
        peaks = probabilities[start:stop].max(axis=0)
        # In the order in which they come, each once.
        for c in dict.fromkeys([*np.flatnonzero(peaks >= POSSIBLE).tolist(), own, BLANK]):
            owners.append((i, c))
            texts.append([*ids[:i], *([c] if c != BLANK else []), *ids[i + 1 :]])
    values = log_probabilities(scores, texts)
    chances = np.exp(values - values.max())
    found: list[dict[int, float]] = [{} for _ in ids]
    for (i, c), chance in zip(owners, chances, strict=True):
        found[i][c] = float(chance)
    for row in found:
        total = sum(row.values())
        for c in row:
            row[c] /= total
    return found

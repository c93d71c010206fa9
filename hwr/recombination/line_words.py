"""Words of lines: a written line of known text, cut into its words by alignment."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import BLANK, Alphabet, fold, frames_needed
from hwr.arrays import Floats, Grey
from hwr.decoding.alignment import align
from hwr.decoding.ctc import log_softmax
from hwr.spec import COLUMNS_PER_STEP

#: What may follow a word without being part of it.
_TRAILING = ",.;:"

#: A word whose characters are less probable than this on average (log) is not where it seems.
_LEAST_MEAN = -2.2


@dataclass(frozen=True)
class Word:
    """A word of a line: its text as labelled and its half-open range of columns."""

    text: str
    left: int
    right: int


@dataclass(frozen=True)
class _Token:
    text: str
    start: int
    stop: int
    known: bool


def cut_words(
    line: Grey, label: str, logits: Floats, alphabet: Alphabet, shift: float
) -> list[Word]:
    """Return the words of a line that can be cut out with certainty, from left to right.

    Words with characters outside of the alphabet, such as digits, and the words beside them are
    left out.

    Args:
        line: (H, W) uint8, paper white.
        label: what is written, words divided by spaces.
        logits: (T, C) of the line scaled to the network's height.
        shift: see `hwr.recombination.extract.ink_shift`, in columns of the network's input.
    """
    ids, tokens = _tokens(label, alphabet)
    if not tokens or frames_needed(ids) > len(logits):
        return []
    scores = _with_wildcard(log_softmax(logits), alphabet)
    spans = align(scores, ids)
    columns = line.shape[1] / (len(logits) * COLUMNS_PER_STEP)
    edges = _edges(line, spans, tokens, columns, shift)
    words = []
    for number, token in enumerate(tokens):
        beside = tokens[max(0, number - 1) : number + 2]
        letters = range(token.start, token.stop)
        emitted = [scores[slice(*spans[k]), ids[k]].max() for k in letters]
        if not all(t.known for t in beside) or np.mean(emitted) < _LEAST_MEAN:
            continue
        words.append(Word(token.text, edges[number], edges[number + 1]))
    return [word for word in words if word.right - word.left >= 8]


def _tokens(label: str, alphabet: Alphabet) -> tuple[list[int], list[_Token]]:
    """Return the class ids of a line and its words; class `alphabet.classes` is any ink."""
    ids: list[int] = []
    tokens: list[_Token] = []
    for written in label.split():
        text = written.rstrip(_TRAILING)
        if tokens:
            ids += alphabet.encode(" ")
        start, known = len(ids), bool(text)
        for character in fold(text):
            if character in alphabet.characters and character != " ":
                ids += alphabet.encode(character)
            else:
                ids.append(alphabet.classes)
                known = False
        if start == len(ids):
            ids.append(alphabet.classes)
        tokens.append(_Token(text, start, len(ids), known))
    return ids, tokens


def _with_wildcard(scores: Floats, alphabet: Alphabet) -> Floats:
    """Return `scores` with a class for ink of any kind, and gaps that count as spaces."""
    wildcard = np.maximum(scores[:, 1:].max(axis=1), np.log(0.05)) - 0.7
    scores = np.concatenate([scores, wildcard[:, None]], axis=1)
    space = alphabet.encode(" ")[0]
    # Networks trained on names have hardly seen a space; they say blank there.
    scores[:, space] = np.logaddexp(scores[:, space], scores[:, BLANK] - 0.5)
    return scores


def _edges(
    line: Grey, spans: list[tuple[int, int]], tokens: list[_Token], columns: float, shift: float
) -> list[int]:
    """Return the columns that divide the words, ends of the line included."""
    ink = _without_rules(line < 150)
    density = cv2.blur(ink.sum(axis=0).astype(np.float32)[None], (9, 1))[0]
    edges = [0]
    for before, after in pairwise(tokens):
        last, first = np.mean(spans[before.stop - 1]), np.mean(spans[after.start])
        a, b = ((step * COLUMNS_PER_STEP + shift) * columns for step in (last, first))
        left = int(np.clip(a - 6, edges[-1], line.shape[1] - 4))
        right = int(np.clip(b + 6, left + 3, line.shape[1] - 1))
        middle = (a + b) / 2
        clear = ink[:, left : right + 1].sum(axis=0) <= 1
        bounds = np.flatnonzero(np.diff(np.concatenate(([0], clear.astype(np.int8), [0]))))
        gaps = bounds.reshape(-1, 2) + left
        if len(gaps):
            # The widest gap, unless one nearer to the middle is almost as wide.
            fitness = gaps[:, 1] - gaps[:, 0] - 0.15 * np.abs(gaps.mean(axis=1) - middle)
            edges.append(int(gaps[fitness.argmax()].mean()))
        else:
            at = np.arange(left, right + 1)
            edges.append(int(at[(density[at] + 0.02 * np.abs(at - middle)).argmin()]))
    return [*edges, line.shape[1]]


def _without_rules(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `ink`, (H, W), less long horizontal lines."""
    rules = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_OPEN, np.ones((1, 45), np.uint8))
    return np.asarray(ink & (rules == 0))

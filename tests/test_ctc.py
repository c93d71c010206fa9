from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwr.alphabet import Alphabet
from hwr.ctc import greedy, greedy_text, log_probability, log_softmax

ABC = Alphabet("AB ")


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    """Return the label of a path by the definition: merge repeats, then drop blanks."""
    return tuple(k for k, _ in itertools.groupby(path) if k != 0)


def enumerate_labels(logits: np.ndarray) -> dict[tuple[int, ...], float]:
    """Return the probability of every label by summing over all paths."""
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = exp / exp.sum(axis=1, keepdims=True)
    labels: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(p.shape[1]), repeat=len(p)):
        label = collapse(path)
        chance = math.prod(float(p[t, k]) for t, k in enumerate(path))
        labels[label] = labels.get(label, 0.0) + chance
    return labels


@st.composite
def small_logits(draw: st.DrawFn) -> np.ndarray:
    steps, classes = draw(st.integers(1, 5)), draw(st.integers(2, 4))
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).normal(0, 3, (steps, classes)).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(small_logits())
def test_log_probability_sums_over_all_paths(logits: np.ndarray) -> None:
    labels = enumerate_labels(logits)
    assert sum(labels.values()) == pytest.approx(1)
    for label, chance in labels.items():
        assert math.exp(log_probability(logits, label)) == pytest.approx(chance, rel=1e-6)


def test_label_that_needs_more_steps_than_there_are_is_impossible() -> None:
    assert log_probability(np.zeros((2, 3)), [1, 1]) == -math.inf
    assert log_probability(np.zeros((3, 3)), [1, 1]) == pytest.approx(math.log(1 / 27))


@settings(deadline=None, max_examples=60)
@given(small_logits())
def test_greedy_is_the_label_of_the_best_path(logits: np.ndarray) -> None:
    alphabet = Alphabet("ABCDE"[: logits.shape[1] - 1])
    best = max(
        itertools.product(range(logits.shape[1]), repeat=len(logits)),
        key=lambda path: sum(float(logits[t, k]) for t, k in enumerate(path)),
    )
    text, letters = greedy(logits, alphabet)
    assert text == alphabet.decode(collapse(best))
    assert text == greedy_text(logits, alphabet)
    assert text == "".join(letter.character for letter in letters)


def spike(path: str, classes: str = "_AB ") -> np.ndarray:
    """Return logits whose best path is `path`; '_' is the blank. The best has p = 0.7."""
    logits = np.full((len(path), len(classes)), math.log(0.1))
    logits[np.arange(len(path)), [classes.index(c) for c in path]] = math.log(0.7)
    return logits


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("____", ""),
        ("AAAA", "A"),
        ("AA_A", "AA"),
        ("A_AB_B", "AABB"),
        ("AABB__A", "ABA"),
        ("_A  B_", "A B"),
    ],
)
def test_doubled_letters_need_a_blank(path: str, text: str) -> None:
    assert greedy(spike(path), ABC)[0] == text


def test_letters_carry_probability_and_columns() -> None:
    _, letters = greedy(spike("_AA_B"), ABC)
    assert [(x.character, x.left, x.right) for x in letters] == [("A", 4, 12), ("B", 16, 20)]
    assert [x.probability for x in letters] == pytest.approx([0.7, 0.7])


def test_log_softmax_survives_huge_logits() -> None:
    values = log_softmax(np.array([[1e4, 0.0], [-1e4, -1e4]], np.float32))
    assert values[0] == pytest.approx([0, -1e4])
    assert values[1] == pytest.approx([math.log(0.5)] * 2)


@pytest.mark.parametrize("shape", [(3, 5), (0, 4), (4,)])
def test_logits_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(T, 4\)"):
        greedy(np.zeros(shape), ABC)

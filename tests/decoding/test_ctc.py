from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from ctc_oracles import ABC, collapse, enumerate_labels, small_logits, spike
from hypothesis import given, settings

from hwr.alphabet import Alphabet
from hwr.decoding.ctc import (
    SURELY_BLANK,
    Condensed,
    greedy_text,
    log_probabilities,
    log_probability,
    log_softmax,
)


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
    assert greedy_text(logits, alphabet) == alphabet.decode(collapse(best))


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
    assert greedy_text(spike(path), ABC) == text


def test_log_softmax_survives_huge_logits() -> None:
    values = log_softmax(np.array([[1e4, 0.0], [-1e4, -1e4]], np.float32))
    assert values[0] == pytest.approx([0, -1e4])
    assert values[1] == pytest.approx([math.log(0.5)] * 2)


@pytest.mark.parametrize("shape", [(3, 5), (0, 4), (4,)])
def test_logits_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(T, 4\)"):
        greedy_text(np.zeros(shape), ABC)


# === Many texts ===


def test_texts_scored_together_score_as_alone() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (12, 5))
    texts = [[], [1], [1, 1], [2, 3, 2], [4] * 6, [4] * 7, [1, 2, 3, 4, 1, 2, 3, 4]]
    together = log_probabilities(logits, texts)
    assert together == pytest.approx([log_probability(logits, ids) for ids in texts])
    assert together[5] == -math.inf  # seven equal letters need 13 steps
    assert log_probabilities(logits, []).shape == (0,)


def test_text_far_below_what_floats_hold_is_exact() -> None:
    """A path of 40 steps at e**-50 each; float64 ends near e**-745."""
    logits = np.zeros((40, 3))
    logits[:, 1] = -50.0
    logits[:, 0] = -60.0
    expected = log_softmax(logits)[:, 1].sum()  # AAAA... is one A in 40 steps
    assert expected < -1900
    # Of the paths of A, only those with blanks at the ends differ, each step costing e**-10.
    assert log_probability(logits, [1]) == pytest.approx(expected, abs=0.001)


def test_log_probability_equals_the_loss_of_the_framework() -> None:
    import keras

    rng = np.random.default_rng(1)
    logits = rng.normal(0, 4, (6, 50, 30)).astype(np.float32)
    texts = [rng.integers(1, 30, n).tolist() for n in (1, 3, 7, 7, 12, 20)]
    labels = np.zeros((6, 20), np.int32)
    for row, ids in enumerate(texts):
        labels[row, : len(ids)] = ids
    lengths = np.array([len(ids) for ids in texts], np.int32)
    loss = keras.ops.ctc_loss(labels, logits, lengths, np.full(6, 50, np.int32), mask_index=0)
    ours = [-log_probability(logits[i], ids) for i, ids in enumerate(texts)]
    assert np.asarray(keras.ops.convert_to_numpy(loss)) == pytest.approx(ours, abs=1e-4, rel=1e-6)


# === Condensed steps ===


def test_runs_of_sure_blanks_become_one_step() -> None:
    logits = spike("__A___B__")
    logits[[0, 1, 4, 7, 8], 0] = 12.0  # of the three blanks in the middle, one is sure
    steps = Condensed.of(logits)
    assert steps.starts.tolist() == [0, 2, 3, 4, 5, 6, 7, 9]
    assert steps.spans([(0, 1), (1, 3)]) == [(0, 2), (2, 4)]
    assert np.exp(steps.scores).sum(axis=1) == pytest.approx([1] * 7)
    assert steps.scores[1:6] == pytest.approx(log_softmax(logits)[2:7])  # single steps stay
    assert Condensed.whole(logits).starts.tolist() == list(range(10))


def test_condensed_steps_give_the_same_probabilities() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 1, (60, 5))
    logits[:, 0] += 11
    logits[5::9, 0] -= 12  # a doubtful step every nine
    assert (np.exp(log_softmax(logits))[:, 0] >= SURELY_BLANK).sum() > 30
    short = Condensed.of(logits).scores
    assert len(short) <= 30
    texts = [[], [1], [2, 3], [4, 4, 1], [1, 2, 3, 4]]
    assert log_probabilities(short, texts) == pytest.approx(
        log_probabilities(logits, texts), abs=1e-3
    )

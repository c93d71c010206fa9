from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from ctc_oracles import enumerate_labels

from hwr.decoding.ctc import log_probability
from hwr.network.ctc_loss import ctc_loss, portable_ctc_loss

LABELS = np.array([[1, 2, 0], [2, 2, 0], [1, 0, 0], [0, 0, 0]], np.int32)
LOGITS = np.random.default_rng(3).normal(0, 2, (4, 5, 3)).astype(np.float32)


@pytest.mark.parametrize("loss", [ctc_loss, portable_ctc_loss])
def test_loss_is_minus_the_log_of_all_paths(loss) -> None:  # type: ignore[no-untyped-def]
    values = keras.ops.convert_to_numpy(loss(LABELS, LOGITS))
    assert values.shape == (4,)
    for value, label, logits in zip(values, LABELS, LOGITS, strict=True):
        ids = tuple(int(i) for i in label if i)
        assert value == pytest.approx(-math.log(enumerate_labels(logits)[ids]), abs=1e-4)
        assert value == pytest.approx(-log_probability(logits, ids), abs=1e-4)


def test_both_paths_give_the_same_gradients() -> None:
    tf = pytest.importorskip("tensorflow") if keras.backend.backend() == "tensorflow" else None
    if tf is None:
        pytest.skip("only TensorFlow has a path of its own")
    rng = np.random.default_rng(0)
    logits = tf.constant(rng.normal(0, 2, (8, 24, 30)).astype(np.float32))
    labels = np.zeros((8, 12), np.int32)
    for row, length in enumerate([0, 1, 2, 3, 5, 8, 9, 10]):
        labels[row, :length] = rng.integers(1, 30, length)
    gradients = []
    for loss in (ctc_loss, portable_ctc_loss):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = tf.reduce_sum(loss(labels, logits))
        gradients.append(tape.gradient(value, logits).numpy())
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-4)
    assert np.abs(gradients[0]).max() > 0.1

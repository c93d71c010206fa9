"""The faster layers do what Keras' own do: outputs, gradients, averages."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import hwr.network.fast_layers

RNG = np.random.default_rng(0)


def pair(
    ours: keras.Layer, theirs: keras.Layer, shape: tuple[int, ...]
) -> tuple[keras.Layer, keras.Layer, tf.Tensor]:
    """Return both layers with the same random weights, and an input."""
    for layer in (ours, theirs):
        layer.build(shape)
    for ours_v, theirs_v in zip(ours.weights, theirs.weights, strict=True):
        assert ours_v.path.split("/")[1:] == theirs_v.path.split("/")[1:]
        value = RNG.uniform(0.1, 0.5, ours_v.shape) * RNG.choice((-1, 1), ours_v.shape)
        value = np.abs(value) if "variance" in ours_v.name else value
        ours_v.assign(value)
        theirs_v.assign(value)
    return ours, theirs, tf.constant(RNG.normal(size=shape).astype(np.float32))


def run(layer: keras.Layer, x: tf.Tensor, upstream: tf.Tensor) -> list[np.ndarray]:
    """Return output, gradients and the weights afterwards of one step in a graph."""

    @tf.function
    def step(x: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(y * upstream)
        trained = [v.value for v in layer.trainable_variables]
        return [y, *tape.gradient(loss, [x, *trained])]

    return [a.numpy() for a in step(x)] + [np.asarray(v.value) for v in layer.weights]


def bidirectional(kind: type[layers.Bidirectional]) -> layers.Bidirectional:
    return kind(layers.LSTM(5, return_sequences=True, name="lstm"), name="both")


@pytest.mark.parametrize("shape", [(3, 7, 4), (1, 1, 4)], ids=["several steps", "one step"])
def test_lstm_equals_keras(shape: tuple[int, ...]) -> None:
    ours, theirs, x = pair(
        bidirectional(hwr.network.fast_layers.Bidirectional),
        bidirectional(layers.Bidirectional),
        shape,
    )
    upstream = tf.constant(RNG.normal(size=(*shape[:2], 10)).astype(np.float32))
    for a, b in zip(run(ours, x, upstream), run(theirs, x, upstream), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_batch_normalization_equals_keras(training: bool) -> None:
    shape = (2, 3, 4, 5)
    ours, theirs, x = pair(
        hwr.network.fast_layers.BatchNormalization(momentum=0.9),
        layers.BatchNormalization(momentum=0.9),
        shape,
    )
    if not training:
        np.testing.assert_array_equal(ours(x, training=False), theirs(x, training=False))
        return
    upstream = tf.constant(RNG.normal(size=shape).astype(np.float32))
    for a, b in zip(run(ours, x, upstream), run(theirs, x, upstream), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_frozen_batch_normalization_keeps_its_averages() -> None:
    layer = hwr.network.fast_layers.BatchNormalization()
    layer.build((2, 3, 4, 5))
    layer.trainable = False
    layer(np.ones((2, 3, 4, 5), np.float32), training=True)
    np.testing.assert_array_equal(np.asarray(layer.moving_mean.value), np.zeros(5))


def test_masked_and_half_precision_inputs_take_keras_path() -> None:
    for dtype in ("float32", "float16"):
        ours = hwr.network.fast_layers.Bidirectional(
            layers.LSTM(5, return_sequences=True), dtype=dtype
        )
        x = RNG.normal(size=(2, 4, 3)).astype(dtype)
        mask = np.array([[True, True, False, False], [True] * 4])
        assert np.asarray(ours(x, mask=mask if dtype == "float32" else None)).shape == (2, 4, 10)

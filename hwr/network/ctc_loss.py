"""The CTC loss, with a faster equal path on TensorFlow.

This module, `hwr.network.fast_layers` and `hwr.training.peers` alone know which Keras backend runs.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from hwr.alphabet import BLANK


def ctc_loss(labels: Any, logits: Any) -> Any:
    """Return the CTC loss of each sample (Graves et al., 2006).

    Args:
        labels: (B, L) integer class ids, padded on the right with 0, the blank.
        logits: (B, T, C) float; every label must fit into T steps
            (`hwr.alphabet.frames_needed`), else the loss is meaningless.

    Returns:
        (B,) float32 negative log-probabilities.
    """
    if keras.backend.backend() == "tensorflow":
        return _sparse_tensorflow_loss(labels, logits)
    return portable_ctc_loss(labels, logits)


def portable_ctc_loss(labels: Any, logits: Any) -> Any:
    """Return what `ctc_loss` returns, by Keras operations that every backend has."""
    labels = ops.cast(labels, "int32")
    batch, steps = ops.shape(logits)[0], ops.shape(logits)[1]
    lengths = ops.sum(ops.cast(labels != BLANK, "int32"), axis=1)
    return ops.ctc_loss(
        labels, logits, lengths, ops.full((batch,), steps, dtype="int32"), mask_index=BLANK
    )


def compile_whole_step() -> bool | str:
    """Return the `jit_compile` option of `Model.compile` for this backend.

    On TensorFlow, XLA makes convolutions on a CPU 2 to 4 times slower.
    """
    return False if keras.backend.backend() == "tensorflow" else "auto"


def compiles_every_shape() -> bool:
    """Return whether each shape of a batch costs a compilation, seconds of waiting.

    JAX compiles whole steps. TensorFlow and PyTorch run the operations one by one.
    """
    return bool(keras.backend.backend() == "jax")


def _sparse_tensorflow_loss(labels: Any, logits: Any) -> Any:
    """Return the loss by TensorFlow's C++ kernel.

    It needs sparse labels and is 4 to 9 times faster on a CPU than the dense path, with the
    same loss and gradients.
    """
    import tensorflow as tf

    labels = tf.cast(labels, tf.int32)
    # The kernel refuses empty labels. Their only path is all blanks; the kernel is given
    # some letter in their place, and its answer is replaced.
    empty = tf.equal(labels[:, 0], BLANK)
    all_blank = -tf.reduce_sum(tf.nn.log_softmax(logits)[:, :, BLANK], axis=1)
    labels = tf.concat([tf.where(empty, 1, labels[:, 0])[:, None], labels[:, 1:]], axis=1)
    lengths = tf.math.count_nonzero(labels, axis=1, dtype=tf.int32)
    present = tf.sequence_mask(lengths, tf.shape(labels)[1])
    sparse = tf.SparseTensor(
        tf.where(present),
        tf.boolean_mask(labels, present),
        tf.cast(tf.shape(labels), tf.int64),
    )
    steps = tf.fill((tf.shape(logits)[0],), tf.shape(logits)[1])
    losses = tf.nn.ctc_loss(sparse, logits, None, steps, logits_time_major=False, blank_index=BLANK)
    return tf.where(empty, all_blank, losses)

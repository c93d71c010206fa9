"""Two Keras layers with a faster equal path on TensorFlow without an accelerator.

Class names, variables and results are those of Keras, so weights move freely between the two.
Other backends, accelerators and half precision take Keras' own path.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def _on_tensorflow_cpu() -> bool:
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


class Bidirectional(layers.Bidirectional):  # type: ignore[misc]
    """A bidirectional LSTM over B x T x F -> B x T x 2U.

    Forward, each direction is one operation of TensorFlow instead of a loop of small ones;
    backward, the loop holds only what depends on the step after, and the gradients of the
    weights are one matrix product each instead of a sum over steps. Training a layer of 144
    units takes 0.6 to 0.7 of Keras' time (docs/TRAINING_SPEED.md).
    """

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        plain = initial_state is None and mask is None and self.compute_dtype == "float32"
        if not (plain and _on_tensorflow_cpu()):
            return super().call(sequences, initial_state, mask, training)
        import tensorflow as tf

        time_major = tf.transpose(sequences, (1, 0, 2))  # T x B x F
        forward = _lstm(time_major, self.forward_layer.cell)
        backward = _lstm(time_major[::-1], self.backward_layer.cell)[::-1]
        return tf.transpose(tf.concat([forward, backward], -1), (1, 0, 2))


class BatchNormalization(layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalisation of B x H x W x C over all but the channels.

    Keras normalises by a dozen operations that each pass over the picture; TensorFlow has
    one for it. With its gradient it takes 0.55 (at half resolution) to 0.85 of the time.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        plain = mask is None and self.compute_dtype == "float32" and self.trainable
        if not (training and plain and _on_tensorflow_cpu()):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        # TensorFlow estimates the variance of the population, Keras averages that of batches.
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
        variance *= (count - 1) / count
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + value * (1 - self.momentum))
        return outputs


def _lstm(inputs: Any, cell: Any) -> Any:
    """Return the states h, T x B x U, of a Keras LSTM cell over `inputs`, T x B x F."""
    import tensorflow as tf

    units, features = cell.units, inputs.shape[2]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: Any, kernel: Any, recurrent: Any, bias: Any) -> tuple[Any, Any]:
        steps, batch = tf.shape(x)[0], tf.shape(x)[1]
        nothing, no_peephole = tf.zeros((batch, units)), tf.zeros((units,))
        # Its gates stand in Keras' order: input, forget, candidate, output.
        block = tf.raw_ops.BlockLSTMV2(
            seq_len_max=tf.cast(steps, tf.int64),
            x=x,
            cs_prev=nothing,
            h_prev=nothing,
            w=tf.concat([kernel, recurrent], 0),
            wci=no_peephole,
            wcf=no_peephole,
            wco=no_peephole,
            b=bias,
            cell_clip=0.0,
            use_peephole=False,
        )

        def grad(gradient: Any) -> tuple[Any, Any, Any, Any]:
            # TensorFlow's own gradient of BlockLSTMV2 assumes another order of the gates.
            i, f, o, g = block.i, block.f, block.o, block.ci
            before = tf.concat([nothing[None], block.cs[:-1]], 0)
            gates = _gates_gradient(
                into_i=g * i * (1 - i),
                into_f=before * f * (1 - f),
                into_g=i * (1 - g * g),
                into_o=block.co * o * (1 - o),
                cell_of_state=o * (1 - block.co * block.co),
                forget=f,
                gradient=gradient,
                recurrent=tf.transpose(recurrent),
            )
            flat = tf.reshape(gates, (-1, 4 * units))  # T*B x 4U
            states = tf.reshape(tf.concat([nothing[None], block.h[:-1]], 0), (-1, units))
            return (
                tf.reshape(tf.matmul(flat, kernel, transpose_b=True), tf.shape(x)),
                tf.matmul(tf.reshape(x, (-1, features)), flat, transpose_a=True),
                tf.matmul(states, flat, transpose_a=True),
                tf.reduce_sum(flat, 0),
            )

        return block.h, grad

    return run(
        inputs,
        tf.convert_to_tensor(cell.kernel),
        tf.convert_to_tensor(cell.recurrent_kernel),
        tf.convert_to_tensor(cell.bias),
    )


def _gates_gradient(
    *,
    into_i: Any,
    into_f: Any,
    into_g: Any,
    into_o: Any,
    cell_of_state: Any,
    forget: Any,
    gradient: Any,
    recurrent: Any,
) -> Any:
    """Return the gradients of the gates before their activation, T x B x 4U.

    Args:
        into_i, into_f, into_g: derivatives of the cell by these gates, T x B x U.
        into_o: derivative of the state h by the output gate, T x B x U.
        cell_of_state: derivative of the state h by the cell, T x B x U.
        forget: the forget gate, T x B x U.
        gradient: of the states h as far as they are the layer's output, T x B x U.
        recurrent: the recurrent kernel, transposed, 4U x U.
    """
    import tensorflow as tf

    steps, batch, units = tf.shape(gradient)[0], tf.shape(gradient)[1], recurrent.shape[1]

    def by_step(values: Any) -> Any:
        array = tf.TensorArray(tf.float32, steps, element_shape=(None, units))
        return array.unstack(values)

    i_by, f_by, g_by, o_by = (by_step(v) for v in (into_i, into_f, into_g, into_o))
    state_by, forget_by, out_by = (by_step(v) for v in (cell_of_state, forget, gradient))

    def back(t: Any, state: Any, cell: Any, gates: Any) -> tuple[Any, Any, Any, Any]:
        state += out_by.read(t)
        cell += state * state_by.read(t)
        gate = tf.concat(
            [cell * i_by.read(t), cell * f_by.read(t), cell * g_by.read(t), state * o_by.read(t)],
            -1,
        )
        return t - 1, tf.matmul(gate, recurrent), cell * forget_by.read(t), gates.write(t, gate)

    nothing = tf.zeros((batch, units))
    gates = tf.TensorArray(tf.float32, steps, element_shape=(None, 4 * units))
    *_, gates = tf.while_loop(
        lambda t, *_: t >= 0,
        back,
        (steps - 1, nothing, nothing, gates),
        maximum_iterations=steps,
    )
    return gates.stack()

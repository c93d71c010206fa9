"""The network: a convolutional recurrent network (CRNN) in Keras that emits CTC logits.

After Shi, Bai and Yao, "An End-to-End Trainable Neural Network for Image-based Sequence
Recognition", 2015. Orientation is private to this module: pictures come as (height, width)
and width becomes time inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
from keras import layers

from hwr.network.fast_layers import BatchNormalization, Bidirectional
from hwr.spec import Spec

#: What a network may calculate in.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "float64")

# === Layers ===


def _convolution(
    x: keras.KerasTensor,
    filters: int,
    name: str,
    *,
    kernel: int = 3,
    strides: tuple[int, int] = (1, 1),
) -> keras.KerasTensor:
    """Convolve, normalise, rectify: B x H x W x C -> B x H/strides x W/strides x filters."""
    x = layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    x = BatchNormalization(momentum=0.95, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _residual(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Add a convolution of `x` to `x`; the shape stays."""
    return layers.Add(name=f"{name}_add")([x, _convolution(x, x.shape[-1], name)])


# === Functional model ===


def build_model(
    spec: Spec, *, shortcut: bool = False, portable: bool = False, precision: str = "float32"
) -> keras.Model:
    """Return the untrained network of `spec`.

    Input: (B, height, W, 1) float32 in 0..255, paper 255, W a multiple of 4.
    Output: logits (B, W / 4, classes) float32; class 0 is the CTC blank. Softmax is left to
    the loss and to the decoder, which are more accurate on logits.

    Args:
        shortcut: add a second output of the same shape that reads the convolutional
            features without the recurrent layers. Its loss trains the convolutions directly
            (Retsinas et al., "Best Practices for a Handwritten Text Recognition System",
            2022); it is dropped when the weights are saved.
        portable: use Keras' own recurrent layers, made of operations that converters know.
        precision: one of PRECISIONS. A mixed one calculates in 16 bits, which accelerators do
            faster, but for the logits, the averages of the normalisation and the sums of the
            loss; the weights stay float32. With float64 all is float64: for reading, where
            what float32 rounds off is to be known; JAX does so with JAX_ENABLE_X64 alone.

    Raises:
        ValueError: there is no such precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is one of {', '.join(PRECISIONS)}. Received: {precision!r}")
    with _calculating_in(precision):
        return _network(
            spec,
            shortcut=shortcut,
            portable=portable,
            outer="float64" if precision == "float64" else "float32",
        )


@contextmanager
def _calculating_in(precision: str) -> Iterator[None]:
    """Let the layers that are made inside calculate in `precision`."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _network(spec: Spec, *, shortcut: bool, portable: bool, outer: str) -> keras.Model:
    """Return the network; `outer` is the dtype of the ink and of the logits."""
    bidirectional = layers.Bidirectional if portable else Bidirectional
    inputs = keras.Input((spec.height, None, 1), name="image")
    # Ink is 1 and paper 0, so that zero padding inside the convolutions is paper. A float of
    # Python would be rounded to float32 first, and paper in float64 not be 0.
    x = layers.Rescaling(np.float64(-1 / 255), offset=1.0, dtype=outer, name="ink")(inputs)
    first, second, third = spec.filters
    # Strided convolutions rather than pooling: on a CPU, pooling and normalising at full
    # resolution cost more than all arithmetic (43 against 79 images/s in training).
    x = _convolution(x, first, "stem", kernel=5, strides=(2, 2))  # B x H/2 x W/2
    x = _convolution(x, second, "stage2", strides=(2, 2))  # B x H/4 x W/4
    x = _residual(x, "stage2_residual")
    x = _convolution(x, third, "stage3", strides=(2, 1))  # B x H/8 x W/4
    x = _residual(x, "stage3_residual")
    # A kernel as high as the picture folds the height away and, unlike a maximum, still
    # knows on which line a stroke lay: names stand in the middle, rests of prompts do not.
    x = layers.ZeroPadding2D((0, 1), name="column_pad")(x)
    x = layers.Conv2D(
        spec.features,
        (spec.height // 8, 3),
        use_bias=False,
        kernel_initializer="he_normal",
        name="column",
    )(x)  # B x 1 x W/4 x F
    x = BatchNormalization(momentum=0.95, name="column_norm")(x)
    x = layers.ReLU(name="column_relu")(x)
    features = layers.Reshape((-1, spec.features), name="time")(x)  # B x T x F
    x = features
    for number in range(1, spec.layers + 1):
        x = layers.Dropout(spec.dropout, name=f"dropout{number}")(x)
        lstm = layers.LSTM(spec.units, return_sequences=True)
        x = bidirectional(lstm, name=f"lstm{number}")(x)  # B x T x 2U
    x = layers.Dropout(spec.dropout, name="dropout_logits")(x)
    classes = spec.alphabet.classes
    logits = layers.Dense(classes, dtype=outer, name="logits")(x)  # B x T x C
    if not shortcut:
        return keras.Model(inputs, logits, name="crnn")
    aside = layers.Conv1D(classes, 3, padding="same", dtype=outer, name="shortcut")(features)
    return keras.Model(inputs, [logits, aside], name="crnn_training")

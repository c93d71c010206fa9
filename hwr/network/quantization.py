"""The 8-bit graph: the network's ONNX graph with weights and features of 8 bits.

model.onnx -> features of equal range -> ranges measured, weights scaled (ONNX Runtime)
-> weights rounded such that sums change least
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwr.arrays import Doubles, Grey
from hwr.network.engine import batches_by_width
from hwr.network.onnx_graph import INPUT
from hwr.spec import Spec

#: Layers that keep 32 bits: each filter of the stem has 25 inputs, so that rounding would cost
#: more time than it saves.
FLOATS = ("stem",)

#: Which tensors hold the same features, which layers write them and which read them.
FEATURES = (
    (("stem_relu",), ("stem",), ("stage2",)),
    (
        ("stage2_relu", "stage2_residual_relu", "stage2_residual_add"),
        ("stage2", "stage2_residual"),
        ("stage2_residual", "stage3"),
    ),
    (
        ("stage3_relu", "stage3_residual_relu", "stage3_residual_add"),
        ("stage3", "stage3_residual"),
        ("stage3_residual", "column"),
    ),
    (("column_relu",), ("column",), ("lstm1",)),
)

#: The smallest range of a feature, as a share of the widest one.
LEAST_RANGE = 0.02

#: Weights are -LIMIT..LIMIT, 7 bits. Processors without VNNI instructions (most of those made
#: before 2020) add two products with a feature of 8 bits in 16 bits: 2 * 255 * 64 fits, and sums
#: of larger weights would be cut off there.
LIMIT = 64

#: Places of each batch of pictures that the inputs of a convolution are looked at.
PLACES = 600

#: Added to the mean square of every input, as a share of their mean: inputs that were hardly seen
#: must not be relied on to compensate for others.
DAMPING = 0.01


def int8_bytes(model: bytes, images: Sequence[Grey], spec: Spec) -> bytes:
    """Return a serialised ONNX model in 8 bits.

    Convolutions get 8-bit weights, one scale a filter, and 8-bit inputs, whose ranges are
    measured; recurrent layers get 8-bit weights, one scale for each gate of each unit, and scale
    their inputs as they come. The rest stays as it is.

    Args:
        model: what `hwr.network.onnx_graph.onnx_bytes` returns.
        images: prepared pictures, at least one, to measure on.

    Raises:
        ImportError: the package onnx is not installed.
    """
    import onnx

    graph = onnx.load_from_string(model)
    _even_out(graph, images, spec)
    plain = bytes(graph.SerializeToString())
    quantized = onnx.load_from_string(_quantized(plain, images, spec))
    _round(quantized, graph, _moments(graph, images, spec))
    return bytes(quantized.SerializeToString())


# === Features of equal range ===


def _even_out(graph: Any, images: Sequence[Grey], spec: Spec) -> None:
    """Scale features such that each has the same range; the logits stay the same.

    All features of a tensor share one 8-bit scale, too coarse for small ones (Nagel et al.,
    "Data-free quantization through weight equalization and bias correction", 2019). The input of
    a ReLU can be divided by any positive number if the layers behind it multiply by it.
    """
    tensors = [name for names, _, _ in FEATURES for name in names]
    largest: dict[str, list[Doubles]] = {name: [] for name in tensors}
    for values in _observed(graph, tensors, images, spec):
        for name in tensors:
            largest[name].append(values[name].max(axis=(0, 2, 3)))
    weights = _Weights(graph)
    for names, writers, readers in FEATURES:
        ranges = np.max([np.mean(largest[name], axis=0) for name in names], axis=0)
        ranges = np.maximum(ranges, max(LEAST_RANGE * float(ranges.max()), 1e-6))
        scales = ranges / np.exp(np.log(ranges).mean())
        for layer in writers:
            weights[f"{layer}_kernel"] /= scales[:, None, None, None]
            weights[f"{layer}_bias"] /= scales
        for layer in readers:
            if layer.startswith("lstm"):
                weights[f"{layer}_w"] *= scales
            else:
                weights[f"{layer}_kernel"] *= scales[:, None, None]
    weights.store(np.float32)


class _Weights(dict[str, Doubles]):
    """The constants of a graph in float64, by name."""

    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self._constants = {constant.name: constant for constant in graph.graph.initializer}
        super().__init__(
            (name, numpy_helper.to_array(constant).astype(np.float64))
            for name, constant in self._constants.items()
            if name.endswith(("_kernel", "_bias", "_w", "_r"))
        )

    def store(self, dtype: type) -> None:
        """Put all into the graph."""
        from onnx import numpy_helper

        for name, value in self.items():
            self._constants[name].CopyFrom(numpy_helper.from_array(value.astype(dtype), name))


# === Ranges and scales ===


def _quantized(model: bytes, images: Sequence[Grey], spec: Spec) -> bytes:
    """Return the model with each weight rounded to the nearest."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    class Pictures(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = batches_by_width(images, spec)

        def get_next(self) -> dict[str, Grey] | None:
            _, batch = next(self._batches, (None, None))
            return None if batch is None else {INPUT: batch}

    with tempfile.TemporaryDirectory() as scratch, _quiet():
        whole, static, both = (
            Path(scratch, f"{name}.onnx") for name in ("whole", "static", "both")
        )
        whole.write_bytes(model)
        quantize_static(
            whole,
            static,
            Pictures(),
            quant_format=QuantFormat.QDQ,
            # With "Relu", what a filter writes is rounded behind its rectifier: no step of the
            # range goes to values that are cut off, and sums of layers stay in 8 bits.
            op_types_to_quantize=["Conv", "Relu"],
            nodes_to_exclude=[name for layer in FLOATS for name in (layer, f"{layer}_relu")],
            per_channel=True,
            reduce_range=True,  # see LIMIT
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # Ranges averaged over the batches of pictures: the rarest extremes are cut off, and
            # the steps of all others are finer.
            extra_options={"CalibMovingAverage": True},
        )
        quantize_dynamic(
            static,
            both,
            op_types_to_quantize=["LSTM"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
        return both.read_bytes()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence advice that the quantizer gives through the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


# === Rounding ===


def _round(quantized: Any, graph: Any, moments: Mapping[str, Doubles]) -> None:
    """Round the weights of `graph` anew, into `quantized`, by the scales that stand there."""
    from onnx import numpy_helper

    constants = {constant.name: constant for constant in quantized.graph.initializer}
    for name, weights in _Weights(graph).items():
        constant = constants.get(f"{name}_quantized")
        if constant is None or name.endswith("_bias"):
            continue
        scales = numpy_helper.to_array(constants[f"{name}_scale"]).astype(np.float64)
        if name.endswith("_kernel"):
            flat = weights.reshape(len(weights), -1)
            rounded = round_weights(flat, scales, moments[name], LIMIT).reshape(weights.shape)
        else:  # both directions; ONNX Runtime stores them transposed
            each = zip(weights, scales.reshape(2, -1), (0, 1), strict=True)
            rounded = np.stack(
                [round_weights(w, s, moments[f"{name}{way}"], LIMIT).T for w, s, way in each]
            )
        dtype = numpy_helper.to_array(constant).dtype
        constant.CopyFrom(numpy_helper.from_array(rounded.astype(dtype), constant.name))


def round_weights(weights: Doubles, scales: Doubles, moments: Doubles, limit: int) -> Doubles:
    """Return whole numbers that stand for `weights` when multiplied by `scales`.

    Inputs are correlated, so weights not yet rounded compensate for the error of those that are
    (Frantar et al., "GPTQ: Accurate post-training quantization for generative pre-trained
    transformers", 2022). Inputs with the largest squares come first.

    Args:
        weights: (N, K), of N sums of K inputs.
        scales: (N,), above 0.
        moments: (K, K) sums of the products of every two inputs, over many pictures.
        limit: the largest whole number, and minus the smallest.

    Returns:
        (N, K) whole numbers, -limit to limit.
    """
    order = np.argsort(-np.diag(moments), kind="stable")
    rest = np.array(weights[:, order], np.float64)
    damping = DAMPING * float(np.diag(moments).mean()) or 1.0
    squares = moments[np.ix_(order, order)] + damping * np.eye(len(moments))
    # Row k: how much the inputs after k compensate for an error of input k.
    factor = np.linalg.cholesky(np.linalg.inv(squares)).T
    rounded = np.empty_like(rest)
    for k in range(rest.shape[1]):
        rounded[:, k] = np.clip(np.round(rest[:, k] / scales), -limit, limit)
        error = (rest[:, k] - rounded[:, k] * scales) / factor[k, k]
        rest[:, k + 1 :] -= np.outer(error, factor[k, k + 1 :])
    return rounded[:, np.argsort(order)]


def _moments(graph: Any, images: Sequence[Grey], spec: Spec) -> dict[str, Doubles]:
    """Return, for each weight, sums of the products of every two of its layer's inputs.

    By the name of the weight; of recurrent layers with 0 or 1 behind it for the direction.
    """
    nodes = [n for n in graph.graph.node if n.op_type in ("Conv", "LSTM") and n.name not in FLOATS]
    wanted = {node.input[0] for node in nodes}
    wanted |= {node.output[0] for node in nodes if node.op_type == "LSTM"}
    rng = np.random.default_rng(0)
    moments: dict[str, Doubles] = {}

    def add(name: str, inputs: NDArray[Any]) -> None:
        rows = inputs.reshape(-1, inputs.shape[-1]).astype(np.float64)
        moments[name] = moments.get(name, 0.0) + rows.T @ rows

    for values in _observed(graph, sorted(wanted), images, spec):
        for node in nodes:
            features = values[node.input[0]]
            if node.op_type == "Conv":
                windows = _windows(features, node)
                some = rng.permutation(len(windows))[:PLACES]
                add(f"{node.name}_kernel", windows[some])
                continue
            states = values[node.output[0]]  # T x 2 x B x U
            for way, before in enumerate((states[:-1, 0], states[1:, 1])):
                add(f"{node.name}_w{way}", features)
                add(f"{node.name}_r{way}", before)
    return moments


def _windows(features: NDArray[Any], node: Any) -> NDArray[Any]:
    """Return what each output of a convolution sees: B x C x H x W -> places x inputs."""
    sizes = {a.name: list(a.ints) for a in node.attribute}
    (top, left, bottom, right), (down, across) = sizes["pads"], sizes["strides"]
    padded = np.pad(features, ((0, 0), (0, 0), (top, bottom), (left, right)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, sizes["kernel_shape"], axis=(2, 3))
    seen = seen[:, :, ::down, ::across].transpose(0, 2, 3, 1, 4, 5)  # B x H x W x C x h x w
    return seen.reshape(-1, int(np.prod(seen.shape[3:])))


def _observed(
    graph: Any, tensors: Sequence[str], images: Sequence[Grey], spec: Spec
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Yield the values of some tensors of `graph` for each batch of pictures."""
    import onnx
    import onnxruntime

    shown = onnx.ModelProto()
    shown.CopyFrom(graph)
    for name in tensors:
        kind = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        shown.graph.output.append(kind)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    session = onnxruntime.InferenceSession(
        shown.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for _, batch in batches_by_width(images, spec):
        yield dict(zip(tensors, session.run(list(tensors), {INPUT: batch}), strict=True))

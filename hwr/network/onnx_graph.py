"""The network as an ONNX graph, written node by node from the weights of the Keras model.

Written by hand rather than converted: batch normalisation is folded into the convolutions, each
recurrent layer is one LSTM node, and the input is the prepared picture as it is, in bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwr.arrays import Singles
from hwr.spec import Spec

if TYPE_CHECKING:
    import keras

#: The operators used are unchanged since this version (2021), so that old runtimes read the file.
OPSET = 14
IR_VERSION = 8

INPUT, OUTPUT = "image", "logits"


def onnx_bytes(model: keras.Model, spec: Spec) -> bytes:
    """Return the network as a serialised ONNX model.

    Input `image`: (B, height, W) uint8, paper 255, W a multiple of 4.
    Output `logits`: (B, W / 4, classes) float32, equal to those of `model` up to rounding.

    Raises:
        ImportError: the package onnx is not installed.
    """
    return _Graph(model, spec).serialised()


# === Nodes ===


class _Graph:
    """Nodes and constants, in order; each method appends one layer and returns its output."""

    def __init__(self, model: keras.Model, spec: Spec) -> None:
        self.model, self.spec = model, spec
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def serialised(self) -> bytes:
        from onnx import TensorProto, helper

        spec = self.spec
        x = self._ink()  # B x 1 x H x W
        x = self._convolution(x, "stem", (2, 2))
        x = self._convolution(x, "stage2", (2, 2))
        x = self._residual(x, "stage2_residual")
        x = self._convolution(x, "stage3", (2, 1))
        x = self._residual(x, "stage3_residual")
        x = self._convolution(x, "column", (1, 1), pads=(0, 1, 0, 1))  # B x F x 1 x T
        x = self._node("Squeeze", [x, self._constant("rows", np.array([2]))], "features")
        x = self._node("Transpose", [x], "time", perm=(2, 0, 1))  # T x B x F
        for number in range(1, spec.layers + 1):
            x = self._lstm(x, f"lstm{number}")  # T x B x 2U
        kernel, bias = self._weights("logits")
        x = self._node("MatMul", [x, self._constant("logits_kernel", kernel)], "logits_product")
        x = self._node("Add", [x, self._constant("logits_bias", bias)], "logits_by_time")
        x = self._node("Transpose", [x], OUTPUT, perm=(1, 0, 2))  # B x T x C
        graph = helper.make_graph(
            self.nodes,
            "crnn",
            [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["B", spec.height, "W"])],
            [
                helper.make_tensor_value_info(
                    OUTPUT, TensorProto.FLOAT, ["B", "T", spec.alphabet.classes]
                )
            ],
            self.constants,
        )
        model = helper.make_model(
            graph,
            producer_name="hwr",
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        return bytes(model.SerializeToString())

    def _ink(self) -> str:
        """Ink is 255 and paper 0; the stem's weights are divided by 255."""
        white = self._constant("white", np.array(255, np.uint8))
        x = self._node("Sub", [white, INPUT], "ink_bytes")
        x = self._node("Unsqueeze", [x, self._constant("channel", np.array([1]))], "ink_channel")
        return self._node("Cast", [x], "ink", to=1)

    def _convolution(
        self,
        x: str,
        name: str,
        strides: tuple[int, int],
        pads: tuple[int, int, int, int] | None = None,
    ) -> str:
        # In float64, rounded once: what the folded weights are off, the recurrent layers enlarge.
        kernel, gamma, beta, mean, variance = (
            weights.astype(np.float64)
            for weights in (*self._weights(name), *self._weights(f"{name}_norm"))
        )  # the kernel: h x w x in x out
        scale = gamma / np.sqrt(variance + self.model.get_layer(f"{name}_norm").epsilon)
        folded = (kernel * scale).transpose(3, 2, 0, 1)
        if name == "stem":
            folded = folded / 255
        out = self._node(
            "Conv",
            [
                x,
                self._constant(f"{name}_kernel", folded.astype(np.float32)),
                self._constant(f"{name}_bias", (beta - mean * scale).astype(np.float32)),
            ],
            name,
            strides=strides,
            pads=pads or _same_padding(kernel.shape[:2], strides),
            kernel_shape=kernel.shape[:2],
        )
        return self._node("Relu", [out], f"{name}_relu")

    def _residual(self, x: str, name: str) -> str:
        return self._node("Add", [x, self._convolution(x, name, (1, 1))], f"{name}_add")

    def _lstm(self, x: str, name: str) -> str:
        """T x B x F -> T x B x 2U."""
        units = self.spec.units
        kernels, recurrents, biases = [], [], []
        weights = self._weights(name)
        for kernel, recurrent, bias in (weights[:3], weights[3:]):
            kernels.append(_onnx_gates(kernel).T)
            recurrents.append(_onnx_gates(recurrent).T)
            # ONNX has a second bias, of the recurrent product.
            biases.append(np.concatenate((_onnx_gates(bias), np.zeros(4 * units, np.float32))))
        out = self._node(
            "LSTM",
            [
                x,
                self._constant(f"{name}_w", np.stack(kernels)),
                self._constant(f"{name}_r", np.stack(recurrents)),
                self._constant(f"{name}_b", np.stack(biases)),
            ],
            name,
            direction="bidirectional",
            hidden_size=units,
        )  # T x 2 x B x U
        out = self._node("Transpose", [out], f"{name}_pairs", perm=(0, 2, 1, 3))  # T x B x 2 x U
        shape = self._constant(f"{name}_shape", np.array([0, 0, 2 * units]))
        return self._node("Reshape", [out, shape], f"{name}_both")

    def _weights(self, layer: str) -> list[Singles]:
        return [np.asarray(w, np.float32) for w in self.model.get_layer(layer).get_weights()]

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def _same_padding(kernel: tuple[int, ...], strides: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return (top, left, bottom, right) of Keras' "same" for sizes the strides divide."""
    totals = [side - stride for side, stride in zip(kernel, strides, strict=True)]
    before = [total // 2 for total in totals]
    after = [total - first for total, first in zip(totals, before, strict=True)]
    return before[0], before[1], after[0], after[1]


def _onnx_gates(weights: Singles) -> Singles:
    """Return the gates on the last axis in ONNX's order.

    Keras has input, forget, candidate, output; ONNX has input, output, forget, candidate.
    """
    i, f, c, o = np.split(weights, 4, axis=-1)
    return np.concatenate((i, o, f, c), axis=-1)

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from helpers import TINY, write_word
from onnx import numpy_helper

from hwr.network.engine import OnnxEngine
from hwr.network.model_folder import load_onnx
from hwr.network.quantization import (
    FEATURES,
    LEAST_RANGE,
    LIMIT,
    _even_out,
    _observed,
    int8_bytes,
    round_weights,
)
from hwr.preprocess import pad, prepare

IMAGES = [prepare(write_word(word), TINY).image for word in ("ANNA", "BOB", "HELENE", "MARTIN")]


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> bytes:
    return load_onnx(tiny_model)[1]


def logits(model: bytes) -> list[np.ndarray]:
    engine = OnnxEngine(model, alone=True)
    return [engine(pad(image, TINY)[None])[0] for image in IMAGES]


def uneven(model: bytes) -> bytes:
    """Return a model that says the same, some of whose features are 8 times as large."""
    graph = onnx.load_from_string(model)
    for constant in graph.graph.initializer:
        value = numpy_helper.to_array(constant).copy()
        if constant.name in ("stage3_kernel", "stage3_bias"):
            value[::2] *= 8
        elif constant.name in ("stage3_residual_kernel", "stage3_residual_bias"):
            value[::2] *= 8
            if value.ndim == 4:
                value[:, ::2] /= 8
        elif constant.name == "column_kernel":
            value[:, ::2] /= 8
        constant.CopyFrom(numpy_helper.from_array(value, constant.name))
    return bytes(graph.SerializeToString())


def ranges(graph: onnx.ModelProto) -> list[np.ndarray]:
    """Return the range of each of the FEATURES."""
    names = [name for tensors, _, _ in FEATURES for name in tensors]
    batches = list(_observed(graph, names, IMAGES, TINY))
    means = {n: np.mean([v[n].max(axis=(0, 2, 3)) for v in batches], axis=0) for n in names}
    return [np.max([means[name] for name in tensors], axis=0) for tensors, _, _ in FEATURES]


def test_features_of_equal_range_say_the_same(model: bytes) -> None:
    graph = onnx.load_from_string(uneven(model))
    said, before = logits(bytes(graph.SerializeToString())), ranges(graph)
    _even_out(graph, IMAGES, TINY)
    for ours, theirs in zip(logits(bytes(graph.SerializeToString())), said, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for old, new in zip(before, ranges(graph), strict=True):
        there = old >= LEAST_RANGE * old.max()
        assert there.mean() >= 0.5
        assert old[there].max() > 2 * old[there].min()
        np.testing.assert_allclose(new[there], new.max(), rtol=1e-4)


def test_features_of_unequal_range_are_rounded_as_finely(model: bytes) -> None:
    def off(model: bytes) -> float:
        pairs = zip(logits(int8_bytes(model, IMAGES, TINY)), logits(model), strict=True)
        return float(np.mean([np.abs(ours - theirs).mean() for ours, theirs in pairs]))

    assert 0 < off(uneven(model)) < 1.2 * off(model)


def test_no_weight_is_so_large_that_old_processors_would_cut_sums_off(model: bytes) -> None:
    constants = onnx.load_from_string(int8_bytes(model, IMAGES, TINY)).graph.initializer
    weights = {c.name: numpy_helper.to_array(c) for c in constants if c.name.endswith("_quantized")}
    weights = {name: w for name, w in weights.items() if w.dtype == np.int8}
    assert sorted(weights) == [
        "column_kernel_quantized", "lstm1_r_quantized", "lstm1_w_quantized",
        "lstm2_r_quantized", "lstm2_w_quantized", "stage2_kernel_quantized",
        "stage2_residual_kernel_quantized", "stage3_kernel_quantized",
        "stage3_residual_kernel_quantized",
    ]  # fmt: skip
    for values in weights.values():
        assert LIMIT / 2 < np.abs(values.astype(int)).max() <= LIMIT
    assert 2 * 255 * LIMIT < 2**15


# === Rounding ===

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(0, 1, (6, 20))
SCALES = np.abs(WEIGHTS).max(axis=1) / 8


def error(rounded: np.ndarray, moments: np.ndarray) -> float:
    """Return the mean square of what the sums are off, over the inputs behind `moments`."""
    off = WEIGHTS - rounded * SCALES[:, None]
    return float(np.einsum("nk,kl,nl->", off, moments, off))


def test_inputs_that_have_nothing_to_do_with_each_other_round_to_the_nearest() -> None:
    moments = np.diag(RNG.uniform(1, 5, 20))
    nearest = np.round(WEIGHTS / SCALES[:, None])
    np.testing.assert_array_equal(round_weights(WEIGHTS, SCALES, moments, 8), nearest)


def test_inputs_that_were_never_seen_round_to_the_nearest() -> None:
    nearest = np.round(WEIGHTS / SCALES[:, None])
    np.testing.assert_array_equal(round_weights(WEIGHTS, SCALES, np.zeros((20, 20)), 8), nearest)


def test_inputs_that_go_together_make_up_for_each_other() -> None:
    inputs = RNG.normal(0, 1, (500, 4)) @ RNG.normal(0, 1, (4, 20)) + RNG.normal(0, 0.1, (500, 20))
    moments = inputs.T @ inputs
    rounded = round_weights(WEIGHTS, SCALES, moments, 8)
    assert (rounded == np.round(rounded)).all()
    nearest = np.clip(np.round(WEIGHTS / SCALES[:, None]), -8, 8)
    assert error(rounded, moments) < 0.2 * error(nearest, moments)


def test_the_limit_is_kept() -> None:
    inputs = np.repeat(RNG.normal(0, 1, (500, 1)), 20, axis=1)
    rounded = round_weights(WEIGHTS, SCALES / 3, inputs.T @ inputs, 8)
    assert np.abs(rounded).max() == 8

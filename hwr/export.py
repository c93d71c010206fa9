"""Export: the network of a model folder written for other runtimes."""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwr.dataset import DatasetError, open_dataset
from hwr.engine import batches_by_width
from hwr.image import ImageError, load_image
from hwr.model_folder import ModelFolderError, add_onnx, load_model, load_onnx
from hwr.onnx_graph import INPUT, OUTPUT, onnx_bytes
from hwr.preprocess import prepare
from hwr.spec import Spec
from hwr.whole_file import write_bytes

#: Training pictures of a dataset that the ranges of 8-bit activations are measured on.
CALIBRATION = 128

#: Layers that keep 32 bits. Each filter of the stem has 25 inputs, so that rounding would cost more
#: time than it saves. stage2 in 8 bits would save 8 % of the network's time and cost readings: of
#: 1,008 pictures set aside 801 are read exactly with it, 806 without, 804 in 32 bits throughout.
SENSITIVE = ["stem", "stem_relu", "stage2", "stage2_relu"]

LITERT = "model.tflite"


def export_onnx(folder: Path, width_step: int | None = None) -> Path:
    """Write model.onnx anew from the weights of a model folder; return the file.

    Args:
        width_step: pad pictures to a multiple of this many columns from now on. Few columns are
            less work (16 instead of 64 saves a tenth), many are fewer shapes.

    Raises:
        ValueError: `width_step` does not fit the network.
        ModelFolderError: see `hwr.model_folder.load_model`; or the package onnx is missing.
    """
    spec, model = load_model(folder)
    if width_step is not None:
        spec = dataclasses.replace(spec, width_step=width_step)
    with _needs_onnx():
        return add_onnx(folder, "onnx", onnx_bytes(model, spec), spec)


def export_int8(folder: Path, data: Sequence[Path]) -> Path:
    """Write model.int8.onnx from model.onnx; return the file.

    Convolutions get 8-bit weights, one scale a filter, and 8-bit inputs, whose ranges are
    measured on pictures; recurrent layers get 8-bit weights and scale their inputs as they
    come. The rest stays as it is.

    Args:
        data: dataset folders whose training pictures the ranges are measured on. Writing that
            is darker or wider than any of these may be cut off at the end of a range.

    Raises:
        ModelFolderError: see `hwr.model_folder.load_onnx`; or the package onnx is missing.
        DatasetError: there is no usable training picture.
    """
    spec, model = load_onnx(folder)
    images = [image for folder in data for image in _calibration_images(folder, spec)]
    with _needs_onnx(), tempfile.TemporaryDirectory() as scratch:
        return add_onnx(folder, "int8", _quantized(model, images, spec, Path(scratch)))


def export_litert(folder: Path) -> Path:
    """Write model.tflite, the network for LiteRT, into a model folder; return the file.

    Input (1, height, W) uint8, one picture of any padded width; output (1, W / 4, classes)
    float32 logits. It needs no operations beyond those built into LiteRT.

    Raises:
        ModelFolderError: see `hwr.model_folder.load_model`; or Keras runs on another backend.
    """
    import keras

    from hwr.model import build_model

    if keras.backend.backend() != "tensorflow":
        raise ModelFolderError(
            f"Only TensorFlow writes LiteRT models; set KERAS_BACKEND=tensorflow. "
            f"Received: {keras.backend.backend()}"
        )
    import tensorflow as tf

    spec, trained = load_model(folder)
    model = build_model(spec, portable=True)
    model.set_weights(trained.get_weights())

    def read(image: Any) -> dict[str, Any]:
        return {OUTPUT: model(tf.cast(image, tf.float32)[..., None], training=False)}

    with tempfile.TemporaryDirectory() as scratch:
        archive = keras.export.ExportArchive()
        archive.track(model)
        shape = tf.TensorSpec((1, spec.height, None), tf.uint8, name=INPUT)
        archive.add_endpoint("serve", read, input_signature=[shape])
        archive.write_out(scratch, verbose=False)
        data = tf.lite.TFLiteConverter.from_saved_model(scratch).convert()
    write_bytes(folder / LITERT, data)
    return folder / LITERT


def _calibration_images(data: Path, spec: Spec) -> list[NDArray[np.uint8]]:
    """Return prepared training pictures spread over a dataset."""
    dataset = open_dataset(data, "train", spec.alphabet)
    images = []
    for sample in dataset.samples[:: max(1, len(dataset) // CALIBRATION)][:CALIBRATION]:
        try:
            prepared = prepare(load_image(sample.path).pixels, spec)
        except ImageError:
            continue  # evaluation names such pictures; here others do as well
        if not prepared.blank:
            images.append(prepared.image)
    if not images:
        raise DatasetError(f"{data.name} has no usable training picture to measure ranges on.")
    return images


def _quantized(
    model: bytes, images: Sequence[NDArray[np.uint8]], spec: Spec, scratch: Path
) -> bytes:
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

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            _, batch = next(self._batches, (None, None))
            return None if batch is None else {INPUT: batch}

    whole, static, both = (scratch / f"{name}.onnx" for name in ("whole", "static", "both"))
    whole.write_bytes(model)
    with _quiet():
        quantize_static(
            whole,
            static,
            Pictures(),
            quant_format=QuantFormat.QDQ,
            # With "Relu", what a filter writes is rounded behind its rectifier: no step of the
            # range goes to values that are cut off, and sums of layers stay in 8 bits.
            op_types_to_quantize=["Conv", "Relu"],
            nodes_to_exclude=SENSITIVE,
            per_channel=True,
            # Without VNNI instructions, sums of full 8-bit products overflow 16 bits.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # Ranges averaged over the batches of pictures: the rarest extremes are cut off, and
            # the steps of all others are finer.
            extra_options={"CalibMovingAverage": True},
        )
        # A scale for each gate of each unit, not one for all, halves the error of these layers.
        quantize_dynamic(
            static,
            both,
            op_types_to_quantize=["LSTM"],
            per_channel=True,
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


@contextmanager
def _needs_onnx() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ModelFolderError(
            f"This export needs the package onnx ({error}); install it with: pip install onnx"
        ) from error

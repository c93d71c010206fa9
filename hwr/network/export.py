"""Export: the network of a model folder written for other runtimes."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwr.atomic_file import write_bytes
from hwr.data.dataset import DatasetError, open_dataset
from hwr.image import ImageError, load_image
from hwr.network.model_folder import ModelFolderError, add_onnx, load_model, load_onnx
from hwr.network.onnx_graph import INPUT, OUTPUT, onnx_bytes
from hwr.network.quantization import int8_bytes
from hwr.preprocess import prepare
from hwr.spec import Spec

#: Training pictures of a dataset that the ranges of 8-bit activations are measured on.
CALIBRATION = 128

LITERT = "model.tflite"


def export_onnx(folder: Path, width_step: int | None = None) -> Path:
    """Write model.onnx anew from the weights of a model folder; return the file.

    Args:
        width_step: pad pictures to a multiple of this many columns from now on. Few columns are
            less work (16 instead of 64 saves a tenth), many are fewer shapes.

    Raises:
        ValueError: `width_step` does not fit the network.
        ModelFolderError: see `hwr.network.model_folder.load_model`; or the package onnx is missing.
    """
    spec, model = load_model(folder)
    if width_step is not None:
        spec = dataclasses.replace(spec, width_step=width_step)
    with _needs_onnx():
        return add_onnx(folder, "onnx", onnx_bytes(model, spec), spec)


def export_int8(folder: Path, data: Sequence[Path]) -> Path:
    """Write model.int8.onnx, see `hwr.network.quantization`, from model.onnx; return the file.

    Args:
        data: dataset folders whose training pictures the ranges are measured on. Writing that
            is darker or wider than any of these may be cut off at the end of a range.

    Raises:
        ModelFolderError: see `hwr.network.model_folder.load_onnx`; or the package onnx is missing.
        DatasetError: there is no usable training picture.
    """
    spec, model = load_onnx(folder)
    images = [image for folder in data for image in _calibration_images(folder, spec)]
    with _needs_onnx():
        return add_onnx(folder, "int8", int8_bytes(model, images, spec))


def export_litert(folder: Path) -> Path:
    """Write model.tflite, the network for LiteRT, into a model folder; return the file.

    Input (1, height, W) uint8, one picture of any padded width; output (1, W / 4, classes)
    float32 logits. It needs no operations beyond those built into LiteRT.

    Raises:
        ModelFolderError: see `hwr.network.model_folder.load_model`; or Keras runs on another
            backend.
    """
    import keras

    from hwr.network.crnn import build_model

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


@contextmanager
def _needs_onnx() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ModelFolderError(
            f"This export needs the package onnx ({error}); install it with: pip install onnx"
        ) from error

"""The engine: what runs the network, ONNX Runtime for reading or Keras.

onnx    ONNX Runtime: the logits of Keras up to rounding, without TensorFlow
int8    ONNX Runtime with weights of 8 bits, see `hwr.network.quantization`: faster,
        other in rare cases
keras   Keras, as the network is trained
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hwr.arrays import Grey, Singles
from hwr.network.model_folder import ONNX_FILES, ModelFolderError, load_model, load_onnx
from hwr.preprocess import pad, padded_width
from hwr.spec import Spec

if TYPE_CHECKING:
    import keras

ENGINES = ("onnx", "int8", "keras")

#: Engines by default, in this order: a folder holds int8 only if it was exported on purpose.
DEFAULTS = ("int8", "onnx")

#: Pictures run through the network together. More do not make it faster, and the widest
#: sixteen need 60 MB.
BATCH = 16


class Engine(Protocol):
    """Runs the network; may be called by several threads at once."""

    def __call__(self, images: Grey) -> Singles:
        """Return (B, W / 4, classes) logits of (B, height, W) uint8 padded images."""


class OnnxEngine:
    """The network in ONNX Runtime, one thread a call.

    Bulk reading runs several calls at once, which keeps all cores busier than sharing the
    short loops of one call among them.

    Args:
        model: a serialised ONNX model.
        threads: that share one call.
        alone: run each picture of a batch by itself. Recurrent layers of 8 bits scale their
            inputs by the largest in the batch, so that a reading would depend on its neighbours.

    Raises:
        ValueError: ONNX Runtime refuses the model.
    """

    def __init__(self, model: bytes, threads: int = 1, alone: bool = False) -> None:
        import onnxruntime

        self._alone = alone
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors alone
        # Else a file could call itself ONNX Runtime's own format, which has other rules.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime documents no common class
            raise ValueError(f"ONNX Runtime cannot use the model: {error}") from error
        self._input = self._session.get_inputs()[0]
        self._output = self._session.get_outputs()[0]

    def fits(self, spec: Spec) -> bool:
        """Return whether the model takes pictures and writes an alphabet such as in `spec`."""
        return bool(
            self._input.type == "tensor(uint8)"
            and self._input.shape[1] == spec.height
            and self._output.shape[2] == spec.alphabet.classes
        )

    def __call__(self, images: Grey) -> Singles:
        if self._alone and len(images) > 1:
            return np.concatenate([self(images[i : i + 1]) for i in range(len(images))])
        (logits,) = self._session.run([self._output.name], {self._input.name: images})
        return np.asarray(logits, np.float32)


class KerasEngine:
    """The network in Keras, as it is trained."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._lock = threading.Lock()

    def __call__(self, images: Grey) -> Singles:
        # Keras traces the network at the first call, which is not safe in parallel.
        with self._lock:
            return np.asarray(self._model.predict_on_batch(images[..., None].astype(np.float32)))


def chosen_engine(folder: Path, name: str | None = None) -> str:
    """Return the name of the engine that reads with a model folder.

    Args:
        name: one of ENGINES; by default the first of DEFAULTS whose file is there, if ONNX
            Runtime is installed, else Keras.

    Raises:
        ValueError: there is no such engine.
    """
    if name not in (None, *ENGINES):
        raise ValueError(f"An engine is one of {', '.join(ENGINES)}. Received: {name!r}")
    if name is not None:
        return name
    there = [engine for engine in DEFAULTS if (folder / ONNX_FILES[engine]).is_file()]
    return there[0] if there and find_spec("onnxruntime") is not None else "keras"


def load_engine(folder: Path, name: str | None = None) -> tuple[Spec, Engine]:
    """Return the spec and the engine of a model folder.

    Args:
        name: see `chosen_engine`.

    Raises:
        ValueError: there is no such engine.
        ModelFolderError: see `hwr.network.model_folder.load_spec`; or the engine's file is missing
            or damaged.
    """
    name = chosen_engine(folder, name)
    if name == "keras":
        spec, model = load_model(folder)
        return spec, KerasEngine(model)
    spec, data = load_onnx(folder, name)
    file = f"{folder.name}/{ONNX_FILES[name]}"
    try:
        engine = OnnxEngine(data, alone=name == "int8")
    except ValueError as error:
        raise ModelFolderError(f"{file} cannot be used: {error}") from error
    if not engine.fits(spec):
        raise ModelFolderError(
            f"{file} does not fit the config beside it; write it again with: "
            f"python -m hwr export --format {name} --model {folder.name}"
        )
    return spec, engine


def batches_by_width(
    images: Sequence[Grey], spec: Spec, size: int = BATCH
) -> Iterator[tuple[list[int], Grey]]:
    """Yield (positions, batch) over prepared images, equal padded widths together.

    Each image is padded by its own width alone, so its logits do not depend on its
    neighbours. The batch is (B, height, W) uint8; wide ones come first, so that the last
    to finish are short.
    """
    by_width: dict[int, list[int]] = {}
    for position, image in enumerate(images):
        by_width.setdefault(padded_width(image.shape[1], spec), []).append(position)
    for _, positions in sorted(by_width.items(), reverse=True):
        for start in range(0, len(positions), size):
            part = positions[start : start + size]
            yield part, np.stack([pad(images[i], spec) for i in part])

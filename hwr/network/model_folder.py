"""The model folder: weights together with every fact they assume.

config.json        the spec, its format version and the sha256 of the files with weights
model.weights.h5   the weights, without code
model.onnx         the same network for ONNX Runtime; may be missing
model.int8.onnx    the same, its weights rounded to 8 bits; there on request alone
metrics.json       what was measured, and what the model was trained on
MODEL_CARD.md      the same for people
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwr.atomic_file import new_folder, write_text
from hwr.spec import PREPROCESS_VERSION, Spec

if TYPE_CHECKING:
    import keras

FORMAT = 1
CONFIG = "config.json"
WEIGHTS = "model.weights.h5"

#: Files of the network for ONNX Runtime by the engine that reads with them.
ONNX_FILES = {"onnx": "model.onnx", "int8": "model.int8.onnx"}
METRICS = "metrics.json"
CARD = "MODEL_CARD.md"


class ModelFolderError(ValueError):
    """A model folder is missing, incomplete, damaged or of another version."""


def save_model(
    folder: Path, model: keras.Model, spec: Spec, metrics: Mapping[str, Any], card: str
) -> None:
    """Write a model folder; what stood there before is replaced only when all is written.

    Where the package onnx is installed, the folder holds model.onnx, too.
    """
    with new_folder(folder, replace=True) as partial:
        _probe(partial / "probe", 4 * model.count_params() + 2**20)
        model.save_weights(partial / WEIGHTS)
        config = {
            "format": FORMAT,
            "spec": spec.to_dict(),
            "spec_sha256": content_sha256(spec.to_dict()),
            "weights_sha256": _sha256(partial / WEIGHTS),
        }
        if find_spec("onnx") is not None:
            from hwr.network.onnx_graph import onnx_bytes

            file = partial / ONNX_FILES["onnx"]
            file.write_bytes(onnx_bytes(model, spec))
            config[_key("onnx")] = _sha256(file)
        (partial / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (partial / METRICS).write_text(_metrics_text(metrics), encoding="utf-8")
        (partial / CARD).write_text(card, encoding="utf-8")


def _probe(file: Path, size: int) -> None:
    """Write and remove a file, so that a full disk is an error.

    HDF5 ends the whole process with a segmentation fault where it cannot write (h5py 3.14).
    """
    with file.open("wb") as stream:
        stream.write(bytes(size))
        stream.flush()
        os.fsync(stream.fileno())
    file.unlink()


def add_onnx(folder: Path, engine: str, data: bytes, spec: Spec | None = None) -> Path:
    """Put the network for `engine`, a serialised ONNX model, into a model folder; return the file.

    Args:
        spec: what the folder shall say instead of its present spec, of the same network.

    Raises:
        ModelFolderError: there is no valid config.
    """
    before = read_json(folder / CONFIG)
    spec = spec or load_spec(folder)
    config = before | {
        "spec": spec.to_dict(),
        "spec_sha256": content_sha256(spec.to_dict()),
        _key(engine): hashlib.sha256(data).hexdigest(),
    }
    if engine == "onnx" and config[_key("onnx")] != before.get(_key("onnx")):
        config.pop(_key("int8"), None)  # that one was made of other weights
    # The whole folder anew, so that network and config change at once.
    with new_folder(folder, replace=True) as partial:
        for part in folder.iterdir():  # copytree would hide why a file cannot be written
            copy = shutil.copytree if part.is_dir() else shutil.copy2
            copy(part, partial / part.name)
        (partial / ONNX_FILES[engine]).write_bytes(data)
        (partial / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return folder / ONNX_FILES[engine]


def write_metrics(folder: Path, metrics: Mapping[str, Any], card: str) -> None:
    """Replace metrics and model card; the weights stay."""
    write_text(folder / METRICS, _metrics_text(metrics))
    write_text(folder / CARD, card)


def _metrics_text(metrics: Mapping[str, Any]) -> str:
    """Return JSON with each innermost object on one line: a row of figures, and half the size."""
    text = json.dumps(metrics, indent=2)
    leaf = re.compile(r"\{\n\s+([^{}\[\]]*)\n\s*\}")
    return leaf.sub(lambda m: "{" + re.sub(r"\n\s+", " ", m[1]) + "}", text) + "\n"


def load_spec(folder: Path) -> Spec:
    """Return the spec of a model folder after checking its sha256 and that of its weights.

    Folders written before the spec had a sha256 are read without that check.

    Raises:
        ModelFolderError: a file is missing or damaged, or the version is another.
    """
    config = read_json(folder / CONFIG)
    try:
        if config["format"] != FORMAT:
            raise ModelFolderError(
                f"{folder.name}/{CONFIG} has format {config['format']!r}, this program reads "
                f"format {FORMAT}; install the matching version of hwr or train again."
            )
        digest = config.get("spec_sha256")
        if digest is not None and digest != content_sha256(config["spec"]):
            raise ModelFolderError(
                f"{folder.name}/{CONFIG} was changed after the model was written (the sha256 of "
                "its spec differs); copy the whole model folder again."
            )
        spec = Spec.from_dict(config["spec"])
        expected = config["weights_sha256"]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, ModelFolderError):
            raise
        raise ModelFolderError(f"{folder.name}/{CONFIG} is no valid config: {error}") from error
    if spec.preprocess != PREPROCESS_VERSION:
        raise ModelFolderError(
            f"{folder.name} was trained on pictures prepared by version {spec.preprocess} of the "
            f"preprocessing, this program has version {PREPROCESS_VERSION}; train again."
        )
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise ModelFolderError(f"{folder.name} has no {WEIGHTS}; copy the whole model folder.")
    with _readable(weights):
        found = _sha256(weights)
    if found != expected:
        raise ModelFolderError(
            f"{folder.name}/{WEIGHTS} is not the file that {CONFIG} describes (its sha256 "
            f"differs); copy the whole model folder again."
        )
    return spec


def load_model(folder: Path, precision: str = "float32") -> tuple[Spec, keras.Model]:
    """Return the spec and the network of a model folder; no code is executed from it.

    Args:
        precision: see `hwr.network.crnn.build_model`.

    Raises:
        ModelFolderError: see `load_spec`; or the weights do not fit the spec.
    """
    from hwr.network.crnn import build_model

    spec = load_spec(folder)
    model = build_model(spec, precision=precision)
    try:
        with warnings.catch_warnings():
            # Keras only warns where a layer finds no weights, and leaves it untrained.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(folder / WEIGHTS)
    except Exception as error:  # what Keras and h5py raise on a damaged file is not documented
        raise ModelFolderError(
            f"The weights in {folder.name} do not fit its {CONFIG}: {error}"
        ) from error
    return spec, model


def load_onnx(folder: Path, engine: str = "onnx") -> tuple[Spec, bytes]:
    """Return the spec and the serialised ONNX model of a model folder.

    Raises:
        ModelFolderError: see `load_spec`; or the file of `engine` is missing or damaged.
    """
    spec = load_spec(folder)
    file = folder / ONNX_FILES[engine]
    remedy = f"python -m hwr export --format {engine} --model {folder.name}"
    if not file.is_file():
        raise ModelFolderError(f"{folder.name} has no {file.name}; write it with: {remedy}")
    with _readable(file):
        data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != read_json(folder / CONFIG).get(_key(engine)):
        raise ModelFolderError(
            f"{folder.name}/{file.name} is not the file that {CONFIG} describes (its sha256 "
            f"differs); copy the whole model folder again, or run: {remedy}"
        )
    # External data: "location" names any file to read a tensor from. Our graphs have no such key.
    if b"location" in data:
        raise ModelFolderError(
            f"{folder.name}/{file.name} wants to read other files for its weights, which is not "
            f"allowed; write it again with: {remedy}"
        )
    return spec, data


def read_json(file: Path) -> Any:
    """Return the content of a JSON file of a model folder.

    Raises:
        ModelFolderError: the file is missing or no JSON.
    """
    if not file.is_file():
        raise ModelFolderError(
            f"There is no {file.name} in {file.parent.name!r}; name a model folder, such as "
            f"assets/model, or make one with train.py."
        )
    try:
        with _readable(file):
            return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ModelFolderError):
            raise
        raise ModelFolderError(f"{file.name} is damaged, no JSON: {error}") from error


def content_sha256(values: Any) -> str:
    """Return the sha256 of JSON values, however they are laid out in their file."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelFolderError(
            f"{file.parent.name}/{file.name} cannot be read ({reason}); check its permissions, or "
            "copy the whole model folder again."
        ) from error


def _key(engine: str) -> str:
    return f"{engine}_sha256"


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

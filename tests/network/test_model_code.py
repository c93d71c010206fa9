"""A model folder holds numbers; code hidden in it never runs."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from hwr.network.model_folder import ModelFolderError, load_model


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def put(folder: Path, weights: Path) -> None:
    """Put a file in the place of the weights, with a config that vouches for it."""
    shutil.copy(weights, folder / "model.weights.h5")
    config = json.loads((folder / "config.json").read_text())
    config["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    (folder / "config.json").write_text(json.dumps(config))


def trapped(mark: Path) -> keras.Model:
    """A model whose Lambda layer leaves a folder behind as soon as it runs."""
    # Only of a lambda expression, whose body is then pickled, does Keras store the code.
    trap = eval(f"lambda x: (__import__('os').makedirs({str(mark)!r}, exist_ok=True), x)[1]")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(trap)])
    mark.rmdir()  # it ran once while it was built
    return model


@pytest.mark.parametrize("name", ["evil.keras", "evil.h5"])
def test_a_whole_model_with_a_lambda_layer_is_refused_and_not_run(
    folder: Path, tmp_path: Path, name: str
) -> None:
    mark, evil = tmp_path / "ran", tmp_path / name
    trapped(mark).save(evil)
    put(folder, evil)
    with pytest.raises(ModelFolderError, match=r"weights in model do not fit its config\.json"):
        load_model(folder)
    assert not mark.exists()
    keras.models.load_model(evil, safe_mode=False, compile=False)(np.zeros((1, 2)))
    assert mark.exists()  # the trap works


@pytest.mark.parametrize("kind", ["link", "storage"])
def test_weights_that_lie_in_another_file_are_refused(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    forged = Path(shutil.copy(folder / "model.weights.h5", tmp_path / "forged.h5"))
    (tmp_path / "secret").write_bytes(bytes(10**6))
    with h5py.File(forged, "r+") as file:
        places: list[str] = []
        file.visititems(
            lambda path, item: places.append(path) if isinstance(item, h5py.Dataset) else None
        )
        place, shape = places[0], file[places[0]].shape
        del file[place]
        if kind == "link":
            with h5py.File(tmp_path / "secret.h5", "w") as other:
                other["numbers"] = np.zeros(shape, np.float32)
            file[place] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/numbers")
        else:
            size = int(np.prod(shape)) * 4
            external = [(str(tmp_path / "secret"), 0, size)]
            file.create_dataset(place, shape, np.float32, external=external)
    put(folder, forged)
    with pytest.raises(ModelFolderError, match=r"weights in model do not fit its config\.json"):
        load_model(folder)

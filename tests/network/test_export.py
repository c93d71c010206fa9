from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from helpers import TINY, write_folder

from hwr.cli import main
from hwr.network.engine import load_engine
from hwr.network.export import export_int8, export_litert
from hwr.network.model_folder import ModelFolderError, load_model, save_model
from hwr.network.onnx_graph import _same_padding


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_graph_is_valid_and_keeps_each_lstm_whole(tiny_model: Path) -> None:
    graph = onnx.load(tiny_model / "model.onnx")
    onnx.checker.check_model(graph, full_check=True)
    kinds = [node.op_type for node in graph.graph.node]
    assert kinds.count("LSTM") == TINY.layers
    assert kinds.count("Conv") == 6
    assert "BatchNormalization" not in kinds
    assert [d.dim_param for d in graph.graph.input[0].type.tensor_type.shape.dim] == ["B", "", "W"]


def test_averages_of_normalisation_are_folded_in(tiny_model: Path, tmp_path: Path) -> None:
    """Untrained averages are 0 and 1, which would hide a mistake."""
    spec, model = load_model(tiny_model)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if layer.name.endswith("_norm"):
            layer.set_weights([w + rng.uniform(0, 0.5, w.shape) for w in layer.get_weights()])
    save_model(tmp_path / "m", model, spec, {}, "")
    images = noise(2, spec.height, 64)
    ours, theirs = (load_engine(tmp_path / "m", name)[1](images) for name in ("onnx", "keras"))
    assert np.abs(theirs - load_engine(tiny_model, "keras")[1](images)).max() > 1e-2
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "strides", "padding"),
    [
        ((5, 5), (2, 2), (1, 1, 2, 2)),
        ((3, 3), (2, 2), (0, 0, 1, 1)),
        ((3, 3), (2, 1), (0, 1, 1, 1)),
        ((3, 3), (1, 1), (1, 1, 1, 1)),
    ],
)
def test_padding_is_that_of_keras(
    kernel: tuple[int, int], strides: tuple[int, int], padding: tuple[int, ...]
) -> None:
    assert _same_padding(kernel, strides) == padding


def test_export_writes_the_same_file_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {name: (folder / name).read_bytes() for name in ("model.onnx", "config.json")}
    (folder / "model.onnx").unlink()
    assert main(["export", "--model", str(folder)]) == 0
    assert capsys.readouterr().out.startswith(f"Wrote {folder / 'model.onnx'} (")
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert names(folder.parent) == ["model"]


def test_int8_reads_nearly_the_same_and_goes_stale_with_the_weights(
    folder: Path, tmp_path: Path
) -> None:
    data = write_folder(tmp_path / "data", [(f"{i}.png", "ANNA") for i in range(6)])
    export_int8(folder, [data])
    images = noise(2, TINY.height, 64)
    exact, rounded = (load_engine(folder, name)[1](images) for name in ("onnx", "int8"))
    assert 0 < np.abs(exact - rounded).max() < 0.1
    assert (load_engine(folder)[1](images) == rounded).all()  # where it is there, it is meant
    _, model = load_model(folder)
    weights = model.get_weights()
    model.set_weights([*weights[:-1], weights[-1] + 1])
    model.save_weights(folder / "model.weights.h5")
    config = json.loads((folder / "config.json").read_text())
    config["weights_sha256"] = hashlib.sha256(
        (folder / "model.weights.h5").read_bytes()
    ).hexdigest()
    (folder / "config.json").write_text(json.dumps(config))
    assert main(["export", "--model", str(folder)]) == 0
    np.testing.assert_allclose(load_engine(folder, "onnx")[1](images), exact + 1, atol=1e-5)
    with pytest.raises(ModelFolderError, match=r"export --format int8 --model model$"):
        load_engine(folder, "int8")


def test_pictures_can_be_padded_to_fewer_columns(folder: Path) -> None:
    before, _ = load_engine(folder, "onnx")
    assert main(["export", "--model", str(folder), "--width-step", "8"]) == 0
    after, engine = load_engine(folder, "onnx")
    assert after == dataclasses.replace(before, width_step=8)
    assert engine(noise(1, TINY.height, 8)).shape[1] == 2
    assert main(["export", "--model", str(folder), "--width-step", "6"]) == 2
    assert load_engine(folder, "onnx")[0] == after


def test_litert_gives_the_same_logits_at_any_width(folder: Path) -> None:
    file = export_litert(folder)
    import tensorflow as tf

    with warnings.catch_warnings():
        # TensorFlow announces the package that will follow its own interpreter.
        warnings.simplefilter("ignore", UserWarning)
        interpreter = tf.lite.Interpreter(str(file))
    _, keras = load_engine(folder, "keras")
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    for width in (32, 96):
        image = noise(1, TINY.height, width)
        interpreter.resize_tensor_input(source["index"], image.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source["index"], image)
        interpreter.invoke()
        np.testing.assert_allclose(interpreter.get_tensor(target["index"]), keras(image), atol=1e-4)


def test_without_onnx_models_are_saved_and_export_says_what_is_missing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, model = load_model(folder)
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setattr("hwr.network.model_folder.find_spec", lambda name: None)
    save_model(tmp_path / "m", model, spec, {}, "")
    assert "model.onnx" not in names(tmp_path / "m")
    from hwr.network.export import export_onnx

    with pytest.raises(ModelFolderError, match=r"needs the package onnx .*pip install onnx"):
        export_onnx(folder)


def test_failed_export_leaves_the_folder_as_it_was(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    nowhere = tmp_path / "nowhere"
    assert main(["export", "--format", "int8", "--model", str(folder), "--data", str(nowhere)]) == 2
    assert "There is no folder" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before

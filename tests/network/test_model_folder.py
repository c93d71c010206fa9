from __future__ import annotations

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import TINY, full_disk

from hwr.atomic_file import WriteError
from hwr.network.crnn import build_model
from hwr.network.model_folder import (
    CARD,
    METRICS,
    ModelFolderError,
    add_onnx,
    content_sha256,
    load_model,
    load_spec,
    save_model,
    write_metrics,
)


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def test_saved_model_loads_equal(tmp_path: Path) -> None:
    model = build_model(TINY)
    save_model(tmp_path / "m", model, TINY, {"runs": [1]}, "# Card\n")
    spec, loaded = load_model(tmp_path / "m")
    assert spec == TINY
    image = np.random.default_rng(0).integers(0, 256, (2, TINY.height, 64, 1)).astype(np.float32)
    assert np.array_equal(model.predict_on_batch(image), loaded.predict_on_batch(image))
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "MODEL_CARD.md", "config.json", "metrics.json", "model.onnx", "model.weights.h5",
    ]  # fmt: skip
    assert json.loads((tmp_path / "m" / "metrics.json").read_text()) == {"runs": [1]}


def test_training_weights_without_the_shortcut_are_the_saved_ones(tmp_path: Path) -> None:
    training = build_model(TINY, shortcut=True)
    reader = keras.Model(training.input, training.outputs[0])
    save_model(tmp_path / "m", reader, TINY, {}, "")
    _, loaded = load_model(tmp_path / "m")
    for ours, theirs in zip(reader.get_weights(), loaded.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


def test_failed_save_keeps_the_old_model(folder: Path) -> None:
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(TypeError):
        save_model(folder, build_model(TINY), TINY, {"not json": object()}, "")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_a_full_disk_keeps_the_old_model(folder: Path) -> None:
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    model = build_model(TINY)
    for largest in (0, 4000, 20_000):
        with full_disk(largest), pytest.raises(WriteError, match=r"^model cannot be written to"):
            save_model(folder, model, TINY, {}, "")
    with full_disk(100), pytest.raises(WriteError, match="stood there before is unchanged"):
        add_onnx(folder, "onnx", before["model.onnx"] + b"\x32\x01x")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def edit(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def edit_spec(folder: Path, **changes: object) -> None:
    """Change the spec so that only what it says is wrong."""
    spec = json.loads((folder / "config.json").read_text())["spec"] | changes
    edit(folder, spec=spec, spec_sha256=content_sha256(spec))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), r"There is no config\.json in 'model'"),
        (lambda f: (f / "config.json").write_text("{"), r"config\.json is damaged"),
        (lambda f: (f / "config.json").write_text("[]"), "is no valid config"),
        (lambda f: edit(f, format=99), "has format 99, this program reads format 1"),
        (lambda f: edit_spec(f, preprocess=99), "version 99 of the preprocessing"),
        (lambda f: edit_spec(f, units=17), "do not fit its config"),
        (lambda f: edit_spec(f, alphabet="ABC"), "do not fit its config"),
        (lambda f: edit_spec(f, height=17), "height must be a multiple of 8"),
        (lambda f: (f / "model.weights.h5").unlink(), r"has no model\.weights\.h5"),
        (lambda f: (f / "model.weights.h5").write_bytes(b"x"), "its sha256 differs"),
    ],
    ids=[
        "no config", "no json", "list", "format", "preprocess", "units", "alphabet", "height",
        "no weights", "other weights",
    ],
)  # fmt: skip
def test_damage_is_named(folder: Path, damage, message: str) -> None:  # type: ignore[no-untyped-def]
    damage(folder)
    with pytest.raises(ModelFolderError, match=message):
        load_model(folder)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="name a model folder, such as assets/model"):
        load_spec(tmp_path / "nowhere")


def test_metrics_are_written_a_row_of_figures_a_line(tmp_path: Path) -> None:
    metrics = {
        "runs": [],
        "validation": {},
        "history": [{"samples": 1, "loss": 0.5}, {"samples": 2, "note": "a {b} [c]\n  d"}],
    }
    write_metrics(tmp_path, metrics, "# Card\n")
    text = (tmp_path / METRICS).read_text()
    assert json.loads(text) == metrics
    assert '    {"samples": 1, "loss": 0.5},\n' in text
    assert (tmp_path / CARD).read_text() == "# Card\n"
    write_metrics(tmp_path, {"other": 1}, "")
    assert json.loads((tmp_path / METRICS).read_text()) == {"other": 1}
    assert {file.name for file in tmp_path.iterdir()} == {METRICS, CARD}

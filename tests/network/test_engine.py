from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT, TINY, write_word

from hwr.data.dataset import SPLITS, open_dataset
from hwr.decoding.ctc import greedy_text
from hwr.defaults import MODEL, SAMPLES
from hwr.image import load_image
from hwr.network.engine import BATCH, Engine, KerasEngine, OnnxEngine, batches_by_width, load_engine
from hwr.network.model_folder import ModelFolderError, load_model
from hwr.preprocess import pad, prepare
from hwr.recognizer import Recognizer


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def test_both_engines_read_all_validation_samples_alike() -> None:
    """The weights that come with the project, on the pictures that come with it.

    Keras in float32 rounds off up to 2.4e-4 itself (`python -m benchmarks.parity`), so that
    the network in float64 is the stricter measure.
    """
    spec, onnx = load_engine(MODEL, "onnx")
    _, keras = load_engine(MODEL, "keras")
    exact = KerasEngine(load_model(MODEL, "float64")[1])
    samples = [s for split in SPLITS[1:] for s in open_dataset(SAMPLES, split, spec.alphabet)]
    images = [prepare(load_image(s.path).pixels, spec).image for s in samples]
    assert len(images) > 30
    for _, batch in batches_by_width(images, spec):
        ours, theirs, expected = onnx(batch), keras(batch), exact(batch)
        assert expected.dtype == np.float64
        assert ours.shape == (len(batch), batch.shape[2] // 4, spec.alphabet.classes)
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4)
        for a, b in zip(ours, theirs, strict=True):
            assert greedy_text(a, spec.alphabet) == greedy_text(b, spec.alphabet)


def test_8_bits_read_a_picture_the_same_whatever_stands_beside_it() -> None:
    spec, int8 = load_engine(MODEL, "int8")
    samples = open_dataset(SAMPLES, "test", spec.alphabet).samples[:12]
    images = [pad(prepare(load_image(s.path).pixels, spec).image, spec) for s in samples]
    width = max(image.shape[1] for image in images)
    batch = np.stack(
        [np.pad(i, ((0, 0), (0, width - i.shape[1])), constant_values=255) for i in images]
    )
    together = int8(batch)
    for number in range(len(batch)):
        np.testing.assert_array_equal(int8(batch[number : number + 1])[0], together[number])


@pytest.mark.parametrize("shape", [(1, 16, 4), (3, 16, 36), (2, 16, 128)])
def test_engines_agree_on_noise(tiny_model: Path, shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    _, onnx = load_engine(tiny_model, "onnx")
    _, keras = load_engine(tiny_model, "keras")
    np.testing.assert_allclose(onnx(images), keras(images), atol=1e-5)


def test_onnx_is_the_default_and_keras_where_its_file_is_missing(folder: Path) -> None:
    assert isinstance(load_engine(folder)[1], OnnxEngine)
    (folder / "model.onnx").unlink()
    assert isinstance(load_engine(folder)[1], KerasEngine)


def edit(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def swap_spec(folder: Path) -> None:
    spec = json.loads((folder / "config.json").read_text())["spec"]
    edit(folder, spec=spec | {"alphabet": "ABC"})


def write_nonsense(folder: Path) -> None:
    import hashlib

    (folder / "model.onnx").write_bytes(b"nonsense")
    edit(folder, onnx_sha256=hashlib.sha256(b"nonsense").hexdigest())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "model.onnx").unlink(), r"model has no model\.onnx; write it with: python"),
        (lambda f: (f / "model.onnx").write_bytes(b"x"), r"model\.onnx is not the file"),
        (lambda f: edit(f, onnx_sha256="0"), "its sha256 differs"),
        (write_nonsense, "model/model.onnx cannot be used: ONNX Runtime"),
        (swap_spec, "was changed after the model was written"),
    ],
    ids=["missing", "other file", "other sha", "no model", "other alphabet"],
)
def test_damage_is_named(folder: Path, damage, message: str) -> None:  # type: ignore[no-untyped-def]
    damage(folder)
    with pytest.raises(ModelFolderError, match=message):
        load_engine(folder, "onnx")


def test_unknown_engine_is_named(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match=r"one of onnx, int8, keras\. Received: 'torch'"):
        Recognizer.load(tiny_model, engine="torch")


def test_batches_hold_every_image_once_by_its_own_width() -> None:
    widths = [5, 33, 32, 64, 7] + [100] * (BATCH + 1)
    images = [np.full((TINY.height, w), w, np.uint8) for w in widths]
    seen = []
    for positions, batch in batches_by_width(images, TINY):
        assert batch.dtype == np.uint8
        assert len(batch) == len(positions) <= BATCH
        for position, row in zip(positions, batch, strict=True):
            width = widths[position]
            assert row.shape == (TINY.height, -(-width // 32) * 32)
            assert (row[:, :width] == width).all()
            assert (row[:, width:] == 255).all()
        seen += positions
    assert sorted(seen) == list(range(len(widths)))


def test_readings_come_in_order_over_many_chunks(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwr.recognizer.CHUNK", 3)
    recognizer = Recognizer.load(tiny_model)
    pictures = [write_word(t, width=60 + 20 * n) for n, t in enumerate("ABCDEFGH")]
    expected = [pytest.approx(recognizer.read(p).confidence, rel=1e-4) for p in pictures]
    assert expected[0] != recognizer.read(pictures[1]).confidence
    taken = []

    def source():  # type: ignore[no-untyped-def]
        for number, picture in enumerate(pictures):
            taken.append(number)
            yield picture

    results = recognizer.read_many(source())
    first = next(results)
    assert len(taken) == 6, "one chunk is loaded ahead, no more"
    assert [first.confidence, *(r.confidence for r in results)] == expected


def test_an_engine_that_fails_ends_the_reading() -> None:
    class Broken:
        def __call__(self, images: np.ndarray) -> np.ndarray:
            raise RuntimeError("out of memory")

    engine: Engine = Broken()
    with pytest.raises(RuntimeError, match="out of memory"):
        list(Recognizer(TINY, engine).read_many([write_word("ANNA")] * 3))


def test_reading_loads_neither_tensorflow_nor_what_training_needs(
    tiny_model: Path, tmp_path: Path
) -> None:
    code = (
        "import sys; from hwr.cli import main; main(sys.argv[1:]);"
        "print([m for m in ('keras','tensorflow','gradio','pandas','onnx','hwr.data.batches')"
        " if m in sys.modules])"
    )
    file = next((SAMPLES / "test_v2" / "test").glob("*"))
    done = subprocess.run(
        [sys.executable, "-c", code, "read", str(file), "--model", str(tiny_model)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert done.stderr == ""

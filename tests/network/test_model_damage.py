"""Every kind of damage to a model folder, or to the language model, is one clear error."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, load_model_from_string

from hwr.decoding.language_model import LANGUAGE_MODEL, LanguageModel, LanguageModelError
from hwr.defaults import MODEL
from hwr.network.model_folder import ModelFolderError, content_sha256, load_spec
from hwr.recognizer import Recognizer

Damage = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The model that comes with the project; its files are links, so `put` replaces them."""
    return Path(shutil.copytree(MODEL, tmp_path / "model", copy_function=os.link))


def put(file: Path, data: bytes | str) -> None:
    file.unlink()
    file.write_bytes(data if isinstance(data, bytes) else data.encode())


def to_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def truncate(file: Path) -> None:
    put(file, file.read_bytes()[: file.stat().st_size // 2])


def flip(file: Path, at: float = 0.5) -> None:
    data = bytearray(file.read_bytes())
    data[int(at * (len(data) - 1))] ^= 1
    put(file, bytes(data))


def edit(file: Path, change: Callable[[dict[str, object]], object]) -> None:
    values = json.loads(file.read_text())
    change(values)
    put(file, json.dumps(values))


def respell(config: Path, alphabet: str, *, sign: bool) -> None:
    """Give the spec another alphabet, with its own sha256 if it is to be found out otherwise."""
    values = json.loads(config.read_text())
    values["spec"]["alphabet"] = alphabet
    if sign:
        values["spec_sha256"] = content_sha256(values["spec"])
    put(config, json.dumps(values))


def forge(folder: Path, data: bytes) -> None:
    """Put another network into the folder, with a config that vouches for it."""
    put(folder / "model.onnx", data)
    edit(folder / "config.json", lambda c: c.update(onnx_sha256=sha256(data).hexdigest()))


def with_external_data(location: str) -> bytes:
    """The shipped network with one tensor's numbers taken from another file."""
    model = load_model_from_string((MODEL / "model.onnx").read_bytes())
    tensor = next(t for t in model.graph.initializer if len(t.raw_data) > 16)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return model.SerializeToString()


def other_network() -> bytes:
    """A network that reads and writes something else."""
    node = helper.make_node("Identity", ["a"], ["b"])
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2, 3]) for n in "ab"]
    graph = helper.make_graph([node], "other", values[:1], values[1:])
    opset = [helper.make_opsetid("", 14)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


LETTERS = " '-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CONFIG, WEIGHTS, ONNX, DOUBT = "config.json", "model.weights.h5", "model.onnx", "confidence.json"

DAMAGES: list[tuple[str, Damage, str]] = [
    ("no folder", shutil.rmtree, r"There is no config\.json in 'model'; name a model folder"),
    ("config missing", lambda f: (f / CONFIG).unlink(), r"There is no config\.json in 'model'"),
    ("config a folder", lambda f: to_folder(f / CONFIG), r"There is no config\.json in 'model'"),
    ("config empty", lambda f: put(f / CONFIG, b""), r"config\.json is damaged, no JSON"),
    ("config truncated", lambda f: truncate(f / CONFIG), r"config\.json is damaged, no JSON"),
    ("config no text", lambda f: put(f / CONFIG, b"\xff{}"), r"config\.json is damaged, no JSON"),
    ("config deep", lambda f: put(f / CONFIG, "[" * 10**5), r"config\.json is damaged, no JSON"),
    ("config a list", lambda f: put(f / CONFIG, "[1]"), "is no valid config"),
    (
        "config of another version",
        lambda f: edit(f / CONFIG, lambda c: c.update(format=2)),
        "has format 2, this program reads format 1; install the matching version",
    ),
    (
        "alphabet permuted",
        lambda f: respell(f / CONFIG, LETTERS[:-2] + "ZY", sign=False),
        "was changed after the model was written .the sha256 of its spec differs.; copy",
    ),
    (
        "alphabet shorter",
        lambda f: respell(f / CONFIG, LETTERS[:-1], sign=True),
        "does not fit the config beside it",
    ),
    (
        "alphabet of doubles",
        lambda f: respell(f / CONFIG, LETTERS[:-1] + "A", sign=True),
        "is no valid config",
    ),
    ("weights missing", lambda f: (f / WEIGHTS).unlink(), r"has no model\.weights\.h5; copy"),
    ("weights a folder", lambda f: to_folder(f / WEIGHTS), r"has no model\.weights\.h5; copy"),
    ("weights empty", lambda f: put(f / WEIGHTS, b""), r"model\.weights\.h5 is not the file"),
    ("weights truncated", lambda f: truncate(f / WEIGHTS), r"model\.weights\.h5 is not the file"),
    ("weights flipped", lambda f: flip(f / WEIGHTS), r"model\.weights\.h5 is not the file"),
    ("network missing", lambda f: (f / ONNX).unlink(), r"has no model\.onnx; write it with"),
    ("network a folder", lambda f: to_folder(f / ONNX), r"has no model\.onnx; write it with"),
    ("network empty", lambda f: put(f / ONNX, b""), r"model\.onnx is not the file"),
    ("network truncated", lambda f: truncate(f / ONNX), r"model\.onnx is not the file"),
    ("network flipped", lambda f: flip(f / ONNX), r"model\.onnx is not the file"),
    ("network no ONNX", lambda f: forge(f, b"\0\0\0\0"), r"model\.onnx cannot be used: ONNX"),
    ("network empty, signed", lambda f: forge(f, b""), r"model\.onnx cannot be used: ONNX"),
    (
        "network of another format",
        lambda f: forge(f, b"\x20\0\0\0ORTM" + bytes(60)),
        r"model\.onnx cannot be used: ONNX Runtime cannot use the model: .*protobuf parsing failed",
    ),
    ("another network", lambda f: forge(f, other_network()), "does not fit the config beside it"),
    (
        "network with data elsewhere",
        lambda f: forge(f, with_external_data("../secret")),
        "wants to read other files for its weights, which is not allowed",
    ),
    (
        "network with data anywhere",
        lambda f: forge(f, with_external_data("/etc/passwd")),
        "wants to read other files for its weights, which is not allowed",
    ),
    ("confidence a folder", lambda f: to_folder(f / DOUBT), r"There is no confidence\.json"),
    ("confidence empty", lambda f: put(f / DOUBT, b""), r"confidence\.json is damaged, no JSON"),
    ("confidence truncated", lambda f: truncate(f / DOUBT), r"confidence\.json is damaged"),
    (
        "confidence flipped",
        lambda f: edit(f / DOUBT, lambda c: c["confidence"].update(sure=0.8)),  # type: ignore[attr-defined]
        "is damaged .its sha256 differs.; fit it again",
    ),
    (
        "confidence of other weights",
        lambda f: edit(f / DOUBT, lambda c: c.update(weights_sha256="0")),
        "was fitted to other weights; fit it again",
    ),
    (
        "confidence not finite",
        lambda f: edit(
            f / DOUBT,
            lambda c: (c.pop("confidence_sha256"), c["confidence"].update(reward=math.nan)),  # type: ignore[attr-defined]
        ),
        "is damaged .All of it must be finite",
    ),
]  # fmt: skip


def test_the_folder_is_whole_without_damage(folder: Path) -> None:
    assert Recognizer.load(folder, engine="onnx").spec.alphabet.characters == LETTERS


@pytest.mark.parametrize(
    ("damage", "message"), [row[1:] for row in DAMAGES], ids=[row[0] for row in DAMAGES]
)
def test_damage_is_one_error(folder: Path, damage: Damage, message: str) -> None:
    damage(folder)
    with pytest.raises(ModelFolderError, match=message) as caught:
        Recognizer.load(folder, engine="onnx")
    assert str(folder.parent) not in str(caught.value)


def test_no_bit_of_the_config_can_change_what_is_read(tmp_path: Path) -> None:
    """Of each byte one bit is flipped: the spec stays as it was, or the folder is refused."""
    data = b"weights"
    spec = load_spec(MODEL)
    config = {
        "format": 1,
        "spec": spec.to_dict(),
        "spec_sha256": content_sha256(spec.to_dict()),
        "weights_sha256": sha256(data).hexdigest(),
    }
    (tmp_path / "model.weights.h5").write_bytes(data)
    whole = json.dumps(config, indent=2).encode()
    refused = 0
    for at in range(len(whole)):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << at % 8
        (tmp_path / "config.json").write_bytes(flipped)
        try:
            assert load_spec(tmp_path) == spec
        except ModelFolderError:
            refused += 1
    assert refused > len(whole) // 2


class Armed:
    """An object that leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (str(self.mark),)


def rewrite(file: Path, **changes: object) -> None:
    with np.load(LANGUAGE_MODEL) as arrays:
        values = dict(arrays) | changes
    kept = {key: value for key, value in values.items() if value is not None}
    np.savez(file, **kept)  # type: ignore[arg-type]


def to_array(file: Path) -> None:
    with file.open("wb") as stream:
        np.save(stream, np.zeros(3))


def without_a_shorter_context(file: Path) -> None:
    with np.load(LANGUAGE_MODEL) as arrays:
        contexts = arrays["contexts"].copy()
    contexts[1, -1] = contexts[2, -1]
    rewrite(file, contexts=contexts)


PRIORS: list[tuple[str, Damage, str]] = [
    ("missing", lambda f: f.unlink(), r"There is no file .*language_model\.npz"),
    ("a folder", to_folder, r"There is no file .*language_model\.npz"),
    ("empty", lambda f: put(f, b""), r"npz is damaged, no language model"),
    ("truncated", truncate, r"npz is damaged, no language model"),
    ("flipped", flip, r"npz is damaged, no language model"),
    ("an array", to_array, r"npz is damaged, no language model"),
    ("another version", lambda f: rewrite(f, format=np.int64(2)), "has format 2, this program"),
    ("no costs", lambda f: rewrite(f, costs=None), r"npz is damaged, no language model"),
    ("costs of floats", lambda f: rewrite(f, costs=np.zeros((1, 30))), "stored as bytes"),
    ("of another alphabet", lambda f: rewrite(f, alphabet=np.array("AB")), "one row of costs per"),
    ("a context missing", without_a_shorter_context, "hold each shorter one"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("damage", "message"), [row[1:] for row in PRIORS], ids=[row[0] for row in PRIORS]
)
def test_a_damaged_language_model_is_one_error(
    tmp_path: Path, damage: Damage, message: str
) -> None:
    file = Path(shutil.copy(LANGUAGE_MODEL, tmp_path / "language_model.npz"))
    damage(file)
    with pytest.raises(LanguageModelError, match=message):
        LanguageModel.load(file).fused(0.2, 0.3)


def test_a_language_model_with_code_in_it_is_refused_and_the_code_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    rewrite(tmp_path / "language_model.npz", costs=np.array([Armed(mark)], object))
    with pytest.raises(LanguageModelError, match="Object arrays cannot be loaded"):
        LanguageModel.load(tmp_path / "language_model.npz")
    assert not mark.exists()
    with np.load(tmp_path / "language_model.npz", allow_pickle=True) as arrays:
        arrays["costs"]
    assert mark.exists()  # the trap works

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import ROOT, TINY, bank_of, full_disk, write_folder

from hwr.atomic_file import WriteError
from hwr.cli import main
from hwr.data.batches import Batch, Batches, PreparedSource
from hwr.data.dataset import open_dataset, split_calibration
from hwr.data.loader import stream
from hwr.data.prepared_cache import PreparedSet, prepare_dataset
from hwr.network.model_folder import load_model
from hwr.spec import Spec
from hwr.synthesis.names import read_names, read_weighted_names
from hwr.training.recipe import Recipe, train
from hwr.training.trainer import Plan, Progress, Trainer

NAMES = ["ANNA", "LEO", "IDA", "TOM", "EVA", "PAUL", "NINA", "LUC", "MAX", "ELLA"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [(f"{i}.png", NAMES[i % len(NAMES)]) for i in range(60)]
    return write_folder(tmp_path_factory.mktemp("toy") / "toy", [*rows, ("blank.png", "")])


@pytest.fixture(scope="module")
def images(data: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    dataset = open_dataset(data, "train", TINY.alphabet)
    return prepare_dataset(dataset, TINY, folder=tmp_path_factory.mktemp("cache"))


Stream = Callable[..., Generator[Batch, None, None]]


def interrupted(batches: Batches, first: int) -> Generator[Batch, None, None]:
    """Yield batches during which Ctrl-C is pressed."""
    for number, batch in enumerate(stream(batches, first), start=first):
        if number == 11:
            os.kill(os.getpid(), signal.SIGINT)
        yield batch


DROPPING = replace(TINY, dropout=0.2)


def trainer(
    images: PreparedSet,
    folder: Path,
    read: Stream = stream,
    precision: str = "float32",
    validated: bool = True,
) -> Trainer:
    import keras

    keras.utils.set_random_seed(3)
    batches = Batches([PreparedSource(images)], [1.0], DROPPING, batch_size=8, seed=2)
    plan = Plan(samples=160, validate_every=80)
    return Trainer(
        DROPPING,
        plan,
        partial(read, batches),
        {"toy": images} if validated else {},
        folder,
        lambda *_: None,
        precision=precision,
    )


def test_interrupted_and_resumed_run_equals_one_that_was_not(
    images: PreparedSet, tmp_path: Path
) -> None:
    whole = trainer(images, tmp_path / "whole")
    assert whole.run().samples == 160

    first = trainer(images, tmp_path / "parts", interrupted)
    assert first.run().step == 12
    second = trainer(images, tmp_path / "parts")
    second.resume()
    assert second.progress.samples == 96
    assert second.run().samples == 160
    assert len(second.progress.history) == len(whole.progress.history) == 2
    for ours, theirs in zip(second.model.variables, whole.model.variables, strict=True):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), atol=1e-4)
    for ours, theirs in zip(second.average.values, whole.average.values, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    iterations = [int(np.asarray(t.optimizer.iterations)) for t in (second, whole)]
    assert iterations == [20, 20]


def test_run_killed_while_it_validates_validates_before_it_goes_on(
    images: PreparedSet, tmp_path: Path
) -> None:
    """Else a worse model, validated later, would take the place of the one that was missed."""
    first, saved = trainer(images, tmp_path), []

    def killed(*_: object) -> None:
        raise SystemExit

    first.save = killed
    with pytest.raises(SystemExit):
        first.run()
    second = trainer(images, tmp_path)
    second.save = lambda model, scores, progress: saved.append(progress.samples)
    second.resume()
    assert (second.progress.samples, second.progress.due) == (80, True)
    second.run()
    assert [entry["samples"] for entry in second.progress.history] == [80, 160]
    assert [entry["loss"] is not None for entry in second.progress.history] == [True, True]
    assert saved[0] == 80
    with (tmp_path / "log.csv").open() as file:
        assert [row["samples"] for row in csv.DictReader(file)] == ["80", "160"]


class Saved:
    """What a run saves; the first save can fail, as on a full disk or in a killed process."""

    def __init__(self, run: Trainer, failure: BaseException | None = None) -> None:
        self.samples: list[int] = []
        self.weights: list[np.ndarray] = []
        self.failure = failure
        run.save = self

    def __call__(self, model: Any, scores: dict[str, Any], progress: Progress) -> None:
        if self.failure is not None:
            raise self.failure
        self.samples.append(progress.samples)
        self.weights = [np.array(w) for w in model.get_weights()]


@pytest.mark.parametrize("failure", [WriteError("the disk is full"), SystemExit()], ids=str)
def test_without_validation_a_run_that_failed_to_save_still_leaves_its_last_weights(
    images: PreparedSet, tmp_path: Path, failure: BaseException
) -> None:
    first = trainer(images, tmp_path, validated=False)
    Saved(first, failure)
    with pytest.raises(type(failure)):
        first.run()
    second = trainer(images, tmp_path, validated=False)
    second.resume()
    assert (second.progress.samples, second.progress.saved) == (80, -1)
    saved = Saved(second)
    second.run()
    assert saved.samples == [80, 160]
    for ours, theirs in zip(saved.weights, second.average.values, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert second.progress.best_cer == float("inf")


def test_without_validation_a_resumed_run_leaves_its_last_weights(
    images: PreparedSet, tmp_path: Path
) -> None:
    first = trainer(images, tmp_path, interrupted, validated=False)
    Saved(first)
    first.run()
    first.progress.best_cer = 0.0  # as a version before wrote it
    first.checkpoint()
    second = trainer(images, tmp_path, validated=False)
    second.resume()
    saved = Saved(second)
    assert second.run().saved == 160
    assert saved.samples == [160]
    for ours, theirs in zip(saved.weights, second.average.values, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_without_validation_weights_that_are_no_numbers_replace_none(
    images: PreparedSet, tmp_path: Path
) -> None:
    run = trainer(images, tmp_path, validated=False)
    saved = Saved(run)
    run.average.values[0][:] = np.nan
    run.run()
    assert saved.samples == []


def test_what_failed_to_be_saved_does_not_count_as_saved(
    images: PreparedSet, tmp_path: Path
) -> None:
    run = trainer(images, tmp_path)
    Saved(run, WriteError("the disk is full"))
    with pytest.raises(WriteError):
        run.run()
    assert (run.progress.saved, run.progress.best_cer) == (-1, float("inf"))
    assert run.progress.due


@pytest.mark.parametrize(("keep_last", "kept"), [(False, []), (True, [160])])
def test_the_last_weights_can_be_kept_whatever_validation_says(
    images: PreparedSet, tmp_path: Path, keep_last: bool, kept: list[int]
) -> None:
    run, saved = trainer(images, tmp_path), []
    run.plan = replace(run.plan, keep_last=keep_last)
    run.progress.best_cer = 0.0
    run.save = lambda model, scores, progress: saved.append(progress.samples)
    run.run()
    assert saved == kept
    # The last loss is logged: weights that are not kept are not validated twice.
    assert [entry["loss"] is not None for entry in run.progress.history] == [True, True]


def test_a_full_disk_keeps_the_last_checkpoint(images: PreparedSet, tmp_path: Path) -> None:
    run = trainer(images, tmp_path)
    run.checkpoint()
    before = (tmp_path / "state.npz").read_bytes()
    with full_disk(20_000), pytest.raises(WriteError, match=r"^state\.npz cannot be written to"):
        run.checkpoint()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"state.npz": before}


def test_half_precision_scales_its_loss_and_resumes(images: PreparedSet, tmp_path: Path) -> None:
    run = trainer(images, tmp_path, precision="mixed_float16")
    assert {str(w.dtype) for w in run.reader.get_weights()} == {"float32"}
    assert float(np.asarray(run.optimizer.dynamic_scale)) == 2.0**15
    run.optimizer.dynamic_scale.assign(2.0**13)
    run.optimizer.learning_rate = 0.25
    run.checkpoint()
    again = trainer(images, tmp_path, precision="mixed_float16")
    again.resume()
    assert float(np.asarray(again.optimizer.dynamic_scale)) == 2.0**13
    assert float(np.asarray(again.optimizer.learning_rate)) == 0.25
    with pytest.raises(ValueError, match="or of another backend or precision"):
        trainer(images, tmp_path).resume()


def test_checkpoint_of_another_spec_is_refused(images: PreparedSet, tmp_path: Path) -> None:
    run = trainer(images, tmp_path)
    run.checkpoint()
    run.spec = replace(TINY, units=17)
    with pytest.raises(ValueError, match="of a network with another spec"):
        run.resume()


def test_recipe_writes_the_model_and_the_run(data: Path, tmp_path: Path) -> None:
    recipe = Recipe(
        data=((str(data), 1.0),),
        synthetic=0.25,
        out=tmp_path / "m",
        epochs=2.0,
        batch_size=8,
        validate_every=80,
        cache=tmp_path / "cache",
        spec=TINY,
    )
    progress = train(recipe)
    # Two passes over the pictures, a quarter of the images being drawn besides.
    wanted = 2 * len(split_calibration(open_dataset(data, "train", TINY.alphabet))[0]) / 0.75
    assert wanted <= progress.samples < wanted + 8
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "MODEL_CARD.md", "config.json", "metrics.json", "model.onnx", "model.weights.h5",
    ]  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "m.run").iterdir()) == [
        "log.csv", "state.npz", "tensorboard",
    ]  # fmt: skip
    metrics = json.loads((tmp_path / "m" / "metrics.json").read_text())
    (run,) = metrics["runs"]
    assert run["sources"].keys() == {"toy"}
    assert run["synthetic_share"] == 0.25
    assert metrics["validation"]["toy"]["n"] > 0
    with (tmp_path / "m.run" / "log.csv").open() as file:
        assert next(int(r["samples"]) for r in csv.DictReader(file)) == 80
    assert load_model(tmp_path / "m")[0] == TINY

    again = replace(recipe, out=tmp_path / "n", init=tmp_path / "m", epochs=None, samples=8)
    train(again)
    metrics = json.loads((tmp_path / "n" / "metrics.json").read_text())
    # Eight images cannot beat the model they start from, or they did: both are said.
    assert [r["samples"] for r in metrics["runs"]] in ([run["samples"], 0], [run["samples"], 8])
    assert metrics["history"][0]["samples"] == 0

    with pytest.raises(ValueError, match="holds an earlier run; continue it with --resume"):
        train(recipe)


def test_run_stopped_from_outside_is_resumed(data: Path, tmp_path: Path) -> None:
    """`train.py` as a person runs it: Ctrl-C, then --resume."""
    command = [
        sys.executable, "train.py", "--data", str(data), "--out", str(tmp_path / "m"),
        "--cache", str(tmp_path / "cache"), "--batch-size", "4", "--validate-every", "100000",
    ]  # fmt: skip
    process = subprocess.Popen(
        [*command, "--samples", "100000"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    seen = ""
    patience = threading.Timer(240, process.kill)
    patience.start()
    while "loss=" not in seen and (character := process.stdout.read(1)):
        seen += character
    patience.cancel()
    assert "loss=" in seen, seen
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, seen + rest
    with np.load(tmp_path / "m.run" / "state.npz") as state:
        samples = json.loads(str(state["facts"]))["progress"]["samples"]
    assert 0 < samples < 100000
    done = subprocess.run(
        [*command, "--samples", str(samples + 8), "--resume"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert load_model(tmp_path / "m")[1].count_params() > 1_000_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "no folder 'nowhere'"),
        (["--synthetic", "--resume", "--out", "none"], "no run to resume"),
        (["--synthetic", "--epochs", "1"], "--epochs counts passes over --data"),
        (["--synthetic", "--init", "nowhere", "--minutes", "1"], r"no config\.json in 'nowhere'"),
        (["--data", "x:0"], "weight of x must be above 0"),
        (["--letters", "none.npz"], r"none\.npz is no letter bank"),
        (["--synthetic", "--out", str(ROOT / "tests")], "is there already and is no model folder"),
        (["--synthetic", "--hosts", "a:1,b:2", "--process", "0"], "--hosts needs the JAX backend"),
        (["--synthetic", "--shards", "3"], "64 images cannot be divided equally among 3"),
        (["--synthetic", "--workers", "-1"], r"workers must be 0 or more\. Received: -1"),
    ],
    ids=[
        "data",
        "resume",
        "epochs",
        "init",
        "weight",
        "letters",
        "out",
        "hosts",
        "shards",
        "workers",
    ],
)
def test_what_cannot_be_trained_is_one_sentence(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to train on"),
        (["--synthetic", "--minutes", "-5"], "must be a number above 0. Received: -5"),
        (["--synthetic", "--samples", "0"], "must be a number above 0. Received: 0"),
        (["--data", "x", "--names", "n.txt"], "give --synthetic or --letters, too"),
        (["--data", "x", "--letters", "b.npz", "--fonts", "f"], "give --synthetic, too"),
        (["--data", "x", "--hosts", "a:1,b:2"], "--hosts and --process go together"),
        (["--data", "x", "--precision", "float64"], "invalid choice: 'float64'"),
    ],
    ids=["nothing", "minutes", "samples", "names", "fonts", "hosts", "precision"],
)
def test_arguments_without_sense_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_real_drawn_and_recombined_pictures_share_the_batches(tmp_path: Path) -> None:
    bank = bank_of("HELP", "ANNA")
    bank.save(tmp_path / "bank.npz")
    rows = [(f"{i}.png", "OTTO") for i in range(40)]
    recipe = Recipe(
        data=((str(write_folder(tmp_path / "writer", rows)), 1.0),),
        synthetic=0.25,
        letters=tmp_path / "bank.npz",
        recombined=0.5,
        names=tmp_path / "names.csv",
        out=tmp_path / "m",
        samples=8,
        batch_size=8,
        cache=tmp_path / "cache",
        spec=Spec(filters=(4, 8, 8), features=16, units=16),
    )
    (tmp_path / "names.csv").write_text("NAME,COUNT\nHELENA,90\nPAN,1\nZZ,1\n")
    train(recipe)
    run = json.loads((tmp_path / "m" / "metrics.json").read_text())["runs"][0]
    assert run["synthetic_share"] == 0.25
    assert run["recombined_share"] == 0.5
    assert run["letters"] == {"drawn": 8}
    with pytest.raises(ValueError, match=r"Received: 0\.6 and 0\.5"):
        train(replace(recipe, synthetic=0.6, out=tmp_path / "n"))


def test_names_are_weighted_by_the_root_of_their_count(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("NAME,COUNT\nR2D2,4\nLE GALL,1\nTHOMAS,9\nZOE,0\n")
    assert read_weighted_names(tmp_path / "a.csv", TINY.alphabet) == (
        ["LE GALL", "THOMAS", "ZOE"],
        [1.0, 3.0, 1.0],
    )
    (tmp_path / "b.csv").write_text("THOMAS;\u00c9LODIE\n", encoding="utf-8")
    assert read_weighted_names(tmp_path / "b.csv", TINY.alphabet) == (["THOMAS"], None)
    (tmp_path / "a.txt").write_text("THOMAS\n")
    assert read_weighted_names(tmp_path / "a.txt", TINY.alphabet) == (["THOMAS"], None)


def test_data_folders_of_one_name_stay_apart(tmp_path: Path) -> None:
    rows = [(f"{i}.png", NAMES[i % len(NAMES)]) for i in range(40)]
    for parent in ("a", "b"):
        write_folder(tmp_path / parent / "writer", rows)
    recipe = Recipe(
        data=((str(tmp_path / "a" / "writer"), 1.0), (str(tmp_path / "b" / "writer"), 2.0)),
        synthetic=0.0,
        out=tmp_path / "m",
        samples=8,
        batch_size=8,
        cache=tmp_path / "cache",
        spec=TINY,
    )
    train(recipe)
    metrics = json.loads((tmp_path / "m" / "metrics.json").read_text())
    assert metrics["runs"][0]["weights"] == {"writer": 1.0, "writer (2)": 2.0}
    assert metrics["validation"].keys() == {"writer", "writer (2)"}


def test_learning_rate_rises_and_falls_along_a_cosine() -> None:
    plan = Plan(samples=1000, learning_rate=1.0, warm_up=0.1)
    assert plan.rate_at(0.05) == pytest.approx(0.5)
    assert plan.rate_at(0.1) == pytest.approx(1.0)
    assert plan.rate_at(0.55) == pytest.approx(0.505)
    assert plan.rate_at(1.0) == pytest.approx(0.01)
    assert plan.progress(250, 1e9) == 0.25
    assert Plan(minutes=2).progress(10**9, 30) == 0.25


def test_names_are_read_from_text_and_csv(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Élodie\nR2D2\n\nJean-Luc\n", encoding="utf-8")
    assert read_names(tmp_path / "a.txt", TINY.alphabet) == ["Élodie", "Jean-Luc"]
    (tmp_path / "b.csv").write_text("NAME,COUNT\nTHOMAS,3\nLE GALL,1\n")
    assert read_names(tmp_path / "b.csv", TINY.alphabet) == ["THOMAS", "LE GALL"]
    (tmp_path / "c.txt").write_text("123\n")
    with pytest.raises(ValueError, match=r"c\.txt holds no name"):
        read_names(tmp_path / "c.txt", TINY.alphabet)
    (tmp_path / "d.csv").write_text("Łukasz;1\nSøren;2\n", encoding="utf-8")
    assert read_names(tmp_path / "d.csv", TINY.alphabet) == ["LUKASZ", "SOREN"]

"""Kill what writes, at random moments, and fill its disk: nothing may be corrupt afterwards.

    python -m benchmarks.faults kills --count 60 --training 10
    python -m benchmarks.faults disk --folder DIR    # DIR on a small disk, as root:
        mount -t tmpfs -o size=3m none DIR

A kill is SIGKILL, which no program can prepare for. Each job writes over and over in a process of
its own; after a kill the result is checked, and the job done once more on top of it. Exit code 0:
everything was whole each time.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import multiprocessing
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np

from hwr.data.dataset import open_dataset
from hwr.data.prepared_cache import PreparedSet, prepare_dataset
from hwr.decoding.confidence import DecodingParameters, load_parameters, save_parameters
from hwr.decoding.language_model import LanguageModel
from hwr.defaults import MODEL, SAMPLES
from hwr.network.engine import load_engine
from hwr.network.model_folder import add_onnx
from hwr.spec import Spec
from hwr.synthesis.sample_set import write_samples
from hwr.ui.batch.files import write_training_folder
from hwr.ui.batch.rows import Row, Source

TINY = Spec(height=16, max_width=128, width_step=32, filters=(4, 8, 8), features=16, units=16)

#: Images between two checkpoints of the training job, and images of a batch.
INTERVAL, BATCH = 32, 8


@dataclass(frozen=True)
class Job:
    """Something that writes into a folder.

    Attributes:
        work: writes over and over, without end.
        check: raises an AssertionError, or another, if what is there is not whole.
        seconds: the longest that it works before it is killed.
        done: how far it has come, if it is to be killed between 0 and 4 intervals later and not
            by the clock alone: a network takes long to be built, and that long cannot be foreseen.
    """

    work: Callable[[Path], None]
    check: Callable[[Path], None]
    seconds: float = 2.0
    done: Callable[[Path], int] | None = None


# === Jobs ===


def cached() -> PreparedSet:
    return prepare_dataset(open_dataset(SAMPLES, "train", TINY.alphabet), TINY, folder=Path("c"))


def write_cache(_: Path) -> None:
    while True:
        cached()
        # Not at once, so kills leave caches that miss one of their files.
        shutil.rmtree("c")


def check_cache(folder: Path, found: dict[str, str]) -> None:
    images = cached()
    digest = hashlib.sha256(images.pixels).hexdigest()
    assert found.setdefault("pixels", digest) == digest, "other pixels than the first time"
    assert len(images) == len(images.widths) > 0
    check_clean(folder / "c")


LANGUAGE_MODELS = [
    LanguageModel.estimate(names, least=1.0) for names in ({"ANNA": 900}, {"LEO": 1, "IDA": 500})
]


def write_language_model(folder: Path) -> None:
    for number in count():
        LANGUAGE_MODELS[number % 2].save(folder / "language_model.npz")


def check_language_model(folder: Path) -> None:
    if (folder / "language_model.npz").exists():
        costs = LanguageModel.load(folder / "language_model.npz").costs
        assert any(
            np.array_equal(costs, language_model.costs) for language_model in LANGUAGE_MODELS
        ), "another language model"
    LANGUAGE_MODELS[0].save(folder / "language_model.npz")
    check_clean(folder)


def networks() -> list[bytes]:
    """Two networks that differ in their description alone."""
    data = (MODEL / "model.onnx").read_bytes()
    return [data, data + b"\x32\x01x"]


def write_network(folder: Path) -> None:
    both = networks()
    for number in count():
        add_onnx(folder / "model", "onnx", both[number % 2])


def check_network(folder: Path) -> None:
    if not (folder / "model").exists():
        shutil.copytree(MODEL, folder / "model")
    load_engine(folder / "model", "onnx")
    assert (folder / "model" / "model.onnx").read_bytes() in networks()
    add_onnx(folder / "model", "onnx", networks()[0])
    check_clean(folder)


def write_confidence(folder: Path) -> None:
    for number in count():
        save_parameters(folder / "model", DecodingParameters(sure=(0.8, 0.9)[number % 2]))


def check_confidence(folder: Path) -> None:
    if not (folder / "model").exists():
        shutil.copytree(MODEL, folder / "model")
    assert load_parameters(folder / "model").sure in (0.8, 0.9)
    save_parameters(folder / "model", DecodingParameters())
    check_clean(folder / "model")


def batch_rows() -> list[Row]:
    dataset = open_dataset(SAMPLES, "test", TINY.alphabet)
    return [
        Row(number, Source(sample.path.name, sample.path), text=sample.text, checked=True)
        for number, sample in enumerate(dataset.samples, 1)
    ]


def write_batch(folder: Path) -> None:
    rows = batch_rows()
    while True:
        write_training_folder(rows, folder / "corrections.zip")


def check_batch(folder: Path) -> None:
    if (folder / "corrections.zip").exists():
        with zipfile.ZipFile(folder / "corrections.zip") as archive:
            assert archive.testzip() is None
            assert len(archive.namelist()) == len(batch_rows()) + 1
    write_training_folder(batch_rows(), folder / "corrections.zip")
    check_clean(folder)


def write_sets(folder: Path) -> None:
    for number in count(len(list(folder.iterdir()))):
        write_samples(folder / f"set{number}", count=8, names=["ANNA"])


def check_sets(folder: Path) -> None:
    for left in folder.glob(".*"):
        name = left.name[1:].split(".")[0]
        assert not (folder / name).exists()
        write_samples(folder / name, count=8, names=["ANNA"])
    for each in folder.iterdir():
        assert len([f for f in each.rglob("*") if f.is_file()]) == 8 + 3, each.name
    check_clean(folder)


def train(folder: Path) -> None:
    """Train a tiny network for ever, from where it stands; write down where that is."""
    from hwr.training import recipe
    from hwr.training.trainer import Trainer

    def show(trainer: Trainer, *_: object) -> None:
        # In one call: a kill leaves the whole number or the one before.
        handle = os.open(folder / "shown", os.O_WRONLY | os.O_CREAT)
        os.pwrite(handle, struct.pack("<Q", trainer.progress.samples), 0)
        os.close(handle)

    Trainer._show = show  # type: ignore[method-assign]
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    recipe.train(
        recipe.Recipe(
            data=((str(SAMPLES), 1.0),),
            synthetic=0.0,
            cache=folder / "cache",
            out=folder / "model",
            samples=10**9,
            batch_size=BATCH,
            validate_every=INTERVAL,
            resume=(folder / "model.run" / "state.npz").exists(),
            spec=TINY,
        )
    )


def images_shown(folder: Path) -> int:
    """Return how many images the last process that trained came to."""
    file = folder / "shown"
    shown = file.read_bytes() if file.exists() else b""
    return int(struct.unpack("<Q", shown)[0]) if shown else 0


def check_training(folder: Path, last: dict[str, int]) -> None:
    run = folder / "model.run"
    if not (run / "state.npz").exists():
        assert last["samples"] == 0, "the checkpoint is gone"
        shutil.rmtree(run, ignore_errors=True)
        (folder / "shown").unlink(missing_ok=True)
        return
    with np.load(run / "state.npz") as state:
        for name in state.files:  # every checksum
            state[name]
        progress = json.loads(str(state["facts"]))["progress"]
    assert progress["samples"] >= last["samples"], "went back"
    last["samples"] = progress["samples"]
    lost = images_shown(folder) - progress["samples"]
    assert lost <= INTERVAL + BATCH, f"{lost} images lost"
    last["lost"] = max(last.get("lost", 0), lost)
    (folder / "shown").write_bytes(struct.pack("<Q", progress["samples"]))
    if (folder / "model").exists():
        load_engine(folder / "model", "onnx")
    if (run / "log.csv").exists():
        with (run / "log.csv").open(newline="") as file:
            logged = [int(row["samples"]) for row in csv.DictReader(file)]
        assert logged == sorted(set(logged)), "rows twice"
        # Killed between the log and the checkpoint, the log has one more.
        assert len(logged) - len(progress["history"]) in (0, 1), "rows missing"


def check_clean(folder: Path) -> None:
    left = [path.name for path in folder.iterdir() if path.name.endswith(".partial")]
    assert not left, f"left behind: {left}"


def jobs() -> dict[str, Job]:
    return {
        "prepare pictures": Job(write_cache, partial(check_cache, found={}), 3.0),
        "save a language model": Job(write_language_model, check_language_model),
        "export a network": Job(write_network, check_network),
        "store a confidence": Job(write_confidence, check_confidence),
        "pack a batch": Job(write_batch, check_batch),
        "draw a dataset": Job(write_sets, check_sets),
    }


# === Kills ===


def kill(job: Job, folder: Path, rng: random.Random, longest: float = math.inf) -> None:
    """Let `job` work for a random time, kill it and check what is left."""
    os.chdir(folder)
    process = multiprocessing.get_context("fork").Process(target=job.work, args=(folder,))
    process.start()
    if job.done:
        wanted = job.done(folder) + rng.randrange(1, 4 * INTERVAL)
        while process.is_alive() and job.done(folder) < wanted:
            time.sleep(0.02)
    time.sleep(rng.uniform(0.02, min(job.seconds, longest)))
    assert process.pid is not None
    assert process.is_alive(), f"ended by itself with exit code {process.exitcode}"
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    job.check(folder)


def kills(args: argparse.Namespace) -> int:
    """Kill every job in turn, `--count` times in all; print a table."""
    cv2.setNumThreads(1)  # threads do not survive a fork
    rng = random.Random(args.seed)
    last = {"samples": 0}
    listed = jobs()
    with tempfile.TemporaryDirectory() as scratch:
        here = Path.cwd()
        for name in listed:
            (Path(scratch) / name).mkdir()
            os.chdir(Path(scratch) / name)
            listed[name].check(Path(scratch) / name)  # makes what there is to begin with
        done = dict.fromkeys(listed, 0)
        for number in range(args.count - args.training):
            name = list(listed)[number % len(listed)]
            kill(listed[name], Path(scratch) / name, rng, args.longest)
            done[name] += 1
            print(f"{number + 1}: {name}: whole", flush=True)
        if args.training:
            import hwr.training.recipe
            import hwr.training.trainer  # noqa: F401 - once, not in every process

            job = Job(train, partial(check_training, last=last), args.seconds, images_shown)
            folder = Path(scratch) / "train"
            folder.mkdir()
            done["train"] = 0
            for _ in range(args.training):
                kill(job, folder, rng)
                done["train"] += 1
                print(f"train: whole, at {last['samples']} images", flush=True)
        os.chdir(here)
    print("\n| what was killed | times | corrupt |\n|---|---|---|")
    for name, times in done.items():
        print(f"| {name} | {times} | 0 |")
    print(f"\n{sum(done.values())} kills, nothing corrupt.", end=" ")
    if args.training:
        print(
            f"Training came to {last['samples']} images; at most {last.get('lost', 0)} were lost "
            f"at once, checkpoints being {INTERVAL} apart."
        )
    return 0


# === Full disk ===


def disk(args: argparse.Namespace) -> int:
    """Write until a disk is full, once with each writer; what stood there must stay."""
    folder: Path = args.folder
    free = shutil.disk_usage(folder).free
    if not 10**5 < free < 10**8:
        raise SystemExit(f"{folder} has {free} bytes free; give it 0.1 to 100 MB.")
    LANGUAGE_MODELS[0].save(folder / "language_model.npz")
    write_training_folder(batch_rows(), folder / "corrections.zip")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with suppress(OSError), (folder / "ballast").open("wb", buffering=0) as ballast:
        while ballast.write(bytes(4096)):
            pass
    writers: dict[str, Callable[[], Any]] = {
        "save a language model": lambda: LanguageModel.estimate(
            {"ANNA" * n: 9.0 for n in range(1, 99)}, least=0.1
        )
        .save(folder / "language_model.npz"),
        "pack a batch": lambda: write_training_folder(batch_rows(), folder / "corrections.zip"),
        "draw a dataset": lambda: write_samples(folder / "set", count=8, names=["ANNA"]),
        "prepare pictures": lambda: prepare_dataset(
            open_dataset(SAMPLES, "train", TINY.alphabet), TINY, folder=folder
        ),
    }  # fmt: skip
    for name, write in writers.items():
        try:
            write()
        except OSError as error:
            print(f"{name}: {error}")
        else:
            raise AssertionError(f"{name}: wrote although the disk is full")
        left = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "ballast"}
        assert left == before, f"{name}: changed {sorted(left)}"
    (folder / "ballast").unlink()
    return 0


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    killing = commands.add_parser("kills", help="kill what writes")
    killing.add_argument("--count", type=int, default=60, help="kills in all (%(default)s)")
    killing.add_argument("--training", type=int, default=10, help="of training (%(default)s)")
    killing.add_argument(
        "--seconds",
        type=float,
        default=2.0,
        help="the longest that training goes on before a kill, after up to four intervals",
    )
    killing.add_argument(
        "--longest", type=float, default=math.inf, help="the same for all else (3 or less)"
    )
    killing.add_argument("--seed", type=int, default=0)
    killing.set_defaults(command=kills)
    filling = commands.add_parser("disk", help="write until the disk is full")
    filling.add_argument("--folder", type=Path, required=True)
    filling.set_defaults(command=disk)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = get_args(argv)
    return int(args.command(args))


if __name__ == "__main__":
    sys.exit(main())

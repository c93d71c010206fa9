from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from contextlib import closing, suppress

import numpy as np
import pytest
from helpers import ROOT, TINY, heed_interrupts, write_folder

from hwr.data.batches import GROUP, Batch, Batches, PreparedSource
from hwr.data.dataset import open_dataset
from hwr.data.loader import stream
from hwr.data.prepared_cache import PreparedSet, prepare_dataset


class Broken:
    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        raise RuntimeError("disk on fire")


class Killed:
    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        os._exit(9)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    folder = tmp_path_factory.mktemp("toy")
    rows = [(f"{i}.png", name) for i, name in enumerate(["ANNA", "LEO", "ELLA", "TOM"] * 5)]
    dataset = open_dataset(write_folder(folder / "toy", rows), "train", TINY.alphabet)
    return prepare_dataset(dataset, TINY, folder=folder / "cache")


def first(batches: Batches, count: int, start: int = 0, workers: int = 1) -> list[Batch]:
    with closing(stream(batches, start, workers=workers)) as ready:
        found = list(itertools.islice(ready, count))
    assert multiprocessing.active_children() == []
    return found


def test_batches_are_the_same_however_many_prepare_them(images: PreparedSet) -> None:
    plain = Batches([PreparedSource(images)], [1.0], TINY, batch_size=2, seed=6)
    start = GROUP - 3
    expected = first(plain, 2 * GROUP, start, workers=0)  # of three groups
    for workers in (1, 2):
        for ours, theirs in zip(first(plain, 2 * GROUP, start, workers), expected, strict=True):
            assert ours.images.dtype == np.float32
            assert ours.labels.dtype == np.int32
            np.testing.assert_array_equal(ours.images, theirs.images)
            np.testing.assert_array_equal(ours.labels, theirs.labels)


def test_pictures_of_the_cache_are_not_copied_to_the_workers(images: PreparedSet) -> None:
    assert isinstance(images.pixels, np.memmap)
    data = pickle.dumps(images)
    assert images.pixels[:400].tobytes() not in data
    again = pickle.loads(data)
    assert isinstance(again.pixels, np.memmap)
    assert again.samples == images.samples
    for number in range(len(images)):
        np.testing.assert_array_equal(again.image(number), images.image(number))


def test_error_in_a_worker_reaches_the_trainer() -> None:
    with pytest.raises(RuntimeError, match="disk on fire"):
        first(Batches([Broken()], [1], TINY), 1)
    assert multiprocessing.active_children() == []


def test_worker_that_vanishes_is_told() -> None:
    with pytest.raises(RuntimeError, match=r"ended with code 9, .* try fewer --workers"):
        first(Batches([Killed()], [1], TINY), 1)


def test_ctrl_c_reaches_the_trainer_alone() -> None:
    """The terminal sends Ctrl-C to the workers, too; they end with the trainer, silently."""
    program = (
        "from hwr.data.batches import Batches\n"
        "from hwr.data.loader import stream\n"
        "from hwr.synthesis.source import SyntheticSource\n"
        "from hwr.spec import Spec\n"
        "from hwr.synthesis.render import draw\n"
        "if __name__ == '__main__':\n"
        "    source = SyntheticSource(['ANNA'], draw, Spec())\n"
        "    batches = Batches([source], [1], Spec(), batch_size=1)\n"
        "    ready = stream(batches, workers=1)\n"
        "    next(ready)\n"
        "    try:\n"
        "        print('ready', flush=True)\n"
        "        for _ in ready: pass\n"
        "    except KeyboardInterrupt:\n"
        "        print('stopped')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert (said, errors, process.returncode) == ("stopped\n", "", 0)

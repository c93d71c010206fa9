"""Where the time of a training step goes: python -m benchmarks.profile_training

Times whole training steps of random pictures with the network's own layers and with Keras',
alternately in one process, then prints the operations that take most of a step.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np

import hwr.network.crnn
from benchmarks.work import multiply_adds
from hwr.defaults import default_model
from hwr.network.ctc_loss import compile_whole_step, ctc_loss
from hwr.network.model_folder import load_spec
from hwr.spec import Spec
from hwr.training.trainer import SHORTCUT_WEIGHT

Step = Callable[[], float]


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=9, help="of each kind (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--width", type=int, default=256, help="columns (%(default)s)")
    return parser.parse_args(argv)


def random_batch(spec: Spec, size: int, width: int) -> tuple[Any, Any]:
    """Return (size, height, width, 1) float32 pictures of noise and labels of nine letters."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (size, spec.height, width, 1)).astype(np.float32)
    labels = rng.integers(1, 28, (size, 16)).astype(np.int32)
    labels[:, 9:] = 0
    return images, labels


def make_step(spec: Spec, images: Any, labels: Any) -> Step:
    """Return a function that does one training step of a new network and returns its loss."""
    keras.utils.set_random_seed(0)
    model = hwr.network.crnn.build_model(spec, shortcut=True)
    model.compile(
        keras.optimizers.AdamW(1e-3, weight_decay=1e-3, global_clipnorm=5.0),
        loss=[ctc_loss, ctc_loss],
        loss_weights=[1.0, SHORTCUT_WEIGHT],
        jit_compile=compile_whole_step(),
    )

    def step() -> float:
        results = model.train_on_batch(images, [labels, labels], return_dict=True)
        return float(results["loss"])

    return step


def operations(step: Step, count: int = 3) -> Counter[str]:
    """Return the milliseconds of a step by kind of operation, summed over threads."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(count):
                step()
        (file,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    totals: Counter[str] = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                # "layer/operation:Kind" is an operation; a colon before a space is not.
                kind = name.rpartition(":")[2]
                if ":" in name and kind.isidentifier() and "::" not in name:
                    totals[kind] += event.duration_ps / 1e9 / count
    return totals


def main(argv: list[str] | None = None) -> int:
    """Print the figures."""
    args = get_args(argv)
    spec = load_spec(default_model())
    images, labels = random_batch(spec, args.batch_size, args.width)
    kinds = {"hwr's layers": make_step(spec, images, labels)}
    with mock.patch.multiple(
        hwr.network.crnn,
        Bidirectional=keras.layers.Bidirectional,
        BatchNormalization=keras.layers.BatchNormalization,
    ):
        kinds["Keras' layers"] = make_step(spec, images, labels)
    losses = {name: [step() for _ in range(3)] for name, step in kinds.items()}
    for name, values in losses.items():
        print(f"{name:14} first losses {', '.join(f'{v:.4f}' for v in values)}")
    wall: dict[str, list[float]] = {name: [] for name in kinds}
    busy: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(args.steps):
        for name, step in kinds.items():
            start, start_busy = time.perf_counter(), time.process_time()
            step()
            wall[name].append(time.perf_counter() - start)
            busy[name].append(time.process_time() - start_busy)
    work = 3 * 2 * multiply_adds(spec, args.width) * args.batch_size / 1e9
    print(
        f"{args.batch_size} images of {args.width} columns, {work:.0f} GFLOP a step, n={args.steps}"
    )
    for name in kinds:
        seconds = median(wall[name])
        print(
            f"{name:14} {1000 * seconds:5.0f} ms a step (least {1000 * min(wall[name]):.0f}), "
            f"{args.batch_size / seconds:4.0f} images/s, {work / seconds:4.0f} GFLOPS, "
            f"{1000 * median(busy[name]):5.0f} ms of processor time"
        )
    for name, step in kinds.items():
        totals = operations(step)
        total = sum(totals.values())
        print(f"\n{name}: share of the operations' time")
        for kind, spent in totals.most_common(14):
            print(f"{spent / total:6.1%} {kind}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

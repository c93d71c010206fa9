"""Do TensorFlow, JAX and PyTorch train alike? python -m benchmarks.backends

Each backend trains the same small network from the same weights on the same batches, in a process
of its own: the losses of each step, the same again when the run is interrupted half-way and
resumed, and the logits of the weights that each wrote, read by each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.several_hosts import LONGEST, quick_compilation

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

BACKENDS = ("tensorflow", "jax", "torch")

#: Largest relative difference of a loss, and largest difference of a logit.
LOSS_TOLERANCE, LOGIT_TOLERANCE = 1e-3, 1e-4

ROOT = Path(__file__).parent.parent


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--precision", default="float32", help="see train.py (%(default)s)")
    parser.add_argument("--work", type=Path, help="folder of this process (internal)")
    return parser.parse_args(argv)


def small_spec() -> Any:
    """Return the network that is trained: small, and without dropout, which is random."""
    from hwr.spec import Spec

    return Spec(
        height=16,
        max_width=64,
        width_step=64,
        filters=(4, 8, 8),
        features=16,
        units=16,
        dropout=0.0,
    )


# === One backend ===


def start(work: Path) -> None:
    """Write pictures to read, then the weights that all backends start from."""
    import keras

    from hwr.network.crnn import build_model
    from hwr.network.model_folder import save_model

    keras.utils.set_random_seed(1)
    spec = small_spec()
    rng = np.random.default_rng(5)
    np.save(work / "pictures.npy", rng.integers(0, 256, (3, spec.height, 64, 1)).astype(np.float32))
    save_model(work / "start", build_model(spec), spec, {"runs": [], "validation": {}}, "")


def wait_for(folder: Path) -> Path:
    """Return a model folder as soon as another process has written it, which is atomic.

    Raises:
        TimeoutError: it is not there after LONGEST seconds.
    """
    deadline = time.monotonic() + LONGEST
    while not folder.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"There is no {folder} after {LONGEST:g} seconds.")
        time.sleep(0.1)
    return folder


def train(work: Path, backend: str, args: argparse.Namespace) -> None:
    """Train twice, once without and once with an interruption; write losses and weights."""
    from hwr.data.batches import Batches, PreparedSource
    from hwr.data.dataset import open_dataset
    from hwr.data.loader import stream
    from hwr.data.prepared_cache import prepare_dataset
    from hwr.network.model_folder import load_model, save_model
    from hwr.training.trainer import Plan, Trainer

    spec = small_spec()
    folder = work / backend
    dataset = open_dataset(ROOT / "assets" / "samples", "train", spec.alphabet)
    images = prepare_dataset(dataset, spec, folder=work / "cache")
    plan = Plan(
        samples=args.steps * args.batch_size, validate_every=args.steps // 2 * args.batch_size
    )

    def trainer(name: str, losses: list[float], stop_at: int = 0) -> Trainer:
        batches = Batches([PreparedSource(images)], [1.0], spec, args.batch_size, coarse=True)
        made = Trainer(
            spec,
            plan,
            partial(stream, batches),
            {"samples": images},
            folder / name,
            lambda model, scores, progress: None,
            load_model(wait_for(work / "start"))[1],
            precision=args.precision,
        )
        # The head that is dropped later starts at random, and otherwise in each backend.
        rng = np.random.default_rng(2)
        head = made.model.get_layer("shortcut")
        head.set_weights([rng.normal(0, 0.1, w.shape) for w in head.get_weights()])
        step = made.model.train_on_batch

        def watched(*values: Any, **options: Any) -> Any:
            results = step(*values, **options)
            losses.append(float(results["loss"]))
            if made.progress.step + 1 == stop_at:
                made._stop = True
            return results

        made.model.train_on_batch = watched
        return made

    whole: list[float] = []
    parts: list[float] = []
    first = trainer("whole", whole)
    first.run()
    trainer("parts", parts, stop_at=args.steps // 2).run()
    again = trainer("parts", parts)
    again.resume()
    again.run()
    dtypes = sorted({str(np.asarray(v).dtype) for v in first.reader.get_weights()})
    cer = [entry["samples_cer"] for entry in first.progress.history]
    facts = {"whole": whole, "parts": parts, "dtypes": dtypes, "cer": cer}
    (folder / "facts.json").write_text(json.dumps(facts))
    save_model(folder / "model", first.reader, spec, {"runs": [], "validation": {}}, "")


def read(work: Path, backend: str, args: argparse.Namespace) -> None:
    """Write the logits of every backend's weights, read by this one."""
    from hwr.network.model_folder import load_model

    pictures = np.load(work / "pictures.npy")
    logits = {
        name: np.asarray(load_model(wait_for(work / name / "model"))[1].predict_on_batch(pictures))
        for name in args.backends
    }
    np.savez(work / backend / "logits.npz", allow_pickle=False, **logits)


# === All of them ===


def run_all(args: argparse.Namespace, work: Path) -> list[str]:
    """Run every backend in a process of its own; return what is printed.

    Raises:
        RuntimeError: one failed; the others are killed.
    """
    command = [
        sys.executable, "-m", "benchmarks.backends", "--work", str(work),
        "--steps", str(args.steps), "--batch-size", str(args.batch_size),
        "--precision", args.precision, "--backends", *args.backends,
    ]  # fmt: skip
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for backend in args.backends:
            with (work / f"{backend}.log").open("wb") as log:
                processes[backend] = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=os.environ | quick_compilation(work) | {"KERAS_BACKEND": backend},
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                )
        codes: list[int | None] = [None]
        while None in codes:
            time.sleep(0.1)
            codes = [process.poll() for process in processes.values()]
            for backend, code in zip(processes, codes, strict=True):
                if code:
                    log_text = (work / f"{backend}.log").read_text("utf-8", "replace")
                    raise RuntimeError(f"{backend} failed:\n{log_text[-4000:]}")
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    return compare(args, work)


def compare(args: argparse.Namespace, work: Path) -> list[str]:
    """Return lines on how far the backends differ.

    Raises:
        AssertionError: they differ by more than the tolerances.
    """
    facts = {b: json.loads((work / b / "facts.json").read_text()) for b in args.backends}
    logits = {b: dict(np.load(work / b / "logits.npz")) for b in args.backends}
    reference = np.array(facts[args.backends[0]]["whole"])
    loose = args.precision != "float32"
    lines = [f"loss of steps 1, {args.steps // 2} and {args.steps}, relative differences:"]
    for backend in args.backends:
        whole, parts = (np.array(facts[backend][k]) for k in ("whole", "parts"))
        assert len(whole) == len(parts) == args.steps, (backend, len(whole), len(parts))
        shown = ", ".join(f"{whole[i]:.4f}" for i in (0, args.steps // 2 - 1, args.steps - 1))
        other = float(np.abs(whole / reference - 1).max())
        resumed = float(np.abs(parts / whole - 1).max())
        read_by = max(
            float(np.abs(logits[other_backend][backend] - logits[backend][backend]).max())
            for other_backend in args.backends
        )
        lines.append(
            f"{backend:10} {shown}; from {args.backends[0]} {other:.1e}, resumed {resumed:.1e}; "
            f"its weights ({', '.join(facts[backend]['dtypes'])}) read by the others: logits "
            f"within {read_by:.1e}"
        )
        assert facts[backend]["dtypes"] == ["float32"], lines[-1]
        assert read_by < LOGIT_TOLERANCE, lines[-1]
        assert loose or max(other, resumed) < LOSS_TOLERANCE, lines[-1]
        # In 16 bits the backends round differently; they still learn the same.
        assert not loose or abs(whole[-5:].mean() / reference[-5:].mean() - 1) < 0.05, lines[-1]
        assert whole[-5:].mean() < whole[:5].mean(), lines[-1]
    return lines


def main(argv: list[str] | None = None) -> int:
    """Compare the backends that are installed."""
    args = get_args(argv)
    if args.work:
        backend = os.environ["KERAS_BACKEND"]
        if backend == args.backends[0]:
            start(args.work)
        train(args.work, backend, args)
        read(args.work, backend, args)
        return 0
    missing = [b for b in args.backends if find_spec(b) is None]
    if missing:
        print(f"not installed, left out: {', '.join(missing)}")
    args.backends = [b for b in args.backends if b not in missing]
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(run_all(args, Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())

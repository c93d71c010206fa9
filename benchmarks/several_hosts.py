"""Do several processes train as one does? python -m benchmarks.several_hosts

Needs JAX (hwr[jax]). A small network is trained with `hwr train` on this machine:

1. by one process that draws the batches of two (--shards 2),
2. by one process with two devices,
3. by two processes over loopback (--hosts), of which the second is killed: the first must end by
   itself and name it,
4. by two processes that resume 3, of which the first is killed, the one that writes,
5. by two processes that resume 4, to the end.

All losses must be those of 1. The last model is read by TensorFlow (PyTorch without it) and by
ONNX Runtime.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parent.parent

#: Largest difference of a loss between the runs.
TOLERANCE = 1e-3

#: Seconds within which the processes that are left end, see `hwr.training.peers.SILENCE`.
PROMISE = 30.0

#: Seconds after which any process is killed and the comparison fails.
LONGEST = 600.0

NAMES = ("ANNA", "LEO", "IDA", "TOM", "EVA", "LUC", "MAX", "ELLA")


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--kill-at", type=int, default=20, metavar="STEP")
    parser.add_argument(
        "--no-kills", action="store_true", help="only compare the losses of 1 and 5"
    )
    parser.add_argument("--work", type=Path, help="folder to keep the runs in (a temporary one)")
    return parser.parse_args(argv)


class Job:
    """The training runs that are compared."""

    def __init__(self, work: Path, args: argparse.Namespace) -> None:
        self.work, self.args = work, args
        self.environment = (
            os.environ
            | {
                "KERAS_BACKEND": "jax",
                "JAX_PLATFORMS": "cpu",
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "HWR_CACHE": str(work / "cache"),
            }
            | quick_compilation(work)
        )
        self.processes: list[subprocess.Popen[str]] = []
        if not (work / "data").exists():
            self._write_data(work / "data")
            self._python("jax", _WRITE_MODEL, str(work / "start"))

    def start(self, out: str, *options: str, devices: int = 1) -> subprocess.Popen[str]:
        """Start `hwr train`; a validation after every step notes the loss of each in log.csv."""
        size, steps = self.args.batch_size, self.args.steps
        command = [
            sys.executable, "-c", _TRAIN, "--data", str(self.work / "data"), "--init",
            str(self.work / "start"), "--out", str(self.work / out), "--batch-size", str(size),
            "--samples", str(size * steps), "--validate-every", str(size), *options,
        ]  # fmt: skip
        flags = f"{self.environment['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment | {"XLA_FLAGS": flags},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def start_two(self, out: str, *options: str) -> list[subprocess.Popen[str]]:
        """Start two processes of one job."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in free_ports(2))
        return [
            self.start(out, "--hosts", hosts, "--process", str(number), *options)
            for number in range(2)
        ]

    def losses(self, out: str) -> dict[int, float]:
        """Return the loss of each step of a run so far; the last of a step that was repeated."""
        file = self.work / f"{out}.run" / "log.csv"
        if not file.exists():
            return {}
        with file.open(newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if row["loss"]]
        return {int(row["samples"]) // self.args.batch_size: float(row["loss"]) for row in rows}

    def survive(self, out: str, victim: int, *options: str) -> str:
        """Start two processes, kill one in the midst; return when and how the other ended."""
        step = len(self.losses(out)) + self.args.kill_at
        processes = self.start_two(out, *options)
        deadline = time.monotonic() + LONGEST
        while len(self.losses(out)) < step:
            for number, process in enumerate(processes):
                if process.poll() is not None:
                    raise AssertionError(f"process {number} ended: {process.communicate()[1]}")
            assert time.monotonic() < deadline, f"no step {step} within {LONGEST:g} seconds"
            time.sleep(0.05)
        processes[victim].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        survivor = processes[1 - victim]
        try:
            _, said = survivor.communicate(timeout=PROMISE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"process {1 - victim} hung for {PROMISE:g} seconds") from None
        seconds = time.monotonic() - killed
        processes[victim].communicate()
        sentence = [line for line in said.splitlines() if line.startswith("hwr: ")]
        assert survivor.returncode == 3, (survivor.returncode, said[-3000:])
        assert len(sentence) == 1, said[-3000:]
        assert f"process {victim} (127.0.0.1:" in sentence[0], sentence
        done = len(self.losses(out))
        return f"after step {done}; the other ended {seconds:.1f} s later:\n    {sentence[0]}"

    def read_by_another_backend(self, out: str) -> str:
        """Return a line on the model as another backend reads it."""
        backend = "tensorflow" if find_spec("tensorflow") else "torch"
        return self._python(backend, _READ_MODEL, str(self.work / out))

    def _python(self, backend: str, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=ROOT,
            env=self.environment | {"KERAS_BACKEND": backend},
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    def _write_data(self, folder: Path) -> None:
        (folder / "images").mkdir(parents=True)
        rows = ["FILENAME,IDENTITY"]
        for number in range(48):
            name = NAMES[number % len(NAMES)]
            image = np.full((40, 90), 255, np.uint8)
            cv2.putText(image, name, (8 + number % 5, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 0, 2)
            cv2.imwrite(str(folder / "images" / f"{number}.png"), image)
            rows.append(f"{number}.png,{name}")
        (folder / "labels.csv").write_text("\n".join(rows) + "\n")


#: Programs of other processes, so that this one needs no backend. Keras (to seed TensorFlow) and
#: TensorBoard import TensorFlow where it is installed, which takes most of the start of a process;
#: training on JAX runs without it.
_ON_JAX_ALONE = """
import sys

class WithoutTensorFlow:
    def find_spec(name, path=None, target=None):
        if name == "tensorflow":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, WithoutTensorFlow)
"""
_TRAIN = f"""
{_ON_JAX_ALONE}
from hwr.cli import main
sys.exit(main(["train", *sys.argv[1:]]))
"""
_WRITE_MODEL = f"""
{_ON_JAX_ALONE}
from pathlib import Path
import keras
from hwr.network.crnn import build_model
from hwr.network.model_folder import save_model
from hwr.spec import Spec
keras.utils.set_random_seed(7)
spec = Spec(
    height=16, max_width=64, width_step=64, filters=(4, 8, 8), features=16, units=16, dropout=0.1
)
save_model(Path(sys.argv[1]), build_model(spec), spec, {{"runs": [], "validation": {{}}}}, "")
"""
_READ_MODEL = """
import sys
from pathlib import Path
import keras, numpy as np
from hwr.network.engine import load_engine
images = np.random.default_rng(0).integers(0, 256, (4, 16, 64), np.uint8)
ours, theirs = (load_engine(Path(sys.argv[1]), name)[1](images) for name in ("keras", "onnx"))
print(f"logits of {keras.backend.backend()} and ONNX Runtime within {abs(ours - theirs).max():.1e}")
"""


def quick_compilation(work: Path) -> dict[str, str]:
    """Return the environment in which JAX compiles least: without optimising, each program once."""
    return {
        "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
        "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=4",
        "JAX_COMPILATION_CACHE_DIR": str(work / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def finish(processes: list[subprocess.Popen[str]]) -> None:
    """Wait for processes that must succeed."""
    for process in processes:
        _, said = process.communicate(timeout=LONGEST)
        assert process.returncode == 0, said[-3000:]


def difference(ours: dict[int, float], theirs: dict[int, float], steps: int) -> str:
    """Return how far the losses of two runs differ.

    Raises:
        AssertionError: by more than TOLERANCE, or a step is missing.
    """
    assert sorted(ours) == sorted(theirs) == list(range(1, steps + 1)), (ours, theirs)
    worst = max(abs(ours[step] - theirs[step]) for step in ours)
    assert worst < TOLERANCE, worst
    shown = ", ".join(f"{ours[step]:.4f}" for step in (1, steps // 2, steps))
    return f"{shown}; largest difference {worst:.1e}"


def run(job: Job) -> None:
    """Print one line after the other; raise AssertionError where a promise is not kept."""
    steps = job.args.steps
    if job.args.no_kills:
        finish([job.start("one", "--shards", "2")])
        finish(job.start_two("two"))
        same = difference(job.losses("two"), job.losses("one"), steps)
        print(f"two processes and one: {same}", flush=True)
        return
    finish(
        [
            job.start("one", "--shards", "2"),
            job.start("devices", "--shards", "2", "--workers", "1", devices=2),
        ]
    )
    one = job.losses("one")
    print(f"losses of steps 1, {steps // 2}, {steps}", flush=True)
    print(f"two devices and one: {difference(job.losses('devices'), one, steps)}", flush=True)
    print(f"process 1 killed {job.survive('two', 1)}", flush=True)
    print(f"resumed, process 0 killed {job.survive('two', 0, '--resume')}", flush=True)
    finish(job.start_two("two", "--resume"))
    print(f"two processes and one: {difference(job.losses('two'), one, steps)}", flush=True)
    print(f"the model: {job.read_by_another_backend('two')}", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Compare the runs."""
    args = get_args(argv)
    if find_spec("jax") is None:
        print("JAX is not installed: pip install 'hwr[jax]'", file=sys.stderr)
        return 2
    work = args.work or Path(tempfile.mkdtemp(prefix="hwr-hosts-"))
    work.mkdir(parents=True, exist_ok=True)
    job = Job(work.resolve(), args)
    try:
        run(job)
    finally:
        for process in job.processes:
            process.kill()  # does nothing to one that has ended
        if args.work is None:
            shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

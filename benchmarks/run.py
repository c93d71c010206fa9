"""Measure speed beside accuracy, this project and its peers, in one run: python -m benchmarks.run

Each contender is a process of its own. One image at a time is read on one core, contenders taking
turns every few images; bulk reading and training use the cores given, contenders taking turns, too.
So whatever else the machine does slows all of them alike. Writes benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.work import multiply_adds
from hwr.alphabet import fold
from hwr.atomic_file import write_text
from hwr.data.dataset import open_dataset
from hwr.defaults import default_data, default_model
from hwr.evaluation.evaluate import Reference, nearest, plain_hyphens, read_reference
from hwr.evaluation.metrics import score
from hwr.network.model_folder import ONNX_FILES, load_spec

HERE = Path(__file__).resolve().parent

#: Printed on the forms beside the name; peers that read them are not blamed for it.
PROMPTS = re.compile(r"^\W*(NOM|PRENOM|PRÉNOM)S?\b\W*", re.IGNORECASE)

OWN = ("hwr onnx", "hwr int8", "hwr keras")

#: How often each picture is read in bulk by processes, whose start is counted.
TIMES = 25

#: What reads with the shipped model folder unless another engine is asked for.
DEFAULT = "hwr int8"


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="dataset folder ($HWR_DATA, else the samples)")
    parser.add_argument("--reference", type=Path, help="CSV of reference labels")
    parser.add_argument("--model", type=Path, help="model folder ($HWR_MODEL, else assets/model)")
    parser.add_argument("--cores", type=int, default=2, help="for bulk and training (%(default)s)")
    parser.add_argument(
        "--peers",
        type=Path,
        default=HERE / ".venv" / "bin" / "python",
        help="Python with benchmarks/requirements.txt installed (%(default)s)",
    )
    parser.add_argument("--only", nargs="*", help="contenders; default: all that are installed")
    parser.add_argument("--pictures", type=int, default=800, help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of bulk reading (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="40 pictures and few rounds")
    parser.add_argument(
        "--grow", type=int, nargs="*", metavar="N", help="picture counts of the memory test"
    )
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    return parser.parse_args(argv)


class Worker:
    """A contender's process; `ask` sends a command and waits for the answer."""

    def __init__(self, name: str, python: Path, model: Path, cores: Sequence[int]) -> None:
        self.name = name

        def bind() -> None:
            os.sched_setaffinity(0, cores)

        self.process = subprocess.Popen(
            [str(python), str(HERE / "worker.py"), name, str(model), str(len(cores))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=bind,
        )

    def ask(self, do: str, **values: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **values}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended without an answer to {do!r}")
        return json.loads(line)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@contextmanager
def workers(
    names: Sequence[str], args: argparse.Namespace, model: Path, cores: Sequence[int]
) -> Iterator[dict[str, Worker]]:
    """Start the contenders, and end them."""
    with ExitStack() as stack:
        started = {}
        for name in names:
            python = args.peers if name == "rapidocr" else Path(sys.executable)
            started[name] = Worker(name, python, model, cores)
            stack.callback(started[name].close)
        yield started


def contenders(args: argparse.Namespace) -> list[str]:
    """Return the names of the contenders that can run here, and say which cannot."""
    names = [*OWN, "original"]
    if args.peers.is_file():
        names.append("rapidocr")
    else:
        print(f"rapidocr is left out: no {args.peers}; see benchmarks/requirements.txt")
    if shutil.which("tesseract"):
        names.append("tesseract")
    else:
        print("tesseract is left out: apt-get install tesseract-ocr tesseract-ocr-fra")
    return [name for name in names if not args.only or name in args.only]


# === Measurements ===


def measure_start(
    names: Sequence[str], args: argparse.Namespace, model: Path, path: str, cores: Sequence[int]
) -> dict[str, list[float]]:
    """Return seconds from starting a process to its first reading, contenders in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(1 if args.quick else 5):
        for name in names:
            start = time.perf_counter()
            with workers([name], args, model, cores) as started:
                started[name].ask("one", paths=[path])
                seconds[name].append(time.perf_counter() - start)
    return seconds


def measure_one(
    started: dict[str, Worker], paths: Sequence[str]
) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, list[str]]]:
    """Return milliseconds, those of processor time, and texts of reading each picture alone.

    Contenders take turns.
    """
    times: dict[str, list[float]] = {name: [] for name in started}
    busy: dict[str, list[float]] = {name: [] for name in started}
    texts: dict[str, list[str]] = {name: [] for name in started}
    for worker in started.values():
        worker.ask("one", paths=paths[:3])  # what is done once only is not counted
    for start in range(0, len(paths), 20):
        for name, worker in started.items():
            for spent, spent_busy, text in worker.ask("one", paths=paths[start : start + 20]):
                times[name].append(spent)
                busy[name].append(spent_busy)
                texts[name].append(text)
    return times, busy, texts


def measure_transcribe(paths: Sequence[str], model: Path, cores: int, times: int) -> float:
    """Return pictures a second of `hwr transcribe`, each picture read `times` times.

    All of the command counts: its start, its processes, and the rows on the disk.
    """
    with tempfile.TemporaryDirectory() as folder:
        links = Path(folder, "pictures")
        links.mkdir()
        for i in range(times):
            for number, path in enumerate(paths):
                (links / f"{i}-{number}{Path(path).suffix}").symlink_to(Path(path).resolve())
        command = [sys.executable, "-m", "hwr", "transcribe", str(links)]
        command += ["--out", str(Path(folder, "rows")), "--model", str(model)]
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "--workers", str(cores)], cwd=HERE.parent, capture_output=True, text=True
        )
        spent = time.perf_counter() - start
        assert done.returncode == 0, done.stderr
    return times * len(paths) / spent


def measure_peak(threads: int) -> float:
    """Return GFLOPS of a large float32 matrix product in NumPy, the best of ten."""
    code = (
        "import numpy as np, time; n=2048; a=np.ones((n,n),np.float32); a@a; best=9.0\n"
        "for _ in range(10):\n t=time.perf_counter(); a@a; best=min(best,time.perf_counter()-t)\n"
        "print(2*n**3/best/1e9)"
    )
    environment = os.environ | {"OPENBLAS_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def accuracy(
    texts: Sequence[str], paths: Sequence[Path], labels: Sequence[str], reference: Reference | None
) -> tuple[float, float, int]:
    """Return (exact names, CER, n) against the reference labels, else the published ones."""
    readings = [plain_hyphens(PROMPTS.sub("", fold(text)).strip()) for text in texts]
    if reference is None:
        truths = [plain_hyphens(label) for label in labels]
    else:
        pairs = [
            (nearest(reference[path.name], text), text)
            for path, text in zip(paths, readings, strict=True)
            if path.name in reference and reference[path.name][0] not in ("EMPTY", "UNREADABLE")
        ]
        truths, readings = [a for a, _ in pairs], [b for _, b in pairs]
    result = score(truths, readings)
    return result.exact, result.cer, result.n


# === Report ===


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Return the median and the middle half of values."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    low, _, high = quantiles(values, n=4)
    return f"{median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines] + [""]


def versions(args: argparse.Namespace) -> str:
    found = [f"Python {platform.python_version()}"]
    for package in ("onnxruntime", "tensorflow", "keras", "numpy", "opencv-python-headless"):
        found.append(f"{package} {importlib.metadata.version(package)}")
    if args.peers.is_file():
        code = "import importlib.metadata as m; print(m.version('rapidocr'))"
        done = subprocess.run([str(args.peers), "-c", code], capture_output=True, text=True)
        found.append(f"rapidocr {done.stdout.strip()}")
    if shutil.which("tesseract"):
        done = subprocess.run(["tesseract", "--version"], capture_output=True, text=True)
        found.append(done.stdout.splitlines()[0])
    return ", ".join(found)


def machine() -> str:
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", info.read_text()) if info.is_file() else []
    name = names[0] if names else platform.processor()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"


def run(args: argparse.Namespace) -> list[str]:
    """Measure everything; return the report's lines."""
    names = contenders(args)
    source = args.model or default_model()
    spec = load_spec(source)
    dataset = open_dataset(args.data or default_data(), "validation", spec.alphabet)
    samples = dataset.samples[: 40 if args.quick else args.pictures]
    paths = [str(sample.path.resolve()) for sample in samples]
    reference = read_reference(args.reference) if args.reference else None
    every = sorted(os.sched_getaffinity(0))[: args.cores]
    rounds = 2 if args.quick else args.rounds
    load = os.getloadavg()[0]
    lines = [
        "# Speed beside accuracy",
        "",
        f"Written by `python -m benchmarks.run` on {time.strftime('%Y-%m-%d')}; n = {len(paths)} "
        f"pictures of {dataset.folder.name}, validation split, the same for all.",
        "",
        f"Machine: {machine()}; load when the run began {load:.1f}. {versions(args)}.",
        "",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "model"
        shutil.copytree(source, model)
        if "hwr int8" in names and not (model / ONNX_FILES["int8"]).is_file():
            from hwr.network.export import export_int8

            export_int8(model, [args.data or default_data()])
        lines += reading(args, names, model, paths, samples, reference, every, rounds)
        lines += limit(args, model, paths, every, spec)
        lines += training(args, names, model, every)
        lines += growing(args, model, every)
    return lines


def reading(
    args: argparse.Namespace,
    names: Sequence[str],
    model: Path,
    paths: list[str],
    samples: Sequence[Any],
    reference: Reference | None,
    every: Sequence[int],
    rounds: int,
) -> list[str]:
    """Measure one image, start-up, memory, bulk and accuracy."""
    print("start-up")
    starts = measure_start(names, args, model, paths[0], every)
    print("one image at a time, one core")
    with workers(names, args, model, every[:1]) as started:
        times, busy, texts = measure_one(started, paths)
        detailed = started[DEFAULT].ask("details", paths=paths) if DEFAULT in started else []
    print(f"bulk, {len(every)} cores")
    rates: dict[str, list[float]] = {name: [] for name in names}
    bulk_texts: dict[str, list[str]] = {}
    processes: list[float] = []
    copies = 1 if args.quick else TIMES
    with workers(names, args, model, every) as started:
        for worker in started.values():
            worker.ask("many", paths=paths[:64])
        for _ in range(rounds):
            for name, worker in started.items():
                answer = worker.ask("many", paths=paths)
                rates[name].append(len(paths) / answer["seconds"])
                bulk_texts[name] = answer["texts"]
            if DEFAULT in names:
                processes.append(measure_transcribe(paths, model, len(every), copies))
        memories = {name: worker.ask("memory") for name, worker in started.items()}
    rows = []
    for name in names:
        if name == "original":
            exact, cer = "untrained", "untrained"
        else:
            share, errors, n = accuracy(
                texts[name], [s.path for s in samples], [s.text for s in samples], reference
            )
            exact, cer = f"{share:.1%} of {n}", f"{errors:.1%}"
        rows.append(
            [
                name,
                exact,
                cer,
                spread(times[name]),
                f"{sum(busy[name]) / len(paths):.1f}",
                spread(rates[name], 0),
                spread(starts[name], 2),
                f"{memories[name]:.0f}",
            ]
        )
    head = [
        "",
        "exact names",
        "CER",
        "one image, ms",
        "of a core, ms",
        "bulk, images/s",
        "start, s",
        "memory, MB",
    ]
    lines = ["## Reading", ""]
    lines += table(head, rows)
    lines += [
        f"Median and middle half. One image: from the file to the reading with its confidence, one "
        f"core. Of a core: mean processor time of that, which other work on the machine hardly "
        f"changes. Bulk: all pictures, {len(every)} cores, {rounds} rounds. Start: from a new "
        f"process to its first reading, files warm. Memory: the largest while reading in bulk. "
        f"Exact names and CER: {'reference' if reference else 'published'} labels; printed prompts "
        f"that a reader took for part of the name are not counted against it.",
        "",
    ]
    if DEFAULT in names:
        ratios = []
        for name in names:
            if name != DEFAULT:
                pairs = zip(times[name], times[DEFAULT], strict=True)
                slower = median(theirs / ours for theirs, ours in pairs)
                bulk = median(rates[DEFAULT]) / median(rates[name])
                slower_busy = sum(busy[name]) / sum(busy[DEFAULT])
                ratios.append([name, f"{slower:.2f}", f"{slower_busy:.2f}", f"{bulk:.2f}"])
        lines += table([f"time compared with {DEFAULT}", "one image", "of a core", "bulk"], ratios)
        bulk_line = (
            "By processes instead of threads, `python -m hwr transcribe` reads "
            f"{copies * len(paths):,} pictures in bulk at {spread(processes, 0)} a second, its "
            "start and the rows on the disk included"
        )
        if "original" in names:
            faster = median(processes) / median(rates["original"])
            bulk_line += f": {faster:.2f} times as fast as the original network in bulk"
        lines += [bulk_line + ".", ""]
        more = median(full / plain for full, plain in detailed)
        lines.append(
            "One image: the median of the ratios of the same picture. All answer with a text and "
            "how sure it is. With the letters, their places and alternatives and the steps of the "
            f"preprocessing, as the page shows them, {DEFAULT} takes "
            f"{median(full for full, _ in detailed):.1f} ms, {more:.2f} times as long."
        )
        lines.append("")
        if "hwr keras" in names:
            for name in OWN:
                if name in names:
                    same = sum(a == b for a, b in zip(texts[name], texts["hwr keras"], strict=True))
                    lines.append(f"- {name} reads {same} of {len(paths)} as Keras does.")
            lines.append("")
    return lines


def limit(
    args: argparse.Namespace, model: Path, paths: list[str], every: Sequence[int], spec: Any
) -> list[str]:
    """Compare the network's arithmetic with a large matrix product."""
    print("distance to the machine's limit")
    peaks, results = [], []
    with workers(["hwr onnx"], args, model, every[:1]) as started:
        worker = started["hwr onnx"]
        worker.ask("network", paths=paths[:32])
        for _ in range(1 if args.quick else 3):
            peaks.append(measure_peak(1))
            results.append(worker.ask("network", paths=paths))
    peak, spent = max(peaks), median(r["ms"] for r in results)
    columns = results[0]["columns"]
    work = multiply_adds(spec, round(columns))
    speed = 2 * work / spent / 1e6
    return [
        "## Distance to the machine's limit",
        "",
        f"A picture is {columns:.0f} columns wide in the mean, padding included, which takes "
        f"{work / 1e6:.0f} million multiply-adds. The network alone (ONNX Runtime, batches, one "
        f"core) takes {spent:.2f} ms, that is {speed:.0f} GFLOPS; a product of two 2048 x 2048 "
        f"matrices in NumPy reaches {peak:.0f} GFLOPS on one core: {speed / peak:.0%} of it.",
        "",
    ]


def training(
    args: argparse.Namespace, names: Sequence[str], model: Path, every: Sequence[int]
) -> list[str]:
    """Measure training steps of both networks in turns."""
    print("training")
    names = [name for name in ("hwr keras", "original") if name in names]
    seconds: dict[str, list[float]] = {name: [] for name in names}
    with workers(names, args, model, every) as started:
        for worker in started.values():
            worker.ask("train", steps=3)
        for _ in range(2 if args.quick else 8):
            for name, worker in started.items():
                seconds[name] += worker.ask("train", steps=1)
    rows = [
        [name, spread([64 / s for s in seconds[name]], 0), str(len(seconds[name]))]
        for name in names
    ]
    return [
        "## Training",
        "",
        *table(["", "images/s", "steps"], rows),
        f"Batches of 64 ready-made images, {len(every)} cores: this network on 40 x 256 pixels, "
        f"the original on its 64 x 256. Where the time goes: docs/TRAINING_SPEED.md.",
        "",
    ]


def growing(args: argparse.Namespace, model: Path, every: Sequence[int]) -> list[str]:
    """Read ever more drawn pictures; time should grow in step, memory not at all."""
    import cv2
    import numpy as np

    from hwr.synthesis.names import NAMES
    from hwr.synthesis.render import draw

    counts = args.grow if args.grow is not None else ([200] if args.quick else [1_000, 10_000])
    if not counts:
        return []
    print(f"growth: {', '.join(f'{c:,}' for c in counts)} pictures")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        rng = np.random.default_rng(0)
        drawn = [str(Path(scratch) / f"{i}.jpg") for i in range(min(500, max(counts)))]
        for number, path in enumerate(drawn):
            cv2.imwrite(path, draw(NAMES[number % len(NAMES)], rng))
        for count in counts:
            with workers([DEFAULT], args, model, every) as started:
                result = started[DEFAULT].ask("grow", paths=drawn, count=count)
            rows.append(
                [f"{count:,}", f"{count / result['seconds']:.0f}", f"{result['memory']:.0f}"]
            )
    return [
        "## Growth",
        "",
        *table(["drawn pictures", "images/s", "memory, MB"], rows),
    ]


def main(argv: list[str] | None = None) -> int:
    """Measure, write the report and print it."""
    args = get_args(argv)
    text = "\n".join(run(args))
    write_text(args.out, text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

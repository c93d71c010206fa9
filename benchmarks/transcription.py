"""Bulk transcription with and without a cluster: python benchmarks/transcription.py --count 20000

Draws distinct pictures, then transcribes them with one and two processes, and on a Ray cluster of
two nodes on this machine with one and two actors. In one more run on the cluster a process is
killed by SIGKILL in the middle, and the run is repeated with --resume. Checks that every run has
a row for every picture, none twice, and the same rows; prints JSON with the figures.

Needs pip install 'hwr[bulk]'. Everything runs at the niceness of this process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# Ray's workers are nicer than other processes by default, which is not to be measured.
os.environ.setdefault("RAY_worker_niceness", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np

from hwr.bulk.part_files import Row, find_parts, read_transcript
from hwr.bulk.sources import list_entries
from hwr.synthesis.names import NAMES, compose_name
from hwr.synthesis.render import draw_name
from hwr.synthesis.writer import Writer

ROOT = Path(__file__).resolve().parent.parent

#: Pictures of a folder, since listing is by folder.
FOLDER = 1000


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="pictures (%(default)s)")
    parser.add_argument("--folder", type=Path, help="keep pictures and rows here, and reuse them")
    parser.add_argument(
        "--runs",
        default="plain-1,plain-2,ray-1,ray-2,killed",
        help="what to do, of plain-N, ray-N and killed (%(default)s)",
    )
    parser.add_argument("--out", type=Path, help="JSON file for the figures, too")
    return parser.parse_args(argv)


def draw_pictures(folder: Path, count: int) -> None:
    """Draw the pictures that are not there yet; number n is the same in every run."""
    for number in range(count):
        file = folder / f"{number // FOLDER:04d}" / f"{number:08d}.png"
        if not file.exists():
            rng = np.random.default_rng((7, number))
            name = compose_name(rng, NAMES).upper()
            picture = draw_name(name, Writer.sample(rng), rng, height=40)
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), picture)


@contextmanager
def cluster() -> Iterator[str]:
    """Start two nodes of one core each and give the address."""
    from ray.cluster_utils import Cluster

    nodes = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1,
            "object_store_memory": 200 << 20,
            "include_dashboard": False,
        },
    )
    try:
        nodes.add_node(num_cpus=1, object_store_memory=200 << 20)
        nodes.wait_for_nodes(timeout=300)
        yield nodes.address
    finally:
        nodes.shutdown()


def transcribe(
    pictures: Path, out: Path, part: int, *options: str, kill: bool = False
) -> dict[str, Any]:
    """Run the command in a process of its own; return what it says and the processor time."""
    command = [
        sys.executable,
        "-m",
        "hwr",
        "transcribe",
        str(pictures),
        "--out",
        str(out),
        "--json",
    ]
    command += ["--part-rows", str(part), *options]
    before = _processor_time()
    start = time.perf_counter()
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    killed = _kill_one(run, out) if kill else None
    said, _ = run.communicate()
    after = _processor_time()
    if run.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {run.returncode}")
    other, brace, rest = said.partition("{")
    if other:
        print(f"beside the figures: {other!r}", file=sys.stderr)
    figures: dict[str, Any] = json.loads(brace + rest)
    figures["wall"] = round(time.perf_counter() - start, 1)
    figures["cpu"] = round(after - before, 1)
    return figures | ({"killed": killed} if kill else {})


def _processor_time() -> float:
    """Return the seconds of all processes below this one, Ray's nodes among them."""
    ended = os.times()
    ticks = 0
    for proc in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int(proc.name) != os.getpid() and _is_ours(int(proc.name)):
                ticks += sum(map(int, _status(int(proc.name))[11:15]))
    return ended.children_user + ended.children_system + ticks / os.sysconf("SC_CLK_TCK")


def _kill_one(run: subprocess.Popen[str], out: Path) -> str:
    """Kill one reading process of Ray once the first part is there; return its title."""
    while run.poll() is None and not (out.is_dir() and find_parts(out)):
        time.sleep(0.05)
    for proc in sorted(Path("/proc").glob("[0-9]*")):
        title = ""
        with suppress(OSError):
            title = (proc / "cmdline").read_bytes().split(b"\0")[0].decode()
        if title.startswith("ray::") and "Actor)" in title and _is_ours(int(proc.name)):
            os.kill(int(proc.name), signal.SIGKILL)
            return title
    raise SystemExit("No process of Ray was found to be killed.")


def _is_ours(process: int) -> bool:
    """Return whether a process is this one or was started by it, at any depth."""
    while process > 1:
        if process == os.getpid():
            return True
        process = int(_status(process)[1])
    return False


def _status(process: int) -> list[str]:
    """Return what follows the name of a process in its status line: state, parent and so on."""
    return (Path("/proc") / str(process) / "stat").read_text().rsplit(")", 1)[1].split()


def check(out: Path, wanted: set[str], reference: dict[str, Row]) -> dict[str, Any]:
    """Return how the rows of a run compare with the pictures and with those of the first run."""
    rows = list(read_transcript(out))
    own = {row.source: row for row in rows}
    other = [key for key, row in own.items() if row != reference.get(key, row)]
    return {
        "rows": len(rows),
        "lost": len(wanted - set(own)),
        "doubled": len(rows) - len(own),
        "strange": len(set(own) - wanted),
        "other_rows": len(other),
        "other_texts": sum(own[key].text != reference[key].text for key in other),
    }


def main(argv: list[str] | None = None) -> int:
    """Make the runs and print the figures."""
    args = get_args(argv)
    with tempfile.TemporaryDirectory(prefix="hwr-transcription-") as scratch:
        folder = args.folder or Path(scratch)
        pictures = folder / f"pictures-{args.count}"
        start = time.perf_counter()
        draw_pictures(pictures, args.count)
        print(f"drew in {time.perf_counter() - start:.0f} s", file=sys.stderr)
        wanted = {entry.source for entry in list_entries([str(pictures)])}
        results: dict[str, Any] = {"machine": platform.processor() or platform.machine()}
        results |= {"cores": os.cpu_count(), "pictures": len(wanted), "runs": {}}
        results["bytes"] = sum(f.stat().st_size for f in pictures.rglob("*.png"))
        reference: dict[str, Row] = {}
        part = max(1, args.count // 40)  # several before the middle, where a process is killed
        rows = Path(tempfile.mkdtemp(prefix="rows-", dir=folder))
        for name in args.runs.split(","):
            kind, _, workers = name.partition("-")
            out = rows / name
            if kind == "plain":
                figures = transcribe(pictures, out, part, "--workers", workers)
            else:
                with cluster() as address:
                    options = ["--ray-address", address, "--workers", workers or "2"]
                    figures = transcribe(pictures, out, part, *options, kill=kind == "killed")
                    if kind == "killed":
                        again = transcribe(pictures, out, part, *options, "--resume")
                        figures["again"] = again
            reference = reference or {row.source: row for row in read_transcript(out)}
            figures |= check(out, wanted, reference)
            figures["bytes"] = sum(f.stat().st_size for f in find_parts(out))
            results["runs"][name] = figures
            print(json.dumps({name: figures}), file=sys.stderr, flush=True)
    text = json.dumps(results, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")
    bad = [
        name
        for name, f in results["runs"].items()
        if f["lost"] or f["doubled"] or f["strange"] or f["other_texts"]
        or f.get("again", {}).get("read")
    ]  # fmt: skip
    if bad:
        print(f"wrong: {', '.join(bad)}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

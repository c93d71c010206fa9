"""Let many people use the page at once, and see that it stays quick, honest and small.

    python benchmarks/load.py --people 50 --minutes 10

It starts `app.py` on a free port of this machine. Each person draws, uploads, leafs through the
samples or reads a small batch, through the same requests as the page, and thinks for a second or
two in between; some close the page in the middle. It ends with status 1 unless the server has
answered all the time, and answers afterwards as it did before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT), str(ROOT / "tests")]

API = "/gradio_api"
META = {"_type": "gradio.FileData"}

#: What people do, and how often.
HABITS = {"draw": 50, "upload": 25, "sample": 15, "batch": 5, "leave": 5}

#: How many times as long as before a reading may take afterwards.
SLOWER = 1.5

#: Seconds of thought between two actions, from and to, and patience with an answer.
THINK = (1.0, 2.0)
PATIENCE = 60.0

#: Pictures in a batch, readings timed before and after, and different drawings.
BATCH, QUIET, DRAWINGS = 8, 20, 8


@dataclass
class Report:
    """What happened.

    Attributes:
        seconds: how long each answer took, by action.
        busy: how often the server said that it is busy.
        faults: what else went wrong, and how often.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    busy: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


class Busy(Exception):  # noqa: N818
    """The server has asked to come back later."""


class Person:
    """One visitor with a browser's session."""

    def __init__(self, http: httpx.AsyncClient, page: dict[str, Any], seed: int) -> None:
        self._http = http
        self._page = page
        self._rng = random.Random(seed)
        self._session = secrets.token_hex(6)
        self._pictures = sorted((ROOT / "assets" / "samples").rglob("*.jpg"))

    async def live(self, end: float, report: Report) -> None:
        """Use the page until `end`, a time of time.monotonic."""
        await asyncio.sleep(self._rng.uniform(0, THINK[1]))
        while time.monotonic() < end:
            action = self._rng.choices(list(HABITS), list(HABITS.values()))[0]
            start = time.monotonic()
            try:
                await getattr(self, action)()
                report.seconds[action].append(time.monotonic() - start)
            except Busy:
                report.busy[action] += 1
            except (httpx.HTTPError, AssertionError, KeyError, ValueError) as error:
                report.faults[f"{action}: {type(error).__name__} {error}"[:120]] += 1
            await asyncio.sleep(self._rng.uniform(*THINK))

    async def draw(self) -> None:
        """Send what is on the pad, as after a stroke."""
        value = _drawing(self._rng.randrange(DRAWINGS))
        out = await self.event(self._page["draw"], ["Draw", "", "As the model says", value])
        assert 'id="verdict"' in json.dumps(out).replace("\\", "")

    async def upload(self) -> None:
        """Read one picture file."""
        file = await self._send(self._rng.choice(self._pictures))
        await self.call("read", [file, ""])

    async def sample(self) -> None:
        """Read a picture of the dataset by its index."""
        await self.call("read_sample", [self._rng.randint(1, 10), "test", ""])

    async def batch(self) -> None:
        """Read a few files together."""
        files = [await self._send(path) for path in self._rng.sample(self._pictures, BATCH)]
        rows = await self.call("read_batch", [files, ""])
        assert len(rows) == BATCH

    async def leave(self) -> None:
        """Ask for a batch and close the page before it is read."""
        files = [await self._send(path) for path in self._rng.sample(self._pictures, BATCH)]
        event = await self._ask("call/read_batch", {"data": [files, ""]})
        stream = self._http.stream("GET", f"{API}/call/read_batch/{event}", timeout=PATIENCE)
        async with stream:
            await asyncio.sleep(self._rng.uniform(0, 0.2))

    async def call(self, name: str, data: list[Any]) -> Any:
        """Return the answer of a named endpoint."""
        event = await self._ask(f"call/{name}", {"data": data})
        text = (await self._http.get(f"{API}/call/{name}/{event}", timeout=PATIENCE)).text
        last = text.strip().split("\n\n")[-1]
        assert last.startswith("event: complete"), last[:100]
        return json.loads(last.partition("data: ")[2])[0]

    async def event(self, number: int, data: list[Any]) -> Any:
        """Return the outputs of an event of the page."""
        body = {"data": data, "fn_index": number, "session_hash": self._session}
        await self._ask("queue/join", body)
        path, query = f"{API}/queue/data", {"session_hash": self._session}
        text = (await self._http.get(path, params=query, timeout=PATIENCE)).text
        for part in text.split("\n\n"):
            message = json.loads(part.removeprefix("data: ")) if part else {}
            if message.get("msg") == "process_completed":
                assert message["success"], message
                return message["output"]["data"]
        raise AssertionError("no answer")

    async def _send(self, path: Path) -> dict[str, Any]:
        answer = await self._http.post(
            f"{API}/upload", files={"files": (path.name, path.read_bytes())}
        )
        _check(answer)
        return {"path": answer.json()[0], "orig_name": path.name, "meta": META}

    async def _ask(self, route: str, body: dict[str, Any]) -> str:
        answer = await self._http.post(f"{API}/{route}", json=body)
        _check(answer)
        return str(answer.json()["event_id"])


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--people", type=int, default=50, help="at once (%(default)s)")
    parser.add_argument("--minutes", type=float, default=10, help="how long (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of what they do (%(default)s)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Print the figures; return 0 where the server has kept its promises, else 1."""
    from helpers import free_port

    args = get_args(argv)
    port = free_port()
    command = [sys.executable, str(ROOT / "app.py"), "--port", str(port)]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TMPDIR": folder}
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=environment)
        try:
            status = asyncio.run(run(args, f"http://127.0.0.1:{port}", server.pid, Path(folder)))
        finally:
            server.terminate()
            server.wait(20)
        left = len(list(Path(folder).glob("hwr-*")))
    print(f"stopped  folders left behind {left}")
    return status or int(left > 0)


async def run(args: argparse.Namespace, address: str, server: int, folder: Path) -> int:
    """Measure the quiet server, let people use it, and measure it again."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE, limits=limits) as http:
        page = await _page(http)
        first = Person(http, page, args.seed)
        for seed in range(DRAWINGS):
            _drawing(seed)
        answer, quiet = await _quiet(first)
        print(f"before   memory {_memory(server):4.0f} MB, quiet reading {quiet:.0f} ms")
        report = Report()
        begin = time.monotonic()
        end = begin + 60 * args.minutes
        people = [Person(http, page, args.seed + k).live(end, report) for k in range(args.people)]
        watch = asyncio.create_task(_watch(report, server, folder, begin))
        await asyncio.gather(*people)
        spent = time.monotonic() - begin
        watch.cancel()
        await asyncio.sleep(3)  # what was left in the middle ends meanwhile
        status = (await http.get(f"{API}/queue/status")).json()
        again, later = await _quiet(first)
        print(f"after    memory {_memory(server):4.0f} MB, quiet reading {later:.0f} ms")
    done = sum(map(len, report.seconds.values()))
    print(
        f"{args.people} people, {spent:.0f} s: {done:,} actions answered ({done / spent:.1f}/s), "
        f"{sum(report.busy.values())} times busy, {sum(report.faults.values())} faults"
    )
    for action, seconds in sorted(report.seconds.items()):
        print(f"{action:8s} n = {len(seconds):5d}  {_percentiles(seconds)}")
    for fault, count in report.faults.most_common(10):
        print(f"fault    {count} x {fault}")
    same = again == answer and later < SLOWER * quiet + 50
    print(
        f"after the load: same reading, as quick: {same}, "
        f"waiting in the queue: {status['queue_size']}"
    )
    print(f"cores    {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
    return 0 if same and done and not report.faults and not status["queue_size"] else 1


async def _page(http: httpx.AsyncClient) -> dict[str, Any]:
    """Wait for the server; return the number of the event that reads the pad."""
    for _ in range(600):
        try:
            config = (await http.get("/config")).json()
            break
        except httpx.HTTPError:
            await asyncio.sleep(0.2)
    else:
        raise SystemExit("The server does not answer.")
    (pad,) = [c["id"] for c in config["components"] if c["props"].get("elem_id") == "pad"]
    (draw,) = [d["id"] for d in config["dependencies"] if [pad, "input"] in d["targets"]]
    return {"draw": draw}


async def _quiet(person: Person) -> tuple[str, float]:
    """Return what the first sample says and the median milliseconds of reading it alone."""
    times = []
    for _ in range(QUIET):
        start = time.monotonic()
        record = await person.call("read_sample", [1, "test", ""])
        times.append(1000 * (time.monotonic() - start))
    return f"{record['text']} {record['confidence']}", statistics.median(times)


async def _watch(report: Report, server: int, folder: Path, begin: float) -> None:
    """Print a line each minute."""
    while True:
        await asyncio.sleep(60 - (time.monotonic() - begin) % 60)
        done = sum(map(len, report.seconds.values()))
        print(
            f"{(time.monotonic() - begin) / 60:4.0f} min memory {_memory(server):4.0f} MB, "
            f"files {_size(folder) / 2**20:.0f} MB, {done:,} actions",
            flush=True,
        )


def _size(folder: Path) -> int:
    from hwr.ui.server.temp_folder import size_of

    return size_of(folder)


def _memory(process: int) -> float:
    """Return the megabytes that a process has in memory."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1024


def _percentiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    parts = [
        f"p{p} {ordered[min(len(ordered) - 1, len(ordered) * p // 100)]:.2f} s"
        for p in (50, 95, 99)
    ]
    return ", ".join(parts)


@cache
def _drawing(seed: int) -> str:
    """Return a name in the writing of a seed, as the pad sends it."""
    from hwr.ui.tabs.draw import write
    from hwr.ui.tabs.pad import value_of

    return value_of(write("MARTIN", seed))


def _check(answer: httpx.Response) -> None:
    if answer.status_code == 503:
        raise Busy
    answer.raise_for_status()


if __name__ == "__main__":
    sys.exit(main())

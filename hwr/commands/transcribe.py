"""The command `hwr transcribe`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwr.commands import options
from hwr.defaults import default_model

if TYPE_CHECKING:
    from hwr.bulk.transcribe import Progress, ReadAll

#: Exit code of a run that was interrupted, as shells count it (128 + SIGINT).
INTERRUPTED = 130

#: Seconds between two lines of progress, on a terminal and in a file.
TERMINAL, FILE = 1.0, 60.0


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    parser = commands.add_parser(
        "transcribe",
        parents=[options.JSON, options.MODEL, options.ENGINE, options.EXPECTED],
        help="read any number of pictures into part files, on all cores or a cluster",
    )
    option = parser.add_argument
    option(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="folder, pattern such as 'scans/*.png', CSV file of paths, ZIP or Parquet file",
    )
    option("--out", type=Path, required=True, metavar="DIR", help="folder of the rows")
    option("--tta", action="store_true", help=options.TTA)
    option("--format", choices=("csv", "parquet"), default="csv", help="(%(default)s)")
    option("--column", help="of a CSV file with paths, or of a Parquet file with pictures")
    option("--resume", action="store_true", help="continue in DIR; read only what has no row yet")
    option("--workers", type=int, metavar="N", help="processes that read (one for each core)")
    option(
        "--part-rows", type=int, default=10_000, metavar="N", help="rows of a file (%(default)s)"
    )
    option(
        "--ray", action="store_true", help="read on a Ray cluster ($RAY_ADDRESS, else this machine)"
    )
    option("--ray-address", metavar="ADDR", help="read on this Ray cluster")
    parser.set_defaults(command=transcribe)


def transcribe(args: argparse.Namespace) -> int:
    """Read all images of the sources; return 0, or 130 if interrupted."""
    from hwr.bulk.transcribe import read_locally
    from hwr.bulk.transcribe import transcribe as run
    from hwr.bulk.unit_reader import Settings
    from hwr.name_files import read_name_file

    if args.workers is not None and args.workers < 1:
        raise ValueError(f"--workers is at least 1. Received: {args.workers}")
    lexicon = read_name_file(args.lexicon).names if args.lexicon else None
    model = (args.model or default_model()).resolve()
    settings = Settings(model, args.engine, lexicon, args.language_model, args.tta)
    read_all: ReadAll = partial(read_locally, settings=settings, workers=args.workers)
    if args.ray or args.ray_address:
        read_all = _on_cluster(args, settings)
    display = _Display()
    # SIGTERM, which schedulers and `kill` send, writes the pending rows as Ctrl-C does.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(
            args.sources,
            args.out,
            settings,
            column=args.column,
            format=args.format,
            resume=args.resume,
            part=args.part_rows,
            read_all=read_all,
            report=display,
        )
    except KeyboardInterrupt:
        display.end()
        rows = f"{display.last.read:,} rows are in {args.out}"
        print(f"Interrupted; {rows}. Go on with --resume.", file=sys.stderr)
        return INTERRUPTED
    finally:
        display.end()
        signal.signal(signal.SIGTERM, before)
    _print_summary(display.last, args.out, args.json)
    return 0


def _on_cluster(args: argparse.Namespace, settings: Any) -> ReadAll:
    try:
        from hwr.bulk.ray_pool import read_on_cluster
    except ImportError as error:
        raise ValueError(
            f"--ray needs Ray ({error}); install it with: pip install 'hwr[bulk]'"
        ) from None
    return partial(
        read_on_cluster, settings=settings, address=args.ray_address, workers=args.workers
    )


def _print_summary(done: Progress, out: Path, as_json: bool) -> None:
    if as_json:
        counts = {"read": done.read, "failed": done.failed, "before": done.before}
        print(json.dumps(counts | {"seconds": round(done.seconds, 1), "out": str(out)}, indent=2))
        return
    earlier = f", {done.before:,} rows were there before" if done.before else ""
    print(
        f"{done.read:,} pictures into {out}, {done.failed:,} of them could not be read{earlier}; "
        f"{duration(done.seconds)}, {done.speed:.1f} pictures a second"
    )


def describe(progress: Progress) -> str:
    """Return progress as one line."""
    done = progress.before + progress.read
    total = "" if progress.total is None else f" of {progress.total:,}"
    failed = f", {progress.failed:,} could not be read" if progress.failed else ""
    left = progress.remaining
    rest = "" if left is None else f", {duration(left)} left"
    return f"{done:,}{total} pictures{failed}, {progress.speed:.1f} a second{rest}"


def duration(seconds: float) -> str:
    """Return a duration such as 1:02:03, 2:03 or 3 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if minutes else f"{rest} s"


class _Display:
    """Shows progress on stderr: a line that is updated on a terminal, else a line a minute."""

    def __init__(self) -> None:
        from hwr.bulk.transcribe import Progress

        self.last = Progress()
        self._live = sys.stderr.isatty()
        self._next = time.monotonic() + (0 if self._live else FILE)
        self._open = False

    def __call__(self, progress: Progress) -> None:
        self.last = progress
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + (TERMINAL if self._live else FILE)
        line = describe(progress)
        line = f"\r{line:<100}" if self._live else f"{line}\n"
        print(line, end="", file=sys.stderr, flush=True)
        self._open = self._live

    def end(self) -> None:
        """End the updated line."""
        if self._open:
            print(file=sys.stderr)
        self._open = False

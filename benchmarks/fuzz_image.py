"""Fuzz the way from a file's bytes to the image that the network reads, guided by coverage.

    python3 -m venv .venv-fuzz
    .venv-fuzz/bin/pip install '.[fuzz]'
    .venv-fuzz/bin/python -m benchmarks.fuzz_image --minutes 20 --inputs 500000

Atheris (libFuzzer) changes files of tests/corpus until one takes a new way through `hwr.image`,
`hwr.image_file` or Pillow's Python; Pillow's decoders in C are run as they are installed and are
not themselves measured. Whatever is neither read nor refused by ImageError ends the run, and so
does an input that takes longer or more memory than is promised; it is then left in --work as
crash-* or timeout-*. Exit code 0: all inputs kept the promise.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import struct
import sys
import time
import warnings
import zlib
from collections import Counter
from pathlib import Path
from types import FunctionType

import atheris

with atheris.instrument_imports(include=["PIL"]):
    import cv2

    from hwr import image, image_error, image_file
    from hwr.image import ImageError, load_image
    from hwr.preprocess import pad, prepare
    from hwr.spec import Spec

#: Functions that compare arrays: Atheris 3.0 leaks the result of each comparison in instrumented
#: code, 6 MB a picture for some inputs, and none where the same inputs run without.
WITH_ARRAYS = ("_on_paper", "_read_sixteen_bits", "_narrow", "_eight_bits", "_turn")

for module in (image, image_error, image_file):
    for name, function in list(vars(module).items()):
        own = isinstance(function, FunctionType) and function.__module__ == module.__name__
        if own and name not in WITH_ARRAYS:
            atheris.instrument_func(function)

CORPUS = Path(__file__).resolve().parent.parent / "tests" / "corpus"

#: What is promised of one input: seconds of computing, and memory not given back, in MB.
SECONDS, GROWTH = 2.0, 300

#: Longest input that is made. The formats' headers and a few rows fit; large pictures come from
#: sizes in headers.
LONGEST = 8192

#: Inputs between two looks at the memory.
EVERY = 1000

SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Fuzzer:
    """Runs inputs, counts what became of them, and stops when enough were run."""

    def __init__(self, minutes: float, inputs: int, work: Path) -> None:
        self.minutes, self.inputs, self.work = minutes, inputs, work
        self.spec = Spec()
        self.outcomes: Counter[str] = Counter()
        self.count = 0
        self.slowest = 0.0
        self.start = time.monotonic()
        self.resident = 0

    def __call__(self, data: bytes) -> None:
        """Run one input.

        Raises:
            AssertionError: it broke a promise.
        """
        # Seconds of this process alone, so that a busy machine is not taken for a hang.
        start = time.process_time()
        try:
            picture = load_image(data)
            prepared = prepare(picture.pixels, self.spec)
            image = pad(prepared.image, self.spec)
            assert image.dtype == "uint8", image.dtype
            assert image.shape[0] == self.spec.height, image.shape
            assert image.shape[1] <= self.spec.max_width, image.shape
            self.outcomes["blank" if prepared.blank else "read"] += 1
        except ImageError as error:
            self.outcomes[error.code] += 1
        seconds = time.process_time() - start
        self.slowest = max(self.slowest, seconds)
        assert seconds <= SECONDS, f"took {seconds:.2f} s"
        self.count += 1
        if self.count % EVERY == 0:
            self._look()

    def _look(self) -> None:
        gc.collect()
        # Memory that is freed, but kept by the C library, does not count.
        ctypes.CDLL(None).malloc_trim(0)
        resident = resident_mb()
        # The first inputs are a warm-up: modules, tables and pools are made once.
        self.resident = self.resident or resident
        grown = resident - self.resident
        minutes = (time.monotonic() - self.start) / 60
        facts = {
            "inputs": self.count,
            "minutes": round(minutes, 1),
            "slowest_seconds": round(self.slowest, 3),
            "grown_mb": round(grown),
            "peak_mb": round(peak_mb()),
            "outcomes": dict(self.outcomes.most_common()),
        }
        (self.work / "progress.json").write_text(json.dumps(facts, indent=2) + "\n")
        assert grown <= GROWTH, f"grew by {grown:.0f} MB"
        if minutes >= self.minutes and self.count >= self.inputs:
            print(json.dumps(facts, indent=2), flush=True)
            os._exit(0)  # libFuzzer has no other way to be stopped


def mutate(data: bytes, longest: int, seed: int) -> bytes:
    """Change an input as libFuzzer does, and three times in four mend a PNG's checksums.

    Pillow looks at nothing in a chunk whose checksum is wrong.
    """
    changed = bytes(atheris.Mutate(data, longest))
    return mended(changed)[:longest] if seed % 4 else changed


def mended(data: bytes) -> bytes:
    """Return a PNG with the right checksum for each of its chunks; other data as they are."""
    if not data.startswith(SIGNATURE):
        return data
    out, at = bytearray(data), len(SIGNATURE)
    while at + 12 <= len(out):
        (length,) = struct.unpack_from(">I", out, at)
        end = at + 8 + length
        if end + 4 > len(out):
            break
        struct.pack_into(">I", out, end, zlib.crc32(out[at + 4 : end]))
        at = end + 4
    return bytes(out)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="at least (%(default)s)")
    parser.add_argument("--inputs", type=int, default=500_000, help="at least (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("runs/fuzz"),
        help="folder for inputs that took a new way, and those that broke a promise (%(default)s)",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = get_args(argv)
    found = args.work / "found"
    found.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    warnings.simplefilter("ignore")  # Pillow's about broken EXIF data: one of a thousand texts each
    options = [
        f"-seed={args.seed}",
        f"-max_len={LONGEST}",
        "-timeout=60",  # of the wall clock; computing is limited by SECONDS
        "-rss_limit_mb=2000",
        f"-artifact_prefix={args.work}/",
        "-print_final_stats=1",
    ]
    fuzzer = Fuzzer(args.minutes, args.inputs, args.work)
    atheris.Setup([sys.argv[0], *options, str(found), str(CORPUS)], fuzzer, custom_mutator=mutate)
    atheris.Fuzz()
    return 0  # not reached: libFuzzer ends the process


if __name__ == "__main__":
    sys.exit(main())

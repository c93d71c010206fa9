"""How many training pictures are prepared a second: python -m benchmarks.feeding

An accelerator that trains faster than this waits for pictures; `train.py --workers` then helps for
as long as there are cores.
"""

from __future__ import annotations

import argparse
import sys
import time

from hwr.data.batches import GROUP, Batches, PreparedSource
from hwr.data.dataset import open_dataset
from hwr.data.loader import stream
from hwr.data.prepared_cache import prepare_dataset
from hwr.parallel import usable_cores
from hwr.spec import Spec


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="assets/samples", help="dataset folder (%(default)s)")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--groups", type=int, default=4, help="of 32 batches (%(default)s)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Print the figures."""
    args = get_args(argv)
    spec = Spec()
    dataset = open_dataset(args.data, "train", spec.alphabet)
    source = PreparedSource(prepare_dataset(dataset, spec))
    plain = Batches([source], [1.0], spec, args.batch_size)
    print(f"{usable_cores()} cores, {len(source.images)} pictures, batches of {args.batch_size}")
    for workers in args.workers:
        ready = stream(plain, workers=workers)
        for _ in range(GROUP):  # until all have started
            next(ready)
        start, busy = time.perf_counter(), time.process_time()
        for _ in range(args.groups * GROUP):
            next(ready)
        seconds = time.perf_counter() - start
        busy = time.process_time() - busy
        ready.close()
        images = args.groups * GROUP * args.batch_size
        name = f"{workers} workers" if workers else "a thread"
        print(
            f"{name:10} {images / seconds:7.0f} pictures/s; the process that trains spends "
            f"{1e6 * busy / images:.0f} us of processor time on each"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

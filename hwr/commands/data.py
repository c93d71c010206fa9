"""The commands `hwr samples` and `hwr download`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from hwr.commands import options
from hwr.defaults import default_data


def add(commands: Any) -> None:
    """Add the commands to those of the command line."""
    samples = commands.add_parser(
        "samples",
        parents=[options.JSON, options.DATA],
        help="list a split, or draw a new sample dataset",
    )
    option = samples.add_argument
    option("--split", default="train", help="train, validation or test")
    option("--write", type=Path, metavar="DIR", help="draw a dataset into DIR")
    option(
        "--pad",
        action="store_true",
        help="draw a test set of sketchpads, with letter shapes that are never trained on",
    )
    option("--names", type=Path, metavar="FILE", help="names to draw")
    option("--count", type=int, help="pictures to draw (200; of sketchpads 600)")
    option("--seed", type=int, default=0)
    samples.set_defaults(command=list_or_draw)

    download = commands.add_parser("download", help="fetch the full Kaggle dataset")
    download.add_argument("--out", type=Path, metavar="DIR", help="folder (kagglehub's cache)")
    download.set_defaults(command=download_dataset)


def list_or_draw(args: argparse.Namespace) -> int:
    """List the samples of a split, or draw a new dataset."""
    from hwr.alphabet import Alphabet
    from hwr.data.dataset import open_dataset

    if args.write:
        from hwr.synthesis.names import NAMES, read_names
        from hwr.synthesis.sample_set import write_pad_samples, write_samples

        names = read_names(args.names, Alphabet()) if args.names else NAMES
        write, usual = (write_pad_samples, 600) if args.pad else (write_samples, 200)
        count = usual if args.count is None else args.count
        write(args.write, count=count, seed=args.seed, names=names)
        print(f"Drew {count} pictures into {args.write}")
        return 0
    dataset = open_dataset(args.data or default_data(), args.split, Alphabet())
    rows = [{"index": s.index, "file": s.path.name, "text": s.text} for s in dataset]
    if args.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return 0
    for row in rows:
        print(*row.values(), sep="\t")
    for reason, count in dataset.reasons().items():
        print(f"dropped: {count} {reason}", file=sys.stderr)
    return 0


def download_dataset(args: argparse.Namespace) -> int:
    """Fetch the Kaggle dataset and print its folder."""
    from hwr.data.kaggle import download

    print(download(args.out))
    return 0

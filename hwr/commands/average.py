"""The command `hwr average`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    parser = commands.add_parser(
        "average", help="write a model between two, one of which was trained from the other"
    )
    option = parser.add_argument
    option("first", type=Path, help="model folder")
    option("second", type=Path, help="model folder")
    option("--share", type=float, default=0.5, help="of the second model, 0..1 (%(default)s)")
    option("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.set_defaults(command=average)


def average(args: argparse.Namespace) -> int:
    """Write a model between two."""
    from hwr.network.weight_averaging import average_models

    average_models(args.first, args.second, args.share, args.out)
    print(f"Wrote {args.out}; calibrate, export and evaluate it")
    return 0

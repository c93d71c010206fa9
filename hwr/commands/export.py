"""The command `hwr export`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hwr.commands import options
from hwr.defaults import default_data, default_model


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    parser = commands.add_parser(
        "export", parents=[options.MODEL], help="write the network for another runtime"
    )
    option = parser.add_argument
    option(
        "--data",
        type=Path,
        action="append",
        metavar="DIR",
        help="dataset folder for int8; may be repeated ($HWR_DATA, else assets/samples)",
    )
    option(
        "--format",
        choices=("onnx", "int8", "litert"),
        default="onnx",
        help="onnx: model.onnx; int8: model.int8.onnx, which reading prefers, "
        "its ranges measured on pictures of --data; litert: model.tflite (%(default)s)",
    )
    option(
        "--width-step",
        type=int,
        metavar="COLUMNS",
        help="with onnx: pad pictures to a multiple of so many columns from now on (as it was)",
    )
    parser.set_defaults(command=export)


def export(args: argparse.Namespace) -> int:
    """Write the network of a model folder for another runtime."""
    from hwr.network.export import export_int8, export_litert, export_onnx

    folder = args.model or default_model()
    if args.format == "int8":
        file = export_int8(folder, args.data or [default_data()])
    elif args.format == "litert":
        file = export_litert(folder)
    else:
        file = export_onnx(folder, args.width_step)
    print(f"Wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")
    return 0

"""The command `hwr train`."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    """Return a converter to numbers above 0."""

    def convert(text: str) -> float:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"must be a number above 0. Received: {text}")
        return value

    convert.__name__ = kind.__name__  # argparse names it where `kind` refuses the text
    return convert


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    parser = commands.add_parser(
        "train",
        help="train a model on labelled images, on names the package draws itself, or on both",
    )
    option = parser.add_argument
    option(
        "--data",
        action="append",
        default=[],
        metavar="DIR[:WEIGHT]",
        help="dataset folder (the Kaggle set, or labels.csv + images/); may be repeated; "
        "WEIGHT multiplies the chance of its pictures (1)",
    )
    option(
        "--synthetic",
        nargs="?",
        type=float,
        const=0.2,
        default=0.0,
        metavar="SHARE",
        help="share of images drawn by the package itself (0.2 if no number is given; "
        "all of them where there is no --data)",
    )
    option(
        "--corrections",
        type=Path,
        action="append",
        default=[],
        metavar="CSV",
        help="better labels of training pictures (assets/*_corrections.csv); may be repeated",
    )
    option(
        "--letters",
        metavar="BANK[:SHARE]",
        help="letter bank (`hwr extract letters`) to write new names with; SHARE of images (0.3)",
    )
    option("--names", type=Path, help="text or CSV file of names to draw or to write new")
    option("--fonts", type=Path, help="folder of fonts to draw with, too")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=_positive(float), help="training time")
    length.add_argument("--epochs", type=_positive(float), help="passes over the training pictures")
    length.add_argument("--samples", type=_positive(int), help="images to train on")
    option("--init", type=Path, metavar="MODEL", help="model folder to start from")
    option("--resume", action="store_true", help="continue the run in --out")
    model = Path("runs/model")
    option("--out", type=Path, default=model, help="model folder to write (%(default)s)")
    option("--seed", type=int, default=0)
    option("--batch-size", type=_positive(int), default=64)
    option("--learning-rate", type=_positive(float), default=1.5e-3)
    option(
        "--augmentation",
        type=float,
        default=1.0,
        metavar="FACTOR",
        help="strength of the augmentation, 0..2 (%(default)s)",
    )
    option("--dropout", type=float, help="share of features dropped (that of --init, or 0.2)")
    option("--validate-every", type=_positive(int), default=20_000, metavar="IMAGES")
    option(
        "--keep-last",
        action="store_true",
        help="keep the weights at the end of the run, not those that validate best",
    )
    option("--cache", type=Path, help="folder for prepared pictures")
    option(
        "--precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        default="float32",
        help="number format; the mixed ones suit accelerators (%(default)s)",
    )
    option(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="processes that prepare batches, for an accelerator that waits for them (a thread)",
    )
    several = parser.add_argument_group("several processes", "docs/SCALE.md; KERAS_BACKEND=jax")
    option = several.add_argument
    option(
        "--hosts",
        metavar="HOST:PORT,...",
        help="every process of the job in one order; the first writes the model",
    )
    option("--process", type=int, metavar="K", help="position of this process in --hosts, from 0")
    option(
        "--shards",
        type=_positive(int),
        metavar="N",
        help="one process draws the batches that N processes would draw together",
    )
    parser.set_defaults(command=train, parser=parser)


def _check(args: argparse.Namespace) -> None:
    """End the program where arguments do not fit together; add the default length."""
    parser: argparse.ArgumentParser = args.parser
    if not args.data and not args.synthetic and not args.letters:
        parser.error("nothing to train on: give --data DIR, --synthetic, --letters, or several")
    if args.names and not args.synthetic and not args.letters:
        parser.error("--names has no effect alone: give --synthetic or --letters, too")
    if args.fonts and not args.synthetic:
        parser.error("--fonts has no effect alone: give --synthetic, too")
    if (args.hosts is None) != (args.process is None):
        parser.error("--hosts and --process go together")
    if args.minutes is None and args.epochs is None and args.samples is None:
        args.minutes = 60.0


def train(args: argparse.Namespace) -> int:
    """Train as the arguments say.

    A process of several (--hosts) that fails ends without JAX, which waits for the others.
    """
    _check(args)
    if not args.hosts:
        return _train(args)
    try:
        code = _train(args)
    except (ValueError, OSError) as error:
        print(f"hwr: {error}", file=sys.stderr)
        code = 2
    except Exception:
        traceback.print_exc()
        code = 1
    jax = sys.modules.get("jax")
    if code and jax is not None and jax.distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _train(args: argparse.Namespace) -> int:
    from hwr.name_files import weighted_path
    from hwr.training.recipe import Recipe
    from hwr.training.recipe import train as run

    data = tuple(weighted_path(entry, 1.0) for entry in args.data)
    letters, recombined = weighted_path(args.letters, 0.3) if args.letters else (None, 0.0)
    synthetic = args.synthetic
    if not data:  # synthetic and recombined images alone
        recombined = (1.0 - synthetic) if letters else 0.0
        synthetic = synthetic if letters else 1.0
    # Options and fields of the recipe have the same names.
    given = {f.name: getattr(args, f.name) for f in fields(Recipe) if hasattr(args, f.name)}
    recipe = Recipe(
        **given
        | {
            "data": data,
            "synthetic": synthetic,
            "corrections": tuple(args.corrections),
            "letters": Path(letters) if letters else None,
            "recombined": recombined,
            "hosts": tuple(args.hosts.split(",")) if args.hosts else (),
            "process": args.process or 0,
        }
    )
    try:
        run(recipe)
    except KeyboardInterrupt:
        print("hwr: stopped before training began", file=sys.stderr)
        return 130
    return 0

"""The command `hwr train`."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable
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
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="DIR[:WEIGHT]",
        help="dataset folder (the Kaggle set, or labels.csv + images/); may be repeated; "
        "WEIGHT multiplies the chance of its pictures (1)",
    )
    parser.add_argument(
        "--synthetic",
        nargs="?",
        type=float,
        const=0.2,
        default=0.0,
        metavar="SHARE",
        help="share of images drawn by the package itself (0.2 if no number is given; "
        "all of them where there is no --data)",
    )
    parser.add_argument(
        "--corrections",
        type=Path,
        action="append",
        default=[],
        metavar="CSV",
        help="better labels of training pictures (assets/*_corrections.csv); may be given several "
        "times",
    )
    parser.add_argument(
        "--letters",
        metavar="BANK[:SHARE]",
        help="letter bank (`hwr extract letters`) to write new names with; SHARE of the "
        "images (0.3)",
    )
    parser.add_argument(
        "--names", type=Path, help="text or CSV file of names to draw and to write anew"
    )
    parser.add_argument("--fonts", type=Path, help="folder of fonts to draw with, too")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=_positive(float), help="training time")
    length.add_argument("--epochs", type=_positive(float), help="passes over the training pictures")
    length.add_argument("--samples", type=_positive(int), help="images to train on")
    parser.add_argument("--init", type=Path, metavar="MODEL", help="model folder to start from")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/model"), help="model folder to write (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-size", type=_positive(int), default=64)
    parser.add_argument("--learning-rate", type=_positive(float), default=1.5e-3)
    parser.add_argument(
        "--augmentation",
        type=float,
        default=1.0,
        metavar="FACTOR",
        help="how far pictures are changed before they are shown, 0..2 (%(default)s)",
    )
    parser.add_argument(
        "--dropout", type=float, help="share of features dropped (that of --init, or 0.2)"
    )
    parser.add_argument("--validate-every", type=_positive(int), default=20_000, metavar="IMAGES")
    parser.add_argument(
        "--keep-last",
        action="store_true",
        help="leave the weights at the end of the run, not those that validate best",
    )
    parser.add_argument("--cache", type=Path, help="folder for prepared pictures")
    parser.add_argument(
        "--precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        default="float32",
        help="what to calculate in; the mixed ones suit accelerators (%(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="processes that prepare batches, for an accelerator that waits for them (a thread)",
    )
    several = parser.add_argument_group("several processes", "docs/SCALE.md; KERAS_BACKEND=jax")
    several.add_argument(
        "--hosts",
        metavar="HOST:PORT,...",
        help="every process of the job in one order; the first writes the model",
    )
    several.add_argument(
        "--process", type=int, metavar="K", help="position of this process in --hosts, from 0"
    )
    several.add_argument(
        "--shards",
        type=_positive(int),
        metavar="N",
        help="one process draws the batches that N processes would draw together",
    )
    parser.set_defaults(command=train, parser=parser)


def checked(args: argparse.Namespace) -> argparse.Namespace:
    """Return arguments that fit together; others end the program with a sentence."""
    parser: argparse.ArgumentParser = args.parser
    if not args.data and not args.synthetic and not args.letters:
        parser.error("nothing to train on: give --data DIR, --synthetic, --letters, or several")
    if args.names and not args.synthetic and not args.letters:
        parser.error("--names says what to draw: give --synthetic or --letters, too")
    if args.fonts and not args.synthetic:
        parser.error("--fonts says what to draw with: give --synthetic, too")
    if (args.hosts is None) != (args.process is None):
        parser.error("--hosts and --process go together")
    if args.minutes is None and args.epochs is None and args.samples is None:
        args.minutes = 60.0
    return args


def train(args: argparse.Namespace) -> int:
    """Train as the arguments say.

    A process of several (--hosts) that fails ends without JAX, which waits for the others.
    """
    if not checked(args).hosts:
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

    data = [weighted_path(entry, 1.0) for entry in args.data]
    letters, recombined = weighted_path(args.letters, 0.3) if args.letters else (None, 0.0)
    synthetic = args.synthetic
    if not data:  # nothing real: what is made makes up the whole
        recombined = (1.0 - synthetic) if letters else 0.0
        synthetic = synthetic if letters else 1.0
    recipe = Recipe(
        data=tuple(data),
        synthetic=synthetic,
        corrections=tuple(args.corrections),
        letters=Path(letters) if letters else None,
        recombined=recombined,
        names=args.names,
        fonts=args.fonts,
        minutes=args.minutes,
        epochs=args.epochs,
        samples=args.samples,
        init=args.init,
        resume=args.resume,
        keep_last=args.keep_last,
        out=args.out,
        seed=args.seed,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        augmentation=args.augmentation,
        dropout=args.dropout,
        validate_every=args.validate_every,
        cache=args.cache,
        precision=args.precision,
        workers=args.workers,
        hosts=tuple(args.hosts.split(",")) if args.hosts else (),
        process=args.process or 0,
        shards=args.shards,
    )
    try:
        run(recipe)
    except KeyboardInterrupt:
        print("hwr: stopped before training began", file=sys.stderr)
        return 130
    return 0

"""The commands that cut training material out of images: `hwr extract letters|words|subwords`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hwr.commands import options
from hwr.defaults import default_model


def add(commands: Any) -> None:
    """Add the commands to those of the command line."""
    parser = commands.add_parser("extract", help="cut letters, words or subwords to train with")
    kinds = parser.add_subparsers(required=True, metavar="KIND", dest="kind")
    parents = [options.MODEL, options.DATASETS]
    letters = kinds.add_parser("letters", parents=parents, help="cut letters out of pictures")
    option = letters.add_argument
    option("--singles", type=Path, metavar="NPZ", help="archive of single letters")
    option("--out", type=Path, required=True, metavar="NPZ", help="bank to write")

    words = kinds.add_parser("words", parents=[options.MODEL], help="cut lines into words")
    option = words.add_argument
    option("--data", type=Path, required=True, metavar="DIR", help="dataset folder")
    option("--out", type=Path, required=True, metavar="DIR", help="dataset to write")
    option(
        "--shift",
        type=float,
        default=9.5,
        help="columns from where a letter is emitted to its middle, as `letters` prints it",
    )

    subwords = kinds.add_parser(
        "subwords", parents=parents, help="cut words into subwords of three to eight letters"
    )
    option = subwords.add_argument
    option("--out", type=Path, required=True, metavar="DIR", help="dataset to write")
    option("--seed", type=int, default=0)
    parser.set_defaults(command=extract)


def extract(args: argparse.Namespace) -> int:
    """Write a bank of letters, or a dataset of words or subwords."""
    from hwr.recognizer import Recognizer
    from hwr.recombination.extract import extract_letters, extract_subwords, extract_words

    recognizer = Recognizer.load(args.model or default_model())
    if args.kind == "letters":
        bank, shift = extract_letters(recognizer, args.data, args.out, singles=args.singles)
        print(
            f"{len(bank.characters)} letters and {len(bank.contexts)} emptied pictures in "
            f"{args.out}; a letter's ink is {shift:.1f} columns right of where it is emitted"
        )
        return 0
    if args.kind == "words":
        count = extract_words(recognizer, args.data, args.out, args.shift)
    else:
        count = extract_subwords(recognizer, args.data, args.out, args.seed)
    print(f"{count} {args.kind} in {args.out}")
    return 0

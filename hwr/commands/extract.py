"""The commands that cut training material out of images: `hwr extract letters|words|subwords`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hwr.commands import options


def add(commands: Any) -> None:
    """Add the commands to those of the command line."""
    parser = commands.add_parser("extract", help="cut letters, words or subwords to train with")
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    letters = kinds.add_parser(
        "letters",
        parents=[options.MODEL],
        help="cut letters out of training pictures, to train with",
    )
    letters.add_argument("--data", type=Path, action="append", required=True, metavar="DIR")
    letters.add_argument("--singles", type=Path, metavar="NPZ", help="archive of single letters")
    letters.add_argument("--out", type=Path, required=True, metavar="NPZ", help="bank to write")
    letters.set_defaults(command=cut_letters)

    words = kinds.add_parser(
        "words",
        parents=[options.MODEL],
        help="cut training lines into words, to train with",
    )
    words.add_argument("--data", type=Path, required=True, metavar="DIR")
    words.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset to write")
    words.add_argument(
        "--shift",
        type=float,
        default=9.5,
        help="columns from where a letter is emitted to its middle, as `letters` prints it",
    )
    words.set_defaults(command=cut_words)

    pieces = kinds.add_parser(
        "subwords",
        parents=[options.MODEL],
        help="cut training words into pieces of three to eight letters, to train with",
    )
    pieces.add_argument("--data", type=Path, action="append", required=True, metavar="DIR")
    pieces.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset to write")
    pieces.add_argument("--seed", type=int, default=0)
    pieces.set_defaults(command=cut_subwords)


def cut_letters(args: argparse.Namespace) -> int:
    """Write a bank of letters."""
    from hwr.defaults import default_model
    from hwr.recognizer import Recognizer
    from hwr.recombination.extract import extract_letters

    recognizer = Recognizer.load(args.model or default_model())
    bank, shift = extract_letters(recognizer, args.data, args.out, singles=args.singles)
    print(
        f"{len(bank.characters)} letters and {len(bank.contexts)} emptied pictures in {args.out}; "
        f"a letter's ink is {shift:.1f} columns right of where it is emitted"
    )
    return 0


def cut_words(args: argparse.Namespace) -> int:
    """Write the words of lines as a dataset."""
    from hwr.defaults import default_model
    from hwr.recognizer import Recognizer
    from hwr.recombination.extract import extract_words

    recognizer = Recognizer.load(args.model or default_model())
    count = extract_words(recognizer, args.data, args.out, args.shift)
    print(f"{count} words in {args.out}")
    return 0


def cut_subwords(args: argparse.Namespace) -> int:
    """Write pieces of words as a dataset."""
    from hwr.defaults import default_model
    from hwr.recognizer import Recognizer
    from hwr.recombination.extract import extract_subwords

    recognizer = Recognizer.load(args.model or default_model())
    count = extract_subwords(recognizer, args.data, args.out, args.seed)
    print(f"{count} pieces in {args.out}")
    return 0

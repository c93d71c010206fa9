"""The command `hwr read`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwr.commands import options

if TYPE_CHECKING:
    from hwr.recognizer import Recognizer


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    read = commands.add_parser(
        "read",
        parents=[options.JSON, options.MODEL, options.ENGINE, options.DATA, options.EXPECTED],
        help="read pictures; exit code 2 if one cannot be read",
    )
    read.add_argument("files", nargs="*", metavar="FILE")
    read.add_argument(
        "--index", type=int, action="append", default=[], help="read this picture of --data"
    )
    read.add_argument("--split", default="train", help="train, validation or test")
    read.add_argument(
        "--figure", type=Path, metavar="PNG", help="draw the reading of the one FILE into it"
    )
    read.add_argument(
        "--tta",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="read what is not sure once more in several views (default: do)",
    )
    read.set_defaults(command=read_files)


def read_files(args: argparse.Namespace) -> int:
    """Read files; one line or JSON object each."""
    from hwr.data.dataset import open_dataset
    from hwr.decoding.lexicon import NOT_LISTED, Lexicon
    from hwr.defaults import default_data, default_model
    from hwr.image import ImageError
    from hwr.recognizer import Recognizer

    recognizer = Recognizer.load(args.model or default_model(), engine=args.engine)
    files = list(args.files)
    if args.index:
        dataset = open_dataset(args.data or default_data(), args.split, recognizer.spec.alphabet)
        files += [str(dataset.find(index).path) for index in args.index]
    if not files:
        raise ValueError("Nothing to read; give picture files or --index N.")
    lexicon = Lexicon.read(args.lexicon, recognizer.spec.alphabet) if args.lexicon else None
    if args.figure:
        _draw(
            recognizer,
            files,
            args.figure,
            lexicon=lexicon,
            language_model=args.language_model,
            tta=args.tta,
        )
    rows = []
    results = recognizer.read_many(
        files, lexicon=lexicon, language_model=args.language_model, tta=args.tta
    )
    for file, result in zip(files, results, strict=True):
        if isinstance(result, ImageError):
            row = {"file": file, "text": None, "confidence": None, "error": str(result)}
        else:
            row = {
                "file": file,
                "text": result.text,
                "confidence": round(result.confidence, 4),
                "verdict": result.verdict,
                "candidates": [
                    {"text": c.text, "probability": round(c.probability, 4)}
                    for c in result.candidates
                ],
                "absent": None if result.absent is None else round(result.absent, 4),
                "notes": list(result.notes),
                "error": None,
            }
            if not args.json:
                listed = result.absent is None or result.listed
                verdict = result.verdict if listed else f"{result.verdict}, {NOT_LISTED}"
                print(f"{file}\t{result.text}\t{result.confidence:.1%}\t{verdict}")
        if row["error"] and not args.json:
            print(f"{file}: {row['error']}", file=sys.stderr)
        rows.append(row)
    if args.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    return 2 if any(row["error"] for row in rows) else 0


def _draw(recognizer: Recognizer, files: list[str], out: Path, **options: Any) -> None:
    """Draw the reading of the one file into a PNG file, written whole or not at all."""
    from PIL import Image

    from hwr.atomic_file import replacing
    from hwr.image import ImageError

    if len(files) != 1:
        raise ValueError(f"--figure draws one reading; give one picture. Received: {len(files)}")
    try:
        figure = recognizer.read(files[0], **options).draw()
    except ImageError:
        return  # told with the readings
    with replacing(out) as stream:
        Image.fromarray(figure).save(stream, "PNG")

"""The command `hwr read`."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hwr.commands import options
from hwr.defaults import default_data, default_model


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    parser = commands.add_parser(
        "read",
        parents=[options.JSON, options.MODEL, options.ENGINE, options.DATA, options.EXPECTED],
        help="read pictures; exit code 2 if one cannot be read",
    )
    option = parser.add_argument
    option("files", nargs="*", metavar="FILE")
    option("--index", type=int, action="append", default=[], help="read this picture of --data")
    option("--split", default="train", help="train, validation or test")
    option("--figure", type=Path, metavar="PNG", help="draw the reading of the one FILE into it")
    tta = argparse.BooleanOptionalAction
    option("--tta", action=tta, default=True, help=f"{options.TTA} (default: do)")
    parser.set_defaults(command=read)


def read(args: argparse.Namespace) -> int:
    """Read files; one line or JSON object each."""
    from PIL import Image

    from hwr.atomic_file import replacing
    from hwr.bulk.part_files import Row
    from hwr.bulk.sources import Entry
    from hwr.data.dataset import open_dataset
    from hwr.decoding.lexicon import NOT_LISTED, Lexicon
    from hwr.image import ImageError
    from hwr.recognizer import Recognizer

    recognizer = Recognizer.load(args.model or default_model(), engine=args.engine)
    files = list(args.files)
    if args.index:
        dataset = open_dataset(args.data or default_data(), args.split, recognizer.spec.alphabet)
        files += [str(dataset.find(index).path) for index in args.index]
    if not files:
        raise ValueError("Nothing to read; give picture files or --index N.")
    settings = {
        "lexicon": Lexicon.read(args.lexicon, recognizer.spec.alphabet) if args.lexicon else None,
        "language_model": args.language_model,
        "tta": args.tta,
    }
    if args.figure and len(files) != 1:
        raise ValueError(f"--figure draws one reading; give one picture. Received: {len(files)}")
    if args.figure:
        with suppress(ImageError):  # which is reported with the readings
            figure = Image.fromarray(recognizer.read(files[0], **settings).draw())
            with replacing(args.figure) as stream:
                figure.save(stream, "PNG")
    rows: list[dict[str, Any]] = []
    for file, result in zip(files, recognizer.read_many(files, **settings), strict=True):
        if isinstance(result, ImageError):
            rows.append({"file": file, "text": None, "confidence": None, "error": str(result)})
            if not args.json:
                print(f"{file}: {result}", file=sys.stderr)
            continue
        row = asdict(Row.of(Entry(file), result))
        del row["entry"]
        rows.append({"file": row.pop("source")} | row)
        if not args.json:
            listed = result.absent is None or result.listed
            verdict = result.verdict if listed else f"{result.verdict}, {NOT_LISTED}"
            print(f"{file}\t{result.text}\t{result.confidence:.1%}\t{verdict}")
    if args.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    return 2 if any(row["error"] for row in rows) else 0

"""The command `hwr read`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwr.commands import options
from hwr.defaults import default_data, default_model

if TYPE_CHECKING:
    from hwr.image import ImageError
    from hwr.reading import Reading
    from hwr.recognizer import Recognizer


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
    lines = parser.add_mutually_exclusive_group().add_argument
    lines("--lines", action="store_true", help="read every line of writing, from above")
    lines("--join-lines", action="store_true", help="as --lines, joined to one name")
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
    results: Iterable[tuple[str, Reading | ImageError]]
    if args.lines or args.join_lines:
        results = _lines(recognizer, files, settings, joined=args.join_lines)
    else:
        results = zip(files, recognizer.read_many(files, **settings), strict=True)
    for file, result in results:
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


def _lines(
    recognizer: Recognizer, files: list[str], settings: dict[str, Any], *, joined: bool
) -> Iterator[tuple[str, Reading | ImageError]]:
    """Yield a reading for each line of each file, or one of all its lines, or its error."""
    from hwr.image import ImageError

    for file in files:
        try:
            readings = recognizer.read_lines(file, details=False, **settings)
            # Where no line is read, what the whole picture says: that it is empty, or may be.
            readings = readings or [recognizer.read(file, details=False, **settings)]
        except ImageError as error:
            yield file, error
            continue
        if joined:
            readings = [_joined(readings)]
        for reading in readings:
            yield file, reading


def _joined(readings: list[Reading]) -> Reading:
    """Return the lines of a picture as one reading, as sure as all of them are right."""
    first = readings[0]
    return dataclasses.replace(
        first,
        text=" ".join(reading.text for reading in readings if reading.text),
        confidence=math.prod(reading.confidence for reading in readings),
        candidates=(),
        absent=max((r.absent for r in readings if r.absent is not None), default=None),
        milliseconds=sum(reading.milliseconds for reading in readings),
    )

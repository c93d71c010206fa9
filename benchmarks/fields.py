"""Names read from fields on paper, with form lines, shadows, stamps and the like (docs/FIELDS.md):
python -m benchmarks.fields --data DIR

Takes pictures of a dataset that are read right and sure as they are, degrades them in every way of
`hwr.synthesis.degradation`, and reads them as the page does.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from hwr.arrays import Grey
from hwr.data.dataset import Sample, open_dataset
from hwr.evaluation.evaluate import plain_hyphens
from hwr.image import ImageError, load_image
from hwr.reading import Reading
from hwr.recognizer import Recognizer
from hwr.synthesis.degradation import KINDS

#: A name in capitals and its picture.
Field = tuple[str, Grey]

#: Grey, RGB or 16-bit pixels.
Degradation = Callable[[Grey, np.random.Generator], np.ndarray]


def untouched(picture: Grey, _: np.random.Generator) -> np.ndarray:
    """As in the dataset."""
    return picture


def sixteen_bit(picture: Grey, _: np.random.Generator) -> np.ndarray:
    """Eight bits stored in sixteen."""
    return picture.astype(np.uint16)


ALL: dict[str, Degradation] = {"untouched": untouched, **KINDS, "sixteen_bit": sixteen_bit}


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument("--split", default="train", help="(%(default)s)")
    parser.add_argument(
        "--count", type=int, default=200, help="pictures of each kind (%(default)s)"
    )
    parser.add_argument("--kinds", nargs="+", choices=[*ALL], default=[*ALL], help="(all)")
    parser.add_argument("--model", type=Path, help="model folder (assets/model)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    args = parser.parse_args(argv)
    if args.count < 1:
        parser.error(f"--count must be at least 1. Received: {args.count}")
    return args


def readable(recognizer: Recognizer, samples: list[Sample], count: int) -> list[Field]:
    """Return up to `count` of `samples` that are read right and sure."""
    found: list[Field] = []
    size = max(20, count)
    for start in range(0, len(samples), size):
        chunk = samples[start : start + size]
        pictures = [load_image(sample.path).pixels for sample in chunk]
        readings = recognizer.read_many(pictures, tta=True)
        for sample, picture, reading in zip(chunk, pictures, readings, strict=True):
            if _is_right(reading, sample.text) and _is_sure(reading):
                found.append((sample.text, picture))
        if len(found) >= count:
            break
    return found[:count]


def _is_right(reading: Reading | ImageError, text: str) -> bool:
    return isinstance(reading, Reading) and plain_hyphens(reading.text) == plain_hyphens(text)


def _is_sure(reading: Reading | ImageError) -> bool:
    return isinstance(reading, Reading) and reading.verdict == "sure"


def rows(recognizer: Recognizer, fields: list[Field], kinds: list[str], seed: int) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    yield "| kind | what it is | right | wrong and sure | blank by mistake | CPU ms each |"
    yield "|---|---|---|---|---|---|"
    for kind in kinds:
        degrade = ALL[kind]
        # One generator a picture: other kinds or more pictures change nothing for the rest.
        pictures = [
            degrade(picture, np.random.default_rng((seed, number)))
            for number, (_, picture) in enumerate(fields)
        ]
        start = time.process_time()
        readings = list(recognizer.read_many(pictures, tta=True))
        spent = 1000 * (time.process_time() - start) / len(fields)
        right = [_is_right(r, text) for r, (text, _) in zip(readings, fields, strict=True)]
        sure = sum(_is_sure(r) and not ok for r, ok in zip(readings, right, strict=True))
        # Every picture holds a name; one that is refused is not read either.
        blank = sum(isinstance(r, ImageError) or not r.text for r in readings)
        what = (degrade.__doc__ or "").split(".", maxsplit=1)[0]
        yield (
            f"| {kind} | {what} | {sum(right) / len(fields):.0%} (n = {len(fields)}) | {sure} "
            f"| {blank} | {spent:.1f} |"
        )


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    args = get_args(argv)
    recognizer = Recognizer.load(args.model) if args.model else Recognizer.load()
    dataset = open_dataset(args.data, args.split, recognizer.spec.alphabet)
    samples = [sample for sample in dataset.samples if sample.path.is_file()]
    np.random.default_rng(args.seed).shuffle(samples)
    fields = readable(recognizer, samples, args.count)
    if not fields:
        print(f"No picture of {args.data} ({args.split}) is read right and sure.", file=sys.stderr)
        return 1
    for row in rows(recognizer, fields, args.kinds, args.seed):
        print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Accuracy and cost of test-time augmentation: python -m benchmarks.test_time_augmentation
--data DIR

Reads a split once as `read_many` does and once with `tta`, as the page does.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.lexicons import calibration_error
from hwr.data.dataset import REMARKS, Sample, open_dataset, split_calibration
from hwr.evaluation.evaluate import nearest, plain_hyphens, read_reference
from hwr.evaluation.metrics import score
from hwr.reading import Reading
from hwr.recognizer import Recognizer


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", action="append", required=True, metavar="DIR[:SPLIT]")
    parser.add_argument("--reference", help="CSV of reference labels of the first --data")
    parser.add_argument(
        "--calibration-split", action="store_true", help="read the calibration split"
    )
    parser.add_argument(
        "--greedy", action="store_true", help="read greedily, without the language model"
    )
    parser.add_argument("--model")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    args = get_args(argv)
    recognizer = Recognizer.load(args.model) if args.model else Recognizer.load()
    reference = read_reference(args.reference) if args.reference else None
    print("| pictures | n | | exact | 95 % interval | CER | calibration error | ms |")
    print("|---|---|---|---|---|---|---|---|")
    for number, entry in enumerate(args.data):
        folder, _, split = entry.partition(":")
        dataset = open_dataset(folder, split or "validation", recognizer.spec.alphabet)
        if args.calibration_split:
            _, dataset = split_calibration(open_dataset(folder, "train", recognizer.spec.alphabet))
        samples = [sample for sample in dataset.samples if sample.path.is_file()]
        for name, tta in (("one image", False), ("with test-time augmentation", True)):
            start = time.process_time()
            paths = [sample.path for sample in samples]
            readings = list(recognizer.read_many(paths, tta=tta, greedy=args.greedy))
            spent = 1000 * (time.process_time() - start) / len(samples)
            truths = [(sample.text,) for sample in samples]
            print(row(f"{dataset.folder.name} | {len(samples)} | {name}", truths, readings, spent))
            if reference is not None and number == 0:
                again = [
                    (reference_texts(reference, sample), r)
                    for sample, r in zip(samples, readings, strict=True)
                ]
                kept = [(texts, r) for texts, r in again if texts]
                label = f"the same, reference labels | {len(kept)} | {name}"
                print(row(label, [t for t, _ in kept], [r for _, r in kept], spent))
            if not tta:
                unsure = np.mean([r.verdict == "please check" for r in readings])  # type: ignore[union-attr]
        print(f"| of these not sure at first | | {unsure:.0%} | | | | | |")
    return 0


def reference_texts(reference: dict[str, tuple[str, ...]], sample: Sample) -> tuple[str, ...]:
    """Return the reference labels of a sample, none where it holds no name that can be read."""
    texts = reference.get(sample.path.name, ())
    return () if texts and texts[0] in REMARKS else texts


def row(
    name: str, truths: Sequence[tuple[str, ...]], readings: Sequence[Reading], spent: float
) -> str:
    """Return a row of the table."""
    texts = [plain_hyphens(reading.text) for reading in readings]
    allowed = [[plain_hyphens(text) for text in each] for each in truths]
    nearby = [nearest(each, text) for each, text in zip(allowed, texts, strict=True)]
    s = score(nearby, texts)
    right = np.array([a == b for a, b in zip(nearby, texts, strict=True)])
    error = calibration_error(np.array([r.confidence for r in readings]), right, equal_size=True)
    return (
        f"| {name} | {s.exact:.1%} | {s.exact_low:.1%} to {s.exact_high:.1%} | {s.cer:.1%} "
        f"| {error:.3f} | {spent:.1f} |"
    )


if __name__ == "__main__":
    sys.exit(main())

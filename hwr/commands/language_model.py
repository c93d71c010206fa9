"""The command `hwr language-model`."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    parser = commands.add_parser(
        "language-model", help="estimate a character language model from lists of names"
    )
    option = parser.add_argument
    option(
        "--names",
        action="append",
        required=True,
        metavar="FILE[:WEIGHT]",
        help="text file, one name a line, or CSV with NAME,COUNT; repeatable; WEIGHT multiplies "
        "its counts (1)",
    )
    option(
        "--without",
        type=Path,
        metavar="DIR",
        help="dataset; the labels of its calibration split are subtracted from the counts of the "
        "first list, so that the language model's weight can be fitted to that split",
    )
    option("--out", type=Path, required=True, help="file to write (.npz)")
    parser.set_defaults(command=estimate)


def estimate(args: argparse.Namespace) -> int:
    """Estimate a language model from lists of names."""
    from hwr.alphabet import Alphabet
    from hwr.data.dataset import open_dataset, split_calibration
    from hwr.decoding.language_model import LanguageModel, count_names
    from hwr.name_files import weighted_path

    alphabet = Alphabet()
    total: dict[str, float] = {}
    subtracted: Counter[str] = Counter()
    if args.without:
        _, calibration = split_calibration(open_dataset(args.without, "train", alphabet))
        subtracted.update(sample.text for sample in calibration)
    for entry in args.names:
        file, factor = weighted_path(entry, 1.0)
        if not 0 < factor < float("inf"):
            raise ValueError(f"WEIGHT must be a number above 0. Received: {entry!r}")
        counts, dropped = count_names(file, alphabet)
        if not total:
            counts -= subtracted
        for name, count in counts.items():
            total[name] = total.get(name, 0.0) + factor * count
        print(f"{Path(file).name}: {len(counts):,} names, {dropped:,} rows left out")
    language_model = LanguageModel.estimate(total, alphabet)
    language_model.save(args.out)
    size = args.out.stat().st_size
    print(f"{len(language_model.costs):,} states in {args.out}, {size / 1e6:.2f} MB")
    return 0

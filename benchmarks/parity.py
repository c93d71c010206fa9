"""Each engine against the network calculated exactly: python -m benchmarks.parity --data DIR

Exactly means Keras in float64. Beside the engines stands Keras in float32, as it is trained.
"""

from __future__ import annotations

import argparse
import os
import sys

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from hwr.data.dataset import open_dataset
from hwr.decoding.ctc import greedy_text
from hwr.defaults import MODEL
from hwr.image import load_image
from hwr.network.engine import ENGINES, KerasEngine, batches_by_width, load_engine
from hwr.network.model_folder import load_model
from hwr.preprocess import prepare


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, metavar="DIR[:SPLIT]")
    folder, _, split = parser.parse_args(argv).data.partition(":")
    spec, exact_model = load_model(MODEL, "float64")
    exact = KerasEngine(exact_model)
    dataset = open_dataset(folder, split or "validation", spec.alphabet)
    prepared = [prepare(load_image(sample.path).pixels, spec) for sample in dataset]
    batches = [b for _, b in batches_by_width([p.image for p in prepared if not p.blank], spec)]
    expected = [exact(batch) for batch in batches]
    largest = max(float(np.abs(logits).max()) for logits in expected)
    print(f"{sum(map(len, batches))} pictures of {dataset.folder.name}; logits reach {largest:.1f}")
    print("| engine | largest difference | median | above 1e-4 | same greedy reading |")
    print("|---|---|---|---|---|")
    for name in ENGINES:
        _, engine = load_engine(MODEL, name)
        apart: list[float] = []
        same = 0
        for batch, target in zip(batches, expected, strict=True):
            for ours, theirs in zip(engine(batch), target, strict=True):
                apart.append(float(np.abs(ours - theirs).max()))
                same += greedy_text(ours, spec.alphabet) == greedy_text(theirs, spec.alphabet)
        above = sum(value > 1e-4 for value in apart)
        print(f"| {name} | {max(apart):.1e} | {np.median(apart):.1e} | {above} | {same} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

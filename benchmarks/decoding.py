"""What decoding costs per picture on one core: python benchmarks/decoding.py --data DIR

The network is not counted. Each way runs over the same pictures, alternating with the others
several times; the median of the runs is printed, which a busy machine disturbs least.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

# Before NumPy is imported, which then uses one core.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from hwr.data.dataset import open_dataset
from hwr.decoding.beam import beam
from hwr.decoding.ctc import Condensed, greedy_text
from hwr.decoding.decoder import Decoder
from hwr.decoding.language_model import LanguageModel
from hwr.decoding.lexicon import Lexicon
from hwr.evaluation.calibration import Case, read_cases

#: Milliseconds that each way may take.
LIMITS = {
    "greedy": 0.1,
    "beam 10": 3.0,
    "beam 10 + language model": 3.0,
    "lexicon of 1,000": 5.0,
    "lexicon of 50,000": 60.0,
}


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument("--model", type=Path, help="model folder (assets/model)")
    parser.add_argument("--pictures", type=int, default=100, help="(%(default)s)")
    parser.add_argument("--runs", type=int, default=7, help="(%(default)s)")
    return parser.parse_args(argv)


def random_names(count: int) -> list[str]:
    """Return made-up names of 4 to 12 letters that begin alike, as names do."""
    rng = np.random.default_rng(0)
    vowels, others = list("AEIOU"), list("BCDFGLMNPRSTV")
    names: dict[str, None] = {}
    while len(names) < count:
        length = int(rng.integers(2, 7))
        names["".join(str(rng.choice(others)) + str(rng.choice(vowels)) for _ in range(length))] = (
            None
        )
    return list(names)


def measure(cases: list[Case], decoder: Decoder, runs: int) -> int:
    """Print a table; return 1 where a limit is passed, else 0."""
    alphabet, confidence = decoder.alphabet, decoder.parameters
    language_model = LanguageModel.load().fused(confidence.weight, confidence.reward)
    # As in the decoder, which condenses the logits once.
    steps = {id(c): Condensed.of(c.logits).scores for c in cases}
    free = {i: beam(scores, alphabet) for i, scores in steps.items()}
    small, large = (Lexicon.of(random_names(n), alphabet) for n in (1_000, 50_000))
    ways: dict[str, Callable[[Case], Any]] = {
        "greedy": lambda c: greedy_text(c.logits, alphabet),
        "beam 10": lambda c: beam(steps[id(c)], alphabet),
        "beam 10 + language model": lambda c: beam(
            steps[id(c)], alphabet, language_model=language_model
        ),
        "lexicon of 1,000": lambda c: small.match(steps[id(c)], free[id(c)]),
        "lexicon of 50,000": lambda c: large.match(steps[id(c)], free[id(c)]),
        "letters, alternatives, confidence and beam": lambda c: decoder.decode(c.logits, c.image),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(cases[0])
    for _ in range(runs):
        for name, way in ways.items():
            start = time.process_time()
            for case in cases:
                way(case)
            times[name].append(1000 * (time.process_time() - start) / len(cases))
    length = np.mean([len(c.logits) for c in cases])
    print(f"{len(cases)} pictures, {length:.0f} time steps on average, {runs} runs\n")
    print("| decoding | ms a picture, median | fastest | limit |\n|---|---|---|---|")
    for name, values in times.items():
        limit = f"{LIMITS[name]:g}" if name in LIMITS else ""
        print(f"| {name} | {median(values):.3f} | {min(values):.3f} | {limit} |")
    return int(any(median(times[name]) > limit for name, limit in LIMITS.items()))


def main(argv: list[str] | None = None) -> int:
    """Measure as the command line says."""
    from hwr.defaults import default_model
    from hwr.recognizer import Recognizer

    args = get_args(argv)
    recognizer = Recognizer.load(args.model or default_model())
    dataset = open_dataset(args.data, "validation", recognizer.spec.alphabet)
    cases = read_cases(recognizer, list(dataset)[: args.pictures])
    return measure(cases, recognizer.decoder, args.runs)


if __name__ == "__main__":
    sys.exit(main())

"""What beam, language model and lexicons are worth: python benchmarks/lexicons.py --data DIR
--names FILE

Reads the validation split once and decodes it in every way, against the labels as published;
prints Markdown. Lexicons are drawn from the names of the split (30) and from the lists given
(larger ones); a list of names is never used to read without a lexicon, except by the language
model.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import Alphabet
from hwr.data.dataset import open_dataset
from hwr.decoding.ctc import Condensed
from hwr.decoding.decoder import Decoder, Decoding
from hwr.decoding.language_model import count_names
from hwr.decoding.lexicon import Lexicon, Match
from hwr.evaluation.calibration import Case, read_cases
from hwr.evaluation.evaluate import nearest, plain_hyphens, read_reference
from hwr.evaluation.metrics import wilson_interval

SIZES = (30, 1_000, 50_000)
BINS = 10


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument("--model", type=Path, help="model folder (assets/model)")
    parser.add_argument(
        "--names",
        type=Path,
        action="append",
        required=True,
        help="list that the language model was estimated from; repeatable; large lexicons are "
        "drawn from the first",
    )
    parser.add_argument("--reference", type=Path, help="CSV of reference labels")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def share(right: Sequence[bool] | NDArray[np.bool_]) -> str:
    """Return n, a share and its 95 % interval as the cells of a table."""
    if not len(right):
        return "0 | | "
    low, high = wilson_interval(int(np.sum(right)), len(right))
    return f"{len(right)} | {np.mean(right):.1%} | {low:.1%} to {high:.1%}"


class Comparison:
    """The cases of a split and what is known about their names."""

    def __init__(self, cases: list[Case], decoder: Decoder, lists: list[set[str]], seed: int):
        self.cases, self.decoder = cases, decoder
        self.truths = [case.sample.text for case in cases]
        self.known = np.array([any(t in names for names in lists) for t in self.truths])
        self.pool = sorted(lists[0] - set(self.truths))
        self.rng = np.random.default_rng(seed)

    def decode(self, **options: object) -> list[Decoding]:
        return [self.decoder.decode(c.logits, c.image, **options) for c in self.cases]  # type: ignore[arg-type]

    def right(self, readings: Sequence[Decoding]) -> NDArray[np.bool_]:
        return np.array([r.text == t for r, t in zip(readings, self.truths, strict=True)])

    def free(self) -> None:
        """Print the ways to read without a lexicon."""
        print("| decoding | names | n | exact | 95 % interval |\n|---|---|---|---|---|")
        found = {}
        for name, options in {
            "greedy": {"greedy": True},
            "beam 10": {"language_model": False},
            "beam 10 + language model": {"language_model": True},
        }.items():
            found[name] = self.right(self.decode(**options))
            for group, chosen in {
                "all": np.ones(len(self.cases), bool),
                "in the language model's lists": self.known,
                "absent from them": ~self.known,
            }.items():
                print(f"| {name} | {group} | {share(found[name][chosen])} |")
        gain = found["beam 10 + language model"].astype(int) - found["beam 10"]
        print(
            f"\nThe language model corrects {np.sum(gain > 0)} names and spoils "
            f"{np.sum(gain < 0)}: {100 * gain.mean():+.2f} points in all, "
            f"{100 * gain[self.known].mean():+.2f} for names in the lists, "
            f"{100 * gain[~self.known].mean():+.2f} for absent ones.\n"
        )

    def lexicons(self) -> None:
        """Print the readings with lexicons that hold the true name and with ones that do not."""
        print(
            '| lexicon of | best of the list exact | n, answer exact (it may be "not on the '
            'list") | | 95 % interval | n, missing name noticed | | 95 % interval |\n'
            "|---|---|---|---|---|---|---|---|"
        )
        free = [self.beam(case) for case in self.cases]
        for size in SIZES:
            if size > len(self.pool):
                print(f"| {size:,} | the list is too short |")
                continue
            best, answer, noticed = [], [], []
            draw = self.drawer(size)
            for case, candidates, truth in zip(self.cases, free, self.truths, strict=True):
                for lexicon, listed in ((draw(truth, True), True), (draw(truth, False), False)):
                    match = self.match(lexicon, case, candidates)
                    if listed:
                        name = match.candidates[0].text if match.candidates else ""
                        best.append(name == truth)
                        answer.append((name if match.listed else candidates[0].text) == truth)
                    else:
                        noticed.append(not match.listed)
            print(f"| {size:,} | {np.mean(best):.1%} | {share(answer)} | {share(noticed)} |")
        print()

    def beam(self, case: Case) -> list:  # type: ignore[type-arg]
        return self.decoder._candidates(Condensed.of(case.logits), None)

    def match(self, lexicon: Lexicon, case: Case, free: list) -> Match:  # type: ignore[type-arg]
        return lexicon.match(
            Condensed.of(case.logits).scores, free, self.decoder.parameters.evidence
        )

    def drawer(self, size: int) -> Callable[[str, bool], Lexicon]:
        """Return what draws a lexicon of `size` names with or without a true name."""
        alphabet = self.decoder.alphabet
        if size > 5_000:
            # One lexicon for all pictures, since building it takes seconds: with all names of
            # the split among the others, and with none of them.
            true = sorted(set(self.truths))
            others = [self.pool[i] for i in self.rng.permutation(len(self.pool))[:size]]
            with_, without = Lexicon.of(true + others[: size - len(true)], alphabet), None
            without = Lexicon.of(others, alphabet)
            return lambda _, listed: with_ if listed else without
        pool = sorted(set(self.truths)) if size <= 100 else self.pool

        def draw(truth: str, listed: bool) -> Lexicon:
            plain = plain_key(truth)
            drawn = [pool[i] for i in self.rng.choice(len(pool), size + 5, replace=False)]
            drawn = [name for name in drawn if plain_key(name) != plain]
            return Lexicon.of([truth, *drawn[: size - 1]] if listed else drawn[:size], alphabet)

        return draw

    def beam_against_exact(self, count: int = 100) -> None:
        """Print how far the beam through a large lexicon is from exact scores."""
        drawn = self.rng.permutation(len(self.pool))
        for size in SIZES[1:]:
            names = sorted(set(self.truths)) + [self.pool[i] for i in drawn[:size]]
            lexicon = Lexicon.of(names[: max(size, len(set(self.truths)))], self.decoder.alphabet)
            gaps, same = [], []
            for case in self.cases[:count]:
                steps = Condensed.of(case.logits).scores
                exact = lexicon.score(steps, exact=True).totals
                found = lexicon.score(steps, exact=False).totals
                gaps.append(np.abs(exact - found).max())
                same.append(exact.argmax() == found.argmax())
            print(
                f"Beam against exact scores, lexicon of {len(lexicon):,}, {len(gaps)} pictures: "
                f"same best name {np.mean(same):.1%}, largest difference of a probability "
                f"{np.max(gaps):.1e}."
            )
        print()

    def confidence(self, reference: dict[str, tuple[str, ...]] | None) -> None:
        """Print calibration error and coverage of readings as the model folder sets them."""
        readings = self.decode()
        sure = np.array([r.confidence for r in readings])
        right = self.right(readings)
        raw = Decoder(self.decoder.alphabet).decode
        own = np.array([raw(c.logits, c.image).confidence for c in self.cases])
        print(
            f"Expected calibration error ({BINS} bins of equal width, raw labels, n = "
            f"{len(sure)}): {calibration_error(sure, right):.3f}; with bins of equal size "
            f"{calibration_error(sure, right, equal_size=True):.3f}. Of the network's own "
            f"probability of the beam's text: {calibration_error(own, right):.3f}.\n"
        )
        targets: dict[str, tuple[NDArray[np.bool_], NDArray[np.float64]]] = {
            "raw labels": (right, sure)
        }
        if reference is not None:
            pairs = [
                (reference[c.sample.path.name], plain_hyphens(r.text), r.confidence)
                for c, r in zip(self.cases, readings, strict=True)
                if c.sample.path.name in reference
            ]
            pairs = [pair for pair in pairs if pair[0][0] not in ("EMPTY", "UNREADABLE")]
            targets["reference labels"] = (
                np.array([nearest(texts, text) == text for texts, text, _ in pairs]),
                np.array([confidence for *_, confidence in pairs]),
            )
        print("| the surest | " + " | ".join(f"right by {name}" for name in targets) + " |")
        print("|---|" + "---|" * len(targets))
        for part in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
            cells = []
            for hits, values in targets.values():
                order = np.argsort(-values, kind="stable")[: max(1, round(part * len(values)))]
                cells.append(f"{hits[order].mean():.1%}")
            print(f"| {part:.0%} | " + " | ".join(cells) + " |")
        print()
        for name, (hits, values) in targets.items():
            said = values >= self.decoder.parameters.sure
            print(
                f'By {name}: "sure" is said of {said.mean():.1%} and right for '
                f"{hits[said].mean():.1%} (n = {said.sum()}); "
                + ", ".join(
                    f"{precision:.1%} precision at {coverage(values, hits, precision):.1%} coverage"
                    for precision in (0.99, 0.98, 0.97, 0.95, 0.92)
                )
                + "."
            )


def calibration_error(
    sure: NDArray[np.float64], right: NDArray[np.bool_], *, equal_size: bool = False
) -> float:
    """Return the mean distance of confidence and accuracy in bins (Naeini et al., 2015)."""
    if equal_size:
        bins = np.argsort(np.argsort(sure, kind="stable")) * BINS // len(sure)
    else:
        bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [
        np.sum(bins == b) * abs(sure[bins == b].mean() - right[bins == b].mean())
        for b in np.unique(bins)
    ]
    return float(np.sum(gaps) / len(sure))


def coverage(sure: NDArray[np.float64], right: NDArray[np.bool_], precision: float) -> float:
    """Return the largest share of surest readings of which at least `precision` are right."""
    order = np.argsort(-sure, kind="stable")
    enough = np.flatnonzero(np.cumsum(right[order]) / np.arange(1, len(sure) + 1) >= precision)
    return (int(enough[-1]) + 1) / len(sure) if len(enough) else 0.0


def plain_key(text: str) -> str:
    """Return what is left of a name that a lexicon tells it by."""
    return text.replace(" ", "").replace("-", "")


def run(args: argparse.Namespace) -> int:
    """Print everything; return 0."""
    from hwr.defaults import default_model
    from hwr.recognizer import Recognizer

    recognizer = Recognizer.load(args.model or default_model())
    alphabet: Alphabet = recognizer.spec.alphabet
    cases = read_cases(recognizer, open_dataset(args.data, "validation", alphabet))
    return report(cases, recognizer.decoder, args)


def report(cases: list[Case], decoder: Decoder, args: argparse.Namespace) -> int:
    """Print everything about `cases`; return 0."""
    lists = [set(count_names(file, decoder.alphabet)[0]) for file in args.names]
    # Of the single letters and marks of a raw list nobody is called.
    lists[0] = {name for name in lists[0] if len(plain_key(name).strip("'")) > 1}
    compare = Comparison(cases, decoder, lists, args.seed)
    compare.free()
    compare.lexicons()
    compare.beam_against_exact()
    compare.confidence(read_reference(args.reference) if args.reference else None)
    return 0


if __name__ == "__main__":
    sys.exit(run(get_args()))

"""What each part of the recipe gives: python -m benchmarks.ablation (docs/TRAINING.md)

Every arm trains on as many images from the same weights with the same seed, one part left out or
changed. Arms that are done are kept, so the command may be stopped and given again; it ends with
the table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from rapidfuzz.distance.Levenshtein import distance

import hwr.training.recipe
import hwr.training.trainer
from hwr.atomic_file import write_text
from hwr.data.augment import Strength
from hwr.data.dataset import open_dataset
from hwr.data.prepared_cache import prepare_dataset
from hwr.evaluation.metrics import rate_interval, wilson_interval
from hwr.network.model_folder import load_model
from hwr.training.recipe import Recipe, train
from hwr.training.trainer import WeightAverage, read_greedily

#: What is trained and validated on, and the weights of the recipe.
SETS = {"kaggle_names": 4.2, "dhsd": 2.0, "copiste_words": 2.6}

#: What was made of them (docs/TRAINING.md), and its weights.
MADE = {"copiste_cut": 1.2, "pieces": 0.7}

#: How an arm differs from the whole recipe.
Change = Callable[[Recipe], Recipe]


def _without(recipe: Recipe, *names: str) -> Recipe:
    kept = tuple((folder, w) for folder, w in recipe.data if Path(folder).name not in names)
    return replace(recipe, data=kept)


def _real_only(recipe: Recipe) -> Recipe:
    return replace(_without(recipe, *MADE), synthetic=0.0, letters=None, recombined=0.0)


def _without_pen(recipe: Recipe) -> Recipe:
    hwr.training.recipe.Strength = partial(Strength, pen=0.0)
    return recipe


def _without_shortcut(recipe: Recipe) -> Recipe:
    hwr.training.trainer.SHORTCUT_WEIGHT = 0.0
    return recipe


def _without_average(recipe: Recipe) -> Recipe:
    hwr.training.trainer.WeightAverage = partial(WeightAverage, momentum=0.0)
    return recipe


ARMS: dict[str, Change] = {
    "whole recipe": lambda recipe: recipe,
    "without recombined names": lambda r: replace(r, letters=None, recombined=0.0),
    "without words cut from lines": lambda r: _without(r, "copiste_cut"),
    "without subwords": lambda r: _without(r, "pieces"),
    "without drawn names": lambda r: replace(r, synthetic=0.0),
    "drawn names without fonts": lambda r: replace(r, fonts=None),
    "real pictures of the three sets only": _real_only,
    "labels uncorrected": lambda r: replace(r, corrections=()),
    "no strokes drawn anew by a pen": _without_pen,
    "no augmentation": lambda r: replace(r, augmentation=0.0),
    "augmentation 1 instead of 0.5": lambda r: replace(r, augmentation=1.0),
    "without the shortcut head": _without_shortcut,
    "without the average of weights": _without_average,
}


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="kaggle_names, dhsd, copiste_words, name_lists"
    )
    parser.add_argument(
        "--made",
        type=Path,
        required=True,
        help="letters.npz, copiste_cut, pieces (subwords); docs/TRAINING.md",
    )
    parser.add_argument("--fonts", type=Path, required=True, help="folder of fonts")
    parser.add_argument("--pads", type=Path, help="dataset of drawn names to test on, too")
    parser.add_argument("--init", type=Path, required=True, help="model folder to start from")
    parser.add_argument("--samples", type=int, default=30_000, help="of each arm (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--only", nargs="*", choices=[*ARMS], default=[*ARMS])
    parser.add_argument("--arm", choices=[*ARMS], help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def run_arm(args: argparse.Namespace) -> dict[str, list[list[int]]]:
    """Train one arm; return for each set the edits and letters of every picture."""
    out = args.out / _slug(args.arm)
    recipe = Recipe(
        data=(
            *((str(args.data / name), weight) for name, weight in SETS.items()),
            *((str(args.made / name), weight) for name, weight in MADE.items()),
        ),
        synthetic=0.22,
        out=out,
        corrections=tuple(Path("assets").glob("*_corrections.csv")),
        letters=args.made / "letters.npz",
        recombined=0.2,
        names=args.data / "name_lists" / "kaggle_train_names_counts.csv",
        fonts=args.fonts,
        samples=args.samples,
        init=args.init,
        resume=(out.with_name(f"{out.name}.run") / "state.npz").is_file(),
        learning_rate=1.1e-3,
        augmentation=0.5,
        dropout=0.1,
        validate_every=args.samples,
        keep_last=True,
    )
    train(ARMS[args.arm](recipe))
    spec, model = load_model(out)
    sets = {name: (args.data / name, "validation") for name in SETS}
    if args.pads:
        sets["drawn on pads"] = (args.pads, "test")
    result = {}
    for name, (folder, split) in sets.items():
        images = prepare_dataset(open_dataset(folder, split, spec.alphabet), spec)
        truths = [sample.text for sample in images.samples]
        pairs = zip(truths, read_greedily(model, images, spec), strict=True)
        result[name] = [[distance(*pair) for pair in pairs], [len(truth) for truth in truths]]
    return result


def _slug(name: str) -> str:
    return name.replace(" ", "_")


def main(argv: list[str] | None = None) -> int:
    """Train what is missing and print the table."""
    args = get_args(argv)
    if args.arm:
        result = run_arm(args)
        write_text(args.out / f"{_slug(args.arm)}.json", json.dumps(result))
        return 0
    args.out.mkdir(parents=True, exist_ok=True)
    given = sys.argv[1:] if argv is None else argv
    for arm in args.only:
        if not (args.out / f"{_slug(arm)}.json").is_file():
            print(f"{arm} ...", file=sys.stderr)
            command = [sys.executable, "-m", "benchmarks.ablation", *given, "--arm", arm]
            subprocess.run(command, check=True)
    print(table(args.out))
    return 0


def table(folder: Path) -> str:
    """Return what the arms in `folder` reached, in Markdown; differences are to the first arm."""
    arms = {
        arm: json.loads(file.read_text())
        for arm in ARMS
        if (file := folder / f"{_slug(arm)}.json").is_file()
    }
    first = next(iter(arms.values()))
    sizes = {name: len(edits) for name, (edits, _) in first.items()}
    lines = [
        "| arm | " + " | ".join(f"{name}, n {n}" for name, n in sizes.items()) + " |",
        "|---" * (1 + len(sizes)) + "|",
    ]
    for arm, result in arms.items():
        cells = [arm]
        for name, (edits, lengths) in result.items():
            wrong, letters = np.array(edits), np.array(lengths)
            right = int((wrong == 0).sum())
            low, high = wilson_interval(right, len(wrong))
            cell = (
                f"{right / len(wrong):.1%} ({100 * low:.1f} to {100 * high:.1f}), "
                f"CER {wrong.sum() / letters.sum():.1%}"
            )
            if result is not first:
                # The same pictures, so the interval of the difference is that of pairs.
                change = wrong - np.array(first[name][0])
                low, high = rate_interval(change, letters)
                cell += f" ({100 * low:+.1f} to {100 * high:+.1f})"
            cells.append(cell)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

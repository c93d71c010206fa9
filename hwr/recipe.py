"""The recipe: what `train.py` was asked for, turned into sources, a run and a model folder."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from hwr.alphabet import UnknownCharacterError, fold
from hwr.batches import Batches, PreparedSource, Source, SyntheticSource
from hwr.cache import PreparedSet, prepare_dataset
from hwr.card import model_card
from hwr.dataset import DatasetError, open_dataset
from hwr.metrics import Score
from hwr.model_folder import METRICS, load_model, read_json, save_model
from hwr.spec import Spec
from hwr.training import Plan, Progress, Trainer


@dataclass(frozen=True)
class Recipe:
    """Every choice of one training run; see the options of `train.py`."""

    data: tuple[tuple[str, float], ...]
    synthetic: float
    out: Path
    names: Path | None = None
    fonts: Path | None = None
    minutes: float | None = None
    epochs: float | None = None
    samples: int | None = None
    init: Path | None = None
    resume: bool = False
    seed: int = 0
    batch_size: int = 64
    learning_rate: float = 1.5e-3
    validate_every: int = 20_000
    cache: Path | None = None
    spec: Spec | None = None

    @property
    def run_folder(self) -> Path:
        """Checkpoints and logs stand beside the model folder, which holds the model alone."""
        return self.out.with_name(f"{self.out.name}.run")


def train(recipe: Recipe) -> Progress:
    """Train as the recipe says and leave the best model in `recipe.out`.

    Raises:
        DatasetError, ModelFolderError, ValueError: what was asked for cannot be done.
    """
    keras.utils.set_random_seed(recipe.seed)
    initial = load_model(recipe.init) if recipe.init else None
    spec = initial[0] if initial else recipe.spec or Spec()
    state = recipe.run_folder / "state.npz"
    if recipe.resume and not state.is_file():
        raise ValueError(f"There is no run to resume at {state}; start it without --resume.")
    if state.is_file() and not recipe.resume:
        raise ValueError(
            f"{recipe.run_folder} holds an earlier run; continue it with --resume, "
            f"or choose another --out."
        )
    train_sets, validation = _real_pictures(recipe, spec)
    batches = _batches(recipe, spec, train_sets)
    pictures = sum(len(images) for _, images, _ in train_sets)
    samples = recipe.samples
    if recipe.epochs is not None:
        if not pictures:
            raise ValueError("--epochs counts passes over --data; give --minutes or --samples.")
        samples = round(recipe.epochs * pictures)
    plan = Plan(
        samples=samples,
        minutes=recipe.minutes,
        validate_every=recipe.validate_every,
        learning_rate=recipe.learning_rate,
    )

    def save(model: keras.Model, scores: dict[str, Score], progress: Progress) -> None:
        metrics = _metrics(recipe, train_sets, scores, progress)
        save_model(recipe.out, model, spec, metrics, model_card(metrics, spec))

    trainer = Trainer(
        spec,
        plan,
        batches,
        validation,
        recipe.run_folder,
        save,
        initial[1] if initial else None,
    )
    if recipe.resume:
        trainer.resume()
    return trainer.run()


def _real_pictures(
    recipe: Recipe, spec: Spec
) -> tuple[list[tuple[str, PreparedSet, float]], dict[str, PreparedSet]]:
    """Return (name, pictures, weight) to train on, and by name the pictures to validate on."""
    train_sets, validation = [], {}
    for folder, weight in recipe.data:
        name = Path(folder).name
        images = _prepared(folder, "train", spec, recipe)
        if not len(images):
            raise DatasetError(f"{name} has no usable training picture.")
        train_sets.append((name, images, weight))
        held_out = _prepared(folder, "validation", spec, recipe)
        if len(held_out):
            validation[name] = held_out
    return train_sets, validation


def _prepared(folder: str, split: str, spec: Spec, recipe: Recipe) -> PreparedSet:
    dataset = open_dataset(folder, split, spec.alphabet)
    images = prepare_dataset(dataset, spec, folder=recipe.cache)
    reasons: dict[str, int] = {}
    for dropped in images.dropped:
        reason = dropped.reason.split(":")[0]
        reasons[reason] = reasons.get(reason, 0) + 1
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    print(f"{Path(folder).name} {split}: {len(images)} pictures; dropped: {told or 'none'}")
    for dropped in images.dropped:
        if ":" in dropped.reason and len(images.dropped) <= 20:
            print(f"  {dropped.reason}")
    return images


def _batches(
    recipe: Recipe, spec: Spec, train_sets: list[tuple[str, PreparedSet, float]]
) -> Batches:
    sources: list[Source] = [PreparedSource(images) for _, images, _ in train_sets]
    weights = [len(images) * weight for _, images, weight in train_sets]
    if recipe.synthetic:
        if not 0 < recipe.synthetic <= 1:
            raise ValueError(f"--synthetic is a share in 0..1. Received: {recipe.synthetic}")
        total = sum(weights) or 1.0
        weights = [(1 - recipe.synthetic) * weight / total for weight in weights]
        weights.append(recipe.synthetic)
        sources.append(_synthetic(recipe, spec))
    return Batches(sources, weights, spec, recipe.batch_size, recipe.seed)


def _synthetic(recipe: Recipe, spec: Spec) -> SyntheticSource:
    from functools import partial

    from hwr.fonts import find_fonts
    from hwr.name_list import NAMES
    from hwr.synthesis import draw

    names = read_names(recipe.names, spec) if recipe.names else list(NAMES)
    fonts = find_fonts(recipe.fonts) if recipe.fonts else []
    if recipe.fonts and not fonts:
        raise ValueError(f"There is no TTF, OTF or WOFF font in {recipe.fonts}.")
    return SyntheticSource(names, partial(draw, fonts=fonts), spec)


def read_names(file: Path, spec: Spec) -> list[str]:
    """Return the names of a text file (one a line) or of the first column of a CSV file.

    Names that the alphabet cannot write, and remarks in the header, are left out.
    """
    with file.open(newline="", encoding="utf-8-sig") as stream:
        if file.suffix.lower() == ".csv":
            delimiter = ";" if ";" in stream.readline() else ","
            rows = [row[0] for row in csv.reader(stream, delimiter=delimiter) if row]
        else:
            rows = [line.strip() for line in stream]
    names = []
    for name in rows:
        try:
            spec.alphabet.encode(fold(name))
        except UnknownCharacterError:
            continue
        if re.search(r"\w", name):
            names.append(name)
    if not names:
        raise ValueError(f"{file.name} holds no name that the alphabet can write.")
    return names


def _metrics(
    recipe: Recipe,
    train_sets: list[tuple[str, PreparedSet, float]],
    scores: dict[str, Score],
    progress: Progress,
) -> dict[str, Any]:
    """Return what metrics.json says; earlier runs are carried over from --init."""
    run = {
        "sources": {name: len(images) for name, images, _ in train_sets},
        "weights": {name: weight for name, _, weight in train_sets},
        "synthetic_share": recipe.synthetic,
        "samples": progress.samples,
        "minutes": round(progress.seconds / 60, 1),
        "seed": recipe.seed,
    }
    earlier = read_json(recipe.init / METRICS).get("runs", []) if recipe.init else []
    return {
        "validation": {name: result.to_dict() for name, result in scores.items()},
        "runs": [*earlier, run],
        "history": progress.history,
    }

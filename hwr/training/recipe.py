"""Recipe of a training run: options to sources, trainer and model folder."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from hwr import __version__
from hwr.data.augment import Strength
from hwr.data.batches import Batches, PreparedSource, Source
from hwr.data.dataset import DatasetError, corrected, count_reasons, open_dataset, split_calibration
from hwr.data.loader import stream
from hwr.data.prepared_cache import PreparedSet, prepare_dataset
from hwr.evaluation.metrics import Score
from hwr.network.ctc_loss import compiles_every_shape
from hwr.network.model_card import model_card
from hwr.network.model_folder import (
    CONFIG,
    METRICS,
    ModelFolderError,
    load_model,
    read_json,
    save_model,
)
from hwr.recombination.recombine import RecombinedSource
from hwr.spec import Spec
from hwr.synthesis.source import SyntheticSource
from hwr.training import devices
from hwr.training.peers import Hosts, HostsError, together
from hwr.training.trainer import Plan, Progress, Trainer

#: Share of synthetic images without a name, so that prompts and ruling are read as empty.
EMPTY_SHARE = 0.08

#: Largest number of unusable rows that are printed one by one.
NAMED = 20


@dataclass(frozen=True)
class Recipe:
    """Every choice of one training run; see the options of `train.py`."""

    data: tuple[tuple[str, float], ...]
    synthetic: float
    out: Path
    corrections: tuple[Path, ...] = ()
    letters: Path | None = None
    recombined: float = 0.0
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
    augmentation: float = 1.0
    dropout: float | None = None
    validate_every: int = 20_000
    keep_last: bool = False
    cache: Path | None = None
    spec: Spec | None = None
    precision: str = "float32"
    workers: int = 0
    hosts: tuple[str, ...] = ()
    process: int = 0
    shards: int | None = None

    @property
    def run_folder(self) -> Path:
        """Checkpoints and logs stand beside the model folder, which holds the model alone."""
        return self.out.with_name(f"{self.out.name}.run")


def train(recipe: Recipe) -> Progress:
    """Train according to the recipe; the best model is written to `recipe.out`.

    Raises:
        DatasetError, ModelFolderError, ValueError: the recipe cannot be carried out.
    """
    if not recipe.hosts:
        return _train(recipe, None)
    devices.check_backend()
    with together(recipe.hosts, recipe.process) as hosts:
        return _train(recipe, hosts)


def _train(recipe: Recipe, hosts: Hosts | None) -> Progress:
    writes = hosts is None or hosts.first
    if writes:
        _check_out(recipe)
    keras.utils.set_random_seed(recipe.seed)
    if hosts is not None:
        devices.join(hosts)
    initial = load_model(recipe.init) if recipe.init else None
    devices.use_all(recipe.batch_size)
    spec = initial[0] if initial else recipe.spec or Spec()
    if recipe.dropout is not None:
        spec = dataclasses.replace(spec, dropout=recipe.dropout)
    state = recipe.run_folder / "state.npz"
    if writes and recipe.resume and not state.is_file():
        raise ValueError(f"There is no run to resume at {state}; start it without --resume.")
    if writes and state.is_file() and not recipe.resume:
        raise ValueError(
            f"{recipe.run_folder} holds an earlier run; continue it with --resume, "
            f"or choose another --out."
        )
    earlier = _earlier_runs(recipe)
    train_sets, validation = _real_pictures(recipe, spec)
    batches = _batches(recipe, spec, train_sets, hosts)
    banks = [s.bank for s in batches.sources if isinstance(s, RecombinedSource)]
    letters = banks[0].counts if banks else {}
    pictures = sum(len(images) for _, images, _ in train_sets)
    samples = recipe.samples
    if recipe.epochs is not None:
        made = recipe.synthetic + recipe.recombined
        if not pictures or made >= 1:
            raise ValueError("--epochs counts passes over --data; give --minutes or --samples.")
        samples = math.ceil(recipe.epochs * pictures / (1 - made))
    plan = Plan(
        samples=samples,
        minutes=recipe.minutes,
        validate_every=recipe.validate_every,
        learning_rate=recipe.learning_rate,
        keep_last=recipe.keep_last,
    )

    def save(model: keras.Model, scores: dict[str, Score], progress: Progress) -> None:
        run = _run_facts(recipe, train_sets, progress, letters)
        metrics = {
            "validation": {name: result.to_dict() for name, result in scores.items()},
            "runs": [*earlier, run],
            "history": progress.history,
        }
        save_model(recipe.out, model, spec, metrics, model_card(metrics, spec))

    trainer = Trainer(
        spec,
        plan,
        partial(stream, batches, workers=recipe.workers),
        validation,
        recipe.run_folder,
        save,
        initial[1] if initial else None,
        precision=recipe.precision,
        hosts=hosts,
    )
    if hosts is not None:
        hosts.check_same(_job_facts(recipe, spec, plan, validation))
    if recipe.resume:
        trainer.resume()
    return trainer.run()


def _job_facts(
    recipe: Recipe, spec: Spec, plan: Plan, validation: dict[str, PreparedSet]
) -> dict[str, Any]:
    """Return what must be equal in all processes of a job; otherwise they would deadlock."""
    return {
        "spec": spec.to_dict(),
        "plan": dataclasses.asdict(plan),
        "--seed": recipe.seed,
        "--batch-size": recipe.batch_size,
        "--precision": recipe.precision,
        "--init": recipe.init and read_json(recipe.init / CONFIG)["weights_sha256"],
        "--resume": recipe.resume,
        "validation pictures": {
            name: hashlib.sha256(images.widths.tobytes()).hexdigest()[:12]
            for name, images in validation.items()
        },
        "versions": {"hwr": __version__, "keras": keras.__version__},
    }


def _real_pictures(
    recipe: Recipe, spec: Spec
) -> tuple[list[tuple[str, PreparedSet, float]], dict[str, PreparedSet]]:
    """Return (name, pictures, weight) to train on, and by name the pictures to validate on."""
    train_sets: list[tuple[str, PreparedSet, float]] = []
    validation: dict[str, PreparedSet] = {}
    for folder, weight in recipe.data:
        if not weight > 0:
            raise ValueError(f"The weight of {folder} must be above 0. Received: {weight:g}")
        name = _name(folder, [known for known, _, _ in train_sets])
        images = _prepared(folder, "train", spec, recipe)
        if not len(images):
            raise DatasetError(f"{name} has no usable training picture.")
        train_sets.append((name, images, weight))
        try:
            held_out = _prepared(folder, "validation", spec, recipe)
        except DatasetError as error:
            print(f"{name} is not validated on: {error}")
            continue
        if len(held_out):
            validation[name] = held_out
    return train_sets, validation


def _name(folder: str, known: list[str]) -> str:
    """Return what to call a data folder: its own name, numbered if another has it."""
    name = Path(folder).resolve().name
    return name if name not in known else f"{name} ({len(known) + 1})"


def _prepared(folder: str, split: str, spec: Spec, recipe: Recipe) -> PreparedSet:
    dataset = open_dataset(folder, split, spec.alphabet)
    if split == "train":
        for table in recipe.corrections:
            dataset = corrected(dataset, table, spec.alphabet)
        dataset, _ = split_calibration(dataset)
    images = prepare_dataset(dataset, spec, folder=recipe.cache)
    reasons = count_reasons(images.dropped)
    dropped = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    print(f"{Path(folder).name} {split}: {len(images)} pictures; dropped: {dropped or 'none'}")
    detailed = [d.reason for d in images.dropped if ":" in d.reason]
    for reason in detailed[:NAMED]:
        print(f"  {reason}")
    if len(detailed) > NAMED:
        print(f"  and {len(detailed) - NAMED} more")
    return images


def _batches(
    recipe: Recipe,
    spec: Spec,
    train_sets: list[tuple[str, PreparedSet, float]],
    hosts: Hosts | None,
) -> Batches:
    sources: list[Source] = [PreparedSource(images) for _, images, _ in train_sets]
    weights = [len(images) * weight for _, images, weight in train_sets]
    made: list[tuple[Source, float]] = []
    if recipe.synthetic:
        made.append((_synthetic(recipe, spec), recipe.synthetic))
    if recipe.letters:
        made.append((_recombined(recipe, spec), recipe.recombined))
    shares = [share for _, share in made]
    if not all(0 < share <= 1 for share in shares) or not 0 <= sum(shares) <= 1:
        raise ValueError(
            f"The shares of --synthetic and --letters lie in 0..1, as does their sum. "
            f"Received: {' and '.join(f'{share:g}' for share in shares)}"
        )
    shards = recipe.shards or (hosts.count if hosts else 1)
    if hosts is not None and shards != hosts.count:
        raise HostsError(
            f"Each process of --hosts draws one shard: give --shards {hosts.count}, or none. "
            f"Received: {shards}"
        )
    total = sum(weights) or 1.0
    real = [(1 - sum(shares)) * weight / total for weight in weights]
    return Batches(
        [*sources, *(source for source, _ in made)],
        [*real, *shares],
        spec,
        recipe.batch_size,
        recipe.seed,
        strength=Strength().scaled(recipe.augmentation),
        coarse=compiles_every_shape(),
        shards=shards,
        shard=None if hosts is None else hosts.number,
    )


def _recombined(recipe: Recipe, spec: Spec) -> RecombinedSource:
    from hwr.recombination.letter_bank import LetterBank
    from hwr.synthesis.names import NAMES, read_weighted_names

    assert recipe.letters is not None
    bank = LetterBank.read(recipe.letters)
    if recipe.names is None:
        return RecombinedSource(bank, NAMES, spec)
    names, weights = read_weighted_names(recipe.names, spec.alphabet)
    return RecombinedSource(bank, names, spec, weights)


def _synthetic(recipe: Recipe, spec: Spec) -> SyntheticSource:
    from hwr.synthesis.fonts import find_fonts
    from hwr.synthesis.names import NAMES, read_names
    from hwr.synthesis.render import draw

    names = read_names(recipe.names, spec.alphabet) if recipe.names else list(NAMES)
    fonts = find_fonts(recipe.fonts) if recipe.fonts else []
    if recipe.fonts and not fonts:
        raise ValueError(f"There is no TTF, OTF or WOFF font in {recipe.fonts}.")
    render = partial(draw, fonts=fonts)
    return SyntheticSource(names, render, spec, empty=EMPTY_SHARE, composed=True)


def _run_facts(
    recipe: Recipe,
    train_sets: list[tuple[str, PreparedSet, float]],
    progress: Progress,
    letters: dict[str, int],
) -> dict[str, Any]:
    """Return the entry of this run in metrics.json."""
    return {
        "sources": {name: len(images) for name, images, _ in train_sets},
        "weights": {name: weight for name, _, weight in train_sets},
        "synthetic_share": recipe.synthetic,
        "recombined_share": recipe.recombined,
        "letters": letters,
        "samples": progress.samples,
        "minutes": round(progress.seconds / 60, 1),
        "seed": recipe.seed,
        "augmentation": recipe.augmentation,
    }


def _earlier_runs(recipe: Recipe) -> list[dict[str, Any]]:
    """Return the runs that made the weights of --init, before --out may replace them."""
    if recipe.init is None:
        return []
    metrics = read_json(recipe.init / METRICS)
    if not isinstance(metrics, dict) or not isinstance(metrics.get("runs", []), list):
        raise ModelFolderError(f"{METRICS} in {recipe.init.name} is not the one train.py wrote.")
    return list(metrics.get("runs", []))


def _check_out(recipe: Recipe) -> None:
    """Refuse an --out folder that is no model, since saving replaces the folder."""
    out = recipe.out.resolve()
    if out.exists() and not (out / CONFIG).is_file() and (out.is_file() or any(out.iterdir())):
        raise ValueError(
            f"--out {recipe.out} is there already and is no model folder; choose another name."
        )
    for folder, _ in recipe.data:
        if Path(folder).resolve().is_relative_to(out):
            raise ValueError(f"--out {recipe.out} holds the data {folder}; choose another name.")

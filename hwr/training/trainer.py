"""Training: fit the network to batches, validate, keep the best, survive interruption."""

from __future__ import annotations

import csv
import io
import json
import math
import signal
import time
import zipfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hwr.atomic_file import replacing, write_text
from hwr.data.batches import Batch
from hwr.data.prepared_cache import PreparedSet
from hwr.decoding.ctc import greedy_text
from hwr.evaluation.metrics import Score, score
from hwr.network.crnn import build_model
from hwr.network.ctc_loss import compile_whole_step, compiles_every_shape, ctc_loss
from hwr.network.engine import batches_by_width
from hwr.spec import Spec
from hwr.training.devices import from_first, put
from hwr.training.peers import Hosts

#: Share of the loss that comes from the shortcut head.
SHORTCUT_WEIGHT = 0.1

#: The weights at the end of a run take the place of the best ones if their mean CER is at most so
#: many times as high: the best of many validations is partly luck.
TIE = 1.01

#: Steps between two updates of the averaged weights.
AVERAGE_EVERY = 10

#: Pictures that are validated together.
VALIDATED = 64


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train.

    Attributes:
        samples: images to train on; None where `minutes` decides.
        minutes: training time, interruptions not counted; None where `samples` decides.
        validate_every: images between two validations and checkpoints.
        learning_rate: its peak, after the warm-up.
        warm_up: share of the run in which the learning rate rises from 0; it then falls to
            a hundredth of the peak along a cosine.
        weight_decay: of AdamW (Loshchilov and Hutter, 2019), kernels only.
        clip: largest global norm of the gradients.
        keep_last: the weights at the end take the place of the best ones whatever validation
            says of them, so that it chooses nothing.
    """

    samples: int | None = None
    minutes: float | None = None
    validate_every: int = 20_000
    learning_rate: float = 1.5e-3
    warm_up: float = 0.02
    weight_decay: float = 1e-3
    clip: float = 5.0
    keep_last: bool = False

    def __post_init__(self) -> None:
        if (self.samples is None) == (self.minutes is None):
            raise ValueError("A plan has either samples or minutes.")
        for name in ("samples", "minutes", "validate_every", "learning_rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be more than 0. Received: {value}")

    def progress(self, samples: int, seconds: float) -> float:
        """Return the share of the run that is done, 0..1."""
        if self.samples is not None:
            return min(1.0, samples / self.samples)
        assert self.minutes is not None
        return min(1.0, seconds / (60 * self.minutes))

    def rate_at(self, progress: float) -> float:
        """Return the learning rate at `progress`, 0..1."""
        if progress < self.warm_up:
            return self.learning_rate * max(0.01, progress / self.warm_up)
        cosine = 0.5 * (1 + math.cos(math.pi * (progress - self.warm_up) / (1 - self.warm_up)))
        return self.learning_rate * (0.01 + 0.99 * cosine)


@dataclass
class Progress:
    """Where a run stands; stored with every checkpoint.

    `due` says that a validation comes next: a run killed during it must not go on without, or a
    later, worse model would pass for the best. `saved` is the number of images after which the
    model was saved last.
    """

    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    best_cer: float = math.inf
    history: list[dict[str, float | None]] = field(default_factory=list)
    due: bool = False
    saved: int = -1


class WeightAverage:
    """An exponential moving average of a model's weights.

    The average of the last steps generalises like a lower learning rate without having to
    wait for it (Izmailov et al., 2018), so a run that is stopped early loses little.
    """

    def __init__(self, model: keras.Model, momentum: float = 0.98) -> None:
        self.model = model
        self.momentum = momentum
        self.updates = 0
        self.values = _weights(model)

    def update(self) -> None:
        """Move the average towards the present weights; quickly at first."""
        momentum = min(self.momentum, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for mean, value in zip(self.values, _weights(self.model), strict=True):
            mean += (1 - momentum) * (value - mean)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the model for a while."""
        present = _weights(self.model)
        _set_weights(self.model, self.values)
        try:
            yield
        finally:
            _set_weights(self.model, present)


class Trainer:
    """One training run that can be stopped at any time and resumed.

    Args:
        spec: of the network.
        plan: how long and how fast.
        batches: yields the batch of a number and all that follow; see `hwr.data.loader.stream`.
        validation: by name, what to validate on; the best weights are those with the lowest
            mean CER over these sets; see TIE.
        folder: checkpoints, TensorBoard events and a CSV log go here.
        save: called with the network and the scores whenever they are the best so far.
        init: weights to start from, of a model of the same spec.
        precision: what to calculate in, see `hwr.network.crnn.build_model`.
        hosts: the processes that train together, each on its shard of the batches; the first
            alone writes. None for one process.
    """

    def __init__(
        self,
        spec: Spec,
        plan: Plan,
        batches: Callable[[int], Generator[Batch, None, None]],
        validation: Mapping[str, PreparedSet],
        folder: Path,
        save: Callable[[keras.Model, dict[str, Score], Progress], None],
        init: keras.Model | None = None,
        precision: str = "float32",
        hosts: Hosts | None = None,
    ) -> None:
        self.spec, self.plan, self.batches = spec, plan, batches
        self.validation, self.folder, self.save = validation, folder, save
        self.progress = Progress()
        self.hosts = hosts
        self.model = build_model(spec, shortcut=True, precision=precision)
        self.reader = keras.Model(self.model.input, self.model.outputs[0])
        if init is not None:
            _set_weights(self.reader, _weights(init))
        self.optimizer: Any = keras.optimizers.AdamW(
            plan.learning_rate,
            weight_decay=plan.weight_decay,
            global_clipnorm=plan.clip,
        )
        self.optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        if precision == "mixed_float16":
            # Gradients below 6e-8 are 0 in float16, so they are scaled up on their way.
            self.optimizer = keras.optimizers.LossScaleOptimizer(self.optimizer)
        self.model.compile(
            self.optimizer,
            loss=[ctc_loss, ctc_loss],
            loss_weights=[1.0, SHORTCUT_WEIGHT],
            jit_compile=compile_whole_step(),
            auto_scale_loss=False,
        )
        self.optimizer.build(self.model.trainable_variables)
        self.average = WeightAverage(self.reader)
        self._stop = False
        self._initial = init is not None

    def run(self) -> Progress:
        """Train to the end of the plan, or until interrupted; return where the run stands."""
        stream = self.batches(self.progress.step)
        log = _Log(self.folder) if self._writes else None
        bar = self._bar()
        losses: list[float] = []
        next_validation = self.progress.samples + self.plan.validate_every
        if self._initial and self.validation and not self.progress.history:
            # What the run starts from is the best so far, and must be beaten.
            self._validate(log, None, None)
        if self.progress.due:
            self._validate(log, None, None)
            self.checkpoint()
        mark, speed = time.monotonic(), None
        start_samples, start_seconds = self.progress.samples, self.progress.seconds
        with self._interruptible(), bar:
            while self._goes_on():
                batch = self._in_step(next(stream))
                put(self._rate, self.plan.rate_at(self._done()))
                results = self.model.train_on_batch(
                    batch.images, [batch.labels, batch.labels], return_dict=True
                )
                losses.append(float(results["loss"]))
                self.progress.step += 1
                self.progress.samples += len(batch.images) * (self.hosts.count if self.hosts else 1)
                if self.progress.step % AVERAGE_EVERY == 0:
                    self.average.update()
                now = time.monotonic()
                self.progress.seconds += now - mark
                mark = now
                speed = (self.progress.samples - start_samples) / (
                    self.progress.seconds - start_seconds
                )
                self._show(bar, float(np.mean(losses[-100:])), speed)
                if self.progress.samples >= next_validation:
                    next_validation += self.plan.validate_every
                    self.progress.due = True
                    self.checkpoint()  # saving the model may fail
                    self._validate(log, float(np.mean(losses)), speed)
                    losses = []
                    self.checkpoint()
                    mark = time.monotonic()  # validation is not training time
            stream.close()
            self.checkpoint()
            history = self.progress.history
            seen = history[-1]["samples"] if history else None
            unsaved = self.progress.saved != self.progress.samples and self._done() >= 1
            # Without a model to show for it, even a run that was stopped is validated.
            if (seen != self.progress.samples and (not self._stop or not history)) or unsaved:
                self._validate(log, float(np.mean(losses)) if losses else None, speed)
                self.checkpoint()
        return self.progress

    def checkpoint(self) -> None:
        """Write everything that the run needs to go on; the last stays until all is written.

        Raises:
            hwr.atomic_file.WriteError: the disk is full.
        """
        if not self._writes:
            return
        arrays = {f"model{i}": _array(v) for i, v in enumerate(self.model.variables)}
        arrays |= {f"optimizer{i}": _array(v) for i, v in enumerate(self.optimizer.variables)}
        arrays |= {f"average{i}": v for i, v in enumerate(self.average.values)}
        facts = {
            "progress": asdict(self.progress),
            "average_updates": self.average.updates,
            "spec": self.spec.to_dict(),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        arrays["facts"] = np.array(json.dumps(facts))
        with replacing(self.folder / "state.npz") as stream:
            np.savez(stream, allow_pickle=False, **arrays)

    def resume(self) -> None:
        """Continue where the last checkpoint in the folder stands.

        Of several processes the first reads it and tells the others.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it belongs to a network of another spec.
        """
        variables = [*self.model.variables, *self.optimizer.variables]
        arrays = [_array(v) for v in variables] + self.average.values
        facts: dict[str, Any] = {}
        if self._writes:
            facts, arrays = self._read_state()
        if self.hosts is not None:
            facts = self.hosts.from_first(facts)
            arrays = from_first(self.hosts, arrays)
        for variable, value in zip(variables, arrays, strict=False):
            put(variable, value)
        self.average.values = [np.array(a) for a in arrays[len(variables) :]]
        self.average.updates = facts["average_updates"]
        self.progress = Progress(**facts["progress"])

    def _read_state(self) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        """Return the facts and the arrays of model, optimizer and average of the checkpoint."""
        counts = {
            "model": len(self.model.variables),
            "optimizer": len(self.optimizer.variables),
            "average": len(self.average.values),
        }
        with self._open_state() as state:
            facts = json.loads(str(state["facts"]))
            same = all(
                sum(name.startswith(kind) for name in state.files) == count
                for kind, count in counts.items()
            )
            if facts["spec"] != self.spec.to_dict() or not same:
                raise ValueError(
                    f"The checkpoint in {self.folder} is of a network with another spec, or of "
                    f"another backend or precision; resume with the options it was started "
                    f"with, or choose another --out."
                )
            arrays = [state[f"{kind}{i}"] for kind, n in counts.items() for i in range(n)]
        return facts, arrays

    def _open_state(self) -> Any:
        try:
            return np.load(self.folder / "state.npz", allow_pickle=False)
        except (zipfile.BadZipFile, EOFError, ValueError) as error:
            raise ValueError(
                f"The checkpoint in {self.folder} is damaged; start again with --init and the "
                f"model folder."
            ) from error

    @property
    def _writes(self) -> bool:
        return self.hosts is None or self.hosts.first

    @property
    def _rate(self) -> Any:
        """The variable of the learning rate."""
        return self.optimizer.learning_rate

    def _goes_on(self) -> bool:
        """Return whether there is another step; several processes agree on it."""
        if self.hosts is not None:
            stop, self.progress.seconds = self.hosts.largest(self._stop, self.progress.seconds)
            self._stop = bool(stop)
        return not self._stop and self._done() < 1

    def _in_step(self, batch: Batch) -> Batch:
        """Return the batch as wide as those of the other processes."""
        if self.hosts is None:
            return batch
        width, length = self.hosts.largest(batch.images.shape[2], batch.labels.shape[1])
        return batch.padded(int(width), int(length))

    def _validate(self, log: _Log | None, loss: float | None, speed: float | None) -> None:
        with self.average.applied():
            scores = {
                name: validate(self.reader, images, self.spec)
                for name, images in self.validation.items()
            }
            cer = float(np.mean([s.cer for s in scores.values()])) if scores else loss or 0.0
            entry: dict[str, float | None] = {
                "samples": self.progress.samples,
                "seconds": round(self.progress.seconds, 1),
                "loss": None if loss is None else round(loss, 4),
                "learning_rate": self.plan.rate_at(self._done()),
                "images_per_second": None if speed is None else round(speed, 1),
            }
            for name, result in scores.items():
                entry[f"{name}_cer"] = round(result.cer, 5)
                entry[f"{name}_exact"] = round(result.exact, 5)
            self.progress.due = False
            history = self.progress.history
            if history and history[-1]["samples"] == self.progress.samples:
                history.pop()  # a finished run that was resumed
            history.append(entry)
            if log is not None:
                log.write(self.progress.step, history)
            tied = self.plan.keep_last or cer <= TIE * self.progress.best_cer
            if cer < self.progress.best_cer or (tied and self._done() >= 1):
                self.progress.best_cer = min(cer, self.progress.best_cer)
                self.progress.saved = self.progress.samples
                if self._writes:
                    self.save(self.reader, scores, self.progress)

    def _done(self) -> float:
        return self.plan.progress(self.progress.samples, self.progress.seconds)

    def _bar(self) -> tqdm[Any]:
        return tqdm(
            total=100,
            bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}",
            mininterval=1,
            disable=not self._writes,
        )

    def _show(self, bar: tqdm[Any], loss: float, speed: float) -> None:
        bar.n = round(100 * self._done(), 2)
        facts = {"loss": f"{loss:.3f}"}
        if self.progress.history:
            last = self.progress.history[-1]
            shares = {k: v for k, v in last.items() if k.endswith(("_cer", "_exact"))}
            facts |= {name: f"{share:.2%}" for name, share in shares.items()}
        bar.set_postfix(facts | {"images/s": f"{speed:.0f}"}, refresh=False)
        bar.update(0)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM end the run after the present step, with a checkpoint."""

        def stop(*_: object) -> None:
            self._stop = True

        previous = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def validate(reader: keras.Model, images: PreparedSet, spec: Spec) -> Score:
    """Return the score of greedy readings of a prepared set."""
    return score([s.text for s in images.samples], read_greedily(reader, images, spec))


def read_greedily(reader: keras.Model, images: PreparedSet, spec: Spec) -> list[str]:
    """Return the text of the best path of every picture of a prepared set."""
    texts = [""] * len(images)
    pictures = [images.image(i) for i in range(len(images))]
    for positions, batch in batches_by_width(pictures, spec, VALIDATED):
        if compiles_every_shape():  # one shape for each width, the last few included
            rest = ((0, VALIDATED - len(batch)), (0, 0), (0, 0))
            batch = np.pad(batch, rest, constant_values=255)
        logits = np.asarray(reader.predict_on_batch(batch[..., None].astype(np.float32)))
        for position, steps in zip(positions, logits, strict=False):
            texts[position] = greedy_text(steps, spec.alphabet).strip()
    return texts


def _array(variable: Any) -> NDArray[Any]:
    """Return a copy: what PyTorch and JAX give out is theirs, or cannot be written to."""
    return np.array(keras.ops.convert_to_numpy(variable))


def _weights(model: keras.Model) -> list[NDArray[Any]]:
    return [_array(variable) for variable in model.weights]


def _set_weights(model: keras.Model, values: list[NDArray[Any]]) -> None:
    for variable, value in zip(model.weights, values, strict=True):
        put(variable, value)


class _Log:
    """The history of a run as TensorBoard events and as log.csv."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary import Writer

        folder.mkdir(parents=True, exist_ok=True)
        self.events = Writer(str(folder / "tensorboard"))
        self.table = folder / "log.csv"

    def write(self, step: int, history: Sequence[Mapping[str, float | None]]) -> None:
        """Add the last entry of `history` to the events, and write the table anew.

        Appended to, the table would hold rows twice after a run was killed and resumed.
        """
        for name, value in history[-1].items():
            if value is not None:
                self.events.add_scalar(name, value, step)
        self.events.flush()
        columns = dict.fromkeys(name for entry in history for name in entry)
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, fieldnames=list(columns))
        writer.writeheader()
        writer.writerows(history)
        write_text(self.table, table.getvalue())

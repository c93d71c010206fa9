"""Training: fit the network to batches, validate, keep the best, survive interruption."""

from __future__ import annotations

import json
import math
import signal
import time
import zipfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hwr.atomic_file import replacing
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
from hwr.training.run_log import RunLog
from hwr.training.weight_average import WeightAverage, as_array, get_weights, set_weights

#: Share of the loss that comes from the shortcut head.
SHORTCUT_WEIGHT = 0.1

#: The final weights replace the best ones if their mean CER is at most this many times as high:
#: the best of many validations is partly luck.
TIE = 1.01

#: Steps between two updates of the averaged weights.
AVERAGE_EVERY = 10

#: Images in one validation batch.
VALIDATED = 64


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train.

    Attributes:
        samples: images to train on; None if `minutes` is given.
        minutes: training time without interruptions; None if `samples` is given.
        validate_every: images between two validations and checkpoints.
        learning_rate: peak learning rate, after the warm-up.
        warm_up: share of the run in which the learning rate rises from 0; it then falls to
            a hundredth of the peak along a cosine.
        weight_decay: of AdamW (Loshchilov and Hutter, 2019), kernels only.
        clip: largest global norm of the gradients.
        keep_last: save the final weights whatever their validation scores.
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
    """State of a run; stored with every checkpoint.

    `due`: a validation is pending. A run killed during it repeats it when resumed, or a later,
    worse model would count as the best; `due_loss` is the loss that it logs. `saved`: number of
    images trained on when the model was last saved; -1 if it never was.
    """

    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    best_cer: float = math.inf
    history: list[dict[str, float | None]] = field(default_factory=list)
    due: bool = False
    due_loss: float | None = None
    saved: int = -1


class Trainer:
    """One training run that can be stopped at any time and resumed.

    Args:
        spec: of the network.
        plan: how long and how fast.
        batches: yields the batch of a number and all that follow; see `hwr.data.loader.stream`.
        validation: by name, what to validate on; the best weights are those with the lowest
            mean CER over these sets; see TIE. If it is empty, the latest weights are saved.
        folder: checkpoints, TensorBoard events and a CSV log go here.
        save: called with the network, its scores and the progress for each best model.
        init: weights to start from, of a model of the same spec.
        precision: what to calculate in, see `hwr.network.crnn.build_model`.
        hosts: the processes that train together, each on its shard of the batches; only the
            first writes. None for one process.
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
            set_weights(self.reader, get_weights(init))
        self.optimizer: Any = keras.optimizers.AdamW(
            plan.learning_rate, weight_decay=plan.weight_decay, global_clipnorm=plan.clip
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
        """Train to the end of the plan, or until interrupted; return the progress."""
        stream = self.batches(self.progress.step)
        log = RunLog(self.folder) if self._writes else None
        bar = tqdm(
            total=100,
            bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}",
            mininterval=1,
            disable=not self._writes,
        )
        losses: list[float] = []
        next_validation = self.progress.samples + self.plan.validate_every
        if self._initial and self.validation and not self.progress.history:
            # The initial weights are the best so far; training has to beat them.
            self._validate(log, None, None)
        if self.progress.due:
            self._validate(log, self.progress.due_loss, None)
            self.checkpoint()
        mark, speed = time.monotonic(), None
        start_samples, start_seconds = self.progress.samples, self.progress.seconds
        with self._interruptible(), bar:
            while self._goes_on():
                batch = self._in_step(next(stream))
                put(self.optimizer.learning_rate, self.plan.rate_at(self._done()))
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
                    self.progress.due_loss = float(np.mean(losses))
                    self.checkpoint()  # saving the model may fail
                    self._validate(log, self.progress.due_loss, speed)
                    losses = []
                    self.checkpoint()
                    mark = time.monotonic()  # validation is not training time
            stream.close()
            self.checkpoint()
            history = self.progress.history
            seen = history[-1]["samples"] if history else None
            # A finished run that is resumed: with a step made, the validation above was the last.
            unsaved = self.progress.samples == start_samples != self.progress.saved
            # Without a model to show for it, even a run that was stopped is validated.
            if (seen != self.progress.samples and (not self._stop or not history)) or (
                unsaved and self._done() >= 1
            ):
                self._validate(log, float(np.mean(losses)) if losses else None, speed)
                self.checkpoint()
        return self.progress

    def checkpoint(self) -> None:
        """Write everything needed to resume the run (atomic).

        Raises:
            hwr.atomic_file.WriteError: the disk is full.
        """
        if not self._writes:
            return
        arrays = {f"model{i}": as_array(v) for i, v in enumerate(self.model.variables)}
        arrays |= {f"optimizer{i}": as_array(v) for i, v in enumerate(self.optimizer.variables)}
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
        """Restore the checkpoint in the folder.

        Of several processes, the first reads it and sends it to the others.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it belongs to a network of another spec.
        """
        variables = [*self.model.variables, *self.optimizer.variables]
        arrays = [as_array(v) for v in variables] + self.average.values
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

    def _validate(self, log: RunLog | None, loss: float | None, speed: float | None) -> None:
        with self.average.applied():
            scores = {
                name: validate(self.reader, images, self.spec)
                for name, images in self.validation.items()
            }
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
            history = self.progress.history
            if history and history[-1]["samples"] == self.progress.samples:
                history.pop()  # a finished run that was resumed
            history.append(entry)
            if log is not None:
                log.write(self.progress.step, history)
            if scores:
                cer = float(np.mean([s.cer for s in scores.values()]))
                best = self.progress.best_cer
                tied = self.plan.keep_last or cer <= TIE * best
                chosen = cer < best or (tied and self._done() >= 1)
            else:  # nothing to choose by: the latest weights, unless the run has diverged
                cer = math.inf
                chosen = all(np.isfinite(value).all() for value in self.average.values)
            if chosen:
                if self._writes:
                    self.save(self.reader, scores, self.progress)
                self.progress.best_cer = min(cer, self.progress.best_cer)
                self.progress.saved = self.progress.samples
            self.progress.due = False  # only now: the save may fail

    def _done(self) -> float:
        return self.plan.progress(self.progress.samples, self.progress.seconds)

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
    """Return the best-path text of every image of a prepared set."""
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

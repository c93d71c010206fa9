"""The recognizer: the front door from a picture to a reading."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwr.ctc import Candidate, Letter, greedy, log_probability
from hwr.dataset import open_dataset
from hwr.engine import Engine, batches_by_width, load_engine, usable_cores
from hwr.image import ImageError, Picture, load_image
from hwr.preprocess import Prepared, Step, pad, prepare, trace
from hwr.spec import Spec

ROOT = Path(__file__).resolve().parent.parent

#: The model and the small dataset that come with the project.
MODEL = ROOT / "assets" / "model"
SAMPLES = ROOT / "assets" / "samples"

#: From this probability on a reading is called sure.
SURE = 0.9

#: Pictures decoded and read together by `Recognizer.read_many`; memory stays flat.
CHUNK = 256


@dataclass(frozen=True, eq=False)
class Reading:
    """What a picture says, and how sure that is.

    Attributes:
        text: the name; empty where nothing is written.
        confidence: probability of `text` given the picture, 0..1, by CTC over all alignments.
        letters: the letters of `text` with probabilities and columns of the prepared image.
        candidates: texts with probabilities, best first.
        steps: the preprocessing, step by step; the last image is what the network read.
        blank: True where no ink was found.
        notes: remarks on the file, for instance that only its first page was read.
        milliseconds: time from bytes to reading.
    """

    text: str
    confidence: float
    letters: tuple[Letter, ...]
    candidates: tuple[Candidate, ...]
    steps: tuple[Step, ...]
    blank: bool
    notes: tuple[str, ...]
    milliseconds: float

    @property
    def verdict(self) -> str:
        """One of "sure", "please check", "nothing written"."""
        if self.blank:
            return "nothing written"
        if self.confidence < SURE:
            return "please check"
        return "sure" if self.text else "nothing written"

    def draw(self) -> NDArray[np.uint8]:
        """Return a figure of this reading, (H, W, 3) uint8 RGB; see `hwr.figure`."""
        from hwr.figure import draw_reading

        return draw_reading(self)


class Recognizer:
    """Reads one handwritten name in a picture. Safe to share between threads."""

    def __init__(self, spec: Spec, engine: Engine) -> None:
        self.spec = spec
        self._engine = engine

    @classmethod
    def load(
        cls, folder: str | os.PathLike[str] = MODEL, *, engine: str | None = None
    ) -> Recognizer:
        """Return the recognizer of a model folder.

        Args:
            engine: "onnx" or "keras"; by default ONNX Runtime where it can be used.

        Raises:
            hwr.model_folder.ModelFolderError: the folder is missing, incomplete or damaged.
        """
        return cls(*load_engine(Path(folder), engine))

    def read(self, source: Any) -> Reading:
        """Read one picture and keep the preprocessing steps.

        Args:
            source: whatever `hwr.image.load_image` takes: a path, bytes, an array, a Pillow image.

        Raises:
            hwr.image.ImageError: the picture cannot be used; the message says why.
        """
        start = time.perf_counter()
        picture = load_image(source)
        prepared, steps = trace(picture.pixels, self.spec)
        logits = None if prepared.blank else self.logits(pad(prepared.image, self.spec)[None])[0]
        return self._reading(prepared, logits, steps, picture, start)

    def read_many(self, sources: Iterable[Any]) -> Iterator[Reading | ImageError]:
        """Read many pictures, in their order; a picture that cannot be used yields its error.

        Pictures are decoded in parallel and read in batches of equal width. The readings
        equal those of `read`, without the steps.
        """
        sources = iter(sources)
        pool = ThreadPoolExecutor(usable_cores())
        try:
            start = time.perf_counter()
            loading = self._load_chunk(pool, sources)
            while loading:
                loaded = [future.result() for future in loading]
                inked = [i for i, p in enumerate(loaded) if isinstance(p, tuple) and not p[1].blank]
                images = [loaded[i][1].image for i in inked]  # type: ignore[index]
                running = [
                    (positions, pool.submit(self.logits, batch))
                    for positions, batch in batches_by_width(images, self.spec)
                ]
                # Decoded behind the network, so that no core waits while readings are made.
                loading = self._load_chunk(pool, sources)
                logits: dict[int, NDArray[np.float32]] = {}
                for positions, future in running:
                    for position, steps in zip(positions, future.result(), strict=True):
                        logits[inked[position]] = steps
                # The time of the chunk, shared evenly: pictures of a batch are read together.
                share = (time.perf_counter() - start) / len(loaded)
                for i, item in enumerate(loaded):
                    if isinstance(item, ImageError):
                        yield item
                    else:
                        start = time.perf_counter() - share
                        yield self._reading(item[1], logits.get(i), [], item[0], start)
                start = time.perf_counter()
        finally:
            pool.shutdown(cancel_futures=True)

    def logits(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return (B, W / 4, classes) float32 logits of (B, height, W) uint8 padded images."""
        return self._engine(np.ascontiguousarray(images, np.uint8))

    def _load_chunk(
        self, pool: ThreadPoolExecutor, sources: Iterator[Any]
    ) -> list[Future[tuple[Picture, Prepared] | ImageError]]:
        return [pool.submit(self._load, source) for source in islice(sources, CHUNK)]

    def _load(self, source: Any) -> tuple[Picture, Prepared] | ImageError:
        try:
            picture = load_image(source)
        except ImageError as error:
            return error
        return picture, prepare(picture.pixels, self.spec)

    def _reading(
        self,
        prepared: Prepared,
        logits: NDArray[np.float32] | None,
        steps: list[Step],
        picture: Picture,
        start: float,
    ) -> Reading:
        text, confidence = "", 1.0
        letters: list[Letter] = []
        if logits is not None:
            text, letters = greedy(logits, self.spec.alphabet)
            # Spaces at the ends come from wide margins and name nobody.
            text = text.strip()
            letters = _strip(letters)
            confidence = float(np.exp(log_probability(logits, self.spec.alphabet.encode(text))))
        return Reading(
            text,
            confidence,
            tuple(letters),
            (Candidate(text, confidence),),
            tuple(steps),
            prepared.blank,
            picture.notes,
            1000 * (time.perf_counter() - start),
        )


def _strip(letters: list[Letter]) -> list[Letter]:
    """Return `letters` without spaces at the ends."""
    while letters and letters[0].character == " ":
        letters = letters[1:]
    while letters and letters[-1].character == " ":
        letters = letters[:-1]
    return letters


_default: Recognizer | None = None
_default_lock = threading.Lock()


def default_recognizer() -> Recognizer:
    """Return the recognizer of the model that comes with the project, loaded once."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Recognizer.load(default_model())
    return _default


def default_model() -> Path:
    """Return the model folder: $HWR_MODEL, else the one that comes with the project."""
    return Path(os.environ.get("HWR_MODEL", MODEL))


def default_data() -> Path:
    """Return the dataset folder: $HWR_DATA, else the samples that come with the project."""
    return Path(os.environ.get("HWR_DATA", SAMPLES))


def predict(
    index: int, split: str = "train", data: str | os.PathLike[str] | None = None
) -> Reading:
    """Read the dataset picture with `index`, as the original project's `predict(10261)`.

    Args:
        index: the number in the picture's file name (TRAIN_10261.jpg is 10261).
        split: "train", "validation" or "test".
        data: dataset folder; see `default_data`.

    Raises:
        hwr.dataset.DatasetError: there is no such folder, split or index.
        hwr.image.ImageError: the picture cannot be used.
    """
    recognizer = default_recognizer()
    dataset = open_dataset(data or default_data(), split, recognizer.spec.alphabet)
    return recognizer.read(dataset.find(index).path)

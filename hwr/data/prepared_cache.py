"""Cache of prepared pictures: those of a split in one memory-mapped file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import frames_needed
from hwr.atomic_file import new_folder
from hwr.data.dataset import Dataset, Dropped, Sample
from hwr.image import ImageError, load_image
from hwr.parallel import thread_pool
from hwr.preprocess import Prepared, prepare
from hwr.spec import COLUMNS_PER_STEP, Spec

#: Pictures prepared between two writes, so that memory stays flat for any dataset size.
CHUNK = 512


def default_folder() -> Path:
    """Return the cache folder: $HWR_CACHE, else $XDG_CACHE_HOME/hwr, else ~/.cache/hwr."""
    if "HWR_CACHE" in os.environ:
        return Path(os.environ["HWR_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hwr"


@dataclass(frozen=True, eq=False)
class PreparedSet:
    """The prepared images of a dataset and their samples, in the dataset's order.

    Attributes:
        samples: the samples whose pictures could be prepared.
        dropped: the rows the dataset dropped and those whose picture or label failed here.
        pixels: (sum of height * widths,) uint8, memory-mapped, one image after the other.
        widths: (N,) int64 columns of each image.
        height: rows of every image.
    """

    samples: tuple[Sample, ...]
    dropped: tuple[Dropped, ...]
    pixels: NDArray[np.uint8]
    widths: NDArray[np.int64]
    height: int

    def __post_init__(self) -> None:
        offsets = np.concatenate(([0], np.cumsum(self.widths * self.height)))
        object.__setattr__(self, "_offsets", offsets)

    def __len__(self) -> int:
        return len(self.samples)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let another process open the file of pixels again instead of sending it all of them."""
        mapped = isinstance(self.pixels, np.memmap) and self.pixels.filename is not None
        pixels = Path(self.pixels.filename) if mapped else self.pixels  # type: ignore[attr-defined]
        return _received, (self.samples, self.dropped, pixels, self.widths, self.height)

    def image(self, number: int) -> NDArray[np.uint8]:
        """Return the (height, width) uint8 prepared image of `samples[number]`, unpadded."""
        start, stop = self._offsets[number : number + 2]  # type: ignore[attr-defined]
        return np.asarray(self.pixels[start:stop]).reshape(self.height, -1)


def _received(
    samples: tuple[Sample, ...],
    dropped: tuple[Dropped, ...],
    pixels: Path | NDArray[np.uint8],
    widths: NDArray[np.int64],
    height: int,
) -> PreparedSet:
    """Return the prepared set that `PreparedSet.__reduce__` described."""
    if isinstance(pixels, Path):
        pixels = np.memmap(pixels, np.uint8, "r")
    return PreparedSet(samples, dropped, pixels, widths, height)


def prepare_dataset(
    dataset: Dataset,
    spec: Spec,
    *,
    folder: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PreparedSet:
    """Return the dataset's pictures as the network reads them, from the cache if it is there.

    The cache key covers the preprocessing, each label and each picture's name, size, time and mode,
    so a changed picture is prepared again. A damaged cache is replaced.

    Raises:
        hwr.atomic_file.WriteError: the cache cannot be written.
    """
    root = (folder or default_folder()) / f"{dataset.split}-{_key(dataset, spec)}"
    try:
        return _read(root, dataset)
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        _write(root, dataset, spec, progress)
    return _read(root, dataset)


def _key(dataset: Dataset, spec: Spec) -> str:
    digest = hashlib.sha256(f"{spec.preparation_key} {dataset.folder.resolve()}".encode())
    for sample in dataset.samples:
        stat = sample.path.stat()
        facts = (sample.path.name, stat.st_size, stat.st_mtime_ns, stat.st_mode, sample.text)
        digest.update(f"{' '.join(map(str, facts))}\n".encode())
    return digest.hexdigest()[:16]


def _write(root: Path, dataset: Dataset, spec: Spec, progress: Callable[[int, int], None]) -> None:
    with new_folder(root, replace=True) as partial:
        kept, widths, failed = [], [], []
        with (partial / "pixels.bin").open("wb") as pixels, thread_pool() as pool:
            for start in range(0, len(dataset.samples), CHUNK):
                chunk = dataset.samples[start : start + CHUNK]
                results = pool.map(lambda sample: _prepare_sample(sample, spec), chunk)
                for number, result in enumerate(results, start=start):
                    if isinstance(result, str):
                        failed.append((number, result))
                        continue
                    kept.append(number)
                    widths.append(result.image.shape[1])
                    pixels.write(result.image.tobytes())
                progress(min(start + CHUNK, len(dataset.samples)), len(dataset.samples))
        index = {"height": spec.height, "kept": kept, "widths": widths, "failed": failed}
        (partial / "index.json").write_text(json.dumps(index))


def _prepare_sample(sample: Sample, spec: Spec) -> Prepared | str:
    """Return the prepared picture, or the reason why it cannot be trained on."""
    try:
        picture = load_image(sample.path)
    except ImageError as error:
        return f"unreadable file: {sample.path.name}: {error}"
    prepared = prepare(picture.pixels, spec)
    if prepared.blank:
        return f"no ink found: {sample.path.name}: labelled {sample.text!r}"
    needed = frames_needed(spec.alphabet.encode(sample.text))
    steps = prepared.image.shape[1] // COLUMNS_PER_STEP
    if needed > steps:
        return (
            f"label too long for its picture: {sample.path.name}: {sample.text!r} needs "
            f"{needed} time steps, the picture has {steps}"
        )
    return prepared


def _read(root: Path, dataset: Dataset) -> PreparedSet:
    """Return what `_write` wrote; the kind of error that a damaged cache raises varies."""
    index = json.loads((root / "index.json").read_text())
    samples = tuple(dataset.samples[number] for number in index["kept"])
    failed: Iterable[tuple[int, str]] = index["failed"]
    dropped = tuple(Dropped(dataset.samples[number], reason) for number, reason in failed)
    widths, file = np.array(index["widths"], np.int64), root / "pixels.bin"
    size = file.stat().st_size
    if len(widths) != len(samples) or size != widths.sum() * index["height"]:
        raise ValueError(f"{file} has {size} bytes, not those that its index names")
    pixels = np.memmap(file, np.uint8, "r") if size else np.zeros(0, np.uint8)
    return PreparedSet(samples, dataset.dropped + dropped, pixels, widths, index["height"])

"""Batches: endless, repeatable training batches mixed from several sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import BLANK, frames_needed
from hwr.arrays import Grey
from hwr.data.augment import Strength, augment
from hwr.data.prepared_cache import PreparedSet
from hwr.spec import COLUMNS_PER_STEP, Spec

#: Batches drawn together and sorted by width, so that little of a batch is padding.
GROUP = 32

#: Training batches are padded to a multiple of this many columns.
TIGHT_STEP = 16

#: Labels are padded to a multiple of this many letters; where few shapes are wanted, of the other.
LABEL_STEP, COARSE_LABEL_STEP = 16, 32

#: Share of the batches padded as widely as for reading, so that the network is trained on that.
WIDE = 0.2


@dataclass(frozen=True, eq=False)
class Batch:
    """Images and labels of one training step.

    Attributes:
        images: (B, height, W, 1) float32 in 0..255, paper 255, W a multiple of TIGHT_STEP.
        labels: (B, L) int32 class ids, padded on the right with 0, the blank.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int32]

    def padded(self, width: int, length: int) -> Batch:
        """Return the batch with images of `width` columns and labels of `length`, no fewer."""
        columns, letters = width - self.images.shape[2], length - self.labels.shape[1]
        if not columns and not letters:
            return self
        return Batch(
            np.pad(self.images, ((0, 0), (0, 0), (0, columns), (0, 0)), constant_values=255),
            np.pad(self.labels, ((0, 0), (0, letters)), constant_values=BLANK),
        )


class Source(Protocol):
    """Something that draws labelled, prepared images at random."""

    def draw(self, rng: np.random.Generator) -> tuple[Grey, str]:
        """Return a (height, W) uint8 prepared image and its text."""


@dataclass(frozen=True, eq=False)
class PreparedSource:
    """The images of a prepared set, drawn with equal probability."""

    images: PreparedSet

    def draw(self, rng: np.random.Generator) -> tuple[Grey, str]:
        number = int(rng.integers(len(self.images)))
        return self.images.image(number), self.images.samples[number].text


@dataclass(frozen=True, eq=False)
class Batches:
    """Batch number n of a seed is always the same, so that a run can be resumed anywhere.

    Attributes:
        sources: where images come from.
        weights: the chance of each source, any positive scale.
        augmented: the share of images that are augmented.
        coarse: whether batches come in few shapes: W is a multiple of the spec's width_step,
            L of COARSE_LABEL_STEP. For backends that compile every shape.
        shards: parts of a batch with a random generator each, so that several machines can draw
            one part each. Other numbers of shards give other batches.
        shard: the part to yield, 0..shards - 1; None for whole batches. A part has its own W and
            L; those of the whole batch are the largest of its parts.
    """

    sources: Sequence[Source]
    weights: Sequence[float]
    spec: Spec
    batch_size: int = 64
    seed: int = 0
    augmented: float = 0.95
    strength: Strength = field(default_factory=Strength)
    coarse: bool = False
    shards: int = 1
    shard: int | None = None

    def __post_init__(self) -> None:
        if self.shards < 1 or self.batch_size % self.shards:
            raise ValueError(
                f"A batch of {self.batch_size} images cannot be divided equally among "
                f"{self.shards} processes; choose a --batch-size that is a multiple of them."
            )
        if self.shard is not None and not 0 <= self.shard < self.shards:
            raise ValueError(f"shard must lie in 0..{self.shards - 1}. Received: {self.shard}")

    def group(self, number: int) -> list[Batch]:
        """Return the GROUP batches that start at batch `number * GROUP`."""
        rng = np.random.default_rng((self.seed, number))
        if self.shards == 1:
            generators = [rng]
        else:
            shards = range(self.shards) if self.shard is None else [self.shard]
            generators = [np.random.default_rng((self.seed, number, shard)) for shard in shards]
        parts = [self._drawn(self.batch_size // self.shards, generator) for generator in generators]
        batches = [
            self._collate([item for part in parts for item in part[i]], wide=rng.random() < WIDE)
            for i in range(GROUP)
        ]
        return [batches[i] for i in rng.permutation(GROUP)]

    def _drawn(self, size: int, rng: np.random.Generator) -> list[list[tuple[Grey, list[int]]]]:
        """Return GROUP lists of `size` labelled images, by width."""
        chances = np.asarray(self.weights, np.float64)
        chosen = rng.choice(len(self.sources), GROUP * size, p=chances / chances.sum())
        drawn = [self._draw(self.sources[source], rng) for source in chosen]
        drawn.sort(key=lambda item: item[0].shape[1])
        return [drawn[start : start + size] for start in range(0, len(drawn), size)]

    def _draw(self, source: Source, rng: np.random.Generator) -> tuple[Grey, list[int]]:
        image, text = source.draw(rng)
        ids = self.spec.alphabet.encode(text)
        if rng.random() < self.augmented:
            other = augment(image, rng, max_width=self.spec.max_width, strength=self.strength)
            if other.shape[1] // COLUMNS_PER_STEP >= frames_needed(ids):
                image = other
        return image, ids

    def _collate(self, items: Sequence[tuple[Grey, list[int]]], *, wide: bool) -> Batch:
        widest = max(image.shape[1] for image, _ in items)
        if wide:
            widest = min(self.spec.max_width, widest + self.spec.width_step - 1)
        columns = self.spec.width_step if self.coarse else TIGHT_STEP
        letters = COARSE_LABEL_STEP if self.coarse else LABEL_STEP
        widest = -(-widest // columns) * columns
        longest = -(-max(len(ids) for _, ids in items) // letters) * letters
        images = np.full((len(items), self.spec.height, widest, 1), 255, np.float32)
        labels = np.full((len(items), longest), BLANK, np.int32)
        for row, (image, ids) in enumerate(items):
            images[row, :, : image.shape[1], 0] = image
            labels[row, : len(ids)] = ids
        return Batch(images, labels)

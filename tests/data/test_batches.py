from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest
from helpers import TINY, write_word

from hwr.data.batches import COARSE_LABEL_STEP, GROUP, TIGHT_STEP, Batch, Batches
from hwr.data.loader import stream
from hwr.synthesis.source import SyntheticSource


@dataclass(frozen=True)
class Constant:
    """A source of one grey value whose label tells it apart."""

    grey: int
    text: str
    width: int = 60

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        return np.full((16, self.width), self.grey, np.uint8), self.text


def batches(**kwargs: object) -> Batches:
    sources = [Constant(0, "A"), Constant(200, "BB", 100)]
    return Batches(sources, [3, 1], TINY, batch_size=16, augmented=0.0, **kwargs)  # type: ignore[arg-type]


def test_images_and_labels_stay_together_and_are_padded() -> None:
    seen = {"A": 0, "BB": 0}
    for batch in batches().group(0):
        assert batch.images.dtype == np.float32
        assert batch.images.shape[:2] == (16, 16)
        assert batch.images.shape[2] % TIGHT_STEP == 0
        assert batch.labels.shape == (16, 16)
        for image, label in zip(batch.images, batch.labels, strict=True):
            text = TINY.alphabet.decode(int(i) for i in label if i)
            width = {"A": 60, "BB": 100}[text]
            assert (image[:, :width] == {"A": 0, "BB": 200}[text]).all()
            assert (image[:, width:] == 255).all()
            seen[text] += 1
    assert 0.65 < seen["A"] / (16 * GROUP) < 0.85


def test_a_run_continues_at_any_batch() -> None:
    def first(count: int, start: int) -> list[bytes]:
        ready = stream(batches(seed=4), start)
        found = [b.images.tobytes() + b.labels.tobytes() for b in itertools.islice(ready, count)]
        ready.close()
        return found

    whole = first(20, 0)
    assert first(7, 13) == whole[13:]
    assert len(set(whole)) > 1


def test_coarse_batches_come_in_few_shapes_and_show_the_same() -> None:
    coarse = batches(coarse=True).group(0)
    assert {(b.images.shape[2], b.labels.shape[1]) for b in coarse} <= {
        (width, COARSE_LABEL_STEP) for width in (64, 96, 128)
    }
    for wide, tight in zip(coarse, batches().group(0), strict=True):
        padded = tight.padded(wide.images.shape[2], wide.labels.shape[1])
        np.testing.assert_array_equal(padded.images, wide.images)
        np.testing.assert_array_equal(padded.labels, wide.labels)


def test_shards_make_up_the_whole_batch() -> None:
    whole = batches(shards=2, seed=3).group(1)
    parts = [batches(shards=2, shard=k, seed=3).group(1) for k in range(2)]
    for batch, one, two in zip(whole, *parts, strict=True):
        assert len(one.images) == len(two.images) == 8
        width = max(one.images.shape[2], two.images.shape[2])
        length = max(one.labels.shape[1], two.labels.shape[1])
        halves = [part.padded(width, length) for part in (one, two)]
        np.testing.assert_array_equal(np.concatenate([h.images for h in halves]), batch.images)
        np.testing.assert_array_equal(np.concatenate([h.labels for h in halves]), batch.labels)
    assert any((a.labels != b.labels).any() for a, b in zip(*parts, strict=True))


def test_padding_is_paper_and_blank() -> None:
    batch = Batch(np.zeros((2, 8, 16, 1), np.float32), np.ones((2, 16), np.int32))
    assert batch.padded(16, 16) is batch
    wider = batch.padded(32, 48)
    assert wider.images.shape == (2, 8, 32, 1)
    assert wider.images.dtype == np.float32
    assert (wider.images[:, :, 16:] == 255).all()
    assert (wider.images[:, :, :16] == 0).all()
    assert wider.labels.shape == (2, 48)
    assert wider.labels.dtype == np.int32
    assert (wider.labels[:, 16:] == 0).all()


def test_error_of_a_source_reaches_the_trainer() -> None:
    class Broken:
        def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, str]:
            raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        next(stream(Batches([Broken()], [1], TINY)))


def test_broken_source_does_not_block_the_end_of_a_run() -> None:
    class BreaksLater:
        drawn = 0

        def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, str]:
            self.drawn += 1
            if self.drawn > 3 * GROUP:
                raise RuntimeError("disk on fire")
            return np.zeros((16, 20), np.uint8), "A"

    ready = stream(Batches([BreaksLater()], [1], TINY, batch_size=1))
    next(ready)
    time.sleep(0.3)  # the queue is full now, and the error waits behind it
    closing = threading.Thread(target=ready.close, daemon=True)
    closing.start()
    closing.join(5)
    assert not closing.is_alive()


def test_names_that_cannot_be_taught_end_the_search() -> None:
    def render(text: str, rng: np.random.Generator) -> np.ndarray:
        return np.full((40, 200), 255, np.uint8)

    with pytest.raises(ValueError, match="No usable picture came of 200 drawn names"):
        SyntheticSource(["ANNA"], render, TINY).draw(np.random.default_rng(0))


def test_synthetic_source_folds_its_labels_and_prepares_its_pictures() -> None:
    def render(text: str, rng: np.random.Generator) -> np.ndarray:
        return write_word("NOEL")

    image, text = SyntheticSource(["Noël"], render, TINY).draw(np.random.default_rng(0))
    assert text == "NOEL"
    assert image.shape[0] == TINY.height


def test_a_share_of_the_drawn_pictures_names_nobody() -> None:
    """White pictures are drawn again, with and without a name."""
    asked: list[str] = []

    def render(text: str, rng: np.random.Generator) -> np.ndarray:
        asked.append(text)
        return write_word("NOEL" if text else "---") if rng.random() < 0.5 else write_word("")

    rng = np.random.default_rng(0)
    source = SyntheticSource(["Noël"], render, TINY, empty=0.25)
    texts = [source.draw(rng)[1] for _ in range(400)]
    assert set(texts) == {"NOEL", ""}
    assert 0.2 < texts.count("") / 400 < 0.3
    assert len(asked) > 600


def test_names_are_put_together_where_asked() -> None:
    def texts(**options: bool) -> list[str]:
        rng = np.random.default_rng(0)
        source = SyntheticSource(["Zoé"], lambda text, rng: write_word("ZOE"), TINY, **options)
        return [source.draw(rng)[1] for _ in range(300)]

    assert set(texts()) == {"ZOE"}
    composed = texts(composed=True)
    assert {"ZOE", "ZOE-ZOE", "ZOE ZOE", "DE ZOE", "D'ZOE"} <= set(composed)
    assert 3 < sum("'" in text for text in composed) < 30


def test_pictures_too_narrow_for_their_label_are_not_taught() -> None:
    pictures = iter([np.full((40, 40), 255, np.uint8), write_word("ANNA")])
    source = SyntheticSource(["ANNA"], lambda text, rng: next(pictures), TINY)
    assert source.draw(np.random.default_rng(0))[1] == "ANNA"
    assert next(pictures, None) is None

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import write_word

from hwr.data.augment import Strength, augment
from hwr.preprocess import prepare
from hwr.spec import Spec

IMAGE = prepare(write_word("MARTIN"), Spec()).image
STILL = Strength(stretch=0, size=0, slant=0, turn=0, bend=0, pen=0, thickness=0, tone=0, mask=0)
PEN = replace(STILL, pen=1)


def test_same_seed_same_image() -> None:
    first, second = (augment(IMAGE, np.random.default_rng(5), max_width=640) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_images_differ_from_each_other_and_stay_in_range() -> None:
    seen = set()
    for seed in range(200):
        image = augment(IMAGE, np.random.default_rng(seed), max_width=200)
        assert image.dtype == np.uint8
        assert image.shape[0] == IMAGE.shape[0]
        assert 8 <= image.shape[1] <= 200
        seen.add(image.tobytes())
    assert len(seen) == 200


def test_most_of_the_ink_stays_in_the_picture() -> None:
    """What is pushed over the edge would be missing from the picture but not from the label."""
    kept = []
    for seed in range(200):
        strength = Strength(pen=0, thickness=0, tone=0, mask=0)
        image = augment(IMAGE, np.random.default_rng(seed), max_width=640, strength=strength)
        share = (255.0 - image).sum() / (255.0 - IMAGE).sum()
        kept.append(share * IMAGE.shape[1] / image.shape[1])
    assert np.percentile(kept, 1) > 0.55
    assert 0.75 < np.median(kept) < 1.1


def test_strength_zero_only_shifts() -> None:
    image = augment(IMAGE, np.random.default_rng(0), max_width=640, strength=STILL)
    ink = (255.0 - image).sum() / (255.0 - IMAGE).sum()
    assert ink == pytest.approx(1, abs=0.05)


def test_the_image_given_is_not_changed() -> None:
    before = IMAGE.copy()
    for seed in range(30):
        augment(IMAGE, np.random.default_rng(seed), max_width=640)
    assert (before == IMAGE).all()


def test_a_pen_draws_the_strokes_anew() -> None:
    """All of the ink is black, and as much of it as a pen of a plausible width leaves."""
    faint = (255 - 0.5 * (255.0 - IMAGE)).astype(np.uint8)
    for seed in range(20):
        drawn = augment(faint, np.random.default_rng(seed), max_width=640, strength=PEN)
        assert drawn.min() < 0.7 * faint.min()
        assert 0.1 < (255.0 - drawn).sum() / (255.0 - IMAGE).sum() < 2.5

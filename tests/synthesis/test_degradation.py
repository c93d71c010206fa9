"""Degradations keep the writing, add what they say, and repeat with their generator."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from helpers import write_word

from hwr.image import load_image
from hwr.preprocess import prepare
from hwr.spec import Spec
from hwr.synthesis.degradation import KINDS

#: Those that print dark lines on white paper and leave the writing as it is.
PRINTED = [
    "frame", "comb", "pale_comb", "ticks", "squared", "dark_squared", "ruled", "dotted", "pattern",
]  # fmt: skip


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_pixels_that_can_be_read_come_out(kind: str, seed: int) -> None:
    picture = write_word("MARTIN")
    before = picture.copy()
    page = KINDS[kind](picture, generator(seed))
    assert page.dtype == np.uint8
    assert page.ndim == 2 or page.shape[2:] == (3,)
    assert np.array_equal(picture, before)
    assert not np.array_equal(page, picture)
    assert np.array_equal(page, KINDS[kind](picture, generator(seed)))
    assert not prepare(load_image(page).pixels, Spec()).blank


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"fax"}))
def test_another_generator_gives_another_picture(kind: str) -> None:
    picture = write_word("MARTIN")
    pages = [KINDS[kind](picture, generator(seed)) for seed in (1, 2)]
    assert pages[0].shape != pages[1].shape or not np.array_equal(*pages)


@pytest.mark.parametrize("kind", PRINTED)
@pytest.mark.parametrize("seed", range(4))
def test_ink_under_what_is_printed_never_becomes_lighter(kind: str, seed: int) -> None:
    picture = write_word("MARTIN")
    page = KINDS[kind](picture, generator(seed))
    # The writing is found where it fits best, whatever the margin.
    cover = 255 - picture
    rows, columns = np.nonzero(cover)
    cut = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    word = np.ascontiguousarray(picture[cut])
    fits = [
        (page[y : y + word.shape[0], x : x + word.shape[1]] <= word).all()
        for y in range(page.shape[0] - word.shape[0] + 1)
        for x in range(page.shape[1] - word.shape[1] + 1)
    ]
    assert any(fits)
    assert page.shape[0] >= picture.shape[0]


@pytest.mark.parametrize("kind", ["frame", "comb", "ticks", "squared", "ruled", "dotted"])
def test_lines_are_printed_on_an_empty_field_too(kind: str) -> None:
    page = KINDS[kind](np.full((40, 200), 255, np.uint8), generator())
    assert page.min() < 255


def test_a_comb_has_its_teeth_between_the_letters() -> None:
    picture = np.full((40, 120), 255, np.uint8)
    for x in (20, 50, 80):
        cv2.rectangle(picture, (x, 10), (x + 9, 29), 0, -1)
    page = KINDS["comb"](picture, generator())
    # Below the letters, where only teeth are; the margin is 10 columns.
    row = page[8 + 30]
    teeth = np.flatnonzero(row < 200)
    assert {10 + 15, 10 + 40, 10 + 70, 10 + 95} <= set(teeth.tolist())


def test_a_fax_is_black_and_white_with_half_of_the_rows() -> None:
    page = KINDS["fax"](write_word("MARTIN"), generator())
    assert page.shape == (20, 240)
    assert set(np.unique(page)) == {0, 255}


def test_small_pictures_stay_legible_in_size() -> None:
    for seed in range(10):
        page = KINDS["small"](write_word("MARTIN"), generator(seed))
        assert 13 <= page.shape[0] <= 20
        assert 79 <= page.shape[1] <= 120


def test_a_dithered_picture_is_as_bright_as_its_grey() -> None:
    picture = np.full((60, 200), 255, np.uint8)
    for seed in range(3):
        page = KINDS["dithered"](picture, generator(seed))
        assert set(np.unique(page)) == {0, 255}
        share = float(generator(seed).uniform(0.72, 0.9))
        assert page.mean() / 255 == pytest.approx(share, abs=0.02)


def test_colours_are_as_bright_as_their_paper() -> None:
    page = KINDS["coloured"](write_word("MARTIN"), generator())
    luma = cv2.cvtColor(page, cv2.COLOR_RGB2GRAY)
    assert np.ptp(np.percentile(luma, (1, 99))) < 60


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_low_picture_stays_large_enough_to_be_loaded(kind: str) -> None:
    low = np.full((16, 300), 255, np.uint8)
    low[4:12, 20:200:6] = 0
    for seed in range(5):
        assert load_image(KINDS[kind](low, np.random.default_rng(seed))).pixels.size

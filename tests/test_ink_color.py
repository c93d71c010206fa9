"""Ink is told from paper by its colour where luma does not show it, and a stamp is left out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from helpers import write_word

from hwr.arrays import Grey
from hwr.image import load_image
from hwr.ink_color import grey_of

BLACK, WHITE, CREAM = (0, 0, 0), (255, 255, 255), (240, 232, 210)
Colour = tuple[int, int, int]


def painted(cover: Grey, ink: Colour, paper: Colour) -> np.ndarray:
    """Return (H, W, 3) uint8 RGB of a grey picture in colours."""
    share = (255 - cover.astype(float))[..., None] / 255
    return np.rint(np.array(paper) * (1 - share) + np.array(ink) * share).astype(np.uint8)


def stamp(shape: tuple[int, ...], colour: Colour) -> np.ndarray:
    ring = np.full(shape, 255, np.uint8)
    for radius in (34, 29):
        cv2.circle(ring, (110, 40), radius, 0, 2, cv2.LINE_AA)
    cv2.putText(ring, "PAID", (88, 48), cv2.FONT_HERSHEY_DUPLEX, 0.6, 0, 1, cv2.LINE_AA)
    return painted(ring, colour, WHITE)


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ((200, 40, 45), (60, 130, 62)),
        ((190, 45, 60), (0, 150, 140)),
        ((30, 90, 200), (170, 70, 60)),
    ],
    ids=["red on green", "red on teal", "blue on red"],
)
def test_ink_as_bright_as_its_card_becomes_dark(ink: Colour, paper: Colour) -> None:
    word = write_word("MARTIN")
    rgb = painted(word, ink, paper)
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    assert int(luma.max()) - int(luma.min()) < 50
    grey = grey_of(rgb)
    assert grey is not None
    assert (grey.shape, grey.dtype) == (word.shape, np.uint8)
    assert grey[word == 255].min() >= 250
    assert grey[word == 0].max() <= 60
    assert np.array_equal(load_image(rgb).pixels, grey)


@pytest.mark.parametrize("colour", [(185, 30, 35), (30, 60, 180), (30, 130, 60), (110, 40, 140)])
def test_a_stamp_over_black_writing_is_left_out(colour: Colour) -> None:
    word = write_word("MARTIN", 80)
    over = stamp(word.shape, colour)
    rgb = np.minimum(painted(word, BLACK, WHITE), over)
    grey = grey_of(rgb)
    assert grey is not None
    stamped = cv2.cvtColor(over, cv2.COLOR_RGB2GRAY) < 200
    away = cv2.erode(word, np.ones((3, 3), np.uint8)) == 255
    assert np.count_nonzero(stamped & away) > 500
    assert np.percentile(grey[stamped & away], 5) >= 200
    assert np.percentile(grey[word == 0], 95) <= 90


@pytest.mark.parametrize("paper", [WHITE, (200, 200, 200), (90, 90, 90)])
def test_grey_pictures_need_nothing(paper: Colour) -> None:
    rgb = painted(write_word("MARTIN"), BLACK, paper)
    assert grey_of(rgb) is None
    assert grey_of(255 - rgb) is None


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        (BLACK, CREAM),
        ((20, 30, 120), WHITE),
        ((30, 30, 90), (250, 240, 160)),
        (WHITE, (20, 40, 120)),
    ],
    ids=["black on cream", "blue on white", "blue on yellow", "white on blue"],
)
def test_ink_that_luma_shows_is_left_to_luma(ink: Colour, paper: Colour) -> None:
    rgb = painted(write_word("MARTIN"), ink, paper)
    assert grey_of(rgb) is None
    assert np.array_equal(
        load_image(rgb).pixels,
        load_image(np.repeat(load_image(rgb).pixels[..., None], 3, 2)).pixels,
    )


def test_coloured_paper_without_ink_needs_nothing() -> None:
    noise = np.random.default_rng(0).normal(0, 3, (60, 200, 3))
    assert grey_of(np.clip(np.array((60, 130, 62)) + noise, 0, 255).astype(np.uint8)) is None

"""Skew: found on drawn words, left alone where it does not show, and turned back whole."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawn_letters import draw
from helpers import write_word

from hwr.preprocess import prepare, trace
from hwr.skew import skew_of, turned
from hwr.spec import Spec

LONG = ["ANNE-MARIE", "ALEXANDRINE", "FLEVANTHIM"]


@pytest.mark.parametrize("degrees", [-28, -20, -14, -9, -5, 5, 9, 14, 20, 28])
@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("text", LONG)
def test_the_skew_of_a_word_is_found(text: str, scale: int, degrees: int) -> None:
    picture = cv2.resize(write_word(text, width=300), None, fx=scale, fy=scale)
    assert skew_of(255 - turned(picture, -degrees)) == pytest.approx(degrees, abs=1.5)


@pytest.mark.parametrize("degrees", [-28, -14, -9, 9, 14, 28])
def test_six_letters_are_enough_for_more_than_a_few_degrees(degrees: int) -> None:
    assert skew_of(255 - turned(write_word("MARTIN"), -degrees)) == pytest.approx(degrees, abs=1.5)


@pytest.mark.parametrize("text", [*LONG, "MARTIN", "VAL", "NATHAN", "JEAN-PAUL", "L'HAY"])
def test_level_writing_has_none(text: str) -> None:
    assert skew_of(255 - write_word(text, width=300)) == 0


@pytest.mark.parametrize(
    "text", ["L", "V", "A", "IL", "LI", "AN", "MV", "LEA", "EVA", "VAL", "LIT"]
)
def test_short_words_in_a_tight_crop_are_left_alone(text: str) -> None:
    if set(text) <= set("AEFHILMNTV"):
        for height in (16, 24, 40, 80):
            for pen in (1, 2, height // 8):
                assert skew_of(draw(text, height, pen, margin=0)) == 0, (height, pen)
    dark = 255 - write_word(text)
    rows, columns = np.nonzero(dark)
    tight = dark[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert skew_of(np.ascontiguousarray(tight)) == 0


def test_blank_paper_and_a_few_dots_have_none() -> None:
    dark = np.zeros((40, 200), np.uint8)
    assert skew_of(dark) == 0
    dark[10, 20] = dark[12, 60] = dark[14, 100] = 255
    assert skew_of(dark) == 0


@pytest.mark.parametrize("degrees", [-32, -28, -12, 7, 30, 32])
def test_turning_keeps_all_ink_on_white_paper(degrees: float) -> None:
    edge = draw("HELEN", 24, 2, margin=0)
    page = turned(255 - edge, degrees)
    assert (255.0 - page).sum() == pytest.approx(edge.sum(), rel=0.01)
    framed = turned(write_word("MARTIN"), degrees)
    assert min(framed[0].min(), framed[-1].min(), framed[:, 0].min(), framed[:, -1].min()) == 255


def test_turning_is_against_the_clock() -> None:
    picture = np.full((41, 41), 255, np.uint8)
    picture[19:22, 36:39] = 0
    page = turned(picture, 30)
    row, column = (middle.mean() for middle in np.nonzero(page < 100))
    # From the middle, 17 pixels to the right: up by 17 sin 30, as rows count downwards.
    assert row == pytest.approx((page.shape[0] - 1) / 2 - 8.5, abs=0.7)
    assert column == pytest.approx((page.shape[1] - 1) / 2 + 14.7, abs=0.7)


def test_a_slanted_word_is_prepared_as_a_level_one() -> None:
    picture = write_word("ALEXANDRINE", width=300)
    level = prepare(picture, Spec()).image
    slanted, steps = trace(turned(picture, -14), Spec())
    assert "straightened" in [step.name for step in steps]
    assert slanted.image.shape[1] == pytest.approx(level.shape[1], rel=0.06)
    again = cv2.resize(slanted.image, level.shape[::-1])
    assert np.corrcoef(again.ravel(), level.ravel())[0, 1] > 0.85

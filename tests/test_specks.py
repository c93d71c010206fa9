"""Dots of dithered and speckled scans go; writing and clean pictures stay."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from helpers import write_word

from hwr.arrays import Grey
from hwr.preprocess import prepare, trace
from hwr.spec import Spec
from hwr.specks import without_specks
from hwr.synthesis.degradation import dithered


def speckled(picture: Grey, share: float, seed: int = 0) -> Grey:
    hit = np.random.default_rng(seed).random(picture.shape)
    page = picture.copy()
    page[hit < share] = 0
    page[hit > 1 - share] = 255
    return page


@pytest.mark.parametrize("text", ["MARTIN", "I", "-", "L'HAY"])
@pytest.mark.parametrize("scale", [1, 3])
def test_a_clean_picture_comes_back_itself(text: str, scale: int) -> None:
    picture = cv2.resize(write_word(text), None, fx=scale, fy=scale)
    assert without_specks(picture) is picture
    inverted = 255 - picture
    assert without_specks(inverted) is inverted


@pytest.mark.parametrize("share", [0.01, 0.02, 0.04])
def test_dots_go_and_writing_stays(share: float) -> None:
    picture = write_word("MARTIN")
    page = speckled(picture, share)
    away = cv2.erode(picture, np.ones((9, 9), np.uint8)) == 255
    ink = cv2.dilate(picture, np.ones((2, 2), np.uint8)) < 100
    before, found = page[away] < 180, without_specks(page)
    assert np.count_nonzero(found[away] < 180) <= 0.15 * np.count_nonzero(before)
    assert np.count_nonzero(found[ink] < 180) >= 0.97 * np.count_nonzero(ink)


def test_a_single_dot_of_a_few_is_no_reason_to_smooth() -> None:
    picture = write_word("MARTIN")
    picture[5, 5] = 0
    assert without_specks(picture) is picture


@pytest.mark.parametrize("seed", range(5))
def test_dithered_grey_becomes_even_paper(seed: int) -> None:
    picture = write_word("MARTIN")
    page = dithered(picture, np.random.default_rng(seed))
    prepared, steps = trace(page, Spec())
    assert "specks removed" in [step.name for step in steps]
    expected = prepare(picture, Spec()).image
    assert abs(prepared.image.shape[1] - expected.shape[1]) <= 0.08 * expected.shape[1]
    again = cv2.resize(prepared.image, expected.shape[::-1])
    assert np.corrcoef(again.ravel(), expected.ravel())[0, 1] > 0.8

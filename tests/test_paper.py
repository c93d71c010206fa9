"""Paper in light and in shadow becomes white; strokes of any width stay ink."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from helpers import write_word

from hwr.arrays import Grey
from hwr.paper import LEAST_CONTRAST, even, paper_of, with_shadows
from hwr.preprocess import prepare
from hwr.spec import Spec


def evened(grey: Grey) -> tuple[Grey, float]:
    return even(grey, with_shadows(paper_of(grey), grey))


def shaded(picture: Grey, share: float, at: int, soft: int = 1) -> Grey:
    """Return `picture` with `share` of the light left from column `at` on."""
    light = np.where(np.arange(picture.shape[1]) < at, 1.0, share)[None].astype(np.float32)
    light = cv2.blur(light, (soft, 1))
    return (picture * light).astype(np.uint8)


@pytest.mark.parametrize("share", [0.45, 0.6, 0.75])
@pytest.mark.parametrize("at", [40, 100, 150])
@pytest.mark.parametrize("soft", [1, 5])
def test_a_hard_shadow_becomes_no_ink(share: float, at: int, soft: int) -> None:
    picture = write_word("MARTIN")
    found, _ = evened(shaded(picture, share, at, soft))
    away = cv2.erode(picture, np.ones((7, 7), np.uint8)) == 255
    assert found[away].min() >= 200
    assert found[picture == 0].max() <= 120


def test_in_a_hard_shadow_the_same_image_is_prepared() -> None:
    picture = write_word("MARTIN")
    expected = prepare(picture, Spec()).image
    found = prepare(shaded(picture, 0.5, 110), Spec()).image
    assert abs(found.shape[1] - expected.shape[1]) <= 0.03 * expected.shape[1]
    again = cv2.resize(found, expected.shape[::-1])
    assert np.corrcoef(again.ravel(), expected.ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    ("pen", "margin"), [(2, 0), (6, 0), (10, 0), (2, 10), (14, 10), (20, 10), (14, 40), (20, 40)]
)
def test_wide_strokes_are_not_eaten(pen: int, margin: int) -> None:
    picture = np.full((60 + 2 * margin, 140 + 2 * margin), 255, np.uint8)
    left, top = margin + pen // 2, margin + pen // 2
    for x in (left, margin + 139 - pen // 2):
        cv2.line(picture, (x, top), (x, margin + 59 - pen // 2), 0, pen)
    cv2.line(picture, (left, margin + 30), (margin + 139 - pen // 2, margin + 30), 0, pen)
    found, contrast = evened(picture)
    assert found[picture == 0].max() <= 60
    assert found[picture == 255].min() >= 250
    assert contrast > 200


def test_paper_of_one_tone_is_that_tone() -> None:
    for tone in (140, 200, 255):
        picture = np.minimum(write_word("MARTIN"), tone)
        assert (paper_of(picture) == tone).all()


def test_light_that_falls_off_is_followed() -> None:
    light = np.linspace(1.0, 0.5, 240)[None]
    picture = (np.full((60, 240), 240) * light).astype(np.uint8)
    assert np.abs(paper_of(picture).astype(int) - picture).max() <= 12


def test_contrast_is_what_the_darkest_stroke_lacks() -> None:
    picture = np.full((60, 200), 230, np.uint8)
    picture[20:40, 50:56] = 180
    found, contrast = even(picture, paper_of(picture))
    assert contrast == pytest.approx(50 * 255 / 230, rel=0.01)
    assert found[30, 53] <= 60
    assert found[5, 5] == 255


@pytest.mark.parametrize("drop", [8, 14, 19])
def test_faint_strokes_are_ink_and_grain_is_none(drop: int) -> None:
    assert drop < LEAST_CONTRAST
    faint = 240 - ((255 - write_word("MARTIN").astype(int)) * drop // 255)
    assert not prepare(faint.astype(np.uint8), Spec()).blank
    grain = np.random.default_rng(0).normal(240, drop / 4, (40, 240)).clip(0, 255)
    assert prepare(grain.astype(np.uint8), Spec()).blank

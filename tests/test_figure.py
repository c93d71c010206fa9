from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hwr.figure import HEADER, LETTERS, MARGIN, TIMELINE, ZOOM
from hwr.letter import Letter, Timeline
from hwr.preprocess import Step
from hwr.reading import Reading


def reading(*letters: Letter, steps: bool = True) -> Reading:
    image = np.full((40, 128), 255, np.uint8)
    image[10:30, 40:44] = 0
    text = "".join(letter.character for letter in letters)
    made = (Step("pad", image),) if steps else ()
    return Reading(text, 0.9, letters, (), made, not text, (), 1.0)


def test_letter_stands_above_its_ink() -> None:
    figure = reading(Letter("I", 1.0, 40, 44)).draw()
    assert figure.dtype == np.uint8
    assert figure.shape == (HEADER + LETTERS + 40 * ZOOM + MARGIN, figure.shape[1], 3)
    above = figure[HEADER : HEADER + 24]
    columns = np.flatnonzero((above < 128).any(axis=(0, 2)))
    assert (columns.min() + columns.max()) / 2 == pytest.approx(MARGIN + ZOOM * 42, abs=4)
    ink = figure[HEADER + LETTERS + 20 * ZOOM, MARGIN:].sum(axis=1)
    assert 40 * ZOOM <= np.argmin(ink) < 44 * ZOOM


def test_timeline_rises_where_a_letter_is_seen() -> None:
    probabilities = np.zeros((32, 3), np.float32)
    probabilities[:, 0] = 1
    probabilities[10] = 0.1, 0.9, 0
    plain = reading(Letter("I", 1.0, 40, 44))
    figure = dataclasses.replace(plain, timeline=Timeline("IJ", probabilities)).draw()
    assert figure.shape[0] == plain.draw().shape[0] + TIMELINE + MARGIN
    lower = figure[-TIMELINE - MARGIN + 20 : -40].astype(int)
    coloured = np.flatnonzero((np.ptp(lower, axis=2) > 60).any(axis=0))
    middle = MARGIN + ZOOM * 4 * 10.5
    assert middle - 12 <= coloured.min() <= middle <= coloured.max() <= middle + 12


def test_doubtful_letter_is_red_and_sure_one_green() -> None:
    def colour(probability: float) -> np.ndarray:
        figure = reading(Letter("I", probability, 40, 44)).draw()[HEADER : HEADER + 24]
        pixels = figure.reshape(-1, 3).astype(int)
        return pixels[pixels.sum(axis=1).argmin()]

    red, green = colour(0.3), colour(1.0)
    assert red[0] > red[1] + 100
    assert green[1] > green[0] + 50


def test_blank_reading_is_drawn_too() -> None:
    assert reading().draw().shape[2] == 3


def test_reading_without_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="with its steps"):
        reading(steps=False).draw()

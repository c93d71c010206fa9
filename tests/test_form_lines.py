"""Form lines go, writing stays: drawn pictures whose ink is known."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from drawn_letters import draw
from helpers import write_word

from hwr.arrays import Grey
from hwr.form_lines import INK, PALEST, without_form_lines

#: Draws form lines of a tone and thickness into a picture of a shape: (H, W), tone, thickness.
Form = Callable[[tuple[int, int], int, int], Grey]


def frame(shape: tuple[int, int], tone: int, thick: int) -> Grey:
    dark = np.zeros(shape, np.uint8)
    cv2.rectangle(dark, (3, 3), (shape[1] - 4, shape[0] - 4), tone, thick)
    return dark


def _teeth(shape: tuple[int, int], tone: int, thick: int, from_row: int) -> Grey:
    dark = np.zeros(shape, np.uint8)
    bottom = shape[0] - 5
    for x in range(8, shape[1] - 8, 27):
        cv2.line(dark, (x, from_row), (x, bottom), tone, thick)
    last = (shape[1] - 17) // 27 * 27 + 8
    cv2.line(dark, (8, bottom), (last, bottom), tone, thick)
    return dark


def comb(shape: tuple[int, int], tone: int, thick: int) -> Grey:
    dark = _teeth(shape, tone, thick, 4)
    cv2.line(dark, (8, 4), ((shape[1] - 17) // 27 * 27 + 8, 4), tone, thick)
    return dark


def ticks(shape: tuple[int, int], tone: int, thick: int) -> Grey:
    return _teeth(shape, tone, thick, round(0.6 * shape[0]))


def squares(shape: tuple[int, int], tone: int, thick: int) -> Grey:
    dark = np.zeros(shape, np.uint8)
    for first in range(thick):
        dark[5 + first :: 15] = tone
        dark[:, 5 + first :: 15] = tone
    return dark


def rule(shape: tuple[int, int], tone: int, thick: int) -> Grey:
    dark = np.zeros(shape, np.uint8)
    dark[shape[0] // 2 : shape[0] // 2 + thick] = tone
    return dark


FORMS: list[Form] = [frame, comb, ticks, squares, rule]


def word(text: str = "MARTIN", width: int = 260) -> Grey:
    """Return the darkness of a word, (44, width) uint8."""
    return 255 - write_word(text, 44, width)


def kept_and_added(clean: Grey, found: Grey) -> tuple[float, float]:
    """Return the share of ink that is still there, and the ink beyond it, as a share of it."""
    ink, left = clean > INK, found > INK
    near = cv2.dilate(ink.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.count_nonzero(ink & left) / ink.sum(), np.count_nonzero(left & ~near) / ink.sum()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tone", [60, 150, 255])
@pytest.mark.parametrize("thick", [1, 2])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_of_lines_alone_nothing_is_left(form: Form, tone: int, thick: int, scale: int) -> None:
    dark = form((44, 260), tone, thick)
    dark = cv2.resize(dark, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    assert (dark > PALEST).any()
    assert not without_form_lines(dark).any()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tone", [40, 60, 100, 140])
def test_writing_that_crosses_lines_is_kept(form: Form, tone: int) -> None:
    clean = word()
    found = without_form_lines(np.maximum(clean, form((44, 260), tone, 1)))
    kept, added = kept_and_added(clean, found)
    assert kept >= 0.9
    assert added <= 0.06
    # Paper is paper again, also between the letters.
    away = cv2.dilate(clean, np.ones((19, 19), np.uint8)) == 0
    assert not found[away].any()


def test_lines_that_fall_or_bend_a_little_are_removed() -> None:
    clean = word()
    fallen, bent = np.zeros_like(clean), np.zeros_like(clean)
    cv2.line(fallen, (0, 18), (259, 23), 150, 1)
    x = np.arange(260)
    bent[np.rint(20 + 3 * np.sin(x / 83)).astype(int), x] = 150
    for lines in (fallen, bent):
        assert not without_form_lines(lines).any()
        kept, added = kept_and_added(clean, without_form_lines(np.maximum(clean, lines)))
        assert kept >= 0.9
        assert added <= 0.06


@pytest.mark.parametrize(
    "text", ["MARTIN", "HELENE", "ANNE-MARIE", "TITI", "EVE", "IL", "-", "JEAN-PAUL", "FFF"]
)
def test_without_lines_the_very_picture_comes_back(text: str) -> None:
    dark = word(text)
    assert without_form_lines(dark) is dark
    blank = np.zeros_like(dark)
    assert without_form_lines(blank) is blank


#: Letters of straight strokes, as words and alone.
STRAIGHT = [
    "I", "L", "T", "E", "H", "F", "IL", "LI", "EH", "LT", "T-T", "F-H", "I-I", "III", "ILI", "TTT",
    "LLL", "EEE", "HH", "TE", "LIFE", "FILLE", "ETHEL", "TILL", "FLEET", "LETT", "HELL-LIFE",
]  # fmt: skip


def _are_unchanged(texts: list[str], sizes: list[tuple[int, int]]) -> None:
    for text in texts:
        for height, pen in sizes:
            for margin in (0, 1, 4, 10, 30):
                for tone in (110, 255):
                    dark = draw(text, height, pen, margin, tone)
                    found = without_form_lines(dark)
                    assert np.array_equal(found, dark), (text, height, pen, margin, tone)


def test_capitals_of_straight_strokes_are_unchanged() -> None:
    _are_unchanged(STRAIGHT, [(10, 1), (10, 2), (16, 2), (20, 1), (20, 3), (24, 2), (30, 4)])


def test_tall_capitals_of_straight_strokes_are_unchanged() -> None:
    _are_unchanged(STRAIGHT, [(45, 1), (45, 4), (80, 2), (80, 7), (140, 3), (140, 9)])


@pytest.mark.parametrize("thick", [1, 2])
@pytest.mark.parametrize("tone", [120, 255])
@pytest.mark.parametrize("scale", [2, 3])
def test_stems_of_a_name_that_stands_on_a_line_are_kept(thick: int, tone: int, scale: int) -> None:
    clean = np.zeros((44 * scale, 260 * scale), np.uint8)
    at = (14 * scale, 32 * scale)
    cv2.putText(clean, "MARTIN", at, 0, 0.8 * scale, 255, 2 * scale, cv2.LINE_AA)
    dark = clean.copy()
    dark[33 * scale : 33 * scale + thick] = np.maximum(tone, dark[33 * scale : 33 * scale + thick])
    found = without_form_lines(dark)
    assert not found[:, -40 * scale :].any()
    kept, added = kept_and_added(clean, found)
    assert kept >= 0.97
    assert added <= 0.02

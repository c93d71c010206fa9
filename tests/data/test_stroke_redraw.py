from __future__ import annotations

import cv2
import numpy as np
import pytest

from hwr.data.stroke_redraw import redraw, thin


def canvas() -> np.ndarray:
    return np.zeros((60, 120), np.uint8)


def pieces(ink: np.ndarray, connectivity: int = 8) -> int:
    return cv2.connectedComponents(ink.astype(np.uint8), connectivity=connectivity)[0] - 1


def test_a_bar_becomes_its_middle_line() -> None:
    bar = canvas()
    bar[20:29, 10:100] = 1
    rows, columns = np.nonzero(thin(bar > 0))
    assert set(rows) == {24}
    assert columns.min() in range(10, 16)
    assert columns.max() in range(94, 100)
    assert len(columns) == columns.max() - columns.min() + 1


def test_a_ring_stays_a_ring() -> None:
    ring = canvas()
    cv2.circle(ring, (60, 30), 20, 1, 7)
    line = thin(ring > 0)
    assert pieces(line) == 1
    assert pieces(~line, connectivity=4) == 2  # inside and outside
    rows, columns = np.nonzero(line)
    assert np.hypot(rows - 30, columns - 60) == pytest.approx(20, abs=1.5)


def test_crossing_strokes_stay_connected_and_paper_stays_empty() -> None:
    cross = canvas()
    cv2.line(cross, (10, 10), (100, 50), 1, 8)
    cv2.line(cross, (10, 50), (100, 10), 1, 5)
    line = thin(cross > 0)
    assert pieces(line) == 1
    assert line.sum() < 0.3 * cross.sum()
    assert not thin(canvas() > 0).any()


@pytest.mark.parametrize("pen", [1.0, 2.0, 3.0])
def test_strokes_are_redrawn_black_and_as_wide_as_the_pen(pen: float) -> None:
    image = 255 - 160 * cv2.line(canvas(), (20, 30), (100, 30), 1, 5)
    drawn = redraw(image.astype(np.uint8), pen)
    assert (drawn.shape, drawn.dtype) == (image.shape, np.uint8)
    assert (255.0 - drawn[:, 40:80]).sum(axis=0) / 255 == pytest.approx(pen, abs=0.35)
    assert np.abs(np.nonzero(drawn[:, 60] < 200)[0] - 30).max() <= 2
    if pen > 1.5:
        assert drawn[:, 60].min() < 30


def test_faint_ink_counts_beside_dark_ink_and_paper_noise_does_not() -> None:
    image = np.full((40, 200), 255, np.uint8)
    cv2.line(image, (10, 20), (60, 20), 0, 3)
    cv2.line(image, (110, 20), (160, 20), 190, 3)
    image[10:14, 180:184] = 240
    drawn = redraw(image, 2.0)
    assert drawn[20, 40] < 60
    assert drawn[20, 130] < 60
    assert (drawn[:, 175:] == 255).all()
    assert (redraw(np.full((40, 60), 255, np.uint8), 2.0) == 255).all()

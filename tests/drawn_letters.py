"""Capitals of straight strokes, as people print them into forms, drawn with exact ink."""

from __future__ import annotations

import cv2
import numpy as np

from hwr.arrays import Grey

#: The strokes of each capital in a box of 1 by 1, from the upper left: x, y to x, y.
STROKES: dict[str, list[tuple[float, float, float, float]]] = {
    "A": [(0, 1, 0.5, 0), (0.5, 0, 1, 1), (0.2, 0.6, 0.8, 0.6)],
    "E": [(0, 0, 0, 1), (0, 0, 1, 0), (0, 0.5, 0.8, 0.5), (0, 1, 1, 1)],
    "F": [(0, 0, 0, 1), (0, 0, 1, 0), (0, 0.5, 0.8, 0.5)],
    "H": [(0, 0, 0, 1), (1, 0, 1, 1), (0, 0.5, 1, 0.5)],
    "I": [(0, 0, 0, 1)],
    "L": [(0, 0, 0, 1), (0, 1, 1, 1)],
    "M": [(0, 1, 0, 0), (0, 0, 0.5, 0.6), (0.5, 0.6, 1, 0), (1, 0, 1, 1)],
    "N": [(0, 1, 0, 0), (0, 0, 1, 1), (1, 1, 1, 0)],
    "T": [(0, 0, 1, 0), (0.5, 0, 0.5, 1)],
    "V": [(0, 0, 0.5, 1), (0.5, 1, 1, 0)],
    "-": [(0.1, 0.5, 0.9, 0.5)],
}


def draw(text: str, height: int = 24, pen: int = 2, margin: int = 10, tone: int = 255) -> Grey:
    """Return the darkness of `text`, (H, W) uint8, 0 paper, its letters `height` rows high."""
    width, gap = round(0.6 * height), round(0.35 * height)
    widths = [0 if letter == "I" else width for letter in text]
    across = sum(widths) + gap * (len(text) - 1) + 2 * margin + pen
    dark = np.zeros((height + 2 * margin + pen, across), np.uint8)
    left, top = margin + pen // 2, margin + pen // 2
    for letter, wide in zip(text, widths, strict=True):
        for x, y, to_x, to_y in STROKES[letter]:
            start = left + round(x * wide), top + round(y * height)
            end = left + round(to_x * wide), top + round(to_y * height)
            cv2.line(dark, start, end, tone, pen)
        left += wide + gap
    return dark

"""Lines of writing: the rows that each takes, and which of them holds the name."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr.arrays import Grey, runs_of

#: Ink is what is darker than the paper by this share of the darkest stroke.
INK_THRESHOLD = 0.3

#: A line is at least this share as high as the name if it may be the name as well.
RIVAL = 0.6

#: Where among several lines of writing the name's middle is looked for, as a share of the height,
#: for prompts are printed above names; and what a line counts that the upper edge cuts. Of 2,237
#: Kaggle training pictures with several lines, the wrong one is chosen in 15; in 65 at 0.5 and 1.
NAME_AT, CUT_ABOVE = 0.6, 0.8


def ink_of(evened: Grey) -> NDArray[np.bool_]:
    return evened < 255 * (1 - INK_THRESHOLD)


def line_rows(evened: Grey) -> list[slice]:
    """Return the rows of the line of writing that the picture is about, and then of the others.

    Forms cut out with the lines above and below show rests of them. Rows without ink
    separate lines; accents and dots, small and close to their letters, belong to them.
    Among several lines the name is tall and a little below the middle: prompts are printed
    small and above it, and neighbours are cut off at the edge.
    The others, cut off or not, are sorted by the same measure.
    """
    height = evened.shape[0]
    ink = ink_of(evened)
    kept, all_bands = without_cut_off_rests(ink), _lines(ink)
    bands = (all_bands if kept is ink else _lines(kept)) or all_bands
    if not bands:
        return [slice(0, height)]

    def prominence(band: tuple[int, int]) -> float:
        away = abs((band[0] + band[1]) / 2 / height - NAME_AT)
        return float((band[1] - band[0]) * (1 - away) * (1 if band[0] else CUT_ABOVE))

    def rows(band: tuple[int, int]) -> slice:
        margin = max(2, round(0.2 * (band[1] - band[0])))
        return slice(max(0, band[0] - margin), min(height, band[1] + margin))

    chosen = rows(max(bands, key=prominence))
    apart = [
        (top, bottom)
        for top, bottom in all_bands
        if min(bottom, chosen.stop) - max(top, chosen.start) <= 0.5 * (bottom - top)
    ]
    return [chosen, *(rows(band) for band in sorted(apart, key=prominence, reverse=True))]


def rivals(rows: list[slice]) -> tuple[int, ...]:
    """Return the numbers of other lines that are about as high as the first one."""
    heights = [band.stop - band.start for band in rows]
    return tuple(n for n, height in enumerate(heights) if n and height >= RIVAL * heights[0])


def _lines(ink: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the rows of each line of writing in `ink`, (H, W), from above."""
    # Ten times as fast as NumPy's sum of truth values.
    counts = cv2.reduce(ink.view(np.uint8), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
    return _merge_accents(runs_of(np.asarray(counts)[:, 0] > 1))


def without_cut_off_rests(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `ink`, (H, W), less the connected pieces that are cut by the upper or lower edge.

    Only pieces that reach less than a third into the picture: a tall letter that touches
    the edge of a tight crop stays.
    """
    third = -(-ink.shape[0] // 3)
    kept = ink
    # A piece that reaches from the edge out of its third of the rows touches the last of them, so
    # that is all that has to be looked at.
    for flipped in (False, True):
        rows = slice(None, None, -1) if flipped else slice(None)
        if not ink[rows][0].any():
            continue
        part = ink[rows][:third].astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(part)
        cut = stats[:, cv2.CC_STAT_TOP] == 0
        cut &= stats[:, cv2.CC_STAT_HEIGHT] < ink.shape[0] / 3
        cut[0] = False  # label 0 is the paper
        if cut.any():
            kept = kept.copy() if kept is ink else kept
            kept[rows][:third] &= ~cut[labels]
    return kept


def _merge_accents(bands: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join bands that are closer than a quarter of the larger one's height."""
    merged = bands[:1]
    for top, bottom in bands[1:]:
        above = merged[-1]
        taller = max(above[1] - above[0], bottom - top)
        smaller = min(above[1] - above[0], bottom - top)
        if top - above[1] <= 0.25 * taller and smaller <= 0.5 * taller:
            merged[-1] = (above[0], bottom)
        else:
            merged.append((top, bottom))
    return merged

from __future__ import annotations

import cv2
import numpy as np
import pytest
from helpers import write_word
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from hwr.paper import paper_of
from hwr.preprocess import MARGIN, count_lines, pad, padded_width, prepare, trace
from hwr.spec import Spec

SPEC = Spec()


def similar(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation of two prepared images of nearly the same width."""
    assert abs(a.shape[1] - b.shape[1]) <= 0.06 * a.shape[1]
    b = cv2.resize(b, a.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_tracing_gives_the_very_pixels_of_preparing() -> None:
    picture = write_word("MARTIN")
    prepared, steps = trace(picture, SPEC)
    assert prepared.image.tobytes() == prepare(picture, SPEC).image.tobytes()
    assert steps[-1].image.tobytes() == pad(prepared.image, SPEC).tobytes()
    assert [step.name for step in steps] == [
        "grey", "polarity", "even background", "band", "ink crop", "scale", "pad",
    ]  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=90)))
def test_any_picture_gives_an_image_the_network_takes(picture: np.ndarray) -> None:
    prepared = prepare(picture, SPEC)
    assert prepared.image.dtype == np.uint8
    assert prepared.image.shape[0] == SPEC.height
    assert 1 <= prepared.image.shape[1] <= SPEC.max_width
    assert pad(prepared.image, SPEC).shape[1] % SPEC.width_step == 0
    assert not prepared.blank or (prepared.image == 255).all()


@pytest.mark.parametrize(
    "picture",
    [np.zeros((0, 5), np.uint8), np.zeros((5, 5, 3), np.uint8), np.zeros((5, 5), np.float32)],
    ids=["empty", "colour", "float"],
)
def test_other_arrays_are_refused(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="Received: shape"):
        prepare(picture, SPEC)


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_even_paper_of_any_brightness_is_blank(grey: int) -> None:
    prepared = prepare(np.full((50, 300), grey, np.uint8), SPEC)
    assert prepared.blank
    assert (prepared.image == 255).all()


@pytest.mark.parametrize("grey", [0, 20, 60, 120, 180, 235, 250])
@pytest.mark.parametrize("shape", [(60, 300), (480, 640), (1500, 2000)])
def test_grain_of_paper_is_blank(grey: int, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).normal(grey, 4, shape).clip(0, 255).astype(np.uint8)
    assert prepare(noise, SPEC).blank


def test_light_ink_on_dark_reads_as_its_negative() -> None:
    picture = write_word("MARTIN")
    straight, inverted = prepare(picture, SPEC), prepare(255 - picture, SPEC)
    assert not inverted.blank
    assert similar(straight.image, inverted.image) > 0.99


def test_shadow_is_evened_out() -> None:
    picture = write_word("MARTIN")
    shadow = np.linspace(0.35, 1.0, picture.shape[1])[None, :]
    evened = prepare((picture * shadow).astype(np.uint8), SPEC).image
    assert similar(prepare(picture, SPEC).image, evened) > 0.97


def test_faint_ink_is_strengthened() -> None:
    faint = 255 - (255 - write_word("MARTIN")) // 5
    assert int(prepare(faint, SPEC).image.min()) < 80


def test_margins_around_the_name_do_not_matter() -> None:
    picture = write_word("MARTIN")
    framed = cv2.copyMakeBorder(picture, 60, 90, 150, 40, cv2.BORDER_CONSTANT, value=255)
    assert similar(prepare(picture, SPEC).image, prepare(framed, SPEC).image) > 0.97


def test_ink_fills_the_height_but_for_the_margin() -> None:
    rows = np.flatnonzero((prepare(write_word("MARTIN"), SPEC).image < 128).any(axis=1))
    filled = (rows[-1] - rows[0] + 1) / SPEC.height
    assert filled == pytest.approx(1 / (1 + 2 * MARGIN), abs=0.08)


def test_a_name_wider_than_256_columns_keeps_its_last_letter() -> None:
    picture = np.full((31, 388), 255, np.uint8)
    picture[8:24, 40:44] = 0
    picture[8:24, 372:376] = 0
    image = prepare(picture, SPEC).image
    columns = np.flatnonzero((image < 128).any(axis=0))
    assert (columns[-1] - columns[0]) / SPEC.height == pytest.approx(335 / (16 * 1.3), rel=0.05)


def test_aspect_is_kept_when_the_name_is_too_wide_for_the_network() -> None:
    picture = np.full((40, 1500), 255, np.uint8)
    picture[10:30, 20:40] = 0
    picture[10:30, 1460:1480] = 0
    image = prepare(picture, SPEC).image
    assert image.shape == (SPEC.height, SPEC.max_width)
    rows = np.flatnonzero((image < 128).any(axis=1))
    columns = np.flatnonzero((image < 128).any(axis=0))
    assert (columns[-1] - columns[0]) / (rows[-1] - rows[0]) == pytest.approx(73, rel=0.2)


def test_small_writing_between_printed_lines_is_enlarged() -> None:
    """A tall field: a prompt above, the name in the middle, a cut-off prompt below."""
    picture = np.full((70, 284), 255, np.uint8)
    cv2.putText(picture, "PRENOM", (28, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.35, 0, 1, cv2.LINE_AA)
    cv2.putText(picture, "LEA", (30, 48), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0, 1, cv2.LINE_AA)
    cv2.putText(picture, "DATE", (28, 74), cv2.FONT_HERSHEY_SIMPLEX, 0.35, 0, 1, cv2.LINE_AA)
    alone = np.full((70, 284), 255, np.uint8)
    cv2.putText(alone, "LEA", (30, 48), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0, 1, cv2.LINE_AA)
    assert similar(prepare(picture, SPEC).image, prepare(alone, SPEC).image) > 0.97


def test_of_two_lines_the_name_is_the_lower_one() -> None:
    """A prompt as large as the name above it; a line that the upper edge cuts; both cut."""

    def line(height: int, text: str, baseline: int) -> np.ndarray:
        page = np.full((height, 284), 255, np.uint8)
        cv2.putText(page, text, (30, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 0, 1, cv2.LINE_AA)
        return page

    for height, above, below in ((50, 23, 44), (36, 13, 32), (36, 11, 38)):
        name = line(height, "BASILE", below)
        both = np.minimum(line(height, "CODE", above), name)
        expected = prepare(name, SPEC).image
        found = prepare(both, SPEC).image
        assert found.shape == expected.shape
        assert similar(found, expected) > 0.97


def test_cut_off_rests_of_neighbouring_lines_are_left_out() -> None:
    picture = write_word("NOLAN", height=44)
    clean = prepare(picture, SPEC).image
    for x in range(20, 200, 22):
        picture[0:5, x : x + 3] = 0
        picture[41:44, x + 9 : x + 12] = 0
    assert similar(clean, prepare(picture, SPEC).image) > 0.97


@pytest.mark.parametrize("angle", [-5, -1, 2, 4])
def test_what_lies_beside_the_paper_is_left_out(angle: float) -> None:
    """A sheet on a dark table, photographed askew."""

    def photograph(table: float) -> np.ndarray:
        sheet = np.full((600, 800), 205, np.uint8)
        cv2.putText(sheet, "MARTIN", (180, 330), cv2.FONT_HERSHEY_SIMPLEX, 3, 50, 7, cv2.LINE_AA)
        turned = cv2.getRotationMatrix2D((400, 300), angle, 1)
        return np.asarray(cv2.warpAffine(sheet, turned, (800, 600), borderValue=table), np.uint8)

    expected = prepare(photograph(205), SPEC).image
    for table in (120, 30):
        found = prepare(photograph(table), SPEC).image
        assert abs(found.shape[1] - expected.shape[1]) <= 2
        width = min(found.shape[1], expected.shape[1])
        assert similar(found[:, :width], expected[:, :width]) > 0.9


def test_writing_that_reaches_into_a_corner_is_not_left_out() -> None:
    picture = np.full((200, 400), 255, np.uint8)
    for left, top, right in ((0, 0, 8), (0, 192, 100), (180, 0, 188), (300, 0, 308)):  # L, I, I
        picture[top:, left:right] = 0
    assert trace(picture, SPEC)[1][2].image[-1, 0] < 128


def test_accents_stay_with_their_letters() -> None:
    picture = np.full((80, 300), 255, np.uint8)
    cv2.putText(picture, "EVE", (30, 66), cv2.FONT_HERSHEY_SIMPLEX, 1.1, 0, 3, cv2.LINE_AA)
    cv2.line(picture, (45, 36), (53, 30), 0, 3)
    # The ink crop, the last but two of the steps, still shows the accent above the letters.
    crop = trace(picture, SPEC)[1][4].image
    runs = np.diff((crop < 128).any(axis=1).astype(int))
    assert (runs == 1).sum() == 2


def test_padding_is_paper_and_depends_on_the_image_alone() -> None:
    image = np.zeros((SPEC.height, 65), np.uint8)
    padded = pad(image, SPEC)
    assert padded.shape == (SPEC.height, 128)
    assert (padded[:, :65] == 0).all()
    assert (padded[:, 65:] == 255).all()
    assert [padded_width(w, SPEC) for w in (1, 64, 65, 640)] == [64, 64, 128, 640]


def test_twenty_megapixels_are_read_like_their_thumbnail() -> None:
    picture = cv2.resize(write_word("MARTIN"), (8000, 1333), interpolation=cv2.INTER_CUBIC)
    small = prepare(write_word("MARTIN"), SPEC).image
    assert similar(small, prepare(picture, SPEC).image) > 0.95


def test_ink_is_black_and_paper_white_in_the_prepared_image() -> None:
    image = prepare(write_word("MARTIN") // 2 + 60, SPEC).image
    assert np.percentile(image, 75) == 255
    assert image.min() < 64


def test_other_lines_come_after_the_one_that_looks_like_the_name() -> None:
    name = write_word("MARTIN")
    other = cv2.resize(write_word("LEA"), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    width = max(name.shape[1], other.shape[1])
    above, below = (
        np.pad(p, ((0, 20), (0, width - p.shape[1])), constant_values=255) for p in (other, name)
    )
    picture = np.vstack([above, below])
    assert count_lines(name) == 1
    assert count_lines(picture) == 2
    assert count_lines(np.full((60, 200), 255, np.uint8)) == 1
    assert similar(prepare(picture, SPEC).image, prepare(name, SPEC).image) > 0.9
    assert similar(prepare(picture, SPEC, line=1).image, prepare(other, SPEC).image) > 0.9
    prepared, steps = trace(picture, SPEC, line=1)
    assert (prepared.image == prepare(picture, SPEC, line=1).image).all()
    assert [step.name for step in steps] == [step.name for step in trace(name, SPEC)[1]]
    with pytest.raises(IndexError):
        prepare(picture, SPEC, line=2)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.45, 0.6])
def test_the_paper_is_the_median_around(share: float) -> None:
    """Also where the answer is known without looking for it, because most of it is white."""
    rng = np.random.default_rng(7)
    grey = np.full((21, 80), 250, np.uint8)
    inked = rng.random(grey.shape) < share * np.linspace(0.5, 1.5, 80)
    grey[inked] = rng.integers(0, 240, inked.sum())
    framed = np.pad(grey, 10, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(framed, (21, 21))
    median = np.median(windows, axis=(2, 3)).astype(np.uint8)
    assert (paper_of(grey) == cv2.blur(median, (5, 5))).all()
    assert (median == 250).all() == (share < 0.3)

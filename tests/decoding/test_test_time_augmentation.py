from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import write_word

from hwr.data.dataset import open_dataset
from hwr.decoding.confidence import DecodingParameters
from hwr.decoding.decoder import Decoder
from hwr.decoding.test_time_augmentation import VIEWS, View, blend
from hwr.defaults import SAMPLES
from hwr.preprocess import prepare
from hwr.recognizer import Recognizer
from hwr.spec import Spec

SPEC = Spec()
IMAGE = prepare(write_word("MARTIN"), SPEC).image


def test_a_plain_view_is_the_image() -> None:
    assert (View().of(IMAGE) == IMAGE).all()


def test_views_move_lean_and_shrink() -> None:
    image = np.full((41, 60), 255, np.uint8)
    image[10:31, 30] = 0  # an upright stroke of 21 rows around the middle
    assert (View(shift=3).of(image)[13:34, 30] == 0).all()
    assert np.flatnonzero(View(size=0.5).of(image)[:, 30] < 128) == pytest.approx(
        np.arange(15, 26), abs=1
    )
    ink = 255.0 - View(lean=0.5).of(image)
    places = (ink * np.arange(60)).sum(axis=1)[10:31] / ink.sum(axis=1)[10:31]
    assert places == pytest.approx(30 - 0.5 * (np.arange(10, 31) - 20), abs=0.1)


def test_views_keep_the_shape_and_most_of_the_ink() -> None:
    assert len(set(VIEWS)) == len(VIEWS) >= 3
    for view in VIEWS:
        seen = view.of(IMAGE)
        assert (seen.shape, seen.dtype) == (IMAGE.shape, np.uint8)
        assert (seen != IMAGE).any()
        assert 0.8 < (255.0 - seen).sum() / (255.0 - IMAGE).sum() < 1.1


def test_blend_is_the_normalised_geometric_mean() -> None:
    one, two = np.log([[0.8, 0.1, 0.1]]), np.log([[0.2, 0.2, 0.6]])
    product = np.sqrt([0.16, 0.02, 0.06])
    assert np.exp(blend([one, two + 5])) == pytest.approx(product[None] / product.sum())


class Engine:
    """Says A of every picture, unsurely of the first look and surely of all views."""

    def __init__(self, first: float, later: float) -> None:
        self.chances = [first, later]
        self.seen: list[int] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        a = self.chances[min(1, len(self.seen))]
        self.seen.append(len(images))
        logits = np.zeros((len(images), images.shape[2] // 4, SPEC.alphabet.classes))
        logits[:, :, 0] = 20
        ids = SPEC.alphabet.encode("AB")
        logits[:, 3] = -20
        logits[:, 3, ids] = np.log([a, 1 - a])
        return logits.astype(np.float32)


def reader(engine: Engine) -> Recognizer:
    recognizer = Recognizer(SPEC, engine)
    recognizer.decoder = Decoder(SPEC.alphabet, replace(DecodingParameters(), sure=0.9))
    return recognizer


@pytest.mark.parametrize("details", [True, False])
def test_only_what_is_unsure_is_looked_at_again(details: bool) -> None:
    picture = write_word("MARTIN")
    sure = Engine(0.95, 0.2)
    reading = reader(sure).read(picture, tta=True, details=details)
    assert (reading.text, sure.seen) == ("A", [1])
    hasty = Engine(0.6, 0.1)
    assert reader(hasty).read(picture, details=details).text == "A"
    assert hasty.seen == [1]
    tta = Engine(0.6, 0.1)
    reading = reader(tta).read(picture, tta=True, details=details)
    assert (reading.text, tta.seen) == ("B", [1, len(VIEWS)])
    odds = np.log(0.4 / 0.6) + len(VIEWS) * np.log(0.9 / 0.1)
    expected = 1 / (1 + np.exp(-odds / (1 + len(VIEWS))))
    assert reading.confidence == pytest.approx(expected, abs=1e-4)
    if details:
        assert reading.timeline is not None
        b = reading.timeline.probabilities[3, SPEC.alphabet.encode("B")[0]]
        assert b == pytest.approx(expected, abs=1e-4)


def test_many_are_read_as_one_by_one() -> None:
    recognizer = Recognizer.load()
    files = [s.path for s in open_dataset(SAMPLES, "validation", recognizer.spec.alphabet)]
    many = list(recognizer.read_many(files, tta=True))
    alone = [recognizer.read(file, tta=True, details=False) for file in files]
    assert [r.candidates for r in many] == [r.candidates for r in alone]
    hasty = list(recognizer.read_many(files))
    sure = recognizer.decoder.parameters.sure
    for first, second in zip(hasty, many, strict=True):
        assert (first.confidence < sure) == (first.candidates != second.candidates)
    assert any(r.confidence < sure for r in hasty)


class Lines:
    """Reads wide pictures as A, not surely, and narrow ones as B."""

    def __init__(self, wide: float, narrow: float) -> None:
        self.chances = wide, narrow

    def __call__(self, images: np.ndarray) -> np.ndarray:
        logits = np.zeros((len(images), images.shape[2] // 4, SPEC.alphabet.classes))
        logits[:, :, 0] = 20
        narrow = images.shape[2] < 200
        chance = self.chances[narrow]
        logits[:, 3] = -20
        logits[:, 3, SPEC.alphabet.encode("AB"[narrow])] = np.log(chance)
        logits[:, 3, SPEC.alphabet.encode("CDEFGHIJ")] = np.log((1 - chance) / 8)
        return logits.astype(np.float32)


def small(text: str) -> np.ndarray:
    return cv2.resize(write_word(text), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)


def two_lines() -> np.ndarray:
    above, below = small("LEA"), write_word("MARTIN GALLAND")
    assert prepare(below, SPEC).image.shape[1] > 250
    above = np.pad(above, ((0, 20), (0, below.shape[1] - above.shape[1])), constant_values=255)
    return np.vstack([above, below])


@pytest.mark.parametrize(
    ("wide", "narrow", "text"),
    [(0.2, 0.9, "B"), (0.2, 0.25, "A"), (0.3, 0.9, "A"), (0.9, 0.95, "A")],
)
def test_another_line_is_read_where_the_first_says_little(
    wide: float, narrow: float, text: str
) -> None:
    recognizer = reader(Lines(wide, narrow))  # type: ignore[arg-type]
    recognizer.decoder = Decoder(SPEC.alphabet, replace(DecodingParameters(), sure=0.1))
    picture = two_lines()
    for tta in (False, True):
        full = recognizer.read(picture, tta=tta)
        plain = recognizer.read(picture, tta=tta, details=False)
        (many,) = recognizer.read_many([picture], tta=tta)
        assert full.text == plain.text == many.text == text
        assert full.confidence == plain.confidence == many.confidence
        narrow_seen = full.steps[-1].image.shape[1] < 200
        assert narrow_seen == (text == "B")


def test_a_file_that_vanishes_meanwhile_keeps_its_first_reading(tmp_path: Path) -> None:
    """Another line is looked for in the file itself, which may be gone by then."""
    file = tmp_path / "two.png"
    cv2.imwrite(str(file), two_lines())
    lines = Lines(0.2, 0.9)

    def engine(images: np.ndarray) -> np.ndarray:
        file.unlink(missing_ok=True)
        return lines(images)

    (reading,) = reader(engine).read_many([file])  # type: ignore[arg-type]
    assert reading.text == "A"

"""Pictures that hold more than one line, lie on their side, or have pixels that are no squares."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import ROOT
from PIL import Image

from hwr.arrays import Grey
from hwr.cli import main
from hwr.image import load_image
from hwr.recognizer import Recognizer

FIELDS = ROOT / "tests" / "fields"


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.load()


@pytest.fixture(scope="module")
def names(recognizer: Recognizer) -> list[tuple[Grey, str]]:
    """Three samples that are read surely, cut to their ink."""
    found: list[tuple[Grey, str]] = []
    for path in sorted((ROOT / "assets" / "samples").rglob("*.jpg")):
        pixels = load_image(path).pixels
        reading = recognizer.read(pixels)
        line = next(step.image for step in reading.steps if step.name == "ink crop")
        if len(reading.text) >= 5 and reading.confidence > 0.97:
            page = cv2.copyMakeBorder(
                line, 12, 12, 20, 400 - line.shape[1], cv2.BORDER_CONSTANT, value=255
            )
            again = recognizer.read(np.asarray(page, np.uint8))
            if again.text == reading.text and again.confidence > 0.95:
                found.append((np.asarray(page, np.uint8), reading.text))
        if len(found) == 3:
            return found
    raise AssertionError("fewer than three samples are read surely")


@pytest.fixture(scope="module")
def stacked(names: list[tuple[Grey, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lines") / "two.png"
    cv2.imwrite(str(path), np.vstack([names[0][0], names[1][0]]))
    return path


def test_lines_are_read_from_above(
    recognizer: Recognizer, names: list[tuple[Grey, str]], stacked: Path
) -> None:
    readings = recognizer.read_lines(stacked)
    assert [reading.text for reading in readings] == [names[0][1], names[1][1]]
    assert all(reading.steps and reading.letters for reading in readings)
    hasty = recognizer.read_lines(stacked, details=False)
    assert [reading.text for reading in hasty] == [names[0][1], names[1][1]]
    assert recognizer.read_lines(np.full((60, 200), 255, np.uint8)) == []


def test_a_reading_is_not_sure_beside_another_clear_line(
    recognizer: Recognizer, names: list[tuple[Grey, str]], stacked: Path
) -> None:
    one = recognizer.read(stacked)
    (many,) = recognizer.read_many([stacked])
    for reading in (one, many):
        texts = {reading.text, *reading.others}
        assert texts == {names[0][1], names[1][1]}
        assert reading.confidence >= reading.sure
        assert reading.verdict == "please check"
        assert f"'{reading.others[0]}'" in reading.notes[-1]
    alone = recognizer.read(names[0][0])
    assert (alone.others, alone.verdict) == ((), "sure")


@pytest.mark.parametrize(("quarters", "degrees"), [(1, 90), (3, 270)])
def test_a_picture_on_its_side_is_turned(
    recognizer: Recognizer, names: list[tuple[Grey, str]], quarters: int, degrees: int
) -> None:
    pictures = [np.ascontiguousarray(np.rot90(pixels, 4 - quarters)) for pixels, _ in names]
    readings = list(recognizer.read_many(pictures))
    right = [text for _, text in names]
    assert sum(r.text == text for r, text in zip(readings, right, strict=True)) >= 2
    turned = [r for r, text in zip(readings, right, strict=True) if r.text == text]
    assert all(f"{360 - degrees} degrees" in r.notes[-1] for r in turned)
    one = recognizer.read(pictures[0])
    assert (one.text, one.notes) == (readings[0].text, readings[0].notes)


def test_the_resolution_of_a_fax_makes_its_pixels_square(tmp_path: Path) -> None:
    low = np.full((20, 60), 255, np.uint8)
    low[5:10, 10:30] = 0
    Image.fromarray(low).save(tmp_path / "fax.png", dpi=(204, 98))
    picture = load_image(tmp_path / "fax.png")
    assert picture.pixels.shape == (42, 60)
    assert "no squares" in picture.notes[0]
    Image.fromarray(low).save(tmp_path / "scan.png", dpi=(300, 300))
    scan = load_image(tmp_path / "scan.png")
    assert (scan.pixels == low).all()
    assert scan.notes == ()
    Image.fromarray(low).save(tmp_path / "odd.png", dpi=(7200, 72))
    assert load_image(tmp_path / "odd.png").pixels.shape == (20, 60)


def test_lines_on_the_command_line(
    names: list[tuple[Grey, str]], stacked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = names[0][1], names[1][1]
    assert main(["read", "--lines", str(stacked)]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[:2] for row in rows] == [[str(stacked), first], [str(stacked), second]]
    assert main(["read", "--join-lines", str(stacked)]) == 0
    (row,) = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert row[1] == f"{first} {second}"
    assert main(["read", "--lines", str(stacked), str(stacked.parent / "none.png")]) == 2
    assert "none.png" in capsys.readouterr().err

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import ROOT, TINY, write_word

import hwr
from hwr.decoding.beam import beam
from hwr.decoding.ctc import greedy_text
from hwr.decoding.lexicon import Lexicon, LexiconError
from hwr.image import ImageError, Picture, load_image
from hwr.parallel import usable_cores
from hwr.preprocess import pad, prepare
from hwr.reading import Reading
from hwr.recognizer import Recognizer


@pytest.fixture(scope="module")
def recognizer(tiny_model: Path) -> Recognizer:
    return Recognizer.load(tiny_model)


def test_reading_holds_what_the_network_said(recognizer: Recognizer) -> None:
    picture = write_word("MARTIN")
    reading = recognizer.read(picture)
    image = pad(prepare(picture, TINY).image, TINY)
    (logits,) = recognizer.logits(image[None])
    (best, *_) = beam(logits, TINY.alphabet)
    assert reading.text == best.text.strip()
    (greedy,) = recognizer.read_many([picture], greedy=True)
    assert isinstance(greedy, Reading)
    assert greedy.text == greedy_text(logits, TINY.alphabet).strip()
    assert "".join(letter.character for letter in reading.letters) == reading.text
    assert 0 < reading.confidence < 1
    assert len(reading.candidates) == 5
    assert reading.timeline is not None
    assert reading.timeline.probabilities.shape == logits.shape
    assert reading.candidates[0].text == reading.text
    assert reading.steps[-1].image.tobytes() == image.tobytes()
    assert reading.milliseconds > 0
    assert not reading.blank


def test_reading_without_details_says_the_same(recognizer: Recognizer) -> None:
    full = recognizer.read(write_word("MARTIN"))
    plain = recognizer.read(write_word("MARTIN"), details=False)
    assert (plain.text, plain.confidence) == (full.text, full.confidence)
    assert plain.candidates == full.candidates
    assert (plain.letters, plain.steps, plain.timeline) == ((), (), None)


def test_read_many_keeps_no_pixels(recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[weakref.ref[np.ndarray]] = []
    alive: list[int] = []

    def load(source: object) -> Picture:
        pixels = write_word("ANNA")
        loaded.append(weakref.ref(pixels))
        alive.append(sum(pixels() is not None for pixels in list(loaded)))
        return Picture(pixels, ("a note",))

    monkeypatch.setattr("hwr.recognizer.load_image", load)
    readings = list(recognizer.read_many([b""] * 60))
    assert [r.notes for r in readings if isinstance(r, Reading)] == [("a note",)] * 60
    assert max(alive) <= usable_cores() + 1


def test_with_one_core_read_many_reads_in_the_thread_that_asks(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["ANNA", "LEO", "MARTIN"]
    several = [r.text for r in recognizer.read_many(map(write_word, names))]
    threads: set[int] = set()

    def load(source: object) -> Picture:
        threads.add(threading.get_ident())
        if source is None:
            raise ImageError("no-picture", "There is none.")
        return load_image(source)

    monkeypatch.setattr("hwr.parallel.usable_cores", lambda: 1)
    monkeypatch.setattr("hwr.recognizer.load_image", load)
    first, broken, *others = recognizer.read_many(
        [write_word(names[0]), None, *map(write_word, names[1:])]
    )
    assert isinstance(broken, ImageError)
    assert [r.text for r in (first, *others)] == several
    assert threads == {threading.get_ident()}


def test_read_many_takes_few_large_pictures_at_once(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = write_word("ANNA")
    monkeypatch.setattr("hwr.recognizer.CHUNK_BYTES", 5 * picture.nbytes)
    taken = 0

    def sources() -> Iterator[np.ndarray]:
        nonlocal taken
        for _ in range(30):
            taken += 1
            yield picture

    readings = recognizer.read_many(sources())
    next(readings)
    assert taken == 10  # five that are read and five behind them
    assert len(list(readings)) == 29


def test_blank_picture_is_an_empty_name_and_no_guess(recognizer: Recognizer) -> None:
    reading = recognizer.read(np.full((200, 800), 255, np.uint8))
    assert (reading.text, reading.blank, reading.verdict) == ("", True, "nothing written")
    assert reading.letters == ()
    assert reading.confidence == 1


@pytest.mark.parametrize(
    ("text", "confidence", "verdict"),
    [
        ("ANNA", 0.95, "sure"),
        ("ANNA", 0.5, "please check"),
        ("", 0.99, "nothing written"),
        ("", 0.2, "please check"),
    ],
)
def test_verdict(text: str, confidence: float, verdict: str) -> None:
    assert Reading(text, confidence, (), (), (), False, (), 1.0).verdict == verdict


def test_lexicon_may_be_text_names_or_a_lexicon(recognizer: Recognizer) -> None:
    picture = write_word("MARTIN")
    texts = ("Léo\nAnna", ["Léo", "Anna"], Lexicon.of(["Léo", "Anna"]))
    readings = [recognizer.read(picture, lexicon=names) for names in texts]
    (many,) = recognizer.read_many([picture], lexicon="Léo, Anna")
    assert isinstance(many, Reading)
    for reading in [*readings, many]:
        assert reading.absent == pytest.approx(readings[0].absent, rel=1e-3)
        assert reading.listed == (reading.absent < 0.5)
        assert reading.listed == (reading.text in ("Léo", "Anna"))
    assert recognizer.read(picture, lexicon="  ").absent is None
    with pytest.raises(LexiconError, match="'R2', holds '2'"):
        recognizer.read(picture, lexicon="R2")


def test_a_name_that_is_not_expected_is_to_be_checked() -> None:
    def verdict(absent: float | None) -> str:
        return Reading("ANNA", 0.95, (), (), (), False, (), 1.0, absent).verdict

    assert [verdict(absent) for absent in (None, 0.1, 0.9)] == ["sure", "sure", "please check"]


def test_many_read_as_one_by_one_whatever_stands_beside_them(
    recognizer: Recognizer, tmp_path: Path
) -> None:
    pictures: list[object] = [
        write_word(text, width=width)
        for text, width in [("A", 60), ("MARTIN", 240), ("LEO", 240), ("JEAN-BAPTISTE", 400)]
    ]
    pictures.insert(2, b"no picture")
    pictures.append(np.full((50, 50), 255, np.uint8))
    cv2.imwrite(str(tmp_path / "a.png"), write_word("ANNA"))
    pictures.append(tmp_path / "a.png")
    results = list(recognizer.read_many(iter(pictures)))
    assert isinstance(results[2], ImageError)
    for picture, result in zip(pictures, results, strict=True):
        if isinstance(result, ImageError):
            continue
        alone = recognizer.read(picture)
        assert result.text == alone.text
        assert result.confidence == pytest.approx(alone.confidence, rel=1e-4)


def test_threads_share_a_recognizer(recognizer: Recognizer) -> None:
    pictures = [write_word(text) for text in ("ANNA", "LEO", "IDA", "TOM")]
    expected = [recognizer.read(p).text for p in pictures]
    found: list[list[str]] = [[] for _ in range(4)]

    def work(texts: list[str]) -> None:
        texts.extend(recognizer.read(p).text for p in pictures)

    threads = [threading.Thread(target=work, args=(texts,)) for texts in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_predict_reads_the_picture_with_that_number(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = tmp_path / "test_v2" / "test"
    images.mkdir(parents=True)
    cv2.imwrite(str(images / "TEST_10261.jpg"), write_word("LEO"))
    (tmp_path / "written_name_test_v2.csv").write_text("FILENAME,IDENTITY\nTEST_10261.jpg,LEO\n")
    monkeypatch.setenv("HWR_MODEL", str(tiny_model))
    monkeypatch.setattr("hwr.shipped._default", None)
    reading = hwr.predict(10261, split="test", data=tmp_path)
    again = Recognizer.load(tiny_model).read(images / "TEST_10261.jpg", tta=True)
    assert reading.text == again.text
    assert math.isclose(reading.confidence, again.confidence, rel_tol=1e-4)
    with pytest.raises(ValueError, match="no picture with index 1"):
        hwr.predict(1, split="test", data=tmp_path)


def test_importing_the_package_loads_no_framework() -> None:
    import subprocess
    import sys

    code = (
        "import sys, hwr, hwr.alphabet, hwr.image, hwr.preprocess, hwr.cli;"
        "import hwr.decoding.ctc, hwr.evaluation.metrics;"
        "print([m for m in ('keras', 'tensorflow', 'gradio') if m in sys.modules])"
    )
    root = ROOT
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_keywords_of_the_version_before_are_understood(recognizer: Recognizer) -> None:
    picture = write_word("ANNA")
    old = recognizer.read(picture, roster=["Anna", "Leo"], careful=True)  # type: ignore[call-arg]
    new = recognizer.read(picture, lexicon=["Anna", "Leo"], tta=True)
    assert (old.text, old.absent) == (new.text, new.absent)
    assert new.absent is not None
    with pytest.raises(TypeError, match="rooster"):
        recognizer.read(picture, rooster=["Anna"])  # type: ignore[call-arg]

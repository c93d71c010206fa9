from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers import write_word

from hwr import parallel
from hwr.decoding.lexicon import LexiconError
from hwr.image import load_image
from hwr.reading import Reading
from hwr.ui.batch import rows as batch_reading
from hwr.ui.batch.rows import (
    BatchError,
    Row,
    Source,
    find_pictures,
    for_review,
    needs_review,
    read_batch,
)


def read_many(sources: Iterable[Any]) -> Iterator[Reading]:
    """Read the width of a picture as its text and a hundredth of it as the confidence."""
    for source in sources:
        width = load_image(source).pixels.shape[1]
        yield Reading(f"W {width}", width / 400, (), (), (), False, (), 1.0)


def picture(width: int) -> bytes:
    return cv2.imencode(".png", write_word("AB", width=width))[1].tobytes()


def row(number: int, confidence: float | None, text: str = "A", **settings: Any) -> Row:
    verdict = "cannot be read" if confidence is None else "please check"
    source = Source(f"{number}.png", Path("x"))
    problem = "damaged" if confidence is None else None
    return Row(number, source, text, text, confidence, verdict, problem, **settings)


def test_files_and_archives_become_rows_in_order(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(picture(100))
    with zipfile.ZipFile(tmp_path / "1", "w") as packed:
        packed.writestr("x/a.png", picture(120))
        packed.writestr("note.txt", "hello")
        packed.writestr("x/broken.png", b"no picture")
    (tmp_path / "2").write_bytes(b"plain text, no picture at all")
    files = [("one.png", tmp_path / "0"), ("many.zip", tmp_path / "1"), ("t.png", tmp_path / "2")]
    rows = [r for chunk in read_batch(read_many, find_pictures(files)) for r in chunk]
    assert [(r.number, r.source.name, r.text, r.confidence, r.verdict) for r in rows] == [
        (1, "one.png", "W 100", 0.25, "please check"),
        (2, "x/a.png", "W 120", 0.3, "please check"),
        (3, "note.txt", "", None, "cannot be read"),
        (4, "x/broken.png", "", None, "cannot be read"),
        (5, "t.png", "", None, "cannot be read"),
    ]
    assert "does not end as a picture's" in (rows[2].problem or "")
    assert "text" in (rows[4].problem or "")
    assert rows[0].problem is None
    small = cv2.imdecode(np.frombuffer(rows[0].thumbnail, np.uint8), cv2.IMREAD_UNCHANGED)
    assert small.shape == (36, 90)
    assert rows[2].thumbnail == b""


def test_rows_come_a_chunk_at_a_time_and_as_soon_as_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_reading, "CHUNK", 2)
    (tmp_path / "a").write_bytes(picture(80))
    taken: list[int] = []

    def counted(sources: Iterable[Any]) -> Iterator[Reading]:
        for reading in read_many(sources):
            taken.append(1)
            yield reading

    chunks = read_batch(counted, find_pictures([("a.png", tmp_path / "a")] * 5))
    assert [r.number for r in next(chunks)] == [1, 2]
    assert len(taken) == 2
    assert [[r.number for r in chunk] for chunk in chunks] == [[3, 4], [5]]


def test_one_core_loads_pictures_without_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(picture(80))
    threads = set()

    def load(source: Any) -> Any:
        threads.add(threading.current_thread())
        return load_image(source)

    monkeypatch.setattr(batch_reading, "load_image", load)
    monkeypatch.setattr(parallel, "usable_cores", lambda: 1)
    list(read_batch(read_many, find_pictures([("a.png", tmp_path / "a")] * 5)))
    assert threads == {threading.current_thread()}


def test_a_lexicon_is_refused_before_any_picture_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(sources: Iterable[Any]) -> Iterator[Reading]:
        raise LexiconError("The list holds no name; write one name a line.")
        yield from read_many(sources)

    (tmp_path / "a").write_bytes(b"plain text, no picture at all")
    loaded: list[Any] = []
    monkeypatch.setattr(batch_reading, "_load", loaded.append)
    with pytest.raises(LexiconError, match=r"^The list holds no name; "):
        list(read_batch(refuse, find_pictures([("a.png", tmp_path / "a")])))
    assert loaded == []


def test_notes_on_the_file_are_kept(tmp_path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(write_word("AB")).save(tmp_path / "a.jpg", exif=exif)
    ((only,),) = read_batch(read_many, find_pictures([("a.jpg", tmp_path / "a.jpg")]))
    assert only.notes == ("Turned upright by the camera's orientation tag.",)
    assert only.text == "W 40"


def test_too_many_pictures_and_none_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BatchError, match=r"^There are no pictures; choose "):
        find_pictures([])
    monkeypatch.setattr(batch_reading, "MAX_PICTURES", 3)
    (tmp_path / "a").write_bytes(picture(80))
    assert len(find_pictures([("a.png", tmp_path / "a")] * 3)) == 3
    with pytest.raises(BatchError, match=r"^There are 4 pictures, more than 3; "):
        find_pictures([("a.png", tmp_path / "a")] * 4)


def test_a_refused_archive_is_a_row_among_others_and_an_error_alone(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 cut off")
    (tmp_path / "b").write_bytes(picture(80))
    files = [("a.zip", tmp_path / "a.zip"), ("b.png", tmp_path / "b")]
    first, second = find_pictures(files)
    assert (first.name, first.problem) == ("a.zip", "The archive is damaged; pack it again.")
    assert second.problem is None
    with pytest.raises(BatchError, match=r"^The archive is damaged; pack it again\.$"):
        find_pictures(files[:1])


def test_a_vanished_file_is_a_row(tmp_path: Path) -> None:
    ((only,),) = read_batch(read_many, find_pictures([("gone.png", tmp_path / "gone")]))
    assert only.problem
    assert str(tmp_path) not in only.problem


def test_names_of_files_are_shown_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(picture(80))
    (only,) = find_pictures([("a\n\u202ename\x00 .png", tmp_path / "a")])
    assert only.name == "a name .png"


def test_the_least_certain_come_first() -> None:
    rows = [row(1, 0.9), row(2, None, ""), row(3, 0.2), row(4, 1.0, ""), row(5, 0.2)]
    assert [r.number for r in for_review(rows)] == [4, 3, 5, 1, 2]


def test_accepting_and_correcting() -> None:
    read = row(1, 0.5, "ANA")
    assert needs_review(read)
    accepted = read.accept("ANA")
    assert (accepted.text, accepted.checked, accepted.corrected) == ("ANA", True, False)
    corrected = read.accept("  ANNA\n MARIA ")
    assert (corrected.text, corrected.read, corrected.corrected) == ("ANNA MARIA", "ANA", True)
    assert not needs_review(corrected)
    assert len(read.accept("A" * 999).text) == 200
    assert not needs_review(row(2, None, ""))

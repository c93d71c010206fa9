"""The Batch tab's values, without a browser."""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import gradio as gr
import pytest
from helpers import write_word

from hwr.decoding.lexicon import LexiconError
from hwr.image import ImageError, load_image
from hwr.reading import Reading
from hwr.ui.batch import tab as batch_module
from hwr.ui.batch import table as table_module
from hwr.ui.batch.rows import CHUNK, Row, Source
from hwr.ui.batch.tab import Batch, uploaded_files
from hwr.ui.batch.table import merge, shown, summary, table_of
from hwr.ui.server import temp_folder
from hwr.ui.server.downloads import download

# Of Gradio 6.31: event loops left behind.
pytestmark = [
    pytest.mark.usefixtures("gradio"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

HOSTILE = "<img src=x onerror=alert(1)>"


def read(source: Any) -> Reading:
    width = load_image(source).pixels.shape[1]
    return Reading(f"W {width}", width / 400, (), (), (), False, (), 1.0)


def read_many(sources: Iterable[Any]) -> Iterator[Reading]:
    return map(read, sources)


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that Gradio takes uploads into."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def tab() -> Batch:
    with gr.Blocks(analytics_enabled=False):
        return Batch(read, read_many, ())


def upload(folder: Path, name: str, width: int) -> dict[str, Any]:
    path = folder / f"{width}"
    path.write_bytes(cv2.imencode(".png", write_word("A", width=width))[1].tobytes())
    return {"path": str(path), "orig_name": name}


def row(number: int, confidence: float | None = 0.5, **settings: Any) -> Row:
    problem = None if confidence is not None else "It is damaged."
    verdict = "please check" if problem is None else "cannot be read"
    text = "" if problem else "ANA"
    source = Source(f"{number}.png", Path("x"))
    return Row(number, source, text, text, confidence, verdict, problem, **settings)


def silent(*args: Any, **kwargs: Any) -> None:
    """A progress bar that nobody sees."""


def test_reading_ends_in_a_sorted_table_and_its_first_row(tab: Batch, uploads: Path) -> None:
    broken = uploads / "broken"
    broken.write_text("this is no picture, it is a text\n" * 3)
    files = [upload(uploads, "a.png", 200), upload(uploads, "b.png", 100)]
    files.append({"path": str(broken), "orig_name": HOSTILE})
    updates = list(tab.read_all(files, "", "", None, silent))  # type: ignore[arg-type]
    first, last = updates[0], updates[-1]
    assert (first[tab.start]["interactive"], first[tab.stop]["interactive"]) == (False, True)
    assert (last[tab.start]["interactive"], last[tab.stop]["interactive"]) == (True, False)
    table = last[tab.table]["value"]
    assert [(cells[0], cells[2], cells[3], cells[4]) for cells in table] == [
        (2, "W 100", 25, ""), (1, "W 200", 50, ""), (3, "", None, ""),
    ]  # fmt: skip
    assert table[2][6] == HOSTILE
    assert HOSTILE not in table[2][1]
    assert last[tab.current] == 2
    assert "3 pictures: 2 please check, 1 cannot be read." in last[tab.status]


def test_a_growing_table_cannot_be_edited(
    tab: Batch, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "PAUSE", -1.0)
    updates = list(tab.read_all([upload(uploads, "a.png", 200)], "", "", None, silent))  # type: ignore[arg-type]
    assert [u[tab.table]["interactive"] for u in updates if tab.table in u] == [False, True]
    assert "1 of 1 pictures are read." in updates[1][tab.status]


@pytest.mark.parametrize("files", [None, []])
def test_no_files_are_told(tab: Batch, files: Any) -> None:
    *_, last = tab.read_all(files, "", "", None, silent)  # type: ignore[arg-type]
    assert "There are no pictures; choose picture files or a ZIP file" in last[tab.status]
    assert last[tab.start]["interactive"] is True


def test_a_path_of_the_server_is_not_read(tab: Batch, uploads: Path) -> None:
    with pytest.raises(ImageError, match="was not uploaded"):
        uploaded_files([{"path": "/etc/hostname", "orig_name": "a.png", "meta": None}])
    *_, last = tab.read_all([{"path": __file__}], "", "", None, silent)  # type: ignore[arg-type]
    assert "was not uploaded" in last[tab.status]


def test_stopping_keeps_what_was_read_and_stops_no_other_visitor(tab: Batch, uploads: Path) -> None:
    files = [upload(uploads, "a.png", 200)] * (2 * CHUNK + 1)
    one, other = (SimpleNamespace(session_hash=name) for name in ("one", "other"))
    tab.stop_reading(one)  # type: ignore[arg-type]
    reading, going_on = (
        tab.read_all(files, "", "", who, silent)  # type: ignore[arg-type]
        for who in (one, other)
    )
    next(reading), next(going_on)
    update = tab.stop_reading(one)  # type: ignore[arg-type]
    assert update[tab.stop]["interactive"] is False
    (last,) = reading
    assert f"Stopped. {CHUNK} pictures: {CHUNK} please check." in last[tab.status]
    assert len(last[tab.rows]) == CHUNK
    assert (last[tab.start]["interactive"], last[tab.stop]["interactive"]) == (True, False)
    *_, last = going_on
    assert f"{2 * CHUNK + 1} pictures: " in last[tab.status]
    assert tab._stops == {}


def test_accepting_goes_on_to_the_next_uncertain_row(tab: Batch) -> None:
    rows = [row(1, 0.5), row(2, 0.25), row(3, None)]
    update = tab.take(rows, 2, "ANNA", "All", 1)
    assert [(r.text, r.checked) for r in update[tab.rows]] == [
        ("ANA", False), ("ANNA", True), ("", False),
    ]  # fmt: skip
    assert update[tab.current] == 1
    assert [cells[:1] + cells[2:6] for cells in update[tab.table]] == [
        [2, "ANNA", 25, "yes", "corrected"],
        [1, "ANA", 50, "", "please check"],
        [3, "", None, "", "It is damaged."],
    ]
    assert "1 checked, 1 please check, 1 cannot be read" in update[tab.status]
    last = tab.take(update[tab.rows], 1, "ANA", "All", 1)
    assert last[tab.current] == 1
    assert last[tab.table][1][5] == "confirmed"
    assert "Nothing is left to check; save the names below." in last[tab.status]
    for nowhere in (None, 3, 99):
        assert tab.rows not in tab.take(rows, nowhere, "X", "All", 1)


def test_edits_in_the_table_are_taken_in_any_order() -> None:
    rows = [row(1), row(2), row(3), row(4, None)]
    table = table_of(rows)[::-1]
    table[3][2] = "  ANNA\n"  # row 1
    table[2][4] = "yes"  # row 2; only names can be edited
    table[0][2] = "NAMELESS"  # row 4, which has no picture
    table.append([99, "", "NOBODY", 1, True, "", ""])
    table.append([])
    merged = merge(rows, table)
    assert [(r.number, r.text, r.checked) for r in merged] == [
        (1, "ANNA", True), (2, "ANA", False), (3, "ANA", False), (4, "", False),
    ]  # fmt: skip


def test_an_edit_in_the_table_is_shown_at_once_and_not_undone(tab: Batch) -> None:
    rows = [row(1), row(2), row(3)]
    table = table_of(rows)[1:]
    table[0][2] = "ANNA"
    update = tab.edit(rows, table, 2)
    assert [cells[:1] + cells[2:6] for cells in update[tab.table]] == [
        [2, "ANNA", 50, "yes", "corrected"],
        [3, "ANA", 50, "", "please check"],
    ]
    # The field above the table takes it over, so that confirming it changes nothing.
    assert update[tab.text] == "ANNA"
    taken = tab.take(update[tab.rows], 2, update[tab.text], "All", 1)
    assert [r.text for r in taken[tab.rows]] == ["ANA", "ANNA", "ANA"]
    assert tab.text not in tab.edit(rows, table, 3)


def test_views_and_pages(tab: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "PAGE", 2)
    rows = [row(i, i / 10) for i in range(1, 6)] + [row(6, None)]
    rows[0] = rows[0].accept("ANA")

    def numbers(view: str, page: int | None) -> list[int]:
        return [r.number for r in shown(rows, view, page)]

    assert [numbers("All", page) for page in (1, 2, 3)] == [[1, 2], [3, 4], [5, 6]]
    assert numbers("All", 99) == [5, 6]
    assert numbers("All", None) == [1, 2]
    assert numbers("To check", 1) == [2, 3]
    assert numbers("Checked", 1) == [1]
    assert numbers("Cannot be read", 1) == [6]
    turned = tab.turn(rows, "To check", 9)[tab.page]
    assert (turned["value"], turned["maximum"], turned["visible"]) == (2, 2, True)
    assert tab.turn(rows, "Checked", 1)[tab.page]["visible"] is False
    # What is shown above the table is one of its rows.
    for view, number, chosen in (("Checked", 3, 1), ("To check", 3, 3), ("To check", 1, 2)):
        assert tab.choose_view(rows, view, number)[tab.current] == chosen
    assert tab.choose_view(rows[1:], "Checked", 3)[tab.current] is None


def test_a_row_is_shown_with_its_reading_or_its_reason(tab: Batch, uploads: Path) -> None:
    file = upload(uploads, "a.png", 120)
    rows = [Row(1, Source("a.png", Path(file["path"])), "W 120"), row(2, None)]
    picture, name, number, headline, *_ = tab.show(rows, 1)
    assert (picture, number) == (None, 1)
    assert (name["value"], name["label"]) == ("W 120", "The name in a.png")
    assert "W 120" in headline
    assert "It is damaged." in tab.show(rows, 2)[3]
    assert "The reading appears here." in tab.show(rows, None)[3]


def test_summary_counts_each_row_once() -> None:
    rows = [row(1), row(2).accept("X"), row(3, None)]
    assert summary(rows) == "3 pictures: 1 checked, 1 please check, 1 cannot be read."
    assert summary(rows[:1]) == "1 picture: 1 please check."


def test_downloads_hold_the_rows_and_do_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Path(download("names.txt", lambda path: path.write_text("ANNA")))
    assert (first.name, first.read_text()) == ("names.txt", "ANNA")
    os.utime(first.parent, (0, time.time() - temp_folder.KEPT - 5))
    second = Path(download("names.txt", lambda path: path.write_text("BEN")))
    assert not first.exists()
    assert second.read_text() == "BEN"


def test_the_training_download_is_refused_until_something_is_checked(uploads: Path) -> None:
    with pytest.raises(gr.Error, match="No name has been checked yet"):
        batch_module._save_training([row(1)])
    file = upload(uploads, "a.png", 120)
    checked = Row(1, Source("a.png", Path(file["path"])), "W", "W", 0.5).accept("W")
    with zipfile.ZipFile(batch_module._save_training([checked])) as packed:
        assert packed.namelist() == ["corrections/images/a.png", "corrections/labels.csv"]


def test_rows_can_be_written_as_json(uploads: Path) -> None:
    from hwr.ui.api_types import row_record

    assert json.loads(json.dumps(row_record(row(1)))) == {
        "file": "1.png",
        "text": "ANA",
        "confidence": 0.5,
        "verdict": "please check",
        "notes": [],
        "problem": None,
    }


def test_expected_names_are_held_to_the_alphabet_of_the_model(uploads: Path) -> None:
    """The tab knows no alphabet: names reach the reader as typed, and its refusal is shown."""

    def greek(sources: Iterable[Any], lexicon: str = "") -> Iterator[Reading]:
        if "Ω" not in lexicon:
            raise LexiconError("Entry 1 of the list holds 'A', which this model cannot write.")
        yield from map(read, sources)

    with gr.Blocks(analytics_enabled=False):
        tab = Batch(read, greek, ())
    files = [upload(uploads, "a.png", 200)]
    *_, last = tab.read_all(files, "ΩΜΕΓΑ", "", None, silent)  # type: ignore[arg-type]
    assert [r.text for r in last[tab.rows]] == ["W 200"]
    *_, last = tab.read_all(files, "Anna", "", None, silent)  # type: ignore[arg-type]
    assert "which this model cannot write" in last[tab.status]
    assert last[tab.start]["interactive"] is True

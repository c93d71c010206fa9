from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from hwr.atomic_file import WriteError
from hwr.bulk.part_files import (
    Format,
    Row,
    Transcript,
    TranscriptError,
    find_parts,
    read_transcript,
)
from hwr.letter import Candidate

ROWS = [
    Row("/a.png", "", "LÉO", 0.9, "sure", (Candidate("LÉO", 0.9), Candidate("L,'\"", 0.1))),
    Row("/b,\n.zip", "x/1.png", "", 1.0, "nothing written", (Candidate("", 1.0),), 0.2, ("A", "B")),
    Row("/c.zip", "2", error="It is empty."),
]  # fmt: skip


@pytest.fixture(params=["csv", "parquet"])
def format(request: pytest.FixtureRequest) -> Format:
    if request.param == "parquet":
        pytest.importorskip("pyarrow", reason="pip install 'hwr[bulk]'")
    return request.param  # type: ignore[no-any-return]


def test_rows_come_back_and_parts_are_full(tmp_path: Path, format: Format) -> None:
    out = tmp_path / "new" / "out"
    with Transcript(out, {}, format=format, part=2) as opened:
        opened.add(ROWS)
        assert [f.name for f in find_parts(out)] == [f"part-00000.{format}"]
    assert [f.name for f in find_parts(out)] == [f"part-0000{n}.{format}" for n in (0, 1)]
    assert list(read_transcript(out)) == ROWS
    assert sorted(f.name for f in out.iterdir() if not f.name.startswith("part")) == [
        ".lock", "transcription.json",
    ]  # fmt: skip


def test_the_table_of_a_part(tmp_path: Path) -> None:
    with Transcript(tmp_path, {}) as opened:
        opened.add(ROWS[:1] + ROWS[2:])
    with (tmp_path / "part-00000.csv").open(newline="", encoding="utf-8") as file:
        header, first, second = csv.reader(file)
    assert ",".join(header) == "source,entry,text,confidence,verdict,candidates,absent,notes,error"
    assert first == [
        "/a.png", "", "LÉO", "0.9", "sure",
        '[{"text": "LÉO", "probability": 0.9}, {"text": "L,\'\\"", "probability": 0.1}]',
        "", "[]", "",
    ]  # fmt: skip
    assert second == ["/c.zip", "2", "", "", "", "[]", "", "[]", "It is empty."]


def test_going_on(tmp_path: Path, format: Format) -> None:
    with Transcript(tmp_path, {"model": "1"}, format=format) as opened:
        opened.add(ROWS[:2])
    (tmp_path / ".part-00001.csv.abc").write_text("half a part")
    with pytest.raises(TranscriptError, match=r"holds 1 part files already; .* --resume"):
        Transcript(tmp_path, {"model": "1"}, format=format)
    other = r"another model \(model 1 instead of 2\)"
    with pytest.raises(TranscriptError, match=other):
        Transcript(tmp_path, {"model": "2"}, format=format, resume=True)
    with Transcript(tmp_path, {"model": "1"}, format=format, resume=True) as opened:
        assert opened.before == 2
        assert [opened.seen.add(r.source, r.entry) for r in ROWS] == [False, False, True]
        opened.add(ROWS[2:])
    assert not (tmp_path / ".part-00001.csv.abc").exists()
    assert list(read_transcript(tmp_path)) == ROWS


def test_any_name_comes_back(tmp_path: Path, format: Format) -> None:
    names = [
        "Icon\r",
        "a\nb",
        "a\r\nb",
        "\r",
        "\n",
        'q"uote',
        '"',
        "com,ma",
        " x ",
        "'",
        "a\tb",
        "",
    ]
    rows = [Row(f"/scans/{n}{name}", name, error="no") for n, name in enumerate(names)]
    with Transcript(tmp_path, {}, format=format) as opened:
        opened.add(rows[:-1])
    with Transcript(tmp_path, {}, format=format, resume=True) as opened:
        assert opened.before == len(rows) - 1
        opened.add(row for row in rows if opened.seen.add(row.source, row.entry))
    assert list(read_transcript(tmp_path)) == rows


def test_a_part_with_bare_newlines_goes_on(tmp_path: Path) -> None:
    with Transcript(tmp_path, {}) as opened:
        opened.add(ROWS)
    part = tmp_path / "part-00000.csv"
    part.write_bytes(part.read_bytes().replace(b"\r\n", b"\n"))  # as earlier versions wrote it
    with Transcript(tmp_path, {}, resume=True) as opened:
        assert opened.before == len(ROWS)
    assert list(read_transcript(tmp_path)) == ROWS


def test_an_error_leaves_the_rows_so_far(tmp_path: Path) -> None:
    def interrupted() -> None:
        with Transcript(tmp_path, {}) as opened:
            opened.add(ROWS[:1])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(read_transcript(tmp_path)) == ROWS[:1]


def test_a_part_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        assert [f.name for f in tmp_path.glob("part-*")] == []
        raise OSError(28, "No space left on device")

    with Transcript(tmp_path, {}) as opened:
        opened.add(ROWS)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(WriteError, match="the disk is full"):
            opened.flush()
        assert not list(tmp_path.glob("*part-*"))
        monkeypatch.undo()
    assert list(read_transcript(tmp_path)) == ROWS


def test_two_runs_cannot_write_at_once(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="locks are taken on POSIX systems")
    with (
        Transcript(tmp_path, {}),
        pytest.raises(TranscriptError, match="Another run writes into"),
    ):
        Transcript(tmp_path, {}, resume=True)
    with Transcript(tmp_path, {}, resume=True):
        pass


def test_a_damaged_part_is_named(tmp_path: Path, format: Format) -> None:
    with Transcript(tmp_path, {}, format=format) as opened:
        opened.add(ROWS)
    part = tmp_path / f"part-00000.{format}"
    whole = part.read_bytes()
    for content in (whole[:-15], b"source,text\na,b\n"):
        part.write_bytes(content)
        with pytest.raises(TranscriptError, match=rf"^part-00000.{format} is damaged .* remove it"):
            Transcript(tmp_path, {}, format=format, resume=True)


def test_folders_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(TranscriptError, match="'f' is a file; name a folder"):
        Transcript(tmp_path / "f", {})
    with pytest.raises(TranscriptError, match=r"at least 1 row\. Received: 0"):
        Transcript(tmp_path, {}, part=0)

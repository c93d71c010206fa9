from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from hwr.bulk.sources import (
    Entry,
    SourceError,
    check_sources,
    count_entries,
    list_entries,
)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"picture " + name.encode())


def pack(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in members:
            packed.writestr(name, data)
    return path


def listed(*sources: str | Path, column: str | None = None) -> list[Entry]:
    """Return the entries of sources, which are as many as are counted."""
    texts = [str(source) for source in sources]
    entries = list(list_entries(texts, column))
    assert sum(count_entries(texts, column)) == len(entries)
    return entries


def names(entries: list[Entry], folder: Path) -> list[str]:
    return [str(Path(e.source).relative_to(folder)) + (e.entry and f"!{e.entry}") for e in entries]


def test_a_folder_is_searched_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "b.PNG", "a/2.jpg", "a/10.jpg", "note.txt", ".hidden.png", ".git/x.png")
    touch(tmp_path, "out/part-00000.parquet", "out/transcription.json")
    (tmp_path / "again").symlink_to(tmp_path / "a")
    pack(tmp_path / "c.zip", [("x/1.png", b"one"), ("why.txt", b"text"), ("x/2.png", b"two")])
    entries = listed(tmp_path)
    assert names(entries, tmp_path) == [
        "a/10.jpg", "a/2.jpg", "b.PNG", "c.zip!x/1.png", "c.zip!why.txt", "c.zip!x/2.png",
    ]  # fmt: skip
    assert [e.content for e in entries] == [
        str(tmp_path / "a/10.jpg"), str(tmp_path / "a/2.jpg"), str(tmp_path / "b.PNG"),
        b"one", None, b"two",
    ]  # fmt: skip
    assert [e.problem and e.problem[:13] for e in entries] == [None] * 4 + ["Its name does", None]


def test_paths_are_absolute_whatever_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a/1.png", "b/2.png", "b/c/3.png")
    monkeypatch.chdir(tmp_path / "a")
    assert names(listed("../a"), tmp_path) == ["a/1.png"]
    assert names(listed("1.png", "../b"), tmp_path) == ["a/1.png", "b/2.png", "b/c/3.png"]
    assert names(listed("../*/*.png"), tmp_path) == ["a/1.png", "b/2.png"]
    assert names(listed("../**/*.png"), tmp_path) == ["a/1.png", "b/2.png", "b/c/3.png"]
    assert names(listed("../**"), tmp_path) == ["a/1.png", "b/2.png", "b/c/3.png"]
    assert names(listed("../[b]"), tmp_path) == ["b/2.png", "b/c/3.png"]


TABLES = [
    ("path,x\na.png,1\nsub/b.png,2\n", None, ["a.png", "sub/b.png"]),
    ("x,FileName\n1,a.png\n", None, ["a.png"]),
    ("a.png,1\n\nb.png,2\n", None, ["a.png", "b.png"]),
    ('"a,b.png"\n', None, ["a,b.png"]),
    ("path,scan\na.png,b.png\n", "scan", ["b.png"]),
    ("\ufeffpath\n../t/a.png\n", None, ["a.png"]),
    ("path\n", None, []),
    ("", None, []),
]


@pytest.mark.parametrize(("text", "column", "expected"), TABLES)
def test_a_table_lists_paths_beside_it(
    tmp_path: Path, text: str, column: str | None, expected: list[str]
) -> None:
    folder = tmp_path / "t"
    folder.mkdir()
    (folder / "list.csv").write_text(text, encoding="utf-8")
    assert names(listed(folder / "list.csv", column=column), folder) == expected


def test_names_that_are_no_utf8_survive(tmp_path: Path) -> None:
    bad = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    Path(bad).write_bytes(b"x")
    (tmp_path / "list.csv").write_bytes(b"path\n\xff.png\n")
    for source in (tmp_path, tmp_path / "list.csv"):
        assert listed(source) == [Entry(f"{tmp_path}/\\udcff.png", "", bad)]


def test_what_cannot_be_listed_is_an_entry(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no archive")
    touch(tmp_path, "z.png")
    first, second = listed(tmp_path)
    assert first.problem == "The archive is damaged; pack it again."
    assert (first.entry, first.content, second.problem) == ("", None, None)


def test_a_name_that_an_archive_holds_twice(tmp_path: Path) -> None:
    members = [("a.png", b"1"), ("b.png", b"2"), ("a.png", b"3")]
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = pack(tmp_path / "a.zip", members)
    assert [(e.entry, e.content) for e in listed(path)] == [
        ("a.png", b"1"), ("b.png", b"2"), ("a.png (2)", b"3"),
    ]  # fmt: skip


def test_only_what_is_wanted_is_loaded(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.png")
    pack(tmp_path / "c.zip", [("1.png", b"one"), ("2.png", b"two")])
    entries = list_entries(
        [str(tmp_path)], None, lambda source, entry: (source + entry)[-5] in "b2"
    )
    assert names(list(entries), tmp_path) == ["b.png", "c.zip!2.png"]


def refused(source: str | Path, column: str | None = None) -> str:
    with pytest.raises(SourceError) as error:
        check_sources([str(source)], column)
    return str(error.value)


def test_sources_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    assert refused("no/such") == "There is no file or folder 'no/such'; check the path."
    assert "check the path" in refused(tmp_path / "*.png")
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no archive")
    assert refused(tmp_path / "bad.zip") == "bad.zip: The archive is damaged; pack it again."
    (tmp_path / "t.csv").write_text("path,x\na.png,1\n")
    assert refused(tmp_path / "t.csv", "scan") == "t.csv has no column 'scan'; it has path, x."
    (tmp_path / "t.csv").write_text("x,path\n1\n")
    assert refused(tmp_path / "t.csv") == "t.csv, line 2: there is no column 2. Received: '1'"
    (tmp_path / "t.csv").write_text('path\n"a.png\n')
    assert "t.csv is no valid CSV file" in refused(tmp_path / "t.csv")


def parquet(path: Path, **columns: list[Any]) -> Path:
    arrow = pytest.importorskip("pyarrow", reason="pip install 'hwr[bulk]'")
    import pyarrow.parquet

    pyarrow.parquet.write_table(arrow.table(columns), path, row_group_size=100)
    return path


def test_the_rows_of_a_parquet_file(tmp_path: Path) -> None:
    data = [f"picture {n}".encode() for n in range(250)]
    path = parquet(tmp_path / "a.parquet", name=["x"] * 250, picture=data)
    entries = listed(path)
    assert [(e.source, e.entry, e.content) for e in entries] == [
        (str(path), str(n), content) for n, content in enumerate(data)
    ]
    rest = list_entries([str(path)], None, lambda source, entry: entry in ("3", "180"))
    assert [e.content for e in rest] == [b"picture 3", b"picture 180"]
    # As published datasets have them.
    structs = [{"bytes": b"one", "path": "1.png"}, {"bytes": None, "path": "2.png"}, None]
    path = parquet(tmp_path / "b.parquet", image=structs)
    assert [(e.content, e.problem) for e in listed(tmp_path / "b.parquet")] == [
        (b"one", None), (None, "The row holds no picture."), (None, "The row holds no picture."),
    ]  # fmt: skip


def test_a_parquet_file_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", name=["x"], one=[b"1"], two=[b"2"])
    assert "needs one column of encoded pictures" in refused(path)
    assert "It has one, two." in refused(path, "name")
    assert [e.content for e in listed(path, column="two")] == [b"2"]
    path.write_bytes(path.read_bytes()[:-20])
    assert refused(path).startswith("a.parquet is no valid Parquet file: ")
    (entry,) = listed(tmp_path)
    assert "no valid Parquet file" in (entry.problem or "")


def test_without_pyarrow_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    touch(tmp_path, "a.parquet")
    assert refused(tmp_path / "a.parquet") == (
        "Parquet needs pyarrow; install it with: pip install 'hwr[bulk]'"
    )

"""Files and folders that are written whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT, full_disk

from hwr import atomic_file as whole_file
from hwr.atomic_file import WriteError, new_folder, replacing, write_bytes, write_text


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under `folder`, hidden ones, too, with its content."""
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def test_a_file_is_replaced_and_may_be_read_by_others(tmp_path: Path) -> None:
    file = tmp_path / "new" / "name.txt"
    write_text(file, "one\r\n")
    write_text(file, "Zoë\n")
    assert tree(tmp_path) == {"new/name.txt": "Zoë\n".encode()}
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o077, 0o600, 0o700), (0o002, 0o664, 0o775)]
)
def test_the_umask_decides_on_what_is_new(
    tmp_path: Path, umask: int, file: int, folder: int
) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "above" / "file", "new")
        with new_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "above").stat().st_mode) == folder
    assert stat.S_IMODE((tmp_path / "above" / "file").stat().st_mode) == file
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == folder


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o400])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "file"
    write_text(file, "old")
    file.chmod(mode)
    with replacing(file) as stream:
        (partial,) = tmp_path.glob(".file.*.partial")
        assert stat.S_IMODE(partial.stat().st_mode) & ~(mode | 0o600) == 0  # never looser
        stream.write(b"new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("mode", [0o700, 0o770, 0o500])
def test_a_replaced_folder_keeps_its_permissions(tmp_path: Path, mode: int, replace: bool) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(mode)
    with new_folder(folder, replace=replace) as scratch:
        assert stat.S_IMODE(scratch.stat().st_mode) & ~(mode | 0o700) == 0
        (scratch / "file").write_text("new")
    assert tree(tmp_path) == {"folder/file": b"new"}
    assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_a_file_does_not_give_way_to_a_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "mine")
    with (
        pytest.raises(WriteError, match="there is a file of that name; choose another name"),
        new_folder(tmp_path / "file", replace=True),
    ):
        pass
    assert tree(tmp_path) == {"file": b"mine"}


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "old")
    (tmp_path / "link").symlink_to("file")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_a_failure_leaves_the_old_file_alone(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "old")
    stream = replacing(tmp_path / "file")
    stream.__enter__().write(b"half of the n")
    error = KeyboardInterrupt()
    assert not stream.__exit__(type(error), error, None)
    assert tree(tmp_path) == {"file": b"old"}


def test_a_folder_is_replaced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    for content in ("one", "two"):
        with new_folder(folder, replace=True) as scratch:
            (scratch / "sub").mkdir()
            (scratch / "sub" / content).write_text(content)
    assert tree(tmp_path) == {"model/sub/two": b"two"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_where_folders_cannot_be_swapped_two_renames_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_file, "_linux", lambda: False)
    for content in ("one", "two"):
        with new_folder(tmp_path / "model", replace=True) as scratch:
            (scratch / content).write_text(content)
    assert tree(tmp_path) == {"model/two": b"two"}
    # Killed between the renames: the next one that writes finds the old folder again.
    (tmp_path / "model").rename(tmp_path / ".model.previous")
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "model", replace=True):
        raise KeyboardInterrupt
    assert tree(tmp_path) == {"model/two": b"two"}


def test_a_folder_with_something_in_it_is_not_replaced_unasked(tmp_path: Path) -> None:
    write_text(tmp_path / "mine" / "file", "mine")
    with pytest.raises(OSError, match="not empty"), new_folder(tmp_path / "mine") as scratch:
        (scratch / "file").write_text("other")
    assert tree(tmp_path) == {"mine/file": b"mine"}
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty") as scratch:
        (scratch / "file").write_text("new")
    assert tree(tmp_path) == {"mine/file": b"mine", "empty/file": b"new"}


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import os, sys; from hwr.atomic_file import *\n"
        "with replacing('file') as a, new_folder('folder') as b:\n"
        "    a.write(b'half'); a.flush(); (b / 'x').write_text('half'); os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False)
    left = sorted(tree(tmp_path).values())
    assert left == [b"half", b"half"]
    (tmp_path / ".file.mine").write_text("mine")
    with replacing(tmp_path / "file") as other:  # still being written by somebody
        other.write(b"other")
        write_text(tmp_path / "file", "new")
        with new_folder(tmp_path / "folder") as scratch:
            (scratch / "x").write_text("new")
    assert tree(tmp_path) == {"file": b"other", "folder/x": b"new", ".file.mine": b"mine"}


def test_a_full_disk_is_told_and_the_old_stays(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "old")
    with new_folder(tmp_path / "folder") as scratch:
        (scratch / "x").write_text("old")
    before = tree(tmp_path)
    with (
        full_disk(65536),
        pytest.raises(WriteError, match=r"^file cannot be written to .*; raise the limit"),
    ):
        write_bytes(tmp_path / "file", bytes(10**6))
    with (
        full_disk(65536),
        pytest.raises(WriteError, match="folder cannot be written"),
        new_folder(tmp_path / "folder", replace=True) as scratch,
    ):
        (scratch / "x").write_bytes(bytes(10**6))
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full; free some space and try again. What stood there before"),
        (errno.EROFS, "writing is not allowed there; choose another folder."),
        (errno.EACCES, "writing is not allowed there; choose another folder."),
    ],
)
def test_the_system_s_refusal_is_one_sentence(
    tmp_path: Path, number: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    write_text(tmp_path / "file", "old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(WriteError, match=words) as caught:
            write_text(tmp_path / "file", "new")
    assert caught.value.errno == number
    assert tree(tmp_path) == {"file": b"old"}


def test_a_file_where_a_folder_has_to_be_is_told(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "mine")
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError, match="what it lies in is no folder"):
        write_text(tmp_path / "file" / "below", "x")
    with pytest.raises(WriteError, match="there is a folder of that name; choose another name"):
        write_text(tmp_path / "folder", "x")
    with (
        pytest.raises(WriteError, match="there is a file of that name; choose another name"),
        new_folder(tmp_path / "file", replace=False),
    ):
        pass
    assert tree(tmp_path) == {"file": b"mine"}

from __future__ import annotations

import random
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from hwr.bulk import zip_archive as archive
from hwr.bulk.zip_archive import ArchiveError, is_archive, list_members, read_member


def pack(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return path


def problems(path: Path) -> dict[str, str | None]:
    return {member.name: member.problem for member in list_members(path)}


def test_pictures_are_listed_in_order_and_read(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"b.png": b"1", "sub/a.JPG": b"22", "c.tiff": b""})
    assert is_archive(path)
    members = list_members(path)
    assert [(m.name, m.problem) for m in members] == [
        ("b.png", None), ("sub/a.JPG", None), ("c.tiff", None),
    ]  # fmt: skip
    assert [read_member(path, m.place) for m in members] == [b"1", b"22", b""]


def test_folders_and_what_systems_add_are_left_out(tmp_path: Path) -> None:
    clutter = ("sub/", "__MACOSX/sub/._a.png", "sub/.DS_Store", "Thumbs.db", "x/desktop.ini")
    path = pack(tmp_path / "a.zip", {**dict.fromkeys(clutter, b""), "sub/a.png": b"1"})
    (member,) = list_members(path)
    assert (member.name, read_member(path, member.place)) == ("sub/a.png", b"1")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../a.png", "leads out"),
        ("/etc/a.png", "leads out"),
        ("C:\\a.png", "leads out"),
        ("x\\..\\a.png", "leads out"),
        ("more.zip", "archive in an archive"),
        ("more.tar.gz", "archive in an archive"),
        ("notes.txt", "does not end as a picture's"),
        ("a.png.exe", "does not end as a picture's"),
        ("a.svg", "does not end as a picture's"),
    ],
)
def test_members_that_are_no_pictures_are_named_and_not_read(
    tmp_path: Path, name: str, reason: str
) -> None:
    path = pack(tmp_path / "a.zip", {"good.png": b"1", name: b"secret"})
    good, bad = list_members(path)
    assert good.problem is None
    assert reason in (bad.problem or "")
    with pytest.raises(ArchiveError, match=reason):
        read_member(path, bad.place)


def test_a_link_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as packed:
        link = zipfile.ZipInfo("a.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")
    assert problems(path) == {"a.png": "It is a link, not a file; pack the file itself."}


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": b"1"})
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    path.write_bytes(data)
    assert problems(path) == {"a.png": "It is encrypted; pack it without a password."}


def test_bombs_and_big_members_are_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"bomb.png": bytes(4 << 20), "big.png": bytes((5 << 20) + 1)})
    assert problems(path) == {
        "bomb.png": "It unpacks to far more than a picture does; it is not opened.",
        "big.png": "It has 5.0 MB, more than 5 MB; make it smaller.",
    }


def test_white_paper_is_no_bomb(tmp_path: Path) -> None:
    assert problems(pack(tmp_path / "a.zip", {"a.bmp": b"\xff" * (1 << 20)})) == {"a.bmp": None}


def test_a_member_that_lies_about_its_size_gives_no_more(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": bytes(3 << 20)})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 100)
    path.write_bytes(data)
    (member,) = list_members(path)
    with pytest.raises(ArchiveError, match="damaged in the archive"):
        read_member(path, member.place)


def test_rare_methods_are_refused(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = pack(tmp_path / "a.zip", {"a.png": b"1"}, method)
        assert "rare method" in (problems(path)["a.png"] or "")


def test_limits_of_the_whole_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "a.zip", {f"{i}.png": bytes(1 << 20) for i in range(6)})
    monkeypatch.setattr(archive, "MAX_UNPACKED", 5 << 20)
    with pytest.raises(ArchiveError, match=r"^The archive's pictures have 6 MB, more than 5 MB; "):
        list_members(path)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 5)
    with pytest.raises(ArchiveError, match=r"^The archive holds 6 files, more than 5; split it\.$"):
        list_members(path)
    monkeypatch.setattr(archive, "MAX_DIRECTORY", 100)
    with pytest.raises(ArchiveError, match=r"^The archive holds more than 5 files; split it\.$"):
        list_members(path)
    monkeypatch.setattr(archive, "MAX_ARCHIVE", 1000)
    with pytest.raises(ArchiveError, match=r"^The archive has 0 MB, more than 0 MB; split it\.$"):
        list_members(path)


def test_a_64_bit_directory_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": b"1"})
    data = path.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, 0, 1)
    path.write_bytes(data[:end] + locator + data[end:])
    with pytest.raises(ArchiveError, match="more than 5,000 files"):
        list_members(path)


@pytest.mark.parametrize("cut", [0, 4, 30, 60, 90])
def test_a_damaged_archive_is_refused(tmp_path: Path, cut: int) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": b"1"})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ArchiveError, match=r"^The archive is damaged; pack it again\.$"):
        list_members(path)


def test_damaged_content_and_a_vanished_archive(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": bytes(range(256)) * 8}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[300] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match=r"^It is damaged in the archive; pack it again\.$"):
        read_member(path, 0)
    path.unlink()
    with pytest.raises(ArchiveError, match=r"^The archive is no longer there; choose it again\.$"):
        read_member(path, 0)


def test_a_file_with_a_comment_is_still_an_archive(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": b"1"})
    with zipfile.ZipFile(path, "a") as packed:
        packed.comment = b"forms of May"
    assert problems(path) == {"a.png": None}
    assert not is_archive(Path(__file__))


@pytest.mark.parametrize("name", ["", ".", "./", "..", "\\", "C:", "a\0.png"])
def test_odd_names_are_no_fault(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.zip"
    info = zipfile.ZipInfo("x")
    info.filename = name
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(info, b"1")
        packed.writestr("good.png", b"2")
    *_, good = list_members(path)
    assert (good.name, good.problem) == ("good.png", None)


def test_a_name_that_is_no_text_is_damage(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"\u00e9.png": b"1"})
    data = bytearray(path.read_bytes())
    data[30] = 0xFF  # in the member's own header; the directory's name stays as it was
    path.write_bytes(data)
    (member,) = list_members(path)
    with pytest.raises(ArchiveError, match="damaged in the archive"):
        read_member(path, member.place)


def test_hostile_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": bytes(99), "\u00e9.jpg": b"12345" * 20})
    whole, rng = path.read_bytes(), random.Random(3)
    messages = []
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 2, 4))):
            data[rng.randrange(len(data))] = rng.choice((0, 127, 128, 255, rng.randrange(256)))
        path.write_bytes(data)
        try:
            for member in list_members(path):
                read_member(path, member.place)
        except ArchiveError as error:
            messages.append(str(error))
    assert 50 < len(messages) < 300
    assert all(message.endswith(".") and "/" not in message for message in messages)

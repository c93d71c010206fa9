"""Files made for visitors to save."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hwr.ui.server import downloads


def test_many_visitors_save_at_once_while_old_files_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "scratch", lambda part: tmp_path)

    def save(number: int) -> bytes:
        for i in range(20):
            old = tmp_path / f"old-{number}-{i}"
            old.mkdir()
            os.utime(old, (0, 0))
        path = Path(downloads.download("names.csv", lambda p: p.write_bytes(b"%d" % number)))
        return path.read_bytes()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(save, range(120))) == [b"%d" % number for number in range(120)]
    assert not list(tmp_path.glob("old-*"))

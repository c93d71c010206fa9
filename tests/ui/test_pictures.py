from __future__ import annotations

import os
import time
from pathlib import Path

import cv2
import numpy as np

from hwr.ui.server.pictures import picture_file
from hwr.ui.server.temp_folder import KEPT

GREY = np.arange(80, dtype=np.uint8).reshape(8, 10)


def test_file_holds_the_pixels() -> None:
    assert (cv2.imread(picture_file(GREY), cv2.IMREAD_UNCHANGED) == GREY).all()
    colour = np.stack([GREY, GREY + 50, GREY + 100], axis=2)
    assert (cv2.imread(picture_file(colour))[..., ::-1] == colour).all()


def test_a_file_being_read_is_never_rewritten() -> None:
    """Its reader keeps the old, whole file although the same picture is written again."""
    first = picture_file(GREY)
    with Path(first).open("rb") as reader:
        inode = os.fstat(reader.fileno()).st_ino
        assert picture_file(GREY) == first
        assert Path(first).stat().st_ino != inode
        assert reader.read() == Path(first).read_bytes()


def test_old_files_are_removed_and_nothing_half_written_stays() -> None:
    old, young = picture_file(GREY), picture_file(255 - GREY)
    os.utime(old, (0, time.time() - KEPT - 5))
    again = picture_file(GREY[::-1])
    assert not Path(old).exists()
    assert Path(young).exists()
    assert {p.suffix for p in Path(again).parent.iterdir()} == {".png"}

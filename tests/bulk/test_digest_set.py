from __future__ import annotations

import pytest

from hwr.bulk import digest_set as seen
from hwr.bulk.digest_set import Seen


@pytest.mark.parametrize("recent", [0, 3, 1000], ids=["all sorted", "some", "none"])
def test_each_picture_is_new_once(recent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "RECENT", recent)
    met = Seen()
    # Of 600 digests two or three end in a zero, which NumPy would drop.
    keys = [(f"/scans/{n % 20}.zip", str(n // 20)) for n in range(600)]
    assert [met.add(*key) for key in keys] == [True] * 600
    assert [met.add(*key) for key in reversed(keys)] == [False] * 600
    assert len(met) == 600
    assert met.add("/scans/0.zip", "30")


def test_source_and_entry_are_distinguished() -> None:
    met = Seen()
    assert met.add("a", "bc")
    assert met.add("ab", "c")
    assert met.add("a\udcff", "")
    assert not met.add("a\udcff", "")


def test_a_million_take_less_than_forty_bytes_each() -> None:
    met = Seen()
    for n in range(200_000):
        met.add("/scans", str(n))
    assert len(met._recent) <= seen.RECENT
    assert met._sorted.nbytes == 16 * (200_000 - len(met._recent))

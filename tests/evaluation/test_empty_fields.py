from __future__ import annotations

from typing import Any

import pytest

from hwr.evaluation.empty_fields import read_empty_fields
from hwr.reading import Reading


class Fake:
    """Reads the first picture of every kind as a name, the second as paper without ink."""

    def __init__(self) -> None:
        self.seen: list[list[bytes]] = []

    def read_many(self, pictures: list[Any]) -> list[Reading]:
        self.seen.append([picture.tobytes() for picture in pictures])
        texts = ["ANNA"] + [""] * (len(pictures) - 1)
        return [Reading(t, 0.5, (), (), (), n == 1, (), 1.0) for n, t in enumerate(texts)]


def test_share_read_as_empty_by_kind_of_picture() -> None:
    first, second = Fake(), Fake()
    found = read_empty_fields(first, 4)  # type: ignore[arg-type]
    assert list(found) == ["field of a form", "photographed paper", "white page", "sketchpad"]
    for share in found.values():
        assert (share["n"], share["empty"], share["no_ink"]) == (4, 0.75, 0.25)
        assert share["empty_low"] == pytest.approx(0.3006, abs=1e-4)
        assert share["empty_high"] == pytest.approx(0.9544, abs=1e-4)
    assert read_empty_fields(second, 4) == found  # type: ignore[arg-type]
    assert first.seen == second.seen
    assert len({kind[0] for kind in first.seen}) == 4


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="each kind is drawn"):
        read_empty_fields(Fake(), 0)  # type: ignore[arg-type]

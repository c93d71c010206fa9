from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from hwr.evaluation.metrics import Bin, Confusion, Coverage
from hwr.evaluation.svg_charts import (
    LEFT,
    SIDE,
    confusion_chart,
    coverage_chart,
    describe,
    interval_chart,
    reliability_chart,
)


def test_points_stand_where_their_numbers_are() -> None:
    svg = ET.fromstring(reliability_chart({"labels": [Bin(0.2, 0.3, 4, 0.25, 0.5)]}))
    (dot,) = svg.iter("circle")
    assert float(dot.get("cx", "")) == LEFT + SIDE / 4
    assert dot.find("title").text == (  # type: ignore[union-attr]
        "labels: 4 readings of confidence 0.2 to 0.3, 25.0% on the mean: 50.0% right"
    )
    curve = [Coverage(0.5, 1.0, 0.9), Coverage(1.0, 0.82, 0.1)]
    svg = ET.fromstring(coverage_chart({"labels": curve}))
    (line,) = svg.iter("polyline")
    # The axis begins at 80 %, so that 82 % stands a tenth of the way up.
    assert (
        line.get("points") == f"{LEFT + SIDE / 2:.1f},14.0 {LEFT + SIDE:.1f},{14 + 0.9 * SIDE:.1f}"
    )


def test_matrix_shows_counts_and_tells_the_worst_to_screen_readers() -> None:
    found = [Confusion("O", "D", 4), Confusion("O", "", 1), Confusion("", "<", 1)]
    svg = ET.fromstring(confusion_chart(found, {"O": 20, "D": 5}, "<DO"))
    assert svg.get("role") == "img"
    assert "O read as D, 4 times of 20; O left out, 1 times of 20" in svg.get("aria-label", "")
    titles = [t.text for t in svg.iter("title")]
    assert sorted(titles) == sorted(  # type: ignore[type-var]
        [
            "O read as D, 4 times of 20",
            "O left out, 1 times of 20",
            "< read where nothing stands, 1 times",
        ]
    )


@pytest.mark.parametrize(
    "svg",
    [
        reliability_chart({"a <&> b": [], "c": []}),
        coverage_chart({"a": [Coverage(1.0, 0.0, 0.0)], "<script>": [Coverage(1.0, 1.0, 1.0)]}),
        confusion_chart([], {}, ""),
        interval_chart(0.5, 0.2, 0.7, 0.4),
    ],
)
def test_charts_are_well_formed_and_named_or_hidden(svg: str) -> None:
    root = ET.fromstring(svg)
    assert root.get("aria-hidden") == "true" or (
        root.get("role") == "img" and root.get("aria-label")
    )
    assert "<script>" not in svg


def test_errors_in_words() -> None:
    assert describe(" ", "") == "space left out"
    assert describe("", "E") == "E read where nothing stands"
    assert describe("-", " ") == "- read as space"

from __future__ import annotations

import pytest

from hwr.metrics import score, wilson_interval


def test_scores_of_a_few_names() -> None:
    result = score(["ANNA", "LEO", "IDA"], ["ANNA", "LO", "IDDA"])
    assert result.n == 3
    assert result.exact == pytest.approx(1 / 3)
    # One deletion and one insertion over ten characters.
    assert result.cer == pytest.approx(0.2)
    # ANNA 4, L of LO 1, I and D and A against A at another place: 2.
    assert result.positional == pytest.approx(0.7)


def test_empty_truth_and_reading() -> None:
    assert score(["", "A"], ["", ""]).cer == 1
    assert score(["", "A"], ["", ""]).exact == 0.5


@pytest.mark.parametrize(("truths", "readings"), [([], []), (["A"], [])])
def test_unpaired_texts_are_refused(truths: list[str], readings: list[str]) -> None:
    with pytest.raises(ValueError, match="go in pairs"):
        score(truths, readings)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (78, 100, 0.6892, 0.8500)],
)
def test_wilson_interval_of_published_cases(right: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(right, n) == pytest.approx((low, high), abs=1e-4)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="Received: 3 of 2"):
        wilson_interval(3, 2)

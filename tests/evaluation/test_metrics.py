from __future__ import annotations

import itertools

import numpy as np
import pytest

from hwr.evaluation.metrics import (
    Bin,
    Confusion,
    Coverage,
    calibration_error,
    confusions,
    coverage_at,
    coverage_curve,
    rate_interval,
    reliability,
    risk_area,
    score,
    wilson_interval,
)


def test_scores_of_a_few_names() -> None:
    result = score(["ANNA", "LEO", "IDA"], ["ANNA", "LO", "IDDA"])
    assert result.n == 3
    assert result.exact == pytest.approx(1 / 3)
    # One deletion and one insertion over ten characters.
    assert result.cer == pytest.approx(0.2)
    assert (result.substitutions, result.insertions, result.deletions) == (0, 1, 1)
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


def test_kinds_of_edits_add_up_to_the_error_rate() -> None:
    result = score(["EMMA", "TOM", "IDA", "EVA"], ["ERMMAN", "TIM", "I", "UVE"])
    assert (result.substitutions, result.insertions, result.deletions) == (3, 2, 2)
    assert result.cer == pytest.approx(7 / 13)
    assert score(["EMMA"], ["ERMMA"]).insertions == 1


def test_interval_of_the_error_rate_is_that_of_the_resampled_ratio() -> None:
    """Against every resample there is, of three names."""
    edits, lengths = np.array([0, 1, 2]), np.array([4, 5, 3])
    rates = [
        edits[list(drawn)].sum() / lengths[list(drawn)].sum()
        for drawn in itertools.product(range(3), repeat=3)
    ]
    low, high = rate_interval(edits, lengths)
    assert low == pytest.approx(np.quantile(rates, 0.025, method="inverted_cdf"))
    assert high == pytest.approx(np.quantile(rates, 0.975, method="inverted_cdf"))
    assert rate_interval(edits, lengths) == (low, high)
    assert rate_interval(np.array([1, 1]), np.array([4, 4])) == (0.25, 0.25)
    assert rate_interval(np.array([1, 0]), np.array([0, 0])) == (0, 2)  # truths without a letter


def test_confusions_are_counted_by_kind_the_most_frequent_first() -> None:
    found = confusions(["EMMA", "TOM", "TOM", "IDA"], ["ERMMA", "TIM", "TIM", "ID"])
    assert found == [Confusion("O", "I", 2), Confusion("", "R", 1), Confusion("A", "", 1)]


def test_reliability_of_a_few_readings() -> None:
    bins = reliability([0.95, 1.0, 0.92, 0.31, 0.0, 0.1], [True, True, False, True, False, False])
    expected = [
        Bin(0.0, 0.1, 1, 0.0, 0.0),
        Bin(0.1, 0.2, 1, 0.1, 0.0),
        Bin(0.3, 0.4, 1, 0.31, 1.0),
        Bin(0.9, 1.0, 3, 2.87 / 3, 2 / 3),
    ]
    for each, wanted in zip(bins, expected, strict=True):
        assert vars(each) == pytest.approx(vars(wanted))
    assert calibration_error(bins) == pytest.approx((0.1 + 0.69 + (2.87 - 2)) / 6)


def test_coverage_takes_equal_confidences_together() -> None:
    curve = coverage_curve([0.5, 0.9, 0.5, 0.7], [True, True, False, False])
    assert curve == [
        Coverage(0.25, 1.0, 0.9),
        Coverage(0.5, 0.5, 0.7),
        Coverage(1.0, 0.5, 0.5),
    ]
    assert coverage_at(curve, 0.99) == curve[0]
    assert coverage_at(curve, 0.5) == curve[2]
    assert coverage_at(curve[1:], 0.95) is None


def test_area_of_risk_is_the_mean_over_the_orders_of_equal_confidences() -> None:
    confidences, right = [0.9, 0.5, 0.5, 0.5, 0.1], [True, False, True, True, False]
    areas = []
    for order in itertools.permutations((1, 2, 3)):
        errors = np.array([not right[i] for i in (0, *order, 4)])
        areas.append((np.cumsum(errors) / np.arange(1, 6)).mean())
    assert risk_area(confidences, right) == pytest.approx(np.mean(areas))
    assert risk_area([0.1, 0.2], [True, True]) == 0


@pytest.mark.parametrize(
    ("confidences", "right", "message"),
    [([], [], "go in pairs"), ([0.5], [], "go in pairs"), ([1.2], [True], "Received: 1.2 to 1.2")],
)
def test_bad_confidences_are_refused(
    confidences: list[float], right: list[bool], message: str
) -> None:
    for measure in (reliability, coverage_curve, risk_area):
        with pytest.raises(ValueError, match=message):
            measure(confidences, right)

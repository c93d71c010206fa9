from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from hwr.ui.tabs.model import (
    ModelTab,
    confusions_of,
    coverage_of,
    figures_of,
    reliability_of,
    unchecked,
)

# Of Gradio 6.31: event loops left behind.
pytestmark = [
    pytest.mark.usefixtures("gradio"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

SCORE = {"n": 1200, "exact": 0.8, "exact_low": 0.75, "exact_high": 0.85, "cer": 0.05}
EVALUATION: dict[str, Any] = {
    "forms": {
        **SCORE,
        "reference": {**SCORE, "n": 1190, "exact": 0.9},
        "reliability": [
            {"low": 0.0, "high": 0.5, "n": 0, "confidence": 0.0, "accuracy": 0.0},
            {"low": 0.5, "high": 1.0, "n": 9, "confidence": 0.8, "accuracy": 0.75},
        ],
        "coverage": [
            {"coverage": 0.25, "accuracy": 1.0, "threshold": 0.99},
            {"coverage": 0.5, "accuracy": 0.99, "threshold": 0.9},
            {"coverage": 1.0, "accuracy": 0.8, "threshold": 0.0},
        ],
        "confusions": [{"truth": "I", "read": "L", "count": 3}],
    },
    "towns": {
        **SCORE,
        "confusions": [
            {"truth": "", "read": " ", "count": 4},
            {"truth": "I", "read": "L", "count": 2},
        ],
    },
}


def texts(folder: Path) -> str:
    """Return all that the tab says, as its components hold it."""
    with gr.Blocks(analytics_enabled=False) as page:
        ModelTab(folder)
    return json.dumps(
        [c.get("props", {}) for c in page.get_config_file()["components"]], default=str
    )


def test_figures_have_a_row_for_each_set_and_for_reference_labels() -> None:
    assert figures_of(EVALUATION) == [
        ["forms", "1,200", "80.0% (75.0% to 85.0%)", "5.0%", "50%"],
        ["forms, reference labels", "1,190", "90.0% (75.0% to 85.0%)", "5.0%", ""],
        ["towns", "1,200", "80.0% (75.0% to 85.0%)", "5.0%", ""],
    ]


def test_known_sets_are_called_what_people_call_them() -> None:
    named = {
        "kaggle_names": {**SCORE, "reference": SCORE},
        "drawn_names (test)": EVALUATION["forms"],
    }
    assert [row[0] for row in figures_of(named)] == [
        "School forms",
        "School forms, reference labels",
        "Drawn by hwr",
        "Drawn by hwr, reference labels",
    ]
    assert reliability_of(named).pictures.tolist()[0] == "Drawn by hwr"
    assert set(coverage_of(named).pictures) == {"Drawn by hwr"}


def test_the_share_without_a_check_is_the_largest_that_is_right_enough() -> None:
    coverage = EVALUATION["forms"]["coverage"]
    assert unchecked(coverage) == 0.5
    assert unchecked(coverage, 0.995) == 0.25
    assert unchecked(coverage[2:]) == 0
    assert unchecked([]) == 0


def test_plots_leave_out_empty_bins_and_show_what_honest_would_be() -> None:
    assert reliability_of(EVALUATION).to_numpy().tolist() == [
        [0.8, 0.75, "forms"],
        [0.0, 0.0, "ideal"],
        [1.0, 1.0, "ideal"],
    ]
    assert coverage_of(EVALUATION).to_numpy().tolist() == [
        [0.25, 1.0, "forms"], [0.5, 0.99, "forms"], [1.0, 0.8, "forms"],
    ]  # fmt: skip


def test_confusions_are_added_up_over_the_sets() -> None:
    assert confusions_of(EVALUATION) == [["I", "L", "5"], ["nothing", "space", "4"]]


def test_the_tab_shows_card_and_figures(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"evaluation": EVALUATION}))
    (tmp_path / "MODEL_CARD.md").write_text("# Card of the model")
    shown = texts(tmp_path)
    for part in ("Card of the model", "75.0% to 85.0%", "model-reliability", "model-coverage"):
        assert part in shown
    assert "--record" not in shown


def test_without_a_recorded_evaluation_it_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"validation": {"forms": SCORE}}))
    shown = texts(tmp_path)
    assert "python -m hwr evaluate --data DIR --record" in shown
    assert "80.0%" in shown
    assert "This model has no MODEL_CARD.md." in shown
    assert "model-reliability" not in shown


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"evaluation": 3}',
        '{"evaluation": {"a": {}}}',
        '{"validation": {"a": {"n": "x"}}}',
    ],
)
def test_damaged_figures_leave_the_rest_of_the_page(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.json").write_text(content)
    (tmp_path / "MODEL_CARD.md").write_text("# Card")
    shown = texts(tmp_path)
    assert "# Card" in shown
    assert "--record" in shown

from __future__ import annotations

from typing import Any

from hwr.evaluation.metrics import score
from hwr.network.model_card import model_card
from hwr.spec import Spec


def test_card_names_sources_licences_and_figures() -> None:
    run = {
        "sources": {"kaggle_names": 10418, "mine": 12},
        "weights": {"kaggle_names": 3.0, "mine": 1.0},
        "synthetic_share": 0.15,
        "samples": 300000,
        "minutes": 112.0,
        "seed": 0,
    }
    scores: dict[str, Any] = {"mine": score(["ANNA", "LEO"], ["ANNA", "LO"]).to_dict()}
    card = model_card({"runs": [run], "validation": scores}, Spec())
    assert "Run 1: 300,000 varied images in 112.0 minutes, seed 0." in card
    assert "- `kaggle_names`: 10,418 pictures, each 3 times as likely; Kaggle" in card
    assert "(CC0)" in card
    assert "- `mine`: 12 pictures; no description" in card
    assert "15% of the images: names drawn" in card
    assert "put together" not in card
    letters = {"recombined_share": 0.25, "letters": {"nist_sd19_capitals": 33800}}
    recombined = model_card({"runs": [run | letters], "validation": scores}, Spec())
    assert "25% of the images: new names put" in recombined
    assert "  - 33,800 of `nist_sd19_capitals`; NIST Special Database 19" in recombined
    assert "| mine | 2 | 50.0% | 9.5% to 90.5% | 14.29% | 0.00% to 33.33% | 71.4% |" in card
    assert "lowest mean CER on `mine`" in card
    assert "was not measured" in card
    del scores["mine"]["cer_low"], scores["mine"]["cer_high"]  # as earlier versions wrote it
    card = model_card({"runs": [run], "validation": scores}, Spec())
    assert "| mine | 2 | 50.0% | 9.5% to 90.5% | 14.29% |  | 71.4% |" in card


def test_card_tells_what_was_measured_of_the_finished_model() -> None:
    figures = score(["ANNA", "LEO"], ["ANNA", "LO"]).to_dict()
    confidence: dict[str, Any] = {
        "ece": 0.0312,
        "coverage_at": [
            {"precision": p, "coverage": c, "threshold": None}
            for p, c in ((0.95, 0.8), (0.97, 0.5), (0.99, 0.0))
        ],
    }
    part = {"group": "length", "name": "1 to 4 characters"} | figures
    evaluation = {
        "mine": figures
        | confidence
        | {"slices": [part | {"reference": figures}, part | {"name": "longer"}]}
        | {"reference": figures | confidence | {"ece": 0.02}},
        "drawn_names (test)": figures | confidence | {"slices": []},
    }
    empty = {"sketchpad": {"n": 9, "empty": 1.0, "empty_low": 0.7, "empty_high": 1.0}}
    metrics = {"runs": [], "validation": {"mine": figures, "old": figures}}
    card = model_card(metrics | {"evaluation": evaluation, "empty_fields": empty}, Spec())
    rows = [line.split(" | ")[0].strip("| ") for line in card.splitlines() if line[:2] == "| "]
    assert rows == [
        "set", "mine", "mine, reference labels", "drawn_names (test)", "old",
        "part", "1 to 4 characters", "longer",
        "set", "mine", "mine, reference labels", "drawn_names (test)",
        "drawn without a name", "sketchpad",
    ]  # fmt: skip
    assert "`drawn_names`: names drawn on a sketchpad" in card
    assert "| 1 to 4 characters | 2 | 50.0% | 9.5% to 90.5% | 14.29% | 50.0% |" in card
    assert "| longer | 2 | 50.0% | 9.5% to 90.5% | 14.29% |  |" in card
    assert "| mine, reference labels | 2.0% | 80.0% | 50.0% | 0.0% |" in card
    assert "| exact, reference labels |" in card
    assert "- Writers, languages and papers unlike those it was trained on" in card
    assert "| sketchpad | 9 | 100.0% | 70.0% to 100.0% |" in card
    for table in card.split("\n\n"):
        if table.startswith("|"):
            assert len({line.count("|") for line in table.strip().splitlines()}) == 1


def test_card_of_a_model_that_was_not_validated() -> None:
    card = model_card({"runs": [], "validation": {}}, Spec())
    assert "It was not validated." in card

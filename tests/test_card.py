from __future__ import annotations

from hwr.card import model_card
from hwr.metrics import score
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
    scores = {"mine": score(["ANNA", "LEO"], ["ANNA", "LO"]).to_dict()}
    card = model_card({"runs": [run], "validation": scores}, Spec())
    assert "Run 1: 300,000 varied images in 112.0 minutes, seed 0." in card
    assert "- `kaggle_names`: 10,418 pictures, each 3 times as likely; Kaggle" in card
    assert "(CC0)" in card
    assert "- `mine`: 12 pictures; no description" in card
    assert "15% of the images" in card
    assert "| mine | 2 | 50.0% | 9.5% to 90.5% | 14.29% | 71.4% |" in card

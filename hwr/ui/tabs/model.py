"""The Model tab: the model's card, its accuracy and its calibration."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from hwr.network.model_card import title
from hwr.network.model_folder import CARD, METRICS, ModelFolderError, read_json
from hwr.ui.panel import Panel

_LOG = logging.getLogger(__name__)

#: How many of the names that are left unchecked should be right.
WANTED = 0.99

#: Confused letters that are listed.
CONFUSIONS = 12

_FIGURES = ["Pictures", "n", "Exactly right (95 % interval)", "Letters wrong"]
_TO_CHECK = f"To check for {WANTED:.0%}"
_IDEAL = "ideal"
_RECORD = (
    "The calibration of the confidence has not been recorded for this model; record it with "
    "`python -m hwr evaluate --data DIR --record`."
)

Record = Mapping[str, Any]


class ModelTab:
    """Figures, plots and the card."""

    name = "Model"

    def __init__(self, folder: Path) -> None:
        metrics = _read_metrics(folder)
        evaluation: Record = metrics.get("evaluation") or {}
        figures = figures_of(evaluation or metrics.get("validation") or {})
        if figures:
            headers = [*_FIGURES, _TO_CHECK] if evaluation else _FIGURES
            gr.Markdown("Names read exactly, on pictures never trained on", elem_classes="hint")
            gr.Markdown(
                _table([headers, *(row[: len(headers)] for row in figures)]),
                elem_id="model-figures",
            )
        if evaluation:
            gr.Markdown(
                f"*{_TO_CHECK}*: the share of names, the least certain first, that a person must "
                f"check so that {WANTED:.0%} of the others are right.",
                elem_classes="hint",
            )
            with gr.Row():
                _plot(
                    "model-reliability",
                    "Calibration: confidence and share right",
                    reliability_of(evaluation),
                    x_title="confidence",
                    y_title="share right",
                    y_lim=[0, 1],
                )
                _plot(
                    "model-coverage",
                    "Accuracy of the most certain names",
                    coverage_of(evaluation),
                    x_title="share left unchecked",
                    y_title="share right among them",
                )
            confused = confusions_of(evaluation)
            if confused:
                gr.Dataframe(
                    confused,
                    headers=["Written", "Read", "Times"],
                    column_count=3,
                    datatype="str",
                    label="Letters most often confused",
                    elem_id="model-confusions",
                    interactive=False,
                    max_height=260,
                    buttons=[],
                )
        else:
            gr.Markdown(_RECORD, elem_id="model-unrecorded")
        gr.Markdown(_read_card(folder), elem_id="model-card")

    def listen(self, panel: Panel, tab: gr.Tab) -> None:
        """Empty the panel: there is no picture on this tab."""
        panel.turn_to(self.name, tab, Panel.nothing, [])


def figures_of(scores: Record) -> list[list[str]]:
    """Return a row of texts for each set of pictures, and for its reference labels."""
    rows = []
    for name, score in scores.items():
        rows.append(_figures(title(name), score))
        if score.get("reference"):
            rows.append(_figures(f"{title(name)}, reference labels", score["reference"]))
    return rows


def unchecked(coverage: Sequence[Record], wanted: float = WANTED) -> float:
    """Return the largest share of names that are right often enough without a check."""
    return max((point["coverage"] for point in coverage if point["accuracy"] >= wanted), default=0)


def reliability_of(evaluation: Record) -> pd.DataFrame:
    """Return confidence and share right by set, without empty bins, and the ideal diagonal."""
    rows = [
        (point["confidence"], point["accuracy"], title(name))
        for name, score in evaluation.items()
        for point in score.get("reliability") or ()
        if point["n"]
    ]
    ideal = [(0.0, 0.0, _IDEAL), (1.0, 1.0, _IDEAL)]
    return pd.DataFrame([*rows, *ideal], columns=["confidence", "right", "pictures"])


def coverage_of(evaluation: Record) -> pd.DataFrame:
    """Return the share of names left unchecked and how many of these are right, by set."""
    rows = [
        (point["coverage"], point["accuracy"], title(name))
        for name, score in evaluation.items()
        for point in score.get("coverage") or ()
    ]
    return pd.DataFrame(rows, columns=["left", "right", "pictures"])


def confusions_of(evaluation: Record) -> list[list[str]]:
    """Return written letter, read letter and count, most frequent first, over all sets."""
    counts: Counter[tuple[str, str]] = Counter()
    for score in evaluation.values():
        for pair in score.get("confusions") or ():
            counts[pair["truth"], pair["read"]] += pair["count"]
    return [
        [_letter(truth), _letter(read), f"{count:,}"]
        for (truth, read), count in counts.most_common(CONFUSIONS)
    ]


def _plot(elem_id: str, title: str, points: pd.DataFrame, **settings: Any) -> None:
    """Add lines by `pictures` through the first two columns of `points`."""
    gr.LinePlot(
        points,
        x=points.columns[0],
        y=points.columns[1],
        color="pictures",
        title=title,
        x_lim=[0, 1],
        height=280,
        min_width=300,
        elem_id=elem_id,
        buttons=[],
        **settings,
    )


def _figures(name: str, score: Record) -> list[str]:
    coverage = score.get("coverage")
    return [
        name,
        f"{score['n']:,}",
        f"{score['exact']:.1%} ({score['exact_low']:.1%} to {score['exact_high']:.1%})",
        f"{score['cer']:.1%}",
        f"{1 - unchecked(coverage):.0%}" if coverage else "",
    ]


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; it wraps cells, unlike Gradio's own, so it fits a phone."""
    lines = ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def _letter(text: str) -> str:
    return {"": "nothing", " ": "space"}.get(text, text)


def _read_metrics(folder: Path) -> dict[str, Any]:
    """Return the model's figures; none where they are missing or not in the form known here."""
    try:
        metrics: dict[str, Any] = read_json(folder / METRICS)
        evaluation = metrics.get("evaluation") or {}
        figures_of(metrics.get("validation") or {})
        figures_of(evaluation)
        reliability_of(evaluation)
        coverage_of(evaluation)
        confusions_of(evaluation)
    except (ModelFolderError, KeyError, TypeError, ValueError, AttributeError) as error:
        _LOG.warning("The figures of the model cannot be shown: %s", error)
        return {}
    return metrics


def _read_card(folder: Path) -> str:
    try:
        return (folder / CARD).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return f"This model has no {CARD}."

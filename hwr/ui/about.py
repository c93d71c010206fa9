"""Texts about the model, its limits and how reading works."""

from __future__ import annotations

from html import escape
from pathlib import Path

from hwr.decoding.confidence import load_parameters
from hwr.letter import percent
from hwr.network.model_card import title
from hwr.network.model_folder import METRICS, ModelFolderError, read_json

_LIMITS = (
    "It reads one name at a time, in Latin capitals with space, hyphen and apostrophe. Lower case "
    "and accents are read as plain capitals; digits, whole pages and other scripts are not read. "
    "From a confidence of {sure} on, a reading is marked **sure**; check those marked **please "
    "check**. Pictures are read on the machine that serves this page, are sent nowhere else, and "
    "are deleted within two hours."
)

#: The accordion "How it works".
HOW = Path(__file__).with_name("how_it_works.md").read_text(encoding="utf-8")


def about_model(folder: Path) -> str:
    """Return Markdown about the model in `folder`: its training data and the limits of it."""
    limits = _LIMITS.format(sure=percent(load_parameters(folder).sure))
    return f"**About.** {_trained_on(folder)} {limits}"


def _trained_on(folder: Path) -> str:
    """Return a sentence with the sources that metrics.json names, or nothing."""
    try:
        runs = read_json(folder / METRICS)["runs"]
        sources: dict[str, int] = {}
        for run in runs:
            sources |= {str(name): int(count) for name, count in run["sources"].items()}
        drawn = any(run["synthetic_share"] for run in runs)
    except (ModelFolderError, KeyError, TypeError, ValueError, AttributeError):
        return ""
    parts = [f"{escape(title(name))} ({count:,} pictures)" for name, count in sources.items()]
    if drawn:
        parts.append("names drawn by the program")
    if not parts:
        return ""
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]]) if parts[1:] else parts[0]
    return f"The model was trained on {listed}."

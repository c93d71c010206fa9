"""The line that tells what the model knows, what it cannot do, and where pictures go."""

from __future__ import annotations

from html import escape
from pathlib import Path

from hwr.model_folder import METRICS, ModelFolderError, read_json

_LIMITS = (
    "It reads one name at a time, in Latin capitals with space, hyphen and apostrophe: accents and "
    "lower case are not told apart, digits, whole pages and other scripts are not read. Where it "
    "says **please check**, do. Pictures are read on the machine that serves this page, are sent "
    "nowhere else, and are deleted within two hours."
)


def about_model(folder: Path) -> str:
    """Return Markdown about the model in `folder`: its training data and the limits of it."""
    return f"**About.** {_trained_on(folder)} {_LIMITS}"


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
    parts = [f"{count:,} pictures of `{escape(name)}`" for name, count in sources.items()]
    if drawn:
        parts.append("names drawn by the program itself")
    if not parts:
        return ""
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]]) if parts[1:] else parts[0]
    return f"The model was trained on {listed}."

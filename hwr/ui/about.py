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
HOW = """
**From the picture to the network.** *grey*: colours are dropped and large pictures made smaller.
*polarity*: light writing on a dark ground is inverted. *even background*: shadows are removed and
paper becomes white. *band*: the line of writing is found; if it is hardly legible, other lines are
tried. *ink crop*: empty margins are cut off. *scale*: all writing gets the same height. *pad*:
white columns fill up the width. A step with nothing to do leaves the picture unchanged.

**From the network to the name.** The network reads the picture in narrow steps from left to right.
At each step it gives the probability of every letter and of *blank*: no new letter. The curves
under the letters show these. Most steps are blank (grey); where a letter is recognised, usually at
its beginning, there is a narrow peak, so peaks stand left of the middle of their letters. Equal
letters side by side are merged, then the blanks are dropped, and the rest is the name; two L in a
row need a blank between them. This is called connectionist temporal classification, CTC.

**Test-time augmentation.** Images read with low confidence are read again, slightly changed:
slanted to either side, smaller, higher and lower. The curves and the name then come from the mean
of all six readings.

**Two kinds of percentages.** The percentage of a letter comes from the ink alone. That of a name
also takes into account what names look like, or the names you expect, and is calibrated: of all
names with 80 %, about 80 in 100 are right.
"""


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

"""What the page tells of itself: what the model knows and cannot do, and how reading works."""

from __future__ import annotations

from html import escape
from pathlib import Path

from hwr.decoding.confidence import load_parameters
from hwr.letter import percent
from hwr.network.model_card import title
from hwr.network.model_folder import METRICS, ModelFolderError, read_json

_LIMITS = (
    "It reads one name at a time, in Latin capitals with space, hyphen and apostrophe: accents "
    "and lower case are not told apart, digits, whole pages and other scripts are not read. It "
    "says **sure** from a confidence of {sure} on; where it says **please check**, do. Pictures "
    "are read on the machine that serves this page, are sent nowhere else, and are deleted within "
    "two hours."
)

#: For those who want to know what the figures under a reading show.
HOW = """
**From the picture to the network.** *grey*: colours are dropped and large pictures made smaller.
*polarity*: light writing on dark ground is turned round. *even background*: shadows are taken out
and paper becomes white. *band*: the line of writing is found; where it can hardly be read, other
lines are tried. *ink crop*: what is empty around it is cut off. *scale*: writing of any size gets
the same height. *pad*: white columns fill up the width. A step that finds nothing to do leaves the
picture as it is.

**From the network to the name.** The network goes along the picture in narrow steps. At each one
it says how likely every letter is there, and how likely *blank*: no new letter. The curves under
the letters show that. Mostly it is blank (grey); where a letter is recognised, usually at its
beginning, there is a narrow peak, so peaks stand left of the middle of their letters. Equal
letters side by side are merged, then the blanks are dropped, and what remains is the name; two L
in a row need a blank between them. This is called connectionist temporal classification, CTC.

**A second look.** What is not sure is read again, leaning a little to either side, smaller, higher
and lower. The curves and the name then come from the mean of all six readings.

**Two kinds of percentages.** That of a letter is what the network makes of the ink by itself.
That of a name also takes into account what names look like, or the names that you expect, and is
adjusted so that of all names with 80 % about 80 in 100 are right.
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
        parts.append("names drawn by the program itself")
    if not parts:
        return ""
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]]) if parts[1:] else parts[0]
    return f"The model was trained on {listed}."

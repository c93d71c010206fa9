"""The report as one HTML page, its charts and pictures in it, for light and dark screens."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import cv2
from rapidfuzz.distance import Levenshtein

from hwr.evaluation.metrics import Bin, Confusion, Coverage
from hwr.evaluation.svg_charts import (
    confusion_chart,
    coverage_chart,
    describe,
    interval_chart,
    reliability_chart,
)
from hwr.image import ImageError, load_image

Summary = dict[str, Any]

#: Wrong readings shown with their pictures, of the surest and of the farthest from the truth.
SHOWN = 30

#: Pictures are shown at most this wide, in pixels.
SHOWN_WIDTH = 480


def report_page(summary: Summary, name: str, pictures: Mapping[int, Path]) -> str:
    """Return the report as one HTML page with its pictures in it.

    Args:
        summary: see `hwr.evaluation.report`.
        name: of what was read.
        pictures: by index, where the pictures of the errors lie.
    """
    reference = summary.get("reference")
    sides = {"published labels" if reference else "labels": summary}
    if reference:
        sides["re-read labels"] = reference
    title = f"How well it reads: {name}"
    low = min((part["exact_low"] for part in summary["slices"]), default=0.0)
    low = int(min(low, summary["exact_low"]) * 10) / 10
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{summary['n']:,} pictures of the {escape(summary['split'])} split; "
        f"{escape(summary['reading'])}. Intervals are of 95 %.</p>",
        _scores(sides),
        _ceiling(summary.get("ceiling")),
        _dropped(sides),
        "<h2>Parts of the split</h2>",
        _slice_table(summary, low) if summary["slices"] else "<p>Nothing to tell apart.</p>",
        "<h2>How far to trust the confidence</h2>",
        _trust(sides),
        _empty(summary.get("empty_fields", {})),
        "<h2>Which characters are mistaken for which</h2>",
        _mistaken(summary),
        "<h2>Errors</h2>",
        _errors(summary["errors"], pictures),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --soft: #59636e;
  --rule: #d5dae0; --first: #1f6feb; --second: #b35900; --card: #f5f7f9; }
@media (prefers-color-scheme: dark) { :root { --paper: #12161b; --ink: #e8ebee; --soft: #9aa5b1;
  --rule: #343b44; --first: #6ea8fe; --second: #f0a54a; --card: #1b2129; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 0.4rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 0.6rem; }
h3 { font-size: 1.05rem; margin: 1.4rem 0 0.6rem; }
p { margin: 0.4rem 0; max-width: 46rem; }
.soft { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92rem; }
caption { text-align: left; color: var(--soft); padding: 0.3rem 0; }
th, td { padding: 0.3rem 0.8rem 0.3rem 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; }
tbody th { font-weight: normal; }
tr.group th { font-weight: 600; padding-top: 0.8rem; }

.side { display: flex; flex-wrap: wrap; gap: 1.5rem 2.5rem; align-items: flex-start; }
figure { margin: 0; }
figcaption { color: var(--soft); margin-bottom: 0.3rem; }
svg { max-width: 100%; height: auto; font-family: inherit; }
.wide svg { max-width: none; vertical-align: middle; }
.side > * { max-width: 100%; }
.errors { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 0.9rem;
  padding: 0; margin: 0; list-style: none; }
.errors li { background: var(--card); border: 1px solid var(--rule); border-radius: 8px;
  padding: 0.7rem; }
.errors img { max-width: 100%; height: auto; background: #ffffff; border-radius: 4px; }
.errors dl { display: grid; grid-template-columns: 6rem 1fr; gap: 0 0.6rem; margin: 0.4rem 0 0; }
.errors dt { color: var(--soft); }
.errors dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
.errors mark { background: none; color: var(--second); font-weight: 700;
  text-decoration: underline; }
"""


# === Parts of the page ===


def _scores(sides: Mapping[str, Summary]) -> str:
    head = (
        "names", "exactly right", "interval", "CER", "interval", "misread", "too many",
        "left out", "at their place",
    )  # fmt: skip
    rows = []
    for name, s in sides.items():
        rows.append(
            [
                name, f"{s['n']:,}", _percent(s["exact"]), _span(s, "exact"),
                _percent(s["cer"], 2), _span(s, "cer", 2), str(s["substitutions"]),
                str(s["insertions"]), str(s["deletions"]), _percent(s["positional"]),
            ]
        )  # fmt: skip
    return _table("Scores", ("compared with", *head), rows) + (
        '<p class="soft">CER: character errors (misread, too many, left out) over characters. '
        "At their place: the original project's measure.</p>"
    )


def _ceiling(ceiling: Mapping[str, Any] | None) -> str:
    if ceiling is None:
        return ""
    return (
        f"<p>The re-read labels agree with {ceiling['exact']:.1%} of the published ones, and "
        f"differ from them by a CER of {ceiling['cer']:.1%}: a reader that is never wrong would "
        f"score that by the published labels.</p>"
    )


def _dropped(sides: Mapping[str, Summary]) -> str:
    told = []
    for name, s in sides.items():
        reasons = ", ".join(f"{count} {escape(reason)}" for reason, count in s["dropped"].items())
        told.append(f"{escape(name)}: {reasons or 'none'}")
    return f"<p>Left out: {'; '.join(told)}.</p>"


def _slice_table(summary: Summary, low: float) -> str:
    reference = any("reference" in part for part in summary["slices"])
    head = ["part", "names", "exactly right", "interval", "", "CER"]
    head += ["right, re-read", "CER, re-read"] * reference
    lines, group = [], None
    for part in summary["slices"]:
        if part["group"] != group:
            lines.append(
                f'<tr class="group"><th scope="rowgroup" colspan="{len(head)}">'
                f"By {escape(part['group'])}</th></tr>"
            )
        group = part["group"]
        cells = [
            f"{part['n']:,}",
            _percent(part["exact"]),
            _span(part, "exact"),
            interval_chart(part["exact"], part["exact_low"], part["exact_high"], low),
            _percent(part["cer"], 2),
        ]
        if reference:
            other = part.get("reference")
            cells.append(_percent(other["exact"]) if other else "")
            cells.append(_percent(other["cer"], 2) if other else "")
        lines.append(_line(part["name"], cells))
    caption = f"The lines go from {low * 100:.0f} to 100 %."
    return _frame(head, lines, "Parts of the split", caption)


def _trust(sides: Mapping[str, Summary]) -> str:
    curves = {name: [Coverage(**p) for p in s["coverage"]] for name, s in sides.items()}
    bins = {name: [Bin(**b) for b in s["reliability"]] for name, s in sides.items()}
    first = next(iter(sides.values()))
    precisions = [f"{point['precision']:.0%} right" for point in first["coverage_at"]]
    rows = []
    for name, s in sides.items():
        row = [name, _percent(s["ece"]), f"{s['aurc']:.4f}"]
        for point in s["coverage_at"]:
            threshold = point["threshold"]
            told = f" from {threshold:.3f} on" if threshold is not None else ""
            row.append(_percent(point["coverage"]) + told)
        rows.append(row)
    table = _table(
        "Confidence",
        ("compared with", "calibration error", "area of risk", *precisions),
        rows,
        "Share of the pictures that can be taken unseen, and from which confidence on, if so "
        "many of them are to be right. Wrong labels count as errors.",
    )
    return (
        f'{table}<div class="side"><figure><figcaption>Reliability</figcaption>'
        f"{reliability_chart(bins)}</figure><figure><figcaption>Accuracy against coverage"
        f"</figcaption>{coverage_chart(curves)}</figure></div>"
    )


def _empty(kinds: Mapping[str, Summary]) -> str:
    if not kinds:
        return ""
    rows = [
        [kind, f"{s['n']:,}", _percent(s["empty"]), _span(s, "empty"), _percent(s["no_ink"])]
        for kind, s in kinds.items()
    ]
    head = ("drawn without a name", "pictures", "read as empty", "interval", "no ink found")
    return f"<h2>Fields that nobody filled in</h2>{_table('Empty fields', head, rows)}"


def _mistaken(summary: Summary) -> str:
    found = [Confusion(**each) for each in summary["confusions"]]
    if not found:
        return "<p>None.</p>"
    totals = {each["character"]: each["n"] for each in summary["characters"]}
    read = {each.read for each in found if each.read}
    rows = [
        [describe(each.truth, each.read), str(each.count), str(totals.get(each.truth, ""))]
        for each in found[:15]
    ]
    return (
        f'<div class="side"><figure><figcaption>Errors: truth in rows, reading in columns'
        f'</figcaption><div class="wide" tabindex="0" role="region" aria-label="Confusion matrix">'
        f"{confusion_chart(found, totals, ''.join(sorted(read | set(totals))))}</div></figure>"
        f"<div>{_table('Most frequent errors', ('most frequent', 'times', 'of'), rows)}</div></div>"
    )


def _errors(errors: Sequence[Summary], pictures: Mapping[int, Path]) -> str:
    if not errors:
        return "<p>None.</p>"
    far = sorted(errors, key=lambda e: (-e["edits"], -e["confidence"], e["file"]))
    parts = []
    for title, chosen in (
        ("The surest (here wrong labels come to light)", errors[:SHOWN]),
        ("The farthest from the label", far[:SHOWN]),
    ):
        items = "".join(_shown(error, pictures.get(error["index"])) for error in chosen)
        parts.append(f'<h3>{title}</h3><ul class="errors">{items}</ul>')
    return f"<p>{len(errors):,} names are not read as labelled.</p>" + "".join(parts)


def _shown(error: Summary, path: Path | None) -> str:
    label, read = _marked(error["truth"], error["read"])
    entries = [("label", label), ("read", read or '<span class="soft">nothing</span>')]
    if "reference" in error:
        entries.append(("re-read", escape(" or ".join(error["reference"]))))
    entries.append(("confidence", _percent(error["confidence"])))
    entries.append(("file", escape(error["file"])))
    told = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in entries)
    return f"<li>{_picture(path, error['truth'])}<dl>{told}</dl></li>"


def _picture(path: Path | None, truth: str) -> str:
    if path is None:
        return ""
    try:
        grey = load_image(path).pixels
    except ImageError:
        return ""
    height, width = grey.shape
    if width > SHOWN_WIDTH:
        height, width = max(1, round(height * SHOWN_WIDTH / width)), SHOWN_WIDTH
        grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    ok, data = cv2.imencode(".png", grey)
    if not ok:
        raise RuntimeError("OpenCV could not encode a PNG")
    return (
        f'<img src="data:image/png;base64,{base64.b64encode(data.tobytes()).decode()}" '
        f'width="{width}" height="{height}" '
        f'alt="{escape(f"Handwriting labelled {truth}")}">'
    )


def _marked(truth: str, read: str) -> tuple[str, str]:
    """Return both texts in HTML with what differs between them marked."""
    here: list[str] = []
    there: list[str] = []
    for part in Levenshtein.opcodes(truth, read):
        for texts, text in (
            (here, truth[part.src_start : part.src_end]),
            (there, read[part.dest_start : part.dest_end]),
        ):
            if text:
                shown = escape(text)
                texts.append(shown if part.tag == "equal" else f"<mark>{shown}</mark>")
    return "".join(here), "".join(there)


def _table(name: str, head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """Return a table of plain texts, the first of each row its heading."""
    lines = [_line(row[0], [escape(cell) for cell in row[1:]]) for row in rows]
    return _frame(head, lines, name, caption)


def _frame(head: Sequence[str], lines: Sequence[str], name: str, caption: str = "") -> str:
    """Return a table that scrolls by itself, also by keyboard, where the screen is narrow."""
    heads = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(name)}"><table>{told}'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _line(name: str, cells: Sequence[str]) -> str:
    data = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{escape(name)}</th>{data}</tr>'


def _percent(share: float, digits: int = 1) -> str:
    return f"{share * 100:.{digits}f} %"


def _span(values: Summary, key: str, digits: int = 1) -> str:
    low, high = values[f"{key}_low"] * 100, values[f"{key}_high"] * 100
    return f"{low:.{digits}f} to {high:.{digits}f} %"

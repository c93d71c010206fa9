"""The report: everything that was measured on one split, as JSON and as one HTML page.

The summary, a plain dict, is what `report.json` holds, and, less the errors, what
`evaluate --record` writes into the model folder's metrics.json, from which the model card and
the page's Model tab are made:

    {"evaluation": {NAME: summary, ...}}

NAME is the name of the dataset's folder, with " (train)" or " (test)" after it where the split
is not validation. Shares are in 0..1, intervals are of 95 %. A summary holds

    split, reading          "validation"; "greedy, no list of names"
    n, exact, exact_low, exact_high, cer, cer_low, cer_high, substitutions, insertions,
    deletions, positional   the fields of `hwr.evaluation.metrics.Score`; the three kinds of edits
                            as counts
    dropped                 {reason: count}
    reliability             [{low, high, n, confidence, accuracy}], bins of confidence with
                            their mean confidence and share of right names; empty bins left out
    ece                     expected calibration error
    coverage                [{coverage, accuracy, threshold}], 51 points at most, coverage rising:
                            of the readings with a confidence of at least `threshold`, the share
                            `accuracy` is right, and they are the share `coverage` of all
    aurc                    area under the risk-coverage curve, 0 best
    coverage_at             [{precision, coverage, threshold}] for 0.95, 0.97 and 0.99: the largest
                            coverage at which at least that share is right; threshold null and
                            coverage 0 where there is none
    slices                  [{group, name, n, exact, exact_low, exact_high, cer, cer_low,
                            cer_high}], with `reference` in it the same fields, where there is one
    characters              [{character, n, right}], of the truths
    confusions              [{truth, read, count}], errors alone, most frequent first; `read` is ""
                            for a character left out, `truth` "" for one too many
    gold                    only with re-read labels: the fields of a score, dropped, reliability,
                            ece, coverage, aurc and coverage_at, against those labels

What `hwr.evaluation.empty_fields` returns stands beside "evaluation" as "empty_fields", if it was
measured.

In report.json alone stand

    errors                  [{index, file, truth, read, confidence, edits}], the surest first, with
                            the texts of the re-reading as `reference` where there is one
    failures                pictures that could not be read, with the reason
    empty_fields            as above
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from hwr.alphabet import Alphabet
from hwr.atomic_file import write_text
from hwr.data.dataset import Dataset, DatasetError, open_dataset
from hwr.evaluation.evaluate import Evaluation, Row
from hwr.evaluation.metrics import (
    Coverage,
    calibration_error,
    confusions,
    coverage_at,
    coverage_curve,
    reliability,
    risk_area,
    score,
)
from hwr.evaluation.report_html import report_page
from hwr.evaluation.slices import make_slices
from hwr.image import load_image
from hwr.network.model_card import model_card
from hwr.network.model_folder import (
    METRICS,
    ModelFolderError,
    load_spec,
    read_json,
    write_metrics,
)

Summary = dict[str, Any]

#: Shares of right readings for which the coverage is told.
PRECISIONS = (0.95, 0.97, 0.99)

#: Points of a coverage curve that are kept.
POINTS = 51


# === Summary ===


def summarise(
    result: Evaluation, dataset: Dataset, lists: Mapping[str, Collection[str]]
) -> Summary:
    """Return the summary of an evaluation, with its errors.

    Args:
        result: of `dataset`.
        lists: folded names by what the list is called, for slices of names known and unknown.
    """
    rows = [row for row in result.rows if row.labelled]
    truths = [row.sample.text for row in rows]
    readings = [row.text for row in rows]
    summary: Summary = {
        "split": dataset.split,
        "reading": "greedy, no list of names"
        + (", what is not sure once more in several views" if result.tta else ""),
        **result.score.to_dict(),
        "dropped": result.dropped,
        **_confidence([row.confidence for row in rows], _right(rows)),
        "slices": _slices(rows, lists),
        "characters": _characters(truths, readings),
        "confusions": [asdict(each) for each in confusions(truths, readings)],
    }
    if result.reference is not None:
        named = [row for row in result.rows if row.reference is not None]
        summary["reference"] = {
            **result.reference.to_dict(),
            "dropped": result.reference_dropped,
            **_confidence([row.confidence for row in named], _right_by_reference(named)),
        }
    if result.ceiling is not None:
        summary["ceiling"] = result.ceiling.to_dict()
    wrong = [row for row in rows if row.text != row.sample.text]
    wrong.sort(key=lambda row: (-row.confidence, row.sample.path.name))
    summary["failures"] = list(result.failures)
    summary["errors"] = [_error(row) for row in wrong]
    return _rounded(summary)  # type: ignore[no-any-return]


def training_labels(dataset: Dataset, alphabet: Alphabet) -> dict[str, Collection[str]]:
    """Return the labels of the training split beside a split, if there is one, by what to call it.

    A reader that learns names by heart reads these better than others.
    """
    if dataset.split == "train":
        return {}
    try:
        train = open_dataset(dataset.folder, "train", alphabet)
    except DatasetError:
        return {}
    return {"the training labels": {sample.text for sample in train}} if len(train) else {}


def summary_name(dataset: Dataset) -> str:
    """Return what a split is called in metrics.json."""
    name = dataset.folder.resolve().name
    return name if dataset.split == "validation" else f"{name} ({dataset.split})"


def _right(rows: Sequence[Row]) -> list[bool]:
    return [row.text == row.sample.text for row in rows]


def _right_by_reference(rows: Sequence[Row]) -> list[bool]:
    return [truth == reading for truth, reading in (row.reference_pair for row in rows)]


def _confidence(confidences: Sequence[float], right: Sequence[bool]) -> Summary:
    bins, curve = reliability(confidences, right), coverage_curve(confidences, right)
    reached = []
    for precision in PRECISIONS:
        point = coverage_at(curve, precision)
        reached.append(
            {
                "precision": precision,
                "coverage": point.coverage if point else 0.0,
                "threshold": point.threshold if point else None,
            }
        )
    return {
        "reliability": [asdict(each) for each in bins],
        "ece": calibration_error(bins),
        "coverage": [asdict(each) for each in _thinned(curve)],
        "aurc": risk_area(confidences, right),
        "coverage_at": reached,
    }


def _thinned(curve: Sequence[Coverage]) -> list[Coverage]:
    """Return at most POINTS points of the curve, the first and the last among them."""
    if len(curve) <= POINTS:
        return list(curve)
    return [curve[round(i * (len(curve) - 1) / (POINTS - 1))] for i in range(POINTS)]


def _slices(rows: Sequence[Row], lists: Mapping[str, Collection[str]]) -> list[Summary]:
    samples, widths = [row.sample for row in rows], [_width(row) for row in rows]
    parts = []
    for part in make_slices(samples, widths, lists):
        members = [rows[number] for number in part.members]
        truths = [row.sample.text for row in members]
        told: Summary = {"group": part.group, "name": part.name}
        told |= _short_score(truths, [row.text for row in members])
        pairs = [row.reference_pair for row in members if row.reference is not None]
        if pairs:
            told["reference"] = _short_score([t for t, _ in pairs], [r for _, r in pairs])
        parts.append(told)
    return parts


def _short_score(truths: Sequence[str], readings: Sequence[str]) -> Summary:
    values = score(truths, readings).to_dict()
    keys = ("n", "exact", "exact_low", "exact_high", "cer", "cer_low", "cer_high")
    return {key: values[key] for key in keys}


def _width(row: Row) -> int:
    return int(load_image(row.sample.path).pixels.shape[1])


def _characters(truths: Sequence[str], readings: Sequence[str]) -> list[Summary]:
    totals = Counter("".join(truths))
    lost: Counter[str] = Counter()
    for each in confusions(truths, readings):
        lost[each.truth] += each.count
    return [
        {"character": character, "n": n, "right": n - lost[character]}
        for character, n in sorted(totals.items())
    ]


def _error(row: Row) -> Summary:
    error: Summary = {
        "index": row.sample.index,
        "file": row.sample.path.name,
        "truth": row.sample.text,
        "read": row.text,
        "confidence": row.confidence,
        "edits": Levenshtein.distance(row.sample.text, row.text),
    }
    if row.reference is not None:
        error["reference"] = list(row.reference)
    return error


def _rounded(value: Any) -> Any:
    """Return `value` with its floating-point numbers cut to six decimals."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value


# === Files ===


def write_report(folder: Path, summary: Summary, dataset: Dataset) -> None:
    """Write report.json and report.html, which needs no other file, into `folder`."""
    pictures = {sample.index: sample.path for sample in dataset}
    page = report_page(summary, summary_name(dataset), pictures)
    folder.mkdir(parents=True, exist_ok=True)
    data = json.dumps(summary, ensure_ascii=False, indent=2) + "\n"
    write_text(folder / "report.json", data)
    write_text(folder / "report.html", page)


def record(model: Path, summary: Summary, dataset: Dataset) -> None:
    """Write a summary, less the errors, into metrics.json of a model folder; renew its card.

    Raises:
        ModelFolderError: the folder is no model folder, or its weights are damaged.
    """
    spec = load_spec(model)
    metrics = read_json(model / METRICS)
    if not isinstance(metrics, dict) or not isinstance(metrics.get("evaluation", {}), dict):
        raise ModelFolderError(f"{METRICS} in {model.name} is not the one train.py wrote.")
    apart = ("errors", "failures", "empty_fields")
    kept = {key: value for key, value in summary.items() if key not in apart}
    if "empty_fields" in summary:
        metrics["empty_fields"] = summary["empty_fields"]
    metrics["evaluation"] = metrics.get("evaluation", {}) | {summary_name(dataset): kept}
    write_metrics(model, metrics, model_card(metrics, spec))

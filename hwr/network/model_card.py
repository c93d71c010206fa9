"""The model card: what a model is, what it was trained on and how well it reads, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwr.spec import Spec

#: Where the pictures of a dataset folder come from, by the folder's name.
SOURCES = {
    "kaggle_names": "Kaggle `landlord/handwriting-recognition`: French first and last names on "
    "school forms, mostly capitals (CC0)",
    "dhsd": "Deutscher Handschriften-Datensatz: German town and street names, mixed case "
    "(CC BY 4.0)",
    "copiste_words": 'words of "Copiste d\'un jour", Bibliothèque et Archives nationales du '
    "Québec: French, mixed case and joined (CC BY 4.0)",
    "copiste_cut": "words cut out of lines of the same source by alignment (CC BY 4.0)",
    "pieces": "subwords of three to eight letters of the words above, cut out by alignment",
    "nist_sd19_capitals": "NIST Special Database 19: hand-printed capitals (US government data)",
}

#: What a person calls a set, by the folder's name.
TITLES = {
    "kaggle_names": "School forms",
    "dhsd": "German places",
    "copiste_words": "Joined writing",
    "copiste_cut": "Words of lines",
    "pieces": "Subwords",
    "drawn_names": "Drawn by hwr",
}

#: What a set is that is only read, by the folder's name.
NOTES = {
    "drawn_names": "names drawn on a sketchpad by hwr itself (`samples --write drawn_names "
    "--pad`), half in capitals, half in mixed case, in letter shapes never trained on",
}


def title(name: str) -> str:
    """Return what a person calls a set of a record, such as "dhsd" or "drawn_names (test)"."""
    return TITLES.get(name.split(" (")[0], name)


def model_card(metrics: Mapping[str, Any], spec: Spec) -> str:
    """Return the card in Markdown.

    Args:
        metrics: as in metrics.json: `runs`, each with sources, weights, synthetic_share, samples,
            minutes and seed; `validation`, a score by dataset name, measured while training; and,
            where it was measured, `evaluation`, a summary by dataset name (see
            `hwr.evaluation.report`), and `empty_fields` (see `hwr.evaluation.empty_fields`).
        spec: of the network.
    """
    evaluation = metrics.get("evaluation", {})
    parts = [_head(spec), _use(), _figures(metrics.get("validation", {}), evaluation)]
    parts += [_slices(name, summary) for name, summary in evaluation.items()]
    parts += [_confidence(evaluation), _empty_fields(metrics.get("empty_fields", {}))]
    parts += [_training(metrics["runs"], metrics.get("averaged")), _limits(evaluation)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(spec: Spec) -> str:
    return (
        "# Model card\n\n"
        f"Reads one handwritten name, or a few words, in a picture. A CRNN with CTC: convolutions "
        f"of {', '.join(map(str, spec.filters))} filters, {spec.layers} bidirectional LSTM layers "
        f"of {spec.units} units, on images of {spec.height} rows and up to {spec.max_width} "
        f"columns. It writes `{spec.alphabet.characters}`."
    )


def _use() -> str:
    return (
        "## What it is for\n\n"
        "To draft what stands in the name fields of paper forms, for a person to confirm: each "
        "reading comes with a confidence, so that a clerk looks at the doubtful ones first. "
        "It is not for telling who wrote something, for signatures, or for deciding about a "
        "person without a look at the picture."
    )


def _figures(validation: Mapping[str, Any], evaluation: Mapping[str, Any]) -> str:
    """Return the table of scores, of sets that were only measured while training, too."""
    lines = [
        "| set | n | exact names | 95 % interval | CER | 95 % interval | at their place |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, summary in evaluation.items():
        lines.append(_score_line(name, summary))
        if "reference" in summary:
            lines.append(_score_line(f"{name}, reference labels", summary["reference"]))
    lines += [_score_line(n, s) for n, s in validation.items() if n not in evaluation]
    if len(lines) == 2:
        return "## How well it reads\n\nIt was not validated."
    method = (
        "Greedy reading, no list of names, labels as published, pictures (where writers are "
        "known: writers) never trained on. The weights kept are those of the end of the run, or "
        "earlier ones if these have, by more than 1 %, the lowest mean CER on "
        f"{_listed(validation)}, which makes these figures a little optimistic."
        if validation
        else "Greedy reading, no list of names, labels as published."
    )
    measure = "At their place: characters right at their place, the original project's measure."
    for name, note in NOTES.items():
        if any(known.split(" (")[0] == name for known in evaluation):
            measure += f" `{name}`: {note}."
    return f"## How well it reads\n\n{method}\n\n" + "\n".join(lines) + f"\n\n{measure}"


def _score_line(name: str, s: Mapping[str, Any]) -> str:
    # Scores that earlier versions wrote have no interval of the CER.
    span = _span(s, "cer", 2) if "cer_low" in s else ""
    return (
        f"| {name} | {s['n']} | {s['exact']:.1%} | {_span(s, 'exact', 1)} | {s['cer']:.2%} | "
        f"{span} | {s['positional']:.1%} |"
    )


def _slices(name: str, summary: Mapping[str, Any]) -> str:
    if not summary["slices"]:
        return ""
    reference = any("reference" in part for part in summary["slices"])
    head = ["part", "n", "exact names", "95 % interval", "CER"] + [
        "exact, reference labels"
    ] * reference
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for part in summary["slices"]:
        cells = [part["name"], str(part["n"]), f"{part['exact']:.1%}", _span(part, "exact", 1)]
        cells.append(f"{part['cer']:.2%}")
        if reference:
            cells.append(f"{part['reference']['exact']:.1%}" if "reference" in part else "")
        lines.append(f"| {' | '.join(cells)} |")
    return f"### {name}, in parts\n\n" + "\n".join(lines)


def _confidence(evaluation: Mapping[str, Any]) -> str:
    if not evaluation:
        return ""
    lines = [
        "| set | calibration error | taken if 95 % are to be right | 97 % | 99 % |",
        "|---|---|---|---|---|",
    ]
    for name, summary in evaluation.items():
        for title, side in (
            (name, summary),
            (f"{name}, reference labels", summary.get("reference")),
        ):
            if side:
                taken = " | ".join(f"{point['coverage']:.1%}" for point in side["coverage_at"])
                lines.append(f"| {title} | {side['ece']:.1%} | {taken} |")
    return (
        "### How far to trust the confidence\n\n"
        "The expected calibration error over ten bins, and the share of the pictures, the surest "
        "first, that can be taken unseen. Wrong labels count as errors.\n\n" + "\n".join(lines)
    )


def _empty_fields(kinds: Mapping[str, Any]) -> str:
    if not kinds:
        return ""
    lines = ["| drawn without a name | n | read as empty | 95 % interval |", "|---|---|---|---|"]
    for kind, s in kinds.items():
        low, high = s["empty_low"], s["empty_high"]
        lines.append(f"| {kind} | {s['n']} | {s['empty']:.1%} | {low:.1%} to {high:.1%} |")
    return "### Fields that nobody filled in\n\n" + "\n".join(lines)


def _training(runs: list[Mapping[str, Any]], averaged: Mapping[str, Any] | None) -> str:
    lines = ["## How it was trained"]
    if len(runs) > 1:
        lines += ["", "Each run went on from the weights of the one before."]
    for number, run in enumerate(runs, start=1):
        lines += [
            "",
            f"Run {number}: {run['samples']:,} varied images in {run['minutes']} minutes, "
            f"seed {run['seed']}.",
            "",
        ]
        for name, count in run["sources"].items():
            source = SOURCES.get(name, "no description")
            weight = run["weights"][name]
            times = f", each {weight:g} times as likely" if weight != 1 else ""
            lines.append(f"- `{name}`: {count:,} pictures{times}; {source}")
        if run["synthetic_share"]:
            lines.append(f"- {run['synthetic_share']:.0%} of the images: names drawn by hwr itself")
        if run.get("recombined_share"):
            lines.append(
                f"- {run['recombined_share']:.0%} of the images: new names put together from "
                f"single letters of training pictures and letter sets"
            )
            for name, count in run.get("letters", {}).items():
                lines.append(f"  - {count:,} of `{name}`; {SOURCES.get(name, 'no description')}")
    if averaged:
        lines += [
            "",
            f"The weights are the mean of `{averaged['first']}` and `{averaged['second']}`, "
            f"{averaged['share']:.0%} of the latter.",
        ]
    return "\n".join(lines)


def _limits(evaluation: Mapping[str, Any]) -> str:
    calibrated = (
        "How far the confidence can be trusted was measured on the sets above; it says less about "
        "pictures of another kind."
        if evaluation
        else "How far the confidence can be trusted was not measured."
    )
    return (
        "## Limits\n\n"
        "- Latin letters, space, hyphen and apostrophe, answered in capitals without accents; no "
        "digits, no other scripts, no whole pages: one line of writing.\n"
        "- Capitals are read best, joined writing worst; names like those it was trained on are "
        "read better than others.\n"
        "- Writers, languages and papers unlike those it was trained on were not measured.\n"
        f"- {calibrated}\n"
        "- Do not act on a reading of a person's name without a look at the picture where the "
        "verdict is not `sure`."
    )


def _span(s: Mapping[str, Any], key: str, digits: int) -> str:
    return f"{s[f'{key}_low']:.{digits}%} to {s[f'{key}_high']:.{digits}%}"


def _listed(names: Mapping[str, Any]) -> str:
    *others, last = [f"`{name}`" for name in names]
    return f"{', '.join(others)} and {last}" if others else last

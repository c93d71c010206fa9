"""The model card: what a model is, what it was trained on and how well it reads, for people."""

from __future__ import annotations

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
}


def model_card(metrics: dict[str, Any], spec: Spec) -> str:
    """Return the card in Markdown.

    Args:
        metrics: as in metrics.json: `runs`, each with sources, weights, synthetic_share, samples,
            minutes and seed; `validation`, a score by dataset name.
        spec: of the network.
    """
    lines = [
        "# Model card",
        "",
        f"Reads one handwritten name, or a few words, in a picture. A CRNN with CTC: convolutions "
        f"of {', '.join(map(str, spec.filters))} filters, {spec.layers} bidirectional LSTM layers "
        f"of {spec.units} units, on images of {spec.height} rows and up to {spec.max_width} "
        f"columns. It writes `{spec.alphabet.characters}`.",
        "",
        "## Trained on",
        "",
    ]
    for number, run in enumerate(metrics["runs"], start=1):
        lines.append(
            f"Run {number}: {run['samples']:,} varied images in {run['minutes']} minutes, "
            f"seed {run['seed']}."
        )
        lines.append("")
        for name, count in run["sources"].items():
            source = SOURCES.get(name, "no description")
            weight = run["weights"][name]
            times = f", each {weight:g} times as likely" if weight != 1 else ""
            lines.append(f"- `{name}`: {count:,} pictures{times}; {source}")
        if run["synthetic_share"]:
            lines.append(f"- {run['synthetic_share']:.0%} of the images: names drawn by hwr itself")
        lines.append("")
    lines += [
        "## Validation",
        "",
        "Greedy reading, no list of names, raw labels, pictures (where writers are known: writers) "
        "never trained on. The weights kept are those with the lowest mean CER here.",
        "",
        "| set | n | exact names | 95 % interval | CER | characters at their place |",
        "|---|---|---|---|---|---|",
    ]
    for name, s in metrics["validation"].items():
        lines.append(
            f"| {name} | {s['n']} | {s['exact']:.1%} | {s['exact_low']:.1%} to "
            f"{s['exact_high']:.1%} | {s['cer']:.2%} | {s['positional']:.1%} |"
        )
    lines += [
        "",
        "## Limits",
        "",
        "Latin letters, space, hyphen and apostrophe, answered in capitals without accents; no "
        "digits, no whole pages. Capitals are read best, joined writing worst. The confidence is "
        "the network's own probability and is not calibrated. Do not act on a reading of a "
        "person's name without a look at the picture where the verdict is not `sure`.",
    ]
    return "\n".join(lines) + "\n"

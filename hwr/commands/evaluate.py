"""The command `hwr evaluate`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwr.commands import options
from hwr.defaults import default_data, default_model

if TYPE_CHECKING:
    from hwr.evaluation.evaluate import Evaluation
    from hwr.evaluation.metrics import Score


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    parser = commands.add_parser(
        "evaluate",
        parents=[options.JSON, options.MODEL, options.ENGINE, options.DATA],
        help="measure the accuracy on a labelled split",
    )
    option = parser.add_argument
    option("--split", default="validation", help="train, validation or test")
    option("--reference", type=Path, help="CSV of reference labels")
    option("--report", type=Path, metavar="DIR", help="write report.html and report.json into DIR")
    option("--known", type=Path, metavar="FILE", help="score the names in this file separately")
    option(
        "--empty",
        type=int,
        metavar="N",
        help="draw N pictures of each kind without a name, too, and count those read as empty",
    )
    option(
        "--record",
        action="store_true",
        help="write the figures into the model folder's metrics.json and model card",
    )
    option("--tta", action="store_true", help=options.TTA)
    parser.set_defaults(command=evaluate)


def evaluate(args: argparse.Namespace) -> int:
    """Measure the accuracy on a split."""
    from hwr.alphabet import fold
    from hwr.data.dataset import open_dataset
    from hwr.evaluation import evaluate as evaluation
    from hwr.evaluation.empty_fields import read_empty_fields
    from hwr.evaluation.report import record, summarise, training_labels, write_report
    from hwr.recognizer import Recognizer
    from hwr.synthesis.names import read_names

    reference = evaluation.read_reference(args.reference) if args.reference else None
    if args.report and args.report.exists() and not args.report.is_dir():
        raise ValueError(f"--report names a folder to write into. Received the file {args.report}")
    model = args.model or default_model()
    recognizer = Recognizer.load(model, engine=args.engine)
    alphabet = recognizer.spec.alphabet
    dataset = open_dataset(args.data or default_data(), args.split, alphabet)
    lists = training_labels(dataset, alphabet)
    if args.known:
        lists[args.known.name] = {fold(name) for name in read_names(args.known, alphabet)}
    empty = {} if args.empty is None else read_empty_fields(recognizer, args.empty)
    result = evaluation.evaluate(recognizer, dataset, reference, tta=args.tta)
    summary = summarise(result, dataset, lists)
    if empty:
        summary["empty_fields"] = empty
    if args.json:
        shown = {key: value for key, value in summary.items() if key != "errors"}
        print(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        print(f"{dataset.folder.name}, {args.split} split, {summary['reading']}")
        _print_evaluation(result)
        for kind, s in empty.items():
            interval = f"95 % interval {s['empty_low']:.1%} to {s['empty_high']:.1%}"
            print(f"empty {kind:<22}{s['empty']:.1%} of {s['n']} read as empty  ({interval})")
    if args.report:
        write_report(args.report, summary, dataset)
        print(f"Wrote {args.report / 'report.html'}", file=sys.stderr)
    if args.record:
        record(model, summary, dataset)
        print(f"Recorded in {model}", file=sys.stderr)
    return 0


def _print_evaluation(result: Evaluation) -> None:
    print(f"dropped             {_counts(result.dropped)}")
    for failure in result.failures:
        print(f"                    {failure}")
    _print_score(result.score)
    if result.reference is not None:
        print(f"against the reference labels (dropped: {_counts(result.reference_dropped)})")
        _print_score(result.reference)
    if result.ceiling is not None:
        print("labels of the dataset against the reference labels: an upper bound of any reader")
        _print_score(result.ceiling)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none"


def _print_score(s: Score) -> None:
    def rate(value: float, low: float, high: float) -> str:
        return f"{value:.2%}  (95 % interval {low:.2%} to {high:.2%})"

    print(f"names               {s.n}")
    print(f"exact names         {rate(s.exact, s.exact_low, s.exact_high)}")
    print(f"CER                 {rate(s.cer, s.cer_low, s.cer_high)}")
    edits = f"{s.substitutions} misread, {s.insertions} too many, {s.deletions} left out"
    print(f"edits               {edits}")
    print(f"positional accuracy {s.positional:.2%}  (the original project's measure)")

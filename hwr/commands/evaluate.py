"""The command `hwr evaluate`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwr.commands import options

if TYPE_CHECKING:
    from hwr.evaluation.evaluate import Evaluation
    from hwr.evaluation.metrics import Score


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    evaluate = commands.add_parser(
        "evaluate",
        parents=[options.JSON, options.MODEL, options.ENGINE, options.DATA],
        help="measure the accuracy on a labelled split",
    )
    evaluate.add_argument("--split", default="validation", help="train, validation or test")
    evaluate.add_argument("--reference", type=Path, help="CSV of carefully re-read labels")
    evaluate.add_argument(
        "--report", type=Path, metavar="DIR", help="write report.html and report.json into DIR"
    )
    evaluate.add_argument(
        "--known", type=Path, metavar="FILE", help="names: score those in the file apart"
    )
    evaluate.add_argument(
        "--empty",
        type=int,
        metavar="N",
        help="draw N pictures of each kind without a name, too, and count those read as empty",
    )
    evaluate.add_argument(
        "--record",
        action="store_true",
        help="write the figures into the model folder's metrics.json and model card",
    )
    evaluate.add_argument(
        "--tta", action="store_true", help="read what is not sure once more in several views"
    )
    evaluate.set_defaults(command=evaluate_split)


def evaluate_split(args: argparse.Namespace) -> int:
    """Measure the accuracy on a split."""
    from hwr.alphabet import fold
    from hwr.data.dataset import open_dataset
    from hwr.defaults import default_data, default_model
    from hwr.evaluation.empty_fields import read_empty_fields
    from hwr.evaluation.evaluate import evaluate, read_reference
    from hwr.evaluation.report import record, summarise, training_labels, write_report
    from hwr.recognizer import Recognizer
    from hwr.synthesis.names import read_names

    reference = read_reference(args.reference) if args.reference else None
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
    result = evaluate(recognizer, dataset, reference, tta=args.tta)
    summary = summarise(result, dataset, lists)
    if empty:
        summary["empty_fields"] = empty
    if args.json:
        told = {key: value for key, value in summary.items() if key != "errors"}
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        print(f"{dataset.folder.name}, {args.split} split, {summary['reading']}")
        _print_evaluation(result)
        _print_empty_fields(empty)
    if args.report:
        write_report(args.report, summary, dataset)
        print(f"Wrote {args.report / 'report.html'}", file=sys.stderr)
    if args.record:
        record(model, summary, dataset)
        print(f"Recorded in {model}", file=sys.stderr)
    return 0


def _print_evaluation(result: Evaluation) -> None:
    dropped = ", ".join(f"{count} {reason}" for reason, count in result.dropped.items())
    print(f"dropped             {dropped or 'none'}")
    for failure in result.failures:
        print(f"                    {failure}")
    _print_score(result.score)
    if result.reference is not None:
        dropped = ", ".join(
            f"{count} {reason}" for reason, count in result.reference_dropped.items()
        )
        print(f"against the re-read labels (dropped: {dropped or 'none'})")
        _print_score(result.reference)
    if result.ceiling is not None:
        print("the re-read labels against those of the dataset: what no reader can exceed")
        _print_score(result.ceiling)


def _print_empty_fields(kinds: dict[str, dict[str, Any]]) -> None:
    for kind, s in kinds.items():
        print(
            f"empty {kind:<22}{s['empty']:.1%} of {s['n']} read as empty  "
            f"(95 % interval {s['empty_low']:.1%} to {s['empty_high']:.1%})"
        )


def _print_score(s: Score) -> None:
    print(f"names               {s.n}")
    print(
        f"exact names         {s.exact:.2%}  "
        f"(95 % interval {s.exact_low:.2%} to {s.exact_high:.2%})"
    )
    print(f"CER                 {s.cer:.2%}  (95 % interval {s.cer_low:.2%} to {s.cer_high:.2%})")
    print(
        f"edits               {s.substitutions} misread, {s.insertions} too many, "
        f"{s.deletions} left out"
    )
    print(f"positional accuracy {s.positional:.2%}  (the original project's measure)")

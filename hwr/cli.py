"""The command line: `python -m hwr read | evaluate | samples`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwr.evaluation import Evaluation
    from hwr.metrics import Score


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m hwr", description="Read handwritten names.")
    commands = parser.add_subparsers(required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON")
    model = argparse.ArgumentParser(add_help=False)
    model.add_argument("--model", type=Path, help="model folder ($HWR_MODEL, else assets/model)")
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, help="dataset folder ($HWR_DATA, else assets/samples)")

    read = commands.add_parser(
        "read",
        parents=[common, model, data],
        help="read pictures; exit code 2 if one cannot be read",
    )
    read.add_argument("files", nargs="*", metavar="FILE")
    read.add_argument(
        "--index", type=int, action="append", default=[], help="read this picture of --data"
    )
    read.add_argument("--split", default="train", help="train, validation or test")
    read.set_defaults(command=read_files)

    evaluate = commands.add_parser(
        "evaluate", parents=[common, model, data], help="measure the accuracy on a labelled split"
    )
    evaluate.add_argument("--split", default="validation", help="train, validation or test")
    evaluate.add_argument("--gold", type=Path, help="CSV of carefully re-read labels")
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
    evaluate.set_defaults(command=evaluate_split)

    samples = commands.add_parser(
        "samples", parents=[common, data], help="list a split, or draw a new sample dataset"
    )
    samples.add_argument("--split", default="train", help="train, validation or test")
    samples.add_argument("--write", type=Path, metavar="DIR", help="draw a dataset into DIR")
    samples.add_argument(
        "--pad",
        action="store_true",
        help="draw a test set of sketchpads, with letter shapes that are never trained on",
    )
    samples.add_argument("--names", type=Path, metavar="FILE", help="names to draw")
    samples.add_argument("--count", type=int, help="pictures to draw (200; of sketchpads 600)")
    samples.add_argument("--seed", type=int, default=0)
    samples.set_defaults(command=list_samples)
    return parser.parse_args(argv)


def read_files(args: argparse.Namespace) -> int:
    """Read files; one line or JSON object each."""
    from hwr.dataset import open_dataset
    from hwr.image import ImageError
    from hwr.recognizer import Recognizer, default_data, default_model

    recognizer = Recognizer.load(args.model or default_model())
    files = list(args.files)
    if args.index:
        dataset = open_dataset(args.data or default_data(), args.split, recognizer.spec.alphabet)
        files += [str(dataset.find(index).path) for index in args.index]
    if not files:
        raise ValueError("Nothing to read; give picture files or --index N.")
    rows = []
    for file, result in zip(files, recognizer.read_many(files), strict=True):
        if isinstance(result, ImageError):
            row = {"file": file, "text": None, "confidence": None, "error": str(result)}
        else:
            row = {
                "file": file,
                "text": result.text,
                "confidence": round(result.confidence, 4),
                "verdict": result.verdict,
                "notes": list(result.notes),
                "error": None,
            }
            if not args.json:
                print(f"{file}\t{result.text}\t{result.confidence:.1%}\t{result.verdict}")
        if row["error"] and not args.json:
            print(f"{file}: {row['error']}", file=sys.stderr)
        rows.append(row)
    if args.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    return 2 if any(row["error"] for row in rows) else 0


def evaluate_split(args: argparse.Namespace) -> int:
    """Measure the accuracy on a split."""
    from hwr.alphabet import fold
    from hwr.dataset import open_dataset
    from hwr.empty_fields import read_empty_fields
    from hwr.evaluation import evaluate, read_gold
    from hwr.name_list import read_names
    from hwr.recognizer import Recognizer, default_data, default_model
    from hwr.report import record, summarise, training_labels, write_report

    gold = read_gold(args.gold) if args.gold else None
    if args.report and args.report.exists() and not args.report.is_dir():
        raise ValueError(f"--report names a folder to write into. Received the file {args.report}")
    model = args.model or default_model()
    recognizer = Recognizer.load(model)
    alphabet = recognizer.spec.alphabet
    dataset = open_dataset(args.data or default_data(), args.split, alphabet)
    lists = training_labels(dataset, alphabet)
    if args.known:
        lists[args.known.name] = {fold(name) for name in read_names(args.known, alphabet)}
    empty = {} if args.empty is None else read_empty_fields(recognizer, args.empty)
    result = evaluate(recognizer, dataset, gold)
    summary = summarise(result, dataset, lists)
    if empty:
        summary["empty_fields"] = empty
    if args.json:
        told = {key: value for key, value in summary.items() if key != "errors"}
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _print_evaluation(result, dataset.folder.name, args.split)
        _print_empty_fields(empty)
    if args.report:
        write_report(args.report, summary, dataset)
        print(f"Wrote {args.report / 'report.html'}", file=sys.stderr)
    if args.record:
        record(model, summary, dataset)
        print(f"Recorded in {model}", file=sys.stderr)
    return 0


def _print_evaluation(result: Evaluation, name: str, split: str) -> None:
    print(f"{name}, {split} split, greedy reading, no list of names")
    dropped = ", ".join(f"{count} {reason}" for reason, count in result.dropped.items())
    print(f"dropped             {dropped or 'none'}")
    for failure in result.failures:
        print(f"                    {failure}")
    _print_score(result.score)
    if result.gold is not None:
        dropped = ", ".join(f"{count} {reason}" for reason, count in result.gold_dropped.items())
        print(f"against the re-read labels (dropped: {dropped or 'none'})")
        _print_score(result.gold)


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


def list_samples(args: argparse.Namespace) -> int:
    """List the samples of a split, or draw a new dataset."""
    from hwr.alphabet import Alphabet
    from hwr.dataset import open_dataset
    from hwr.recognizer import default_data

    if args.write:
        from hwr.name_list import NAMES, read_names
        from hwr.sample_set import write_pad_samples, write_samples

        names = read_names(args.names, Alphabet()) if args.names else NAMES
        write = write_pad_samples if args.pad else write_samples
        count = args.count if args.count is not None else 600 if args.pad else 200
        write(args.write, count=count, seed=args.seed, names=names)
        print(f"Drew {count} pictures into {args.write}")
        return 0
    dataset = open_dataset(args.data or default_data(), args.split, Alphabet())
    rows = [{"index": s.index, "file": s.path.name, "text": s.text} for s in dataset]
    if args.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        for row in rows:
            print(f"{row['index']}\t{row['file']}\t{row['text']}")
        for reason, count in dataset.reasons().items():
            print(f"dropped: {count} {reason}", file=sys.stderr)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run one command; return 0, or 2 where the input cannot be used."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    args = get_args(argv)
    try:
        code: int = args.command(args)
    except (ValueError, OSError) as error:
        print(f"hwr: {error}", file=sys.stderr)
        return 2
    return code

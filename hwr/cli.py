"""The command line: `python -m hwr COMMAND`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

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
    engine = argparse.ArgumentParser(add_help=False)
    engine.add_argument(
        "--engine", choices=("onnx", "int8", "keras"), help="what runs the network (onnx)"
    )
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, help="dataset folder ($HWR_DATA, else assets/samples)")

    read = commands.add_parser(
        "read",
        parents=[common, model, engine, data],
        help="read pictures; exit code 2 if one cannot be read",
    )
    read.add_argument("files", nargs="*", metavar="FILE")
    read.add_argument(
        "--index", type=int, action="append", default=[], help="read this picture of --data"
    )
    read.add_argument("--split", default="train", help="train, validation or test")
    read.set_defaults(command=read_files)

    evaluate = commands.add_parser(
        "evaluate",
        parents=[common, model, engine, data],
        help="measure the accuracy on a labelled split",
    )
    evaluate.add_argument("--split", default="validation", help="train, validation or test")
    evaluate.add_argument("--gold", type=Path, help="CSV of carefully re-read labels")
    evaluate.set_defaults(command=evaluate_split)

    samples = commands.add_parser(
        "samples", parents=[common, data], help="list a split, or draw a new sample dataset"
    )
    samples.add_argument("--split", default="train", help="train, validation or test")
    samples.add_argument("--write", type=Path, metavar="DIR", help="draw a dataset into DIR")
    samples.add_argument("--count", type=int, default=200, help="pictures to draw (%(default)s)")
    samples.add_argument("--seed", type=int, default=0)
    samples.set_defaults(command=list_samples)

    letters = commands.add_parser(
        "letters", parents=[model], help="cut letters out of training pictures, to train with"
    )
    letters.add_argument("--data", type=Path, action="append", required=True, metavar="DIR")
    letters.add_argument("--singles", type=Path, metavar="NPZ", help="archive of single letters")
    letters.add_argument("--out", type=Path, required=True, metavar="NPZ", help="bank to write")
    letters.set_defaults(command=cut_letters)

    words = commands.add_parser(
        "words", parents=[model], help="cut training lines into words, to train with"
    )
    words.add_argument("--data", type=Path, required=True, metavar="DIR")
    words.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset to write")
    words.add_argument(
        "--shift",
        type=float,
        default=9.5,
        help="columns from where a letter is emitted to its middle, as `letters` prints it",
    )
    words.set_defaults(command=cut_words)

    download = commands.add_parser("download", help="fetch the full Kaggle dataset")
    download.add_argument("--out", type=Path, metavar="DIR", help="folder (kagglehub's cache)")
    download.set_defaults(command=download_dataset)
    export = commands.add_parser(
        "export", parents=[model, data], help="write the network for another runtime"
    )
    export.add_argument(
        "--format",
        choices=("onnx", "int8", "litert"),
        default="onnx",
        help="onnx: model.onnx, which reading uses; int8: model.int8.onnx for read --engine int8, "
        "its ranges measured on pictures of --data; litert: model.tflite (%(default)s)",
    )
    export.set_defaults(command=export_model)
    return parser.parse_args(argv)


def read_files(args: argparse.Namespace) -> int:
    """Read files; one line or JSON object each."""
    from hwr.dataset import open_dataset
    from hwr.image import ImageError
    from hwr.recognizer import Recognizer, default_data, default_model

    recognizer = Recognizer.load(args.model or default_model(), engine=args.engine)
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
    from hwr.dataset import open_dataset
    from hwr.evaluation import evaluate, read_gold
    from hwr.recognizer import Recognizer, default_data, default_model

    gold = read_gold(args.gold) if args.gold else None
    recognizer = Recognizer.load(args.model or default_model(), engine=args.engine)
    dataset = open_dataset(args.data or default_data(), args.split, recognizer.spec.alphabet)
    result = evaluate(recognizer, dataset, gold)
    if args.json:
        print(json.dumps(result.to_dict(), ensure_ascii=False, indent=2))
    else:
        _print_evaluation(result, dataset.folder.name, args.split)
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


def _print_score(s: Score) -> None:
    print(f"names               {s.n}")
    print(
        f"exact names         {s.exact:.2%}  "
        f"(95 % interval {s.exact_low:.2%} to {s.exact_high:.2%})"
    )
    print(f"CER                 {s.cer:.2%}")
    print(f"positional accuracy {s.positional:.2%}  (the original project's measure)")


def list_samples(args: argparse.Namespace) -> int:
    """List the samples of a split, or draw a new dataset."""
    from hwr.alphabet import Alphabet
    from hwr.dataset import open_dataset
    from hwr.recognizer import default_data

    if args.write:
        from hwr.sample_set import write_samples

        write_samples(args.write, count=args.count, seed=args.seed)
        print(f"Drew {args.count} pictures into {args.write}")
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


def cut_letters(args: argparse.Namespace) -> int:
    """Write a bank of letters."""
    from hwr.harvest import harvest_letters
    from hwr.recognizer import Recognizer, default_model

    recognizer = Recognizer.load(args.model or default_model())
    bank, shift = harvest_letters(recognizer, args.data, args.out, singles=args.singles)
    print(
        f"{len(bank.characters)} letters and {len(bank.contexts)} emptied pictures in {args.out}; "
        f"a letter's ink is {shift:.1f} columns right of where it is emitted"
    )
    return 0


def cut_words(args: argparse.Namespace) -> int:
    """Write the words of lines as a dataset."""
    from hwr.harvest import harvest_words
    from hwr.recognizer import Recognizer, default_model

    recognizer = Recognizer.load(args.model or default_model())
    count = harvest_words(recognizer, args.data, args.out, args.shift)
    print(f"{count} words in {args.out}")
    return 0


def download_dataset(args: argparse.Namespace) -> int:
    """Fetch the Kaggle dataset and say where it lies."""
    from hwr.download import download

    print(download(args.out))


def export_model(args: argparse.Namespace) -> int:
    """Write the network of a model folder for another runtime."""
    from hwr.export import export_int8, export_litert, export_onnx
    from hwr.recognizer import default_data, default_model

    folder = args.model or default_model()
    if args.format == "int8":
        file = export_int8(folder, args.data or default_data())
    else:
        file = {"onnx": export_onnx, "litert": export_litert}[args.format](folder)
    print(f"Wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")
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

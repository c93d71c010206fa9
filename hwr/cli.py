"""The command line: `python -m hwr COMMAND`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwr.commands.transcribe import add_transcribe

if TYPE_CHECKING:
    from hwr.decoding.decoder import PriorChoice
    from hwr.evaluation.evaluate import Evaluation
    from hwr.evaluation.metrics import Score
    from hwr.recognizer import Recognizer


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
        "--engine",
        choices=("onnx", "int8", "keras"),
        help="what runs the network (int8 where the model folder has it, else onnx)",
    )
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, help="dataset folder ($HWR_DATA, else assets/samples)")

    expected = argparse.ArgumentParser(add_help=False)
    expected.add_argument(
        "--roster", type=Path, metavar="FILE", help="text or CSV file of the names that can occur"
    )
    expected.add_argument(
        "--prior",
        action=argparse.BooleanOptionalAction,
        help="lean towards what looks like a name, or do not (default: as the model folder says)",
    )

    read = commands.add_parser(
        "read",
        parents=[common, model, engine, data, expected],
        help="read pictures; exit code 2 if one cannot be read",
    )
    read.add_argument("files", nargs="*", metavar="FILE")
    read.add_argument(
        "--index", type=int, action="append", default=[], help="read this picture of --data"
    )
    read.add_argument("--split", default="train", help="train, validation or test")
    read.add_argument(
        "--figure", type=Path, metavar="PNG", help="draw the reading of the one FILE into it"
    )
    read.add_argument(
        "--careful",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="read what is not sure once more in several views (default: do)",
    )
    read.set_defaults(command=read_files)

    add_transcribe(commands, [common, model, engine, expected])

    evaluate = commands.add_parser(
        "evaluate",
        parents=[common, model, engine, data],
        help="measure the accuracy on a labelled split",
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
    evaluate.add_argument(
        "--careful", action="store_true", help="read what is not sure once more in several views"
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

    pieces = commands.add_parser(
        "pieces", parents=[model], help="cut training words into pieces, to train with"
    )
    pieces.add_argument("--data", type=Path, action="append", required=True, metavar="DIR")
    pieces.add_argument("--out", type=Path, required=True, metavar="DIR", help="dataset to write")
    pieces.add_argument("--seed", type=int, default=0)
    pieces.set_defaults(command=cut_pieces)

    download = commands.add_parser("download", help="fetch the full Kaggle dataset")
    download.add_argument("--out", type=Path, metavar="DIR", help="folder (kagglehub's cache)")
    download.set_defaults(command=download_dataset)
    export = commands.add_parser(
        "export", parents=[model], help="write the network for another runtime"
    )
    export.add_argument(
        "--data",
        type=Path,
        action="append",
        metavar="DIR",
        help="dataset folder for int8; may be repeated ($HWR_DATA, else assets/samples)",
    )
    export.add_argument(
        "--format",
        choices=("onnx", "int8", "litert"),
        default="onnx",
        help="onnx: model.onnx; int8: model.int8.onnx, which reading prefers, "
        "its ranges measured on pictures of --data; litert: model.tflite (%(default)s)",
    )
    export.add_argument(
        "--width-step",
        type=int,
        metavar="COLUMNS",
        help="with onnx: pad pictures to a multiple of so many columns from now on (as it was)",
    )
    export.set_defaults(command=export_model)

    average = commands.add_parser(
        "average", help="write a model between two, one of which was trained from the other"
    )
    average.add_argument("first", type=Path, help="model folder")
    average.add_argument("second", type=Path, help="model folder")
    average.add_argument(
        "--share", type=float, default=0.5, help="of the second model, 0..1 (%(default)s)"
    )
    average.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    average.set_defaults(command=average_folders)

    calibrate = commands.add_parser(
        "calibrate",
        parents=[model],
        help="fit confidence to training pictures that were set aside, and store it",
    )
    calibrate.add_argument(
        "--data",
        type=Path,
        action="append",
        required=True,
        help="dataset folder; repeatable; rosters are weighed by the first one",
    )
    calibrate.add_argument("--prior", type=Path, help="prior to weigh (assets/prior.npz)")
    calibrate.add_argument(
        "--use-prior",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether readings shall use the prior unless told otherwise",
    )
    calibrate.add_argument(
        "--sure", type=float, default=0.9, help="confidence from which on to be sure (%(default)s)"
    )
    calibrate.set_defaults(command=calibrate_model)

    prior = commands.add_parser("prior", help="estimate which texts look like names from lists")
    prior.add_argument(
        "--names",
        action="append",
        required=True,
        metavar="FILE[:WEIGHT]",
        help="text file, one name a line, or CSV with NAME,COUNT; repeatable; WEIGHT multiplies "
        "its counts (1)",
    )
    prior.add_argument(
        "--without",
        type=Path,
        metavar="DIR",
        help="dataset whose labels of pictures set aside are taken out of the counts of the first "
        "list, so that the prior's weight can be fitted to these pictures",
    )
    prior.add_argument("--out", type=Path, required=True, help="file to write (.npz)")
    prior.set_defaults(command=make_prior)
    return parser.parse_args(argv)


def read_files(args: argparse.Namespace) -> int:
    """Read files; one line or JSON object each."""
    from hwr.data.dataset import open_dataset
    from hwr.decoding.lexicon import NOT_LISTED, Roster
    from hwr.defaults import default_data, default_model
    from hwr.image import ImageError
    from hwr.recognizer import Recognizer

    recognizer = Recognizer.load(args.model or default_model(), engine=args.engine)
    files = list(args.files)
    if args.index:
        dataset = open_dataset(args.data or default_data(), args.split, recognizer.spec.alphabet)
        files += [str(dataset.find(index).path) for index in args.index]
    if not files:
        raise ValueError("Nothing to read; give picture files or --index N.")
    roster = Roster.read(args.roster, recognizer.spec.alphabet) if args.roster else None
    prior: PriorChoice = "auto" if args.prior is None else args.prior
    if args.figure:
        _draw(recognizer, files, args.figure, roster=roster, prior=prior, careful=args.careful)
    rows = []
    results = recognizer.read_many(files, roster=roster, prior=prior, careful=args.careful)
    for file, result in zip(files, results, strict=True):
        if isinstance(result, ImageError):
            row = {"file": file, "text": None, "confidence": None, "error": str(result)}
        else:
            row = {
                "file": file,
                "text": result.text,
                "confidence": round(result.confidence, 4),
                "verdict": result.verdict,
                "candidates": [
                    {"text": c.text, "probability": round(c.probability, 4)}
                    for c in result.candidates
                ],
                "absent": None if result.absent is None else round(result.absent, 4),
                "notes": list(result.notes),
                "error": None,
            }
            if not args.json:
                listed = result.absent is None or result.listed
                verdict = result.verdict if listed else f"{result.verdict}, {NOT_LISTED}"
                print(f"{file}\t{result.text}\t{result.confidence:.1%}\t{verdict}")
        if row["error"] and not args.json:
            print(f"{file}: {row['error']}", file=sys.stderr)
        rows.append(row)
    if args.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    return 2 if any(row["error"] for row in rows) else 0


def _draw(recognizer: Recognizer, files: list[str], out: Path, **options: Any) -> None:
    """Draw the reading of the one file into a PNG file, written whole or not at all."""
    from PIL import Image

    from hwr.atomic_file import replacing
    from hwr.image import ImageError

    if len(files) != 1:
        raise ValueError(f"--figure draws one reading; give one picture. Received: {len(files)}")
    try:
        figure = recognizer.read(files[0], **options).draw()
    except ImageError:
        return  # told with the readings
    with replacing(out) as stream:
        Image.fromarray(figure).save(stream, "PNG")


def calibrate_model(args: argparse.Namespace) -> int:
    """Fit everything about doubt and store it in the model folder."""
    from hwr.data.dataset import open_dataset
    from hwr.decoding.confidence import save_confidence
    from hwr.decoding.language_model import PRIOR, Prior
    from hwr.defaults import default_model
    from hwr.evaluation.calibration import calibrate
    from hwr.network.engine import load_engine
    from hwr.recognizer import Recognizer

    if not 0 < args.sure <= 1:
        raise ValueError(f"--sure must lie above 0 and up to 1. Received: {args.sure}")
    folder = args.model or default_model()
    # Without what was fitted before, which may be damaged or of other weights.
    recognizer = Recognizer(*load_engine(folder))
    alphabet = recognizer.spec.alphabet
    prior = Prior.load(args.prior or PRIOR)
    if prior.alphabet != alphabet:
        print("The prior has another alphabet than the model; fitted without it.", file=sys.stderr)
    confidence = calibrate(
        recognizer,
        [open_dataset(data, "train", alphabet) for data in args.data],
        prior if prior.alphabet == alphabet else None,
        use_prior=args.use_prior,
        sure=args.sure,
    )
    save_confidence(folder, confidence)
    fitted = ", ".join(f"{count} of {name}" for name, count in confidence.fitted_on.items())
    print(f"Fitted to {fitted}; stored in {folder}")
    return 0


def make_prior(args: argparse.Namespace) -> int:
    """Estimate a prior from lists of names."""
    from collections import Counter

    from hwr.alphabet import Alphabet
    from hwr.data.dataset import open_dataset, share_out
    from hwr.decoding.language_model import Prior, count_names
    from hwr.name_files import weighted_path

    alphabet = Alphabet()
    total: dict[str, float] = {}
    aside: Counter[str] = Counter()
    if args.without:
        _, apart = share_out(open_dataset(args.without, "train", alphabet))
        aside.update(sample.text for sample in apart)
    for entry in args.names:
        file, factor = weighted_path(entry, 1.0)
        if not 0 < factor < float("inf"):
            raise ValueError(f"WEIGHT must be a number above 0. Received: {entry!r}")
        counts, dropped = count_names(file, alphabet)
        if not total:
            counts -= aside
        for name, count in counts.items():
            total[name] = total.get(name, 0.0) + factor * count
        print(f"{Path(file).name}: {len(counts):,} names, {dropped:,} rows left out")
    prior = Prior.estimate(total, alphabet)
    prior.save(args.out)
    size = args.out.stat().st_size
    print(f"{len(prior.costs):,} states in {args.out}, {size / 1e6:.2f} MB")
    return 0


def evaluate_split(args: argparse.Namespace) -> int:
    """Measure the accuracy on a split."""
    from hwr.alphabet import fold
    from hwr.data.dataset import open_dataset
    from hwr.defaults import default_data, default_model
    from hwr.evaluation.empty_fields import read_empty_fields
    from hwr.evaluation.evaluate import evaluate, read_gold
    from hwr.evaluation.report import record, summarise, training_labels, write_report
    from hwr.recognizer import Recognizer
    from hwr.synthesis.names import read_names

    gold = read_gold(args.gold) if args.gold else None
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
    result = evaluate(recognizer, dataset, gold, careful=args.careful)
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
    if result.gold is not None:
        dropped = ", ".join(f"{count} {reason}" for reason, count in result.gold_dropped.items())
        print(f"against the re-read labels (dropped: {dropped or 'none'})")
        _print_score(result.gold)
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


def list_samples(args: argparse.Namespace) -> int:
    """List the samples of a split, or draw a new dataset."""
    from hwr.alphabet import Alphabet
    from hwr.data.dataset import open_dataset
    from hwr.defaults import default_data

    if args.write:
        from hwr.synthesis.names import NAMES, read_names
        from hwr.synthesis.sample_set import write_pad_samples, write_samples

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


def cut_letters(args: argparse.Namespace) -> int:
    """Write a bank of letters."""
    from hwr.defaults import default_model
    from hwr.recognizer import Recognizer
    from hwr.recombination.extract import harvest_letters

    recognizer = Recognizer.load(args.model or default_model())
    bank, shift = harvest_letters(recognizer, args.data, args.out, singles=args.singles)
    print(
        f"{len(bank.characters)} letters and {len(bank.contexts)} emptied pictures in {args.out}; "
        f"a letter's ink is {shift:.1f} columns right of where it is emitted"
    )
    return 0


def cut_words(args: argparse.Namespace) -> int:
    """Write the words of lines as a dataset."""
    from hwr.defaults import default_model
    from hwr.recognizer import Recognizer
    from hwr.recombination.extract import harvest_words

    recognizer = Recognizer.load(args.model or default_model())
    count = harvest_words(recognizer, args.data, args.out, args.shift)
    print(f"{count} words in {args.out}")
    return 0


def cut_pieces(args: argparse.Namespace) -> int:
    """Write pieces of words as a dataset."""
    from hwr.defaults import default_model
    from hwr.recognizer import Recognizer
    from hwr.recombination.extract import harvest_pieces

    recognizer = Recognizer.load(args.model or default_model())
    count = harvest_pieces(recognizer, args.data, args.out, args.seed)
    print(f"{count} pieces in {args.out}")
    return 0


def download_dataset(args: argparse.Namespace) -> int:
    """Fetch the Kaggle dataset and say where it lies."""
    from hwr.data.kaggle import download

    print(download(args.out))
    return 0


def average_folders(args: argparse.Namespace) -> int:
    """Write a model between two."""
    from hwr.network.weight_averaging import average_models

    average_models(args.first, args.second, args.share, args.out)
    print(f"Wrote {args.out}; calibrate, export and evaluate it")
    return 0


def export_model(args: argparse.Namespace) -> int:
    """Write the network of a model folder for another runtime."""
    from hwr.defaults import default_data, default_model
    from hwr.network.export import export_int8, export_litert, export_onnx

    folder = args.model or default_model()
    if args.format == "int8":
        file = export_int8(folder, args.data or [default_data()])
    elif args.format == "litert":
        file = export_litert(folder)
    else:
        file = export_onnx(folder, args.width_step)
    print(f"Wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run one command; return 0, or 2 where the input cannot be used."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    args = get_args(argv)
    try:
        code: int = args.command(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads the output has seen enough, as `head` does. What is left cannot be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError) as error:
        print(f"hwr: {error}", file=sys.stderr)
        return 2
    return code

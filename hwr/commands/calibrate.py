"""The command `hwr calibrate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from hwr.commands import options


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    calibrate = commands.add_parser(
        "calibrate",
        parents=[options.MODEL],
        help="fit confidence to training pictures that were set aside, and store it",
    )
    calibrate.add_argument(
        "--data",
        type=Path,
        action="append",
        required=True,
        help="dataset folder; repeatable; lexicons are weighed by the first one",
    )
    calibrate.add_argument(
        "--language-model", type=Path, help="language model to weigh (assets/language_model.npz)"
    )
    calibrate.add_argument(
        "--use-language-model",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether readings shall use the language model unless told otherwise",
    )
    calibrate.add_argument(
        "--sure", type=float, default=0.9, help="confidence from which on to be sure (%(default)s)"
    )
    calibrate.set_defaults(command=calibrate_model)


def calibrate_model(args: argparse.Namespace) -> int:
    """Fit everything about doubt and store it in the model folder."""
    from hwr.data.dataset import open_dataset
    from hwr.decoding.confidence import save_parameters
    from hwr.decoding.language_model import LANGUAGE_MODEL, LanguageModel
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
    language_model = LanguageModel.load(args.language_model or LANGUAGE_MODEL)
    if language_model.alphabet != alphabet:
        print(
            "The language model has another alphabet than the model; fitted without it.",
            file=sys.stderr,
        )
    confidence = calibrate(
        recognizer,
        [open_dataset(data, "train", alphabet) for data in args.data],
        language_model if language_model.alphabet == alphabet else None,
        use_language_model=args.use_language_model,
        sure=args.sure,
    )
    save_parameters(folder, confidence)
    fitted = ", ".join(f"{count} of {name}" for name, count in confidence.fitted_on.items())
    print(f"Fitted to {fitted}; stored in {folder}")
    return 0

"""The command `hwr calibrate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from hwr.commands import options
from hwr.defaults import default_model


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    parser = commands.add_parser(
        "calibrate",
        parents=[options.MODEL, options.DATASETS],
        help="fit the decoding parameters to the calibration split, and store them",
        description="Fit the decoding parameters to the calibration split of datasets, and store "
        "them in the model folder. The weight of lexicons is fitted to the first dataset.",
    )
    option = parser.add_argument
    option("--language-model", type=Path, help="language model (assets/language_model.npz)")
    option(
        "--use-language-model",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether readings use the language model by default",
    )
    option("--sure", type=float, default=0.9, help="least confidence to be sure (%(default)s)")
    parser.set_defaults(command=calibrate)


def calibrate(args: argparse.Namespace) -> int:
    """Fit the decoding parameters and store them in the model folder."""
    from hwr.data.dataset import open_dataset
    from hwr.decoding.confidence import save_parameters
    from hwr.decoding.language_model import LANGUAGE_MODEL, LanguageModel
    from hwr.evaluation.calibration import calibrate as fit
    from hwr.network.engine import load_engine
    from hwr.recognizer import Recognizer

    if not 0 < args.sure <= 1:
        raise ValueError(f"--sure must lie above 0 and up to 1. Received: {args.sure}")
    folder = args.model or default_model()
    # Without the stored parameters, which may be damaged or of other weights.
    recognizer = Recognizer(*load_engine(folder))
    alphabet = recognizer.spec.alphabet
    language_model = LanguageModel.load(args.language_model or LANGUAGE_MODEL)
    fits = language_model.alphabet == alphabet
    if not fits:
        print(
            "The language model has another alphabet than the model; fitted without it.",
            file=sys.stderr,
        )
    parameters = fit(
        recognizer,
        [open_dataset(data, "train", alphabet) for data in args.data],
        language_model if fits else None,
        use_language_model=args.use_language_model,
        sure=args.sure,
    )
    save_parameters(folder, parameters)
    fitted = ", ".join(f"{count} of {name}" for name, count in parameters.fitted_on.items())
    print(f"Fitted to {fitted}; stored in {folder}")
    return 0

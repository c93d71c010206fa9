"""Options that several commands share, as parents of their parsers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def _parent(*flags: str, **settings: Any) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(*flags, **settings)
    return parser


JSON = _parent("--json", action="store_true", help="print JSON")
MODEL = _parent("--model", type=Path, help="model folder ($HWR_MODEL, else assets/model)")
ENGINE = _parent(
    "--engine",
    choices=("onnx", "int8", "keras"),
    help="what runs the network (int8 where the model folder has it, else onnx)",
)
DATA = _parent("--data", type=Path, help="dataset folder ($HWR_DATA, else assets/samples)")
DATASETS = _parent(
    "--data",
    type=Path,
    action="append",
    required=True,
    metavar="DIR",
    help="dataset folder; may be repeated",
)
EXPECTED = _parent(
    "--lexicon", type=Path, metavar="FILE", help="text or CSV file of the names that can occur"
)
EXPECTED.add_argument(
    "--language-model",
    action=argparse.BooleanOptionalAction,
    default="auto",
    help="prefer what looks like a name, or do not (default: as the model folder says)",
)

#: Help of --tta, whose default differs between commands.
TTA = "read low-confidence pictures again with test-time augmentation"

"""Options that several commands share, as parents of their parsers."""

from __future__ import annotations

import argparse
from pathlib import Path


def _parent() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(add_help=False)


JSON = _parent()
JSON.add_argument("--json", action="store_true", help="print JSON")

MODEL = _parent()
MODEL.add_argument("--model", type=Path, help="model folder ($HWR_MODEL, else assets/model)")

ENGINE = _parent()
ENGINE.add_argument(
    "--engine",
    choices=("onnx", "int8", "keras"),
    help="what runs the network (int8 where the model folder has it, else onnx)",
)

DATA = _parent()
DATA.add_argument("--data", type=Path, help="dataset folder ($HWR_DATA, else assets/samples)")

EXPECTED = _parent()
EXPECTED.add_argument(
    "--lexicon", type=Path, metavar="FILE", help="text or CSV file of the names that can occur"
)
EXPECTED.add_argument(
    "--language-model",
    action=argparse.BooleanOptionalAction,
    default="auto",
    help="prefer what looks like a name, or do not (default: as the model folder says)",
)

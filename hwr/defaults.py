"""Where the model, the language model and the samples are, unless something else is named."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

#: What comes with the project: in the repository `assets`, in a wheel inside the package.
ASSETS = next(f for f in (_PACKAGE / "_assets", _PACKAGE.parent / "assets") if f.is_dir())

MODEL = ASSETS / "model"
SAMPLES = ASSETS / "samples"


def default_model() -> Path:
    """Return the model folder: $HWR_MODEL, else the one that comes with the project."""
    return Path(os.environ.get("HWR_MODEL") or MODEL)


def default_data() -> Path:
    """Return the dataset folder: $HWR_DATA, else the samples that come with the project."""
    return Path(os.environ.get("HWR_DATA") or SAMPLES)

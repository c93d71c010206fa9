"""Where the model, the language model and the samples are, unless something else is named."""

from __future__ import annotations

import os
from pathlib import Path

#: What comes with the project: in a wheel inside the package, in the repository `assets`. Where
#: neither is there, whoever needs a file of it says which.
_INSIDE = Path(__file__).resolve().parent / "_assets"
ASSETS = _INSIDE if _INSIDE.is_dir() else _INSIDE.parent.parent / "assets"

MODEL = ASSETS / "model"
SAMPLES = ASSETS / "samples"


def default_model() -> Path:
    """Return the model folder: $HWR_MODEL, else the one that comes with the project."""
    return Path(os.environ.get("HWR_MODEL") or MODEL)


def default_data() -> Path:
    """Return the dataset folder: $HWR_DATA, else the samples that come with the project."""
    return Path(os.environ.get("HWR_DATA") or SAMPLES)

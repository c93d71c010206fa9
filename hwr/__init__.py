"""hwr reads handwritten names with a Keras CRNN and CTC."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwr.data.dataset import DatasetError
    from hwr.decoding.lexicon import LexiconError
    from hwr.image import ImageError
    from hwr.network.model_folder import ModelFolderError
    from hwr.reading import Reading
    from hwr.recognizer import Recognizer
    from hwr.shipped import predict

__version__ = "0.1.0"

_HOMES = {
    "DatasetError": "hwr.data.dataset",
    "ImageError": "hwr.image",
    "ModelFolderError": "hwr.network.model_folder",
    "Reading": "hwr.reading",
    "Recognizer": "hwr.recognizer",
    "LexiconError": "hwr.decoding.lexicon",
    "predict": "hwr.shipped",
}
__all__ = [
    "DatasetError",
    "ImageError",
    "LexiconError",
    "ModelFolderError",
    "Reading",
    "Recognizer",
    "predict",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that `import hwr` costs nothing."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'hwr' has no attribute {name!r}")

"""The model that comes with the project: its recognizer, loaded once, and reading by index."""

from __future__ import annotations

import os
import threading

from hwr.data.dataset import open_dataset
from hwr.defaults import default_data, default_model
from hwr.reading import Reading
from hwr.recognizer import Recognizer

_default: Recognizer | None = None
_default_lock = threading.Lock()


def default_recognizer() -> Recognizer:
    """Return the recognizer of the model that comes with the project, loaded once."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Recognizer.load(default_model())
    return _default


def predict(
    index: int, split: str = "train", data: str | os.PathLike[str] | None = None
) -> Reading:
    """Read the dataset picture with `index`, as the original project's `predict(10261)`.

    What is not sure is read once more in several views, as on the page.

    Args:
        index: the number in the picture's file name (TRAIN_10261.jpg is 10261).
        split: "train", "validation" or "test".
        data: dataset folder; see `default_data`.

    Raises:
        hwr.data.dataset.DatasetError: there is no such folder, split or index.
        hwr.image.ImageError: the picture cannot be used.
    """
    recognizer = default_recognizer()
    dataset = open_dataset(data or default_data(), split, recognizer.spec.alphabet)
    return recognizer.read(dataset.find(index).path, tta=True)

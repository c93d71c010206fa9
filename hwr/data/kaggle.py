"""Download: the full Kaggle set, for whoever wants to train on all of it."""

from __future__ import annotations

from pathlib import Path

from hwr.alphabet import Alphabet
from hwr.data.dataset import SPLITS, DatasetError, open_dataset

#: The dataset on Kaggle: 413,701 pictures, about 1.3 GB, public domain (CC0).
HANDLE = "landlord/handwriting-recognition"


def download(out: Path | None = None) -> Path:
    """Fetch the dataset, and return its folder once all of its splits can be opened.

    What is there already is not fetched again. No account is needed.

    Args:
        out: folder to download to; kagglehub's own cache if None.

    Raises:
        DatasetError: kagglehub is not installed, nothing could be fetched, or what came is not
            the dataset.
    """
    try:
        import kagglehub
    except ImportError as error:
        raise DatasetError(
            "The download needs kagglehub; run `pip install 'hwr[kaggle]'`."
        ) from error
    try:
        folder = Path(kagglehub.dataset_download(HANDLE, output_dir=out and str(out)))
    except Exception as error:  # kagglehub passes on whatever its connection raises
        raise DatasetError(
            f"Kaggle's {HANDLE} could not be fetched: {type(error).__name__}: {error}. Check the "
            f"connection and run the command again; it continues where it stopped."
        ) from error
    for split in SPLITS:
        if not len(open_dataset(folder, split, Alphabet())):
            raise DatasetError(f"The {split} split in {folder} holds no picture.")
    return folder

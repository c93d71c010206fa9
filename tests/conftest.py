"""Fixtures that many tests share."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import TINY

from hwr.alphabet import Alphabet
from hwr.spec import Spec


@pytest.fixture
def tiny_spec() -> Spec:
    return TINY


@pytest.fixture
def alphabet() -> Alphabet:
    return Alphabet()


@pytest.fixture(scope="module")
def gradio() -> Iterator[None]:
    """Sweep up the event loops that Gradio 6.31 leaves behind, before pytest finds them."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of an untrained tiny network, the same in every run."""
    import keras

    from hwr.network.crnn import build_model
    from hwr.network.model_folder import save_model

    keras.utils.set_random_seed(7)
    folder = tmp_path_factory.mktemp("model") / "tiny"
    save_model(folder, build_model(TINY), TINY, {"runs": [], "validation": {}}, "# Tiny\n")
    return folder

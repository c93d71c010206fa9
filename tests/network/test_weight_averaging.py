from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import TINY

from hwr.cli import main
from hwr.network.crnn import build_model
from hwr.network.model_folder import CARD, METRICS, ModelFolderError, load_model, save_model
from hwr.network.weight_averaging import average_models
from hwr.spec import Spec


def write_model(folder: Path, seed: int, spec: Spec = TINY) -> Path:
    keras.utils.set_random_seed(seed)
    run = {"sources": {}, "weights": {}, "synthetic_share": 1.0, "samples": 9}
    run |= {"minutes": 1, "seed": seed}
    save_model(folder, build_model(spec), spec, {"runs": [run], "validation": {}}, "# Card\n")
    return folder


def test_weights_lie_between_and_the_card_says_so(tmp_path: Path) -> None:
    first, second = (write_model(tmp_path / f"m{seed}", seed) for seed in (1, 2))
    out = tmp_path / "mean"
    assert main(["average", str(first), str(second), "--share", "0.25", "--out", str(out)]) == 0
    a, b, mean = (load_model(folder)[1].get_weights() for folder in (first, second, out))
    for one, two, between in zip(a, b, mean, strict=True):
        np.testing.assert_allclose(between, 0.75 * one + 0.25 * two, atol=1e-6)
    metrics = json.loads((out / METRICS).read_text())
    assert metrics["averaged"] == {"first": "m1", "second": "m2", "share": 0.25}
    assert [run["seed"] for run in metrics["runs"]] == [2]
    assert "the mean of `m1` and `m2`, 25% of the latter" in (out / CARD).read_text()


def test_what_cannot_be_averaged_is_refused(tmp_path: Path) -> None:
    first = write_model(tmp_path / "first", 1)
    other = write_model(tmp_path / "other", 2, replace(TINY, units=2 * TINY.units))
    with pytest.raises(ModelFolderError, match="networks of first and other differ"):
        average_models(first, other, 0.5, tmp_path / "out")
    with pytest.raises(ValueError, match=r"lies in 0\.\.1\. Received: 1\.5"):
        average_models(first, first, 1.5, tmp_path / "out")
    with pytest.raises(ValueError, match="is there already"):
        average_models(first, first, 0.5, other)
    assert not (tmp_path / "out").exists()

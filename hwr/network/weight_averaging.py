"""Averaging: a model between two that were trained one after the other.

Weights on the way from one model to its continuation read about as well as either where the two
learned the same, and better where they learned different things (Wortsman et al., "Model soups",
2022). Their sum costs nothing to read with, unlike two networks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hwr.network.model_card import model_card
from hwr.network.model_folder import METRICS, ModelFolderError, load_model, read_json, save_model


def average_models(first: Path, second: Path, share: float, out: Path) -> None:
    """Write a model folder with the weights (1 - share) * `first` + share * `second`.

    It has to be calibrated, exported and evaluated anew; what is known of its training is that
    of `second` and the share.

    Raises:
        ValueError: `share` lies outside of 0..1, or `out` is there already.
        ModelFolderError: a folder cannot be used, or their networks differ.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"The share of the second model lies in 0..1. Received: {share:g}")
    if out.exists():
        raise ValueError(f"--out {out} is there already; choose another name.")
    (spec, model), (other_spec, other) = load_model(first), load_model(second)
    weights, others = model.get_weights(), other.get_weights()
    if spec.alphabet != other_spec.alphabet or [w.shape for w in weights] != [
        w.shape for w in others
    ]:
        raise ModelFolderError(f"The networks of {first.name} and {second.name} differ.")
    mean = [(1 - share) * a + share * b for a, b in zip(weights, others, strict=True)]
    model.set_weights([np.asarray(w, np.float32) for w in mean])
    metrics = read_json(second / METRICS)
    new_metrics = {
        "runs": metrics.get("runs", []),
        "averaged": {"first": first.name, "second": second.name, "share": share},
        "validation": {},
    }
    save_model(out, model, other_spec, new_metrics, model_card(new_metrics, other_spec))

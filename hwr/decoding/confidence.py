"""Confidence: how probable it is that the whole name is right, and all else fitted to a network."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hwr.arrays import Doubles
from hwr.atomic_file import write_text
from hwr.decoding.alignment import CUT
from hwr.decoding.lexicon import Evidence
from hwr.letter import Candidate
from hwr.network.model_folder import CONFIG, ModelFolderError, content_sha256, read_json
from hwr.reading import SURE

CONFIDENCE = "confidence.json"
FORMAT = 3

#: Probabilities are kept this far from 0 and 1 before their odds are taken.
_MARGIN = 1e-6

#: What is weighed to tell how probable it is that the whole name is right; see `features`.
FEATURES = ("constant", "odds", "margin", "length")


@dataclass(frozen=True)
class DecodingParameters:
    """Everything about doubt that was fitted to the readings of one network.

    Attributes:
        name: a weight for each of FEATURES, of readings without a language model; none where
            nothing was
            fitted: the probability is then the network's own.
        name_with_language_model: the same, of readings with the language model.
        weight, reward: what the language model counts in the beam; see
            `hwr.decoding.language_model.LanguageModel.fused`.
        language_model: whether readings use the language model unless told otherwise.
        evidence: what the names of a lexicon count.
        sure: from this confidence on a reading is called sure.
        cut: where letters meet between their peaks; see `hwr.decoding.alignment.edges`.
        fitted_on: number of pictures by the name of their dataset.
    """

    name: tuple[float, ...] = ()
    name_with_language_model: tuple[float, ...] = ()
    weight: float = 0.2
    reward: float = 0.3
    language_model: bool = False
    evidence: Evidence = field(default_factory=Evidence)
    sure: float = SURE
    cut: float = CUT
    fitted_on: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for weights in (self.name, self.name_with_language_model):
            if weights and len(weights) != len(FEATURES):
                raise ValueError(f"Need a weight for each of {FEATURES}. Received: {weights}")
        numbers = (*self.name, *self.name_with_language_model, self.weight, self.reward)
        if not np.isfinite([*numbers, *dataclasses.astuple(self.evidence)]).all():
            raise ValueError(f"All of it must be finite. Received: {self}")
        if not (0 < self.sure <= 1 and 0 <= self.cut <= 1):
            raise ValueError(f"sure and cut must lie in 0..1. Received: {self.sure} and {self.cut}")

    def of(self, candidates: Sequence[Candidate], *, language_model: bool) -> float:
        """Return the probability that the first candidate is right in every character.

        Args:
            candidates: at least one, best first.
            language_model: whether the candidates were found with the language model.
        """
        weights = self.name_with_language_model if language_model else self.name
        if not weights:
            return min(1.0, candidates[0].probability)
        return float(1 / (1 + np.exp(-np.dot(weights, features(candidates)))))

    def to_dict(self) -> dict[str, Any]:
        values = dataclasses.asdict(self)
        return values | {
            "name": list(self.name),
            "name_with_language_model": list(self.name_with_language_model),
            "fitted_on": dict(self.fitted_on),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DecodingParameters:
        """Return what `to_dict` described.

        Raises:
            KeyError, TypeError, ValueError: a field is missing, unknown or of another kind.
        """
        values = dict(values)
        for key in ("name", "name_with_language_model"):
            values[key] = tuple(float(weight) for weight in values[key])
        values["evidence"] = Evidence(**{k: float(v) for k, v in values["evidence"].items()})
        return cls(**values)


def features(candidates: Sequence[Candidate]) -> Doubles:
    """Return what FEATURES names: the log-odds of the first candidate, by how much its logarithm
    leads the second's, and the number of its letters in tens.

    The weakest letter's probability was tried and tells nothing more: log-loss 0.3527 without
    and 0.3516 with it, area under risk and coverage 0.0706 and 0.0699 (five folds of 1,008
    pictures that were set aside).
    """
    first = candidates[0].probability
    second = candidates[1].probability if len(candidates) > 1 else 0.0
    lead = np.log(max(first, _MARGIN)) - np.log(max(second, _MARGIN))
    return np.array([1.0, _log_odds(first), lead, len(candidates[0].text) / 10])


def _log_odds(probability: float) -> float:
    clipped = min(max(probability, _MARGIN), 1 - _MARGIN)
    return float(np.log(clipped / (1 - clipped)))


def fit_choice(options: Sequence[Doubles], chosen: Sequence[int], *, ridge: float = 1.0) -> Doubles:
    """Return the weights under which what was chosen is likeliest (McFadden, 1974).

    Each case has options with features; the chance of an option is in proportion to
    exp(weights * features). With two options, one of them all zeros, this is logistic
    regression. Newton's method; `ridge` keeps weights finite where a feature decides alone.

    Args:
        options: for each case (K, F) features, K may differ.
        chosen: for each case the row that is right.

    Raises:
        ValueError: there are no cases, or their numbers differ.
    """
    if not options or len(options) != len(chosen):
        raise ValueError(
            f"Cases and choices go in pairs, at least one. "
            f"Received: {len(options)} and {len(chosen)}"
        )
    count, most, width = len(options), max(map(len, options)), options[0].shape[1]
    table = np.zeros((count, most, width))
    absent = np.ones((count, most), bool)
    for row, option in enumerate(options):
        table[row, : len(option)] = option
        absent[row, : len(option)] = False
    # Relative to what was chosen, so that its score is 0.
    table -= table[np.arange(count), chosen][:, None]
    weights = np.zeros(width)

    def loss_of(weights: Doubles) -> tuple[float, Doubles]:
        scores = np.where(absent, -np.inf, table @ weights)
        top = scores.max(axis=1, keepdims=True)
        chances = np.exp(scores - top)
        totals = chances.sum(axis=1, keepdims=True)
        loss = float((np.log(totals) + top).sum() + ridge / 2 * weights @ weights)
        return loss, chances / totals

    loss, chances = loss_of(weights)
    for _ in range(100):
        means = np.einsum("nk,nkf->nf", chances, table)
        spread = np.einsum("nk,nkf,nkg->fg", chances, table, table) - means.T @ means
        move = np.linalg.solve(spread + ridge * np.eye(width), means.sum(axis=0) + ridge * weights)
        # Halved until it helps: far from the optimum, Newton's method overshoots.
        for _ in range(30):
            better, shares = loss_of(weights - move)
            if better <= loss:
                break
            move = move / 2
        weights, gained = weights - move, loss - better
        loss, chances = better, shares
        if gained < 1e-9 * (1 + abs(loss)):
            break
    return weights


# === In the model folder ===


def load_parameters(folder: Path) -> DecodingParameters:
    """Return what stands in a model folder; the network's own probabilities if nothing does.

    Raises:
        ModelFolderError: the file is damaged, or was fitted to other weights.
    """
    if not (folder / CONFIDENCE).exists():
        return DecodingParameters()
    values = read_json(folder / CONFIDENCE)
    remedy = "fit it again with `python -m hwr calibrate`, or delete it"
    try:
        version, weights = values["format"], values["weights_sha256"]
        told = values.get("confidence_sha256")
        if told is not None and told != content_sha256(values["confidence"]):
            raise ValueError("its sha256 differs")
        fitted = _of_format_2(values["confidence"]) if version == 2 else values["confidence"]
        parameters = DecodingParameters.from_dict(fitted) if version in (2, FORMAT) else None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFolderError(
            f"{folder.name}/{CONFIDENCE} is damaged ({error}); {remedy}."
        ) from error
    if parameters is None:
        raise ModelFolderError(
            f"{folder.name}/{CONFIDENCE} has format {version!r}, this program reads format "
            f"{FORMAT}; {remedy}."
        )
    if weights != read_json(folder / CONFIG).get("weights_sha256"):
        raise ModelFolderError(f"{folder.name}/{CONFIDENCE} was fitted to other weights; {remedy}.")
    return parameters


def _of_format_2(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as they were stored before format 3, with the names of today."""
    renamed = {"name_with_prior": "name_with_language_model", "prior": "language_model"}
    evidence = dict(values["evidence"])
    return {renamed.get(key, key): value for key, value in values.items()} | {
        "evidence": {"temperature": 1 / evidence.pop("temper"), **evidence}
    }


def save_parameters(folder: Path, parameters: DecodingParameters) -> None:
    """Write `parameters` into a model folder, for the weights that are there.

    Raises:
        ModelFolderError: there is no model in the folder.
    """
    values = {
        "format": FORMAT,
        "weights_sha256": read_json(folder / CONFIG)["weights_sha256"],
        "confidence_sha256": content_sha256(parameters.to_dict()),
        "confidence": parameters.to_dict(),
    }
    write_text(folder / CONFIDENCE, json.dumps(values, indent=2) + "\n")

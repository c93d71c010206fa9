"""Calibration: fits the decoding parameters to readings of the calibration split."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import Alphabet
from hwr.arrays import Doubles, Grey
from hwr.data.dataset import Dataset, DatasetError, Sample, split_calibration
from hwr.decoding.alignment import align, ink_profile, peaks
from hwr.decoding.beam import beam, beam_search
from hwr.decoding.confidence import DecodingParameters, features, fit_choice
from hwr.decoding.ctc import Condensed, greedy_text
from hwr.decoding.decoder import Decoder
from hwr.decoding.language_model import LanguageModel
from hwr.decoding.lexicon import COMPARED, Evidence, Lexicon
from hwr.image import ImageError, load_image
from hwr.letter import Candidate
from hwr.network.engine import batches_by_width
from hwr.preprocess import prepare
from hwr.reading import SURE
from hwr.recognizer import Recognizer

#: Fewer readings than this say nothing about doubt.
LEAST = 50

#: Beam whose texts the language model chooses between.
WIDE = 20

#: Sizes of the random lexicons.
SIZES = (10, 30, 100, 300, 1000, 3000)

#: Where letters may meet between their peaks.
CUTS = np.round(np.arange(0.2, 1.01, 0.02), 2)


@dataclass(frozen=True, eq=False)
class Case:
    """One picture of the calibration split, with its logits.

    Attributes:
        image: (H, W) uint8 prepared image before padding.
        logits: (T, C) float32.
    """

    sample: Sample
    image: Grey
    logits: NDArray[np.float32]


def calibrate(
    recognizer: Recognizer,
    datasets: Sequence[Dataset],
    language_model: LanguageModel | None = None,
    *,
    use_language_model: bool = True,
    sure: float = SURE,
    seed: int = 0,
) -> DecodingParameters:
    """Return what doubt is worth for the readings of `recognizer`.

    Args:
        datasets: training splits; only the part of each that is never trained on is read.
            To the first one alone is fitted how lexicons are weighed.
        language_model: the language model to find a weight for; must have the alphabet of the
            recognizer.
        use_language_model: whether readings shall use it unless told otherwise.
        sure: from this confidence on a reading is called sure.
        seed: of the random lexicons.

    Raises:
        DatasetError: too few pictures are set aside.
    """
    parts = [read_cases(recognizer, split_calibration(dataset)[1]) for dataset in datasets]
    cases = [case for part in parts for case in part]
    if len(cases) < LEAST:
        raise DatasetError(
            f"Only {len(cases)} usable pictures are set aside, one training picture in twenty; "
            f"confidence needs {LEAST}. Give more --data."
        )
    alphabet = recognizer.spec.alphabet
    confidence = DecodingParameters(sure=sure, cut=fit_cut(cases, alphabet))
    if language_model is not None:
        weight, reward = fit_weight(cases, language_model)
        confidence = dataclasses.replace(
            confidence, weight=weight, reward=reward, language_model=use_language_model
        )
    # Words of running text are not what a list of expected names holds, and read less surely.
    pool = Lexicon.of(sorted({sample.text for sample in datasets[0]}), alphabet)
    decoder = Decoder(alphabet, confidence)
    fitted: dict[str, int] = {}
    for dataset, part in zip(datasets, parts, strict=True):
        fitted[dataset.folder.name] = fitted.get(dataset.folder.name, 0) + len(part)
    return dataclasses.replace(
        confidence,
        name=fit_name(cases, decoder, None),
        name_with_language_model=fit_name(cases, decoder, language_model)
        if language_model is not None
        else (),
        evidence=fit_evidence(parts[0], pool, np.random.default_rng(seed)),
        fitted_on=fitted,
    )


def read_cases(recognizer: Recognizer, wanted: Iterable[Sample]) -> list[Case]:
    """Return the readable pictures of `wanted` that are not blank, with their logits."""
    samples, images = [], []
    for sample in wanted:
        try:
            prepared = prepare(load_image(sample.path).pixels, recognizer.spec)
        except ImageError:
            continue
        if not prepared.blank:
            samples.append(sample)
            images.append(prepared.image)
    logits: dict[int, NDArray[np.float32]] = {}
    for positions, batch in batches_by_width(images, recognizer.spec):
        logits |= dict(zip(positions, recognizer.logits(batch), strict=True))
    return [Case(samples[i], images[i], logits[i]) for i in range(len(samples))]


def fit_cut(cases: Sequence[Case], alphabet: Alphabet) -> float:
    """Return where between two peaks there is least ink, on average over right readings."""
    ink, count = np.zeros(len(CUTS)), 0
    for case in cases:
        text = case.sample.text
        if len(text) < 2 or greedy_text(case.logits, alphabet).strip() != text:
            continue
        columns = np.array(peaks(align(case.logits, alphabet.encode(text))))
        cuts = columns[:-1, None] + np.diff(columns)[:, None] * CUTS
        profile = ink_profile(case.image)
        ink += profile[np.clip(np.round(cuts).astype(int), 0, len(profile) - 1)].sum(axis=0)
        count += 1
    return float(CUTS[ink.argmin()]) if count else DecodingParameters().cut


def fit_weight(cases: Sequence[Case], language_model: LanguageModel) -> tuple[float, float]:
    """Return weight and reward of the language model under which the labels are likeliest.

    Only pictures whose label is among the beam's texts say anything about that.
    """
    options, chosen = [], []
    for case in cases:
        texts: dict[str, float] = {}
        for h in beam_search(case.logits, WIDE):
            text = language_model.alphabet.decode(h.ids).strip()
            texts[text] = np.logaddexp(texts.get(text, -np.inf), h.log_probability)
        if case.sample.text in texts:
            rows = [
                [p, language_model.log_probability(text), len(text)] for text, p in texts.items()
            ]
            options.append(np.array(rows))
            chosen.append(list(texts).index(case.sample.text))
    default = DecodingParameters()
    if len(options) < LEAST:
        return default.weight, default.reward
    own, weight, reward = fit_choice(options, chosen)
    if own <= 0 or weight < 0:
        return default.weight, default.reward
    return round(float(weight / own), 3), round(float(reward / own), 3)


def fit_name(
    cases: Sequence[Case], decoder: Decoder, language_model: LanguageModel | None
) -> tuple[float, ...]:
    """Return the weights of `hwr.decoding.confidence.FEATURES`, of readings with or without the
    language model.
    """
    # What is fitted here must not be applied already.
    bare = dataclasses.replace(decoder.parameters, name=(), name_with_language_model=())
    decoder = dataclasses.replace(decoder, parameters=bare)
    options, chosen = [], []
    for case in cases:
        decoded = decoder.decode(case.logits, language_model=language_model or False)
        right = features(decoded.candidates)
        options.append(np.stack([right, np.zeros_like(right)]))
        chosen.append(0 if decoded.text == case.sample.text else 1)
    return tuple(round(float(weight), 4) for weight in fit_choice(options, chosen))


def fit_evidence(cases: Sequence[Case], pool: Lexicon, rng: np.random.Generator) -> Evidence:
    """Return how to weigh the scores of a lexicon.

    For each picture and size, a lexicon with the true name and one without are drawn from
    `pool`, so that being on the list and not are equally likely.
    """
    names = {name: number for number, name in enumerate(pool.names)}
    options, chosen = [], []
    for case in cases:
        true = names.get(case.sample.text)
        if true is None:
            continue
        # Exact, at any size: chances for thousands of names at once.
        steps = Condensed.of(case.logits).scores
        totals = pool.score(steps, exact=True).totals
        free = beam(steps, pool.alphabet)
        for size in SIZES:
            if size >= len(pool):
                break
            drawn = rng.choice(len(pool), size, replace=False)
            drawn = drawn[drawn != true]
            for listed in (True, False):
                own = np.append(drawn[: size - 1], true) if listed else drawn
                rows, answer = _weighed(pool, own, totals, free, true if listed else None)
                if answer is not None:
                    options.append(rows)
                    chosen.append(answer)
    if len(options) < LEAST:
        return Evidence()
    inverse, offset, growth = fit_choice(options, chosen)
    return Evidence(round(1 / float(inverse), 4), round(float(offset), 4), round(float(growth), 4))


def _weighed(
    pool: Lexicon,
    own: NDArray[np.intp],
    totals: Doubles,
    free: Sequence[Candidate],
    true: int | None,
) -> tuple[Doubles, int | None]:
    """Return the options for `fit_choice`, "not on the list" first, and which is right.

    None is right where the network gives the true name no chance at all.
    """
    listed = {pool.names[i] for i in own}
    outside = max((c.probability for c in free if c.text.strip() not in listed), default=0.0)
    ranked = own[np.argsort(-totals[own], kind="stable")[:COMPARED]]
    if true is not None and true not in ranked:
        ranked = np.append(ranked, true)
    ranked = ranked[totals[ranked] > 0]
    rows = np.zeros((len(ranked) + 1, 3))
    rows[0] = np.log(max(outside, 1e-300)), 1, np.log(len(own))
    rows[1:, 0] = np.log(totals[ranked])
    if true is None:
        return rows, 0
    found = np.flatnonzero(ranked == true)
    return rows, int(found[0]) + 1 if len(found) else None

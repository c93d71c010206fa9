"""Extraction: letters, words and subwords cut out of labelled pictures by a trained model."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from rapidfuzz.distance import Levenshtein
from tqdm import tqdm

from hwr.alphabet import fold, frames_needed
from hwr.arrays import Floats, Grey, Singles
from hwr.atomic_file import new_folder
from hwr.data.dataset import Dataset, Sample, open_dataset, split_calibration
from hwr.data.prepared_cache import prepare_dataset
from hwr.decoding.alignment import align, peaks
from hwr.decoding.ctc import greedy_text, log_probability
from hwr.image import ImageError, load_image
from hwr.network.engine import batches_by_width
from hwr.preprocess import prepare
from hwr.recognizer import Recognizer
from hwr.recombination.letter_bank import LetterBank, Letters, collect, cut_letters, read_singles
from hwr.recombination.line_words import cut_words
from hwr.recombination.subwords import cut_subwords
from hwr.spec import COLUMNS_PER_STEP

#: A name that the model finds less probable (log) is mislabelled, or misaligned.
LEAST_LOG_PROBABILITY = -2.5

#: Words and subwords that are read with a higher character error rate were cut at a wrong place.
MOST_WORD_ERRORS, MOST_SUBWORD_ERRORS = 0.67, 0.34

#: Shorter words (de, le, et) are frequent, and of little use.
SHORTEST = 3

#: Lines, or words, that are read together.
LINES, WORDS = 64, 256

#: A picture with its sample and its text.
Labelled = tuple[Sample, str, Grey]


def extract_letters(
    recognizer: Recognizer,
    folders: Sequence[Path],
    out: Path,
    *,
    singles: Path | None = None,
    cache: Path | None = None,
) -> tuple[LetterBank, float]:
    """Cut the letters out of the training pictures of dataset folders and write a bank.

    Pictures of the calibration split and of other splits are never opened.

    Args:
        singles: NumPy archive of single letters, see `hwr.recombination.letter_bank.read_singles`.

    Returns:
        The bank, and how many columns right of its emission a letter's ink lies.
    """
    images: list[Grey] = []
    texts: list[str] = []
    origins: list[tuple[str, int]] = []
    for folder in folders:
        origins.append((folder.resolve().name, len(images)))
        prepared = prepare_dataset(_trained(recognizer, folder), recognizer.spec, folder=cache)
        images += [prepared.image(number) for number in range(len(prepared))]
        texts += [sample.text for sample in prepared.samples]
    columns: dict[int, Floats] = {}
    for i, logits in _read(recognizer, images):
        ids = recognizer.spec.alphabet.encode(texts[i])
        if log_probability(logits, ids) > LEAST_LOG_PROBABILITY:
            columns[i] = np.array(peaks(align(logits, ids)))
    sure = sorted(columns)
    shift = ink_shift(
        [images[i] for i in sure], [texts[i] for i in sure], [columns[i] for i in sure]
    )

    def cut() -> Iterator[tuple[int, Letters]]:
        for i in tqdm(sure, unit="picture", desc="letters", mininterval=1):
            letters = cut_letters(images[i], texts[i], columns[i] + shift)
            if letters is not None:
                yield i, letters

    bank = collect(cut(), recognizer.spec.height, origins)
    if singles is not None:
        bank = bank.with_singles(read_singles(singles), singles.stem)
    out.parent.mkdir(parents=True, exist_ok=True)
    bank.save(out)
    return bank, shift


def ink_shift(images: Sequence[Grey], texts: Sequence[str], columns: Sequence[Floats]) -> float:
    """Return how far right of its peak the middle of a letter's ink lies, in columns.

    Measured on the pictures that have as many separate runs of ink as letters.

    Raises:
        ValueError: there are fewer than twenty letters to measure.
    """
    shifts: list[Floats] = []
    for image, text, at in zip(images, texts, columns, strict=True):
        if " " in text or len(text) < 3 or not np.isfinite(at).all():
            continue
        first, last = max(0, int(at[0]) - 12), int(at[-1]) + 24
        rows = slice(len(image) // 5, -len(image) // 6)
        inked = (image[rows, first:last] < 178).any(axis=0)
        edges = np.flatnonzero(np.diff(np.concatenate(([0], inked.astype(np.int8), [0]))))
        runs = edges.reshape(-1, 2)
        runs = runs[runs[:, 1] - runs[:, 0] >= 3]
        if len(runs) == len(text):
            shifts.append(runs.mean(axis=1) + first - at)
    if sum(map(len, shifts)) < 20:
        raise ValueError("Too few names have separate letters to measure where the ink stands.")
    return float(np.median(np.concatenate(shifts)))


def extract_words(recognizer: Recognizer, folder: Path, out: Path, shift: float) -> int:
    """Cut the training lines of a dataset folder into words and write them as a dataset.

    The words are written as `labels.csv` beside `images/`, with the writers of the lines.

    Args:
        shift: see `ink_shift`.

    Returns:
        The number of words.

    Raises:
        ValueError: `out` is there already.
    """
    dataset = open_dataset(folder, "train", recognizer.spec.alphabet)
    # Lines with characters outside of the alphabet hold other words that can be used.
    lines = list(dataset) + [
        d.sample for d in dataset.dropped if d.reason.startswith("unknown character")
    ]
    return _write_dataset(out, _words(recognizer, lines, shift))


def extract_subwords(
    recognizer: Recognizer, folders: Sequence[Path], out: Path, seed: int = 0
) -> int:
    """Cut the training words of dataset folders into pieces and write them as a dataset.

    Pictures of the calibration split and of other splits are never opened.

    Returns:
        The number of pieces.

    Raises:
        ValueError: `out` is there already.
    """
    words = [sample for folder in folders for sample in _trained(recognizer, folder)]
    return _write_dataset(out, _pieces(recognizer, words, np.random.default_rng(seed)))


def _trained(recognizer: Recognizer, folder: Path) -> Dataset:
    """Return the training split of a folder without its calibration split."""
    return split_calibration(open_dataset(folder, "train", recognizer.spec.alphabet))[0]


def _read(recognizer: Recognizer, images: Sequence[Grey]) -> Iterator[tuple[int, Singles]]:
    """Yield the position and the (T, C) logits of each prepared image, by width."""
    for positions, batch in batches_by_width(images, recognizer.spec):
        yield from zip(positions, recognizer.logits(batch), strict=True)


def _write_dataset(out: Path, pictures: Iterable[Labelled]) -> int:
    """Write pictures with their texts and the writers of their samples; return how many.

    All are of the training split, as the pictures that they were cut out of.

    Raises:
        ValueError: `out` is there already.
    """
    if out.exists():
        raise ValueError(f"{out} is there already; choose another name.")
    count = 0
    with new_folder(out) as partial:
        (partial / "images").mkdir()
        with (partial / "labels.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["FILENAME", "IDENTITY", "WRITER", "SPLIT"])
            for sample, text, picture in pictures:
                name = f"{sample.path.stem}_{count:06d}.png"
                # Not by cv2.imwrite, which only returns False where the disk is full.
                content = cv2.imencode(".png", picture)[1].tobytes()
                (partial / "images" / name).write_bytes(content)
                table.writerow([name, text, sample.writer, "train"])
                count += 1
    return count


def _words(recognizer: Recognizer, lines: Sequence[Sample], shift: float) -> Iterator[Labelled]:
    """Yield (line, text, picture) of each word that reads at least somewhat like its text."""
    spec = recognizer.spec
    for start in tqdm(range(0, len(lines), LINES), unit="batch", desc="words", mininterval=1):
        words: list[Labelled] = []
        for sample in lines[start : start + LINES]:
            try:
                grey = load_image(sample.path).pixels
            except ImageError:
                continue
            width = max(8, round(grey.shape[1] * spec.height / grey.shape[0]))
            padded = np.full((spec.height, -(-width // spec.width_step) * spec.width_step), 255)
            padded[:, :width] = cv2.resize(grey, (width, spec.height), interpolation=cv2.INTER_AREA)
            logits = recognizer.logits(padded[None])[0][: -(-width // COLUMNS_PER_STEP)]
            found = cut_words(grey, sample.label, logits, spec.alphabet, shift)
            words += [(sample, w.text, grey[:, w.left : w.right]) for w in found]
        for sample, text, word in _as_labelled(recognizer, words, MOST_WORD_ERRORS):
            if len(fold(text)) >= SHORTEST:
                yield sample, text, word


def _pieces(
    recognizer: Recognizer, words: Sequence[Sample], rng: np.random.Generator
) -> Iterator[Labelled]:
    """Yield (word, text, picture) of each piece that reads much like its text."""
    alphabet, cut = recognizer.spec.alphabet, recognizer.decoder.parameters.cut
    for start in tqdm(range(0, len(words), WORDS), unit="batch", desc="pieces", mininterval=1):
        images, samples = [], []
        for sample in words[start : start + WORDS]:
            try:
                prepared = prepare(load_image(sample.path).pixels, recognizer.spec)
            except ImageError:
                continue
            if not prepared.blank:
                images.append(prepared.image)
                samples.append(sample)
        found: list[Labelled] = []
        for position, logits in _read(recognizer, images):
            sample, image = samples[position], images[position]
            ids = alphabet.encode(sample.text)
            if not ids or frames_needed(ids) > len(logits):
                continue
            if log_probability(logits, ids) < LEAST_LOG_PROBABILITY:
                continue
            pieces = cut_subwords(image, sample.text, align(logits, ids), cut, rng)
            found += [(sample, p.text, image[:, p.left : p.right]) for p in pieces]
        yield from _as_labelled(recognizer, found, MOST_SUBWORD_ERRORS)


def _as_labelled(
    recognizer: Recognizer, pictures: Sequence[Labelled], most: float
) -> Iterator[Labelled]:
    """Yield the pictures that are read with a character error rate of at most `most`."""
    spec = recognizer.spec
    prepared = [prepare(np.ascontiguousarray(picture), spec) for _, _, picture in pictures]
    inked = [i for i, p in enumerate(prepared) if not p.blank]
    for position, logits in _read(recognizer, [prepared[i].image for i in inked]):
        picture = pictures[inked[position]]
        truth = fold(picture[1])
        errors = Levenshtein.distance(truth, greedy_text(logits, spec.alphabet))
        if errors <= most * len(truth):
            yield picture

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from hwr.alphabet import Alphabet
from hwr.data.dataset import open_dataset, split_calibration
from hwr.decoding.decoder import Decoder
from hwr.preprocess import pad, prepare
from hwr.recombination.extract import (
    extract_letters,
    extract_subwords,
    extract_words,
    ink_shift,
)
from hwr.recombination.letter_bank import LetterBank
from hwr.spec import Spec

SPEC = Spec()


class BlockReader:
    """Stands for a recognizer that reads narrow blocks as I and wide ones as O, too far left."""

    spec = SPEC
    decoder = Decoder(Alphabet())
    shift = 6.0

    def logits(self, images: np.ndarray) -> np.ndarray:
        out = np.zeros((len(images), images.shape[2] // 4, Alphabet().classes), np.float32)
        out[:, :, 0] = 12.0
        for image, steps in zip(images, out, strict=True):
            inked = (np.asarray(image)[6:34] < 100).any(axis=0).astype(np.int8)
            edges = np.flatnonzero(np.diff(np.concatenate(([0], inked, [0])))).reshape(-1, 2)
            for left, right in edges:
                step = max(0, int(((left + right) / 2 - self.shift) // 4))
                letter = Alphabet().encode("O" if right - left > 14 else "I")[0]
                steps[step, 0], steps[step, letter] = 0.0, 12.0
        return out


def blocks(text: str, gap: int = 14) -> np.ndarray:
    image = np.full((40, 40 + 34 * len(text)), 255, np.uint8)
    x = 16
    for character in text:
        width = {"O": 20, "I": 8, " ": 4}[character]
        if character != " ":
            image[8:32, x : x + width] = 0
        x += width + gap
    return image


def write_dataset(folder: Path, texts: list[str], labels: list[str] | None = None) -> Path:
    (folder / "images").mkdir(parents=True)
    rows = ["FILENAME,IDENTITY,WRITER"]
    for number, text in enumerate(texts):
        cv2.imwrite(str(folder / "images" / f"{number:03d}.png"), blocks(text))
        rows.append(f'{number:03d}.png,"{(labels or texts)[number]}",w{number % 3}')
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_letters_are_harvested_from_names_that_read_as_labelled(tmp_path: Path) -> None:
    texts = ["OIO", "IOIO", "OOI", "IIOO"] * 6
    labels = list(texts)
    labels[0] = "OOOOO"  # mislabelled
    data = write_dataset(tmp_path / "data", texts, labels)
    bank, shift = extract_letters(
        BlockReader(), [data], tmp_path / "made" / "bank.npz", cache=tmp_path / "cache"
    )
    assert shift == pytest.approx(BlockReader.shift, abs=2.5)
    assert set(bank.characters) == {"I", "O"}
    widths = {c: bank.widths[bank.characters == c] for c in "IO"}
    assert widths["I"].max() < widths["O"].min()
    again = LetterBank.read(tmp_path / "made" / "bank.npz")
    assert len(again.characters) == len(bank.characters)
    # Nothing is left of a name in its emptied picture.
    first = int(again.contexts[0, 0]) * again.height
    assert (again.context_pixels[:first] == 255).all()


def test_words_are_harvested_with_their_writers(tmp_path: Path) -> None:
    lines = ["OIO IOOI", "OOI IIO", "IOI OO"] * 4
    data = write_dataset(tmp_path / "lines", lines)
    count = extract_words(BlockReader(), data, tmp_path / "words", BlockReader.shift)
    with (tmp_path / "words" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count > 8
    assert {row["IDENTITY"] for row in rows} <= {"OIO", "IOOI", "OOI", "IIO", "IOI"}
    assert {row["WRITER"] for row in rows} == {"w0", "w1", "w2"}
    for row in rows:
        picture = cv2.imread(str(tmp_path / "words" / "images" / row["FILENAME"]), 0)
        inked = (pad(prepare(picture, SPEC).image, SPEC)[20] < 100).astype(int)
        assert (np.diff(inked, prepend=0) == 1).sum() == len(row["IDENTITY"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lines", "words"]
    with pytest.raises(ValueError, match="there already"):
        extract_words(BlockReader(), data, tmp_path / "words", BlockReader.shift)


def test_pieces_are_harvested_from_words_that_read_as_labelled(tmp_path: Path) -> None:
    texts = ["OIOOIIO", "OIO", "IOIOOIOIIOIO", "OO IOOI"] * 4
    labels = list(texts)
    labels[0] = "IIIIIII"  # mislabelled
    data = write_dataset(tmp_path / "data", texts, labels)
    kept = {int(s.path.stem) for s in split_calibration(open_dataset(data, "train", Alphabet()))[0]}
    count = extract_subwords(BlockReader(), [data], tmp_path / "pieces")
    with (tmp_path / "pieces" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count > 10
    for row in rows:
        origin, piece = int(row["FILENAME"][:3]), row["IDENTITY"]
        assert origin in kept - {0}
        assert row["WRITER"] == f"w{origin % 3}"
        assert len(piece) >= 3
        assert piece in texts[origin]
        assert piece != texts[origin]
        picture = cv2.imread(str(tmp_path / "pieces" / "images" / row["FILENAME"]), 0)
        inked = (prepare(picture, SPEC).image[20] < 100).astype(int)
        blocks_seen = (np.diff(inked, prepend=0) == 1).sum()
        assert blocks_seen == len(piece.replace(" ", ""))
    # Every long word is cut, the parts in a row make it up, and the same seed cuts the same.
    twelve = [row["IDENTITY"] for row in rows if row["FILENAME"].startswith("002")]
    assert len(twelve) > 1
    assert "IOIOOIOIIOIO".startswith("".join(twelve))
    extract_subwords(BlockReader(), [data], tmp_path / "again")
    again = (tmp_path / "again" / "labels.csv").read_text()
    assert again == (tmp_path / "pieces" / "labels.csv").read_text()
    with pytest.raises(ValueError, match="there already"):
        extract_subwords(BlockReader(), [data], tmp_path / "pieces")


def test_ink_shift_is_measured_on_letters_that_stand_alone() -> None:
    image = np.full((40, 200), 255, np.uint8)
    lefts = np.arange(20, 180, 16)
    for left in lefts:
        image[10:30, left : left + 8] = 0
    joined = image.copy()
    joined[18:22, 20:180] = 0
    text = "ABCDEFGHIJ"
    emitted = lefts + 4 - 6.5
    assert ink_shift([image, image, joined], [text] * 3, [emitted] * 3) == pytest.approx(6.5)
    with pytest.raises(ValueError, match="separate letters"):
        ink_shift([joined] * 3, [text] * 3, [emitted] * 3)

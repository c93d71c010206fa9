from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import bank_of, write_letters

from hwr.alphabet import Alphabet
from hwr.recombination.letter_bank import LetterBank, cut_letters, read_singles
from hwr.recombination.recombine import RecombinedSource
from hwr.spec import Spec

SPEC = Spec()


def test_letters_and_the_emptied_picture_make_up_the_whole() -> None:
    image, middles = write_letters("HELP", prompt="x")
    found = cut_letters(image, "HELP", middles + 2.5)
    assert found is not None
    assert [character for character, _, _ in found.letters] == list("HELP")
    assert found.context.baseline == pytest.approx(31, abs=1)
    assert found.context.cap == pytest.approx(15, abs=1.5)
    assert found.context.stroke == pytest.approx(2.5, abs=1)
    assert found.context.pitch == pytest.approx(24, abs=2)
    # The prompt stays, the name does not.
    assert (found.emptied[4:12, 2:18] == 0).all()
    assert (found.emptied[:, 25:] == 255).all()
    heights = [rise for _, _, rise in found.letters]
    assert heights == pytest.approx([16, 16, 16, 16], abs=1.6)


def test_a_name_is_given_up_where_a_letter_is_not_certain() -> None:
    image, middles = write_letters("HELP")
    touching = image.copy()
    touching[20:22, int(middles[0]) : int(middles[1])] = 0
    assert cut_letters(touching, "HELP", middles) is None
    missing = image.copy()
    missing[:, int(middles[1]) - 10 : int(middles[1]) + 10] = 255
    assert cut_letters(missing, "HELP", middles) is None
    assert cut_letters(image, "HELP", middles + 40) is None


def test_a_bank_is_read_as_it_was_written(tmp_path: Path) -> None:
    bank = bank_of("HELP", "ANNA")
    bank.save(tmp_path / "bank.npz")
    again = LetterBank.read(tmp_path / "bank.npz")
    assert "".join(again.characters) == "HELPANNA"
    assert again.sources.tolist() == [0] * 4 + [1] * 4
    assert (again.pixels == bank.pixels).all()
    assert again.contexts.shape == (2, 10)
    assert again.height == 40
    assert again.counts == {"drawn": 8}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bank.npz"]
    (tmp_path / "no.npz").write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match="no letter bank"):
        LetterBank.read(tmp_path / "no.npz")


def test_new_names_are_written_with_the_letters_of_the_bank() -> None:
    bank = bank_of("HELP", "ANNA", "MORLY")
    source = RecombinedSource(bank, ["Laura", "Nelly", "Zoé", "HELENA"], SPEC, empty=0.0)
    rng = np.random.default_rng(1)
    texts = set()
    for _ in range(40):
        image, text = source.draw(rng)
        texts.add(text)
        assert image.dtype == np.uint8
        assert image.shape[0] == 40
        assert (image[4:12, 2:18] == 0).all()  # the prompt is where it was
        # As many letters stand alone as the name has: the pitch of the pictures keeps them apart.
        runs = np.diff((image[:, 25:] < 100).any(axis=0).astype(int))
        assert (runs == 1).sum() == len(text)
    assert texts == {"NELLY", "HELENA"}  # U and Z are in no picture


def test_the_same_seed_writes_the_same_picture() -> None:
    source = RecombinedSource(bank_of("HELP", "ANNA"), ["HELENA", "PAN"], SPEC)
    first, again = (source.draw(np.random.default_rng(5)) for _ in range(2))
    assert first[1] == again[1]
    assert (first[0] == again[0]).all()


def test_frequent_names_are_written_more_often() -> None:
    source = RecombinedSource(bank_of("HELP"), ["HE", "PEEL"], SPEC, [9.0, 1.0], empty=0.0)
    rng = np.random.default_rng(2)
    texts = [source.draw(rng)[1] for _ in range(300)]
    assert 0.84 < texts.count("HE") / 300 < 0.96


def test_some_pictures_stay_empty() -> None:
    source = RecombinedSource(bank_of("HELP", "ANNA"), ["HELENA"], SPEC, empty=0.5)
    rng = np.random.default_rng(3)
    drawn = [source.draw(rng) for _ in range(100)]
    empty = [image for image, text in drawn if not text]
    assert 30 < len(empty) < 70
    assert all((image[:, 25:] == 255).all() and (image < 128).any() for image in empty)


def test_single_letters_of_other_hands_join_the_bank(tmp_path: Path) -> None:
    images = np.full((3, 64, 64), 255, np.uint8)
    for number, character in enumerate("TOY"):
        cv2.putText(images[number], character, (16, 50), 0, 1.2, 0, 3, cv2.LINE_AA)
    file = tmp_path / "singles.npz"
    np.savez(file, images=images, labels=np.array(list("TOY")))
    singles = read_singles(file)
    assert [character for character, _ in singles] == list("TOY")
    assert all((image[0] < 200).any() and (image[:, -1] < 200).any() for _, image in singles)
    bank = bank_of("TOYS").with_singles(singles, "single")
    assert bank.counts == {"drawn": 4, "single": 3}
    source = RecombinedSource(bank, ["TOTO", "YO"], SPEC, singles=1.0, empty=0.0)
    with pytest.raises(ValueError, match="lacks letters"):
        RecombinedSource(bank_of("HELP"), ["TOTO"], SPEC)
    image, text = source.draw(np.random.default_rng(0))
    assert text in ("TOTO", "YO")
    assert (image < 128).sum() > 60
    with pytest.raises(ValueError, match="no NumPy archive"):
        read_singles(tmp_path / "gone.npz")


def test_a_bank_of_another_height_is_refused() -> None:
    with pytest.raises(ValueError, match="40 rows high"):
        RecombinedSource(bank_of("HELP"), ["HELP"], Spec(Alphabet(), height=48))

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hwr.alphabet import Alphabet, fold
from hwr.recombination.line_words import cut_words

ALPHABET = Alphabet()
SHIFT = 8.0


def write_line(words: list[str]) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]:
    """Return a line, the logits of a network that emits SHIFT columns early, and word bounds."""
    line = np.full((40, 60 + 22 * sum(len(w) + 1 for w in words)), 255, np.uint8)
    logits = np.zeros((line.shape[1] // 4, ALPHABET.classes))
    logits[:, 0] = 8.0
    x, bounds = 12, []
    for word in words:
        left = x
        for character in word:
            cv2.putText(line, character, (x, 28), 0, 0.7, 0, 2, cv2.LINE_AA)
            if fold(character) in ALPHABET.characters:
                step = int((x + 7 - SHIFT) // 4)
                logits[step, 0] = 0.0
                logits[step, ALPHABET.encode(fold(character))[0]] = 8.0
            x += 22
        bounds.append((left, x - 6))
        x += 16
    return line, logits, bounds


def cut(words: list[str]) -> list[str]:
    line, logits, bounds = write_line(words)
    found = cut_words(line, " ".join(words), logits, ALPHABET, SHIFT)
    by_text = {word.text: word for word in found}
    for word, (left, right) in zip(words, bounds, strict=True):
        text = word.rstrip(",.")
        if text in by_text:
            assert by_text[text].left <= left
            assert by_text[text].right >= right
            others = [b for b in bounds if b != (left, right)]
            assert all(by_text[text].left >= b[1] or by_text[text].right <= b[0] for b in others)
    return [word.text for word in found]


def test_a_line_is_cut_between_its_words() -> None:
    assert cut(["Marie", "et", "Jean", "Dupont"]) == ["Marie", "et", "Jean", "Dupont"]


def test_punctuation_after_a_word_is_not_part_of_it() -> None:
    assert cut(["Lyon,", "Nantes."]) == ["Lyon", "Nantes"]


def test_words_beside_digits_are_left_out() -> None:
    assert cut(["ANNE", "nee", "1952", "au", "Mans"]) == ["ANNE", "Mans"]


def test_a_ruled_line_does_not_hide_the_gaps() -> None:
    line, logits, bounds = write_line(["Marie", "Louise"])
    line[32:34] = 0
    found = cut_words(line, "Marie Louise", logits, ALPHABET, SHIFT)
    assert bounds[0][1] <= found[0].right == found[1].left <= bounds[1][0]


def test_a_text_that_is_not_there_gives_no_words() -> None:
    line, logits, _ = write_line(["Marie", "Louise"])
    assert cut_words(line, "Xavier Quentin", logits, ALPHABET, SHIFT) == []
    assert cut_words(line, "A" * 200, logits, ALPHABET, SHIFT) == []
    assert cut_words(line, "", logits, ALPHABET, SHIFT) == pytest.approx([])

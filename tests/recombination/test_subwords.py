from __future__ import annotations

import numpy as np

from hwr.recombination.subwords import LONGEST, SHORTEST, Piece, cut_subwords


def pieces(text: str, seed: int = 0, image: np.ndarray | None = None) -> list[Piece]:
    """Cut a word whose letters stand on 20 columns each, with a gap of 4 between two."""
    if image is None:
        image = np.full((40, 20 * len(text)), 255, np.uint8)
        for i in range(len(text)):
            image[10:30, 20 * i + 2 : 20 * i + 18] = 0
    spans = [(5 * i + 2, 5 * i + 3) for i in range(len(text))]
    return cut_subwords(image, text, spans, 0.5, np.random.default_rng(seed))


def test_pieces_follow_one_another_and_stand_where_their_letters_do() -> None:
    text = "ABCDEFGHIJKLMNOPQRST"
    for seed in range(50):
        found = pieces(text, seed)
        assert "".join(p.text for p in found) == text[: sum(len(p.text) for p in found)]
        assert all(len(p.text) >= SHORTEST for p in found)
        assert all(len(p.text) <= LONGEST + 1 for p in found[:-1])
        for p in found:
            start = text.index(p.text)
            assert abs(p.left - 20 * start) <= 3
            assert abs(p.right - 20 * (start + len(p.text))) <= 3


def test_no_piece_begins_or_ends_beside_a_hyphen_or_a_space() -> None:
    for seed in range(50):
        for p in pieces("ABCDE-FGHI JKLMN", seed):
            assert p.text[0].isalpha()
            assert p.text[-1].isalpha()
            assert p.text not in ("ABCDE", "FGHI", "JKLMN")


def test_a_cut_goes_where_the_least_ink_is() -> None:
    text = "ABCDEFGHIJ"
    image = np.full((40, 200), 255, np.uint8)
    image[10:30] = 0
    image[:, 98:102] = 255  # between E and F alone
    first = [pieces(text, seed, image)[0].text for seed in range(50)]
    # Where four to six letters are wanted, the gap after five is within reach.
    assert first.count("ABCDE") > 15
    assert "ABCD" not in first


def test_short_words_have_no_pieces() -> None:
    assert pieces("ANA") == []
    assert pieces("AN-A") == []

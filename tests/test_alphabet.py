from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwr.alphabet import NAME_CHARACTERS, Alphabet, UnknownCharacterError, fold, frames_needed


@given(st.text(NAME_CHARACTERS))
def test_decoding_inverts_encoding(text: str) -> None:
    alphabet = Alphabet()
    assert alphabet.decode(alphabet.encode(text)) == text


def test_class_ids_start_behind_the_blank() -> None:
    alphabet = Alphabet(" AB")
    assert alphabet.classes == 4
    assert alphabet.encode("B A") == [3, 1, 2]


def test_unknown_character_is_named() -> None:
    with pytest.raises(UnknownCharacterError, match=r"'É' in 'ÉVA' is not in the alphabet"):
        Alphabet().encode("ÉVA")


@pytest.mark.parametrize("ids", [[0], [30], [-1]])
def test_ids_without_a_character_are_refused(ids: list[int]) -> None:
    with pytest.raises(ValueError, match=r"1\.\.29"):
        Alphabet().decode(ids)


@pytest.mark.parametrize("characters", ["", "ABA"])
def test_alphabet_without_a_bijection_is_refused(characters: str) -> None:
    with pytest.raises(ValueError, match="Received"):
        Alphabet(characters)


@pytest.mark.parametrize(
    ("label", "folded"),
    [
        ("Élodie", "ELODIE"),
        ("Cœur", "COEUR"),
        ("Weißenfels", "WEISSENFELS"),
        ("  jean -  marc ", "JEAN - MARC"),
        ("D’Arc", "D'ARC"),
        ("PENNANEC`H", "PENNANEC'H"),
        ("Jean\u2013Paul", "JEAN-PAUL"),
        ("Łukasz Żółw", "LUKASZ ZOLW"),
        ("Ångström", "ANGSTROM"),
        ("n° 3.", "N° 3."),
        ("", ""),
    ],
)
def test_labels_are_folded(label: str, folded: str) -> None:
    assert fold(label) == folded


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("ids", "frames"), [([], 0), ([1], 1), ([1, 2], 2), ([1, 1], 3), ([1, 1, 1, 2], 6)]
)
def test_equal_neighbours_need_a_blank_between(ids: list[int], frames: int) -> None:
    assert frames_needed(ids) == frames

"""The writer and its strokes."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from hwr.synthesis.letter_strokes import Glyph, Variants, parse, skeletons
from hwr.synthesis.writer import Case, Writer, _manner, trace_name

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
OTHERS = "0123456789-'ÉÈÊËÀÂÄÇÎÏÔÖÙÛÜŸÑŒÆÅŠéèêëàâäçîïôöùûüÿñœæåšß"


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# === Writer ===


def test_train_hands_never_use_a_held_out_skeleton(monkeypatch: pytest.MonkeyPatch) -> None:
    used: set[str] = set()

    def spy(text: str) -> Glyph:
        used.add(text)
        return parse(text)

    monkeypatch.setattr("hwr.synthesis.writer.parse", spy)

    def shapes(variants: Variants, hands: int) -> set[str]:
        used.clear()
        for seed in range(hands):
            rng = generator(seed)
            writer = Writer.sample(rng, variants)
            trace_name(LETTERS + OTHERS, writer, rng)
        return set(used)

    letters = [v for t in skeletons()[:2] for v in t.values() if len(v) >= 3]
    held = {v[-1] for v in letters}
    assert len(held) > 75
    assert not shapes("train", 60) & held
    # Conversely a held-out hand uses them, and no other shape of these letters.
    heldout = shapes("heldout", 30)
    assert len(heldout & held) > 0.95 * len(held)
    assert not heldout & {skeleton for v in letters for skeleton in v[:-1]}


def test_train_hands_use_every_other_skeleton() -> None:
    usual = {
        writer.skeletons(letter)[0]
        for seed in range(300)
        for writer in [Writer(seed=seed)]
        for letter in LETTERS
    }
    assert usual == {
        skeleton for letter in LETTERS for skeleton in skeletons().printed[letter][:-1]
    }


def test_hand_is_consistent_and_frozen() -> None:
    writer = Writer.sample(generator())
    assert writer == Writer.sample(generator())
    assert writer.skeletons("A") == writer.skeletons("A")
    with pytest.raises(AttributeError):
        writer.slant = 0  # type: ignore[misc]
    with pytest.raises(ValueError, match="Received: 'none'"):
        Writer.sample(generator(), "none")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("capitals", "JEAN-NOËL D'IRIß"),
        ("capitalised", "Jean-Noël D'Iriß"),
        ("lower", "jean-noël d'iriß"),
    ],
)
def test_apply_case(case: Case, expected: str) -> None:
    assert Writer(seed=0, case=case).apply_case("Jean-Noël d'Iriß", generator()) == expected


def test_apply_case_dotted_changes_nothing_but_the_i() -> None:
    writer = Writer(seed=0, case="dotted")
    drawn = {writer.apply_case("Fifi", generator(seed)) for seed in range(40)}
    assert drawn <= {"FIFI", "FiFI", "FIFi", "FiFi"}
    assert "FiFi" in drawn


# === Strokes ===


@pytest.mark.parametrize("connected", [0.0, 1.0])
def test_every_character_is_drawn_inside_its_bounds(connected: float) -> None:
    for character in LETTERS + OTHERS:
        for seed in range(8):
            writer = Writer(seed=seed, variants="all", connected=connected)
            strokes = trace_name(character, writer, generator(seed))
            assert strokes, character
            for stroke in strokes:
                assert stroke.dtype == np.float32
                assert stroke.ndim == 2
                assert stroke.shape[1] == 2
                assert len(stroke) >= 2
            points = np.concatenate(strokes)
            assert points[:, 0].min() == 0
            assert points[:, 0].max() < 1.7, character
            assert points[:, 1].min() > -1.7, character
            assert points[:, 1].max() < 0.75, character


def test_same_generator_state_same_strokes_else_not() -> None:
    writer = Writer.sample(generator(3))
    first = trace_name("Chloé-Zoé", writer, generator(5))
    _manner.cache_clear()
    again = trace_name("Chloé-Zoé", writer, generator(5))
    other = trace_name("Chloé-Zoé", writer, generator(6))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(np.concatenate(first)[:20], np.concatenate(other)[:20])


def test_joined_letters_share_a_stroke_and_dots_follow() -> None:
    still = {"seed": 1, "jitter": 0.0, "wobble": 0.0, "size_jitter": 0.0}
    joined = trace_name("mini", Writer(**still, connected=1.0), generator())  # type: ignore[arg-type]
    apart = trace_name("mini", Writer(**still, connected=0.0), generator())  # type: ignore[arg-type]
    assert len(joined) == 3  # the word, then its two dots
    assert len(apart) >= 6
    word = joined[0]
    assert np.linalg.norm(np.diff(word, axis=0), axis=1).max() < 0.15
    assert joined[1][:, 1].max() < word[:, 1].min() + 0.3
    assert joined[1][:, 0].mean() < joined[2][:, 0].mean()


@pytest.mark.parametrize("letter", ["É", "È", "Ê", "Ë", "é", "ï", "ü"])
def test_accents_stand_above_their_letter(letter: str) -> None:
    for seed in range(10):
        writer = Writer(seed=seed, jitter=0, size_jitter=0, turn=0, slant=0, wander=0, shape=0.01)
        bare = unicodedata.normalize("NFD", letter)[0].replace("i", "e")
        marked = np.concatenate(trace_name(letter, writer, generator()))
        plain = np.concatenate(trace_name(bare, writer, generator()))
        assert marked[:, 1].min() < plain[:, 1].min() - 0.04
        if letter != "ï":
            middle = marked[marked[:, 1] < plain[:, 1].min() - 0.04, 0].mean()
            assert 0.1 < middle / plain[:, 0].max() < 0.9


def test_accent_takes_the_place_of_the_dot() -> None:
    still = Writer(seed=0, variants="all")
    assert len(trace_name("i", still, generator())) == 2
    assert len(trace_name("î", still, generator())) == 2


def test_pitch_sets_letters_in_boxes() -> None:
    writer = Writer(seed=2, jitter=0, turn=0, slant=0, wobble=0, connected=1.0)
    strokes = trace_name("HHH HH", writer, generator(), pitch=2.0)
    points = np.concatenate(strokes)
    columns = np.unique((points[:, 0] - points[:, 0].min() + 0.5) // 2)
    assert columns.tolist() == [0, 1, 2, 4, 5]


def test_spaces_and_nothing_have_no_strokes() -> None:
    writer = Writer(seed=0)
    assert trace_name("", writer, generator()) == []
    assert trace_name("  ", writer, generator()) == []

"""Letter strokes: the table and its notation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pytest

from hwr.synthesis.letter_strokes import STEP, choose, parse, skeletons, spell

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def every_skeleton() -> Iterator[tuple[str, str]]:
    for table in skeletons():
        for letter, variants in table.items():
            for variant in variants:
                yield letter, variant


def test_the_table_is_the_one_that_the_weights_were_trained_on() -> None:
    # Any edit of a stroke changes every drawn data set: pin the new digest on purpose.
    tables = [list(table.items()) for table in skeletons()]
    assert [len(table) for table in tables] == [72, 26, 8]
    digest = hashlib.sha256(repr(tables).encode()).hexdigest()
    assert digest == "3cf9285e4df2a5c37d7921b8d4a96473810f7623e5c5857ce6b71af232401036"
    assert skeletons() is skeletons()


def test_tables_have_the_promised_number_of_variants() -> None:
    printed, joined, marks = skeletons()
    assert all(len(printed[letter]) >= 4 for letter in LETTERS[:26])
    assert all(len(printed[letter]) >= 3 for letter in LETTERS[26:] + "0123456789")
    assert all(len(joined[letter]) >= 2 for letter in LETTERS[26:])
    for variants in (*printed.values(), *joined.values(), *marks.values()):
        assert len(set(variants)) == len(variants)


def test_every_skeleton_stays_in_its_box() -> None:
    for letter, text in every_skeleton():
        glyph = parse(text)
        points = glyph.basis @ glyph.points
        assert points.dtype == np.float32
        assert points.shape == (glyph.ends[-1], 2)
        np.testing.assert_allclose(glyph.basis.sum(axis=1), 1, atol=1e-5)
        left, bottom = points.min(axis=0)
        right, top = points.max(axis=0)
        assert left > -0.1, letter
        assert right < 1.2, letter
        assert bottom > -0.5, letter
        assert top < 1.15, letter
        starts = (0, *glyph.ends[:-1])
        for start, end in zip(starts, glyph.ends, strict=True):
            assert end - start >= 2, letter
            steps = np.linalg.norm(np.diff(points[start:end], axis=0), axis=1)
            assert steps.max() < 2 * STEP, letter


def test_parse_runs_through_its_points_and_keeps_corners() -> None:
    line = parse("/10,0 10,100 60,100")
    points = line.basis @ line.points
    assert points[0].tolist() == [0, 0]
    np.testing.assert_allclose(points[-1], [0.5, 1], atol=1e-6)
    assert np.abs(points - [0, 1]).sum(axis=1).min() < 1e-6
    # With a corner nothing leaves the two straight legs; a smooth curve through the same does.
    assert np.minimum(np.abs(points[:, 0]), np.abs(points[:, 1] - 1)).max() < 1e-6
    smooth = parse("10,0 10,100 60,100")
    curve = smooth.basis @ smooth.points
    assert np.minimum(np.abs(curve[:, 0]), np.abs(curve[:, 1] - 1)).max() > 0.01
    assert parse("5,5|0,0 9,9").ends[0] == 2  # a dot is a stroke of two points


@pytest.mark.parametrize("text", ["", "1,2|", "1,2,3 4,5", "a,b", "1"])
def test_parse_refuses_malformed_strokes(text: str) -> None:
    with pytest.raises(ValueError, match="Received"):
        parse(text)


def test_choose_holds_out_the_last_of_three() -> None:
    assert choose(("a", "b", "c"), "train") == ("a", "b")
    assert choose(("a", "b", "c"), "heldout") == ("c",)
    assert choose(("a", "b", "c"), "all") == ("a", "b", "c")
    assert choose(("a", "b"), "train") == choose(("a", "b"), "heldout") == ("a", "b")
    with pytest.raises(ValueError, match="Received: 'test'"):
        choose(("a", "b"), "test")  # type: ignore[arg-type]


def test_spell_takes_accents_apart() -> None:
    assert spell("É") == ("E", "\N{COMBINING ACUTE ACCENT}")
    assert spell("ç") == ("c", "\N{COMBINING CEDILLA}")
    assert spell("ß") == ("ß", "")
    assert spell(" ") == ("", "")
    assert spell("\N{RIGHT SINGLE QUOTATION MARK}") == ("'", "")
    with pytest.raises(ValueError, match="Received: '漢'"):
        spell("漢")

"""Pictures of drawn names."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import features

from hwr.synthesis import fonts
from hwr.synthesis import render as synthesis
from hwr.synthesis.form_field import draw_field
from hwr.synthesis.ink import write
from hwr.synthesis.render import RENDERERS, draw
from hwr.synthesis.writer import Writer


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# === Pictures ===


@pytest.mark.parametrize("renderer", sorted(RENDERERS))
def test_unknown_characters_are_named(renderer: str) -> None:
    with pytest.raises(ValueError, match="Received: '漢Ж'"):
        RENDERERS[renderer]("A漢BЖ漢", Writer(seed=0), generator())
    with pytest.raises(ValueError, match="Received: '漢'"):
        draw("漢", generator())


@pytest.mark.parametrize("renderer", sorted(RENDERERS))
def test_renderers_give_the_same_grey_picture_for_the_same_seed(renderer: str) -> None:
    paint = RENDERERS[renderer]
    digests = set()
    for seed in range(30):
        rng = generator(seed)
        writer = Writer.sample(rng)
        picture = paint("Éloïse Groß", writer, rng)
        again_rng = generator(seed)
        again = paint("Éloïse Groß", Writer.sample(again_rng), again_rng)
        assert picture.dtype == np.uint8
        assert picture.ndim == 2
        assert np.array_equal(picture, again)
        assert int(picture.max()) - int(picture.min()) > 40
        digests.add(hashlib.sha256(picture.tobytes()).hexdigest())
    assert len(digests) == 30


@pytest.mark.parametrize("height", [8, 32, 48, 96])
def test_draw_name_has_the_height_asked_for(height: int) -> None:
    for seed in range(10):
        rng = generator(seed)
        picture = synthesis.draw_name("MARTIN", Writer.sample(rng), rng, height=height)
        assert picture.shape[0] == height
        assert picture.shape[1] >= 8
        inked = np.flatnonzero((picture < 200).any(axis=1))
        assert height < 32 or inked[-1] - inked[0] > 0.4 * height
        assert (picture[0] > 200).all()
        assert (picture[-1] > 200).all()


def test_draw_name_refuses_a_sliver() -> None:
    with pytest.raises(ValueError, match="Received: 7"):
        synthesis.draw_name("A", Writer(seed=0), generator(), height=7)


@pytest.mark.parametrize("pen", [2, 8, 20])
def test_draw_pad_is_black_strokes_of_one_width(pen: int) -> None:
    for seed in range(10):
        rng = generator(seed)
        picture = synthesis.draw_pad("LÉO", Writer.sample(rng), rng, pen=pen)
        assert picture.shape == (200, 800)
        assert picture.min() == 0
        assert picture.max() == 255
        ink = (picture < 128).astype(np.uint8)
        assert not ink[[0, -1]].any()
        assert not ink[:, [0, -1]].any()
        # Nowhere is a stroke thinner than the brush: opening with a smaller disc loses little.
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(1, pen - 2),) * 2)
        kept = cv2.morphologyEx(ink, cv2.MORPH_OPEN, disc).sum()
        assert kept > 0.93 * ink.sum()


def test_draw_pad_refuses_a_brush_larger_than_the_letters() -> None:
    with pytest.raises(ValueError, match="Received: 60"):
        synthesis.draw_pad("A", Writer(seed=0), generator(), pen=60)


def test_draw_field_has_the_shapes_of_the_forms() -> None:
    shapes = set()
    for seed in range(150):
        rng = generator(seed)
        picture = draw_field("DUPONT", Writer.sample(rng), rng)
        height, width = picture.shape
        shapes.add(width)
        assert 18 <= height <= 70
        assert np.median(picture) >= 250
    assert shapes == {284, 324, 388}


def test_names_too_long_for_a_field_are_squeezed_into_it() -> None:
    writer = Writer(seed=1, spacing=1.0, darkness=1.0)
    for pitch in (None, 20.0):
        ink = write("MAXIMILIAN-ALEXANDER", writer, generator(), 14, room=200, pitch=pitch)
        assert 150 < ink.cover.shape[1] <= 210


@pytest.mark.parametrize("renderer", sorted(RENDERERS))
def test_blank_text_gives_a_picture_without_a_name(renderer: str) -> None:
    for seed in range(20):
        picture = RENDERERS[renderer]("", Writer(seed=seed), generator(seed))
        assert picture.dtype == np.uint8
        assert min(picture.shape) >= 8
        if renderer in ("pad", "name"):
            assert (picture == 255).all()


@pytest.mark.parametrize("renderer", sorted(RENDERERS))
def test_nothing_is_drawn_with_ink_that_names_nobody(renderer: str) -> None:
    pictures = [draw("", generator(seed), shares={renderer: 1.0}) for seed in range(20)]
    # Paper without anything on it is rarer than not.
    assert 10 < sum(int(np.ptp(picture)) > 50 for picture in pictures) <= 20
    again = [draw("", generator(seed), shares={renderer: 1.0}) for seed in range(20)]
    assert all((a == b).all() for a, b in zip(pictures, again, strict=True))


def test_draw_obeys_shares_and_refuses_wrong_ones() -> None:
    assert draw("ANNE", generator(), shares={"pad": 1.0}).shape == (200, 800)
    assert draw("ANNE", generator(), shares={"field": 1.0}).shape[1] in (284, 324, 388)
    for wrong in ({}, {"poster": 1.0}, {"pad": 0.0}, {"pad": -1.0, "name": 2.0}):
        with pytest.raises(ValueError, match="Received"):
            draw("ANNE", generator(), shares=wrong)


# === Fonts ===


@pytest.fixture(scope="session")
def font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The font that Pillow carries, as a file: there on every machine."""
    assert features.check("freetype2")
    source = fonts.load_font(None, 20).font_bytes
    path = tmp_path_factory.mktemp("fonts") / "inner" / "Default.TTF"
    path.parent.mkdir()
    path.write_bytes(source)
    return path


def test_find_fonts_searches_folders_by_suffix(font: Path, tmp_path: Path) -> None:
    assert fonts.find_fonts(font.parent.parent) == [font]
    (tmp_path / "notes.txt").write_text("no font")
    assert fonts.find_fonts(tmp_path) == []
    with pytest.raises(NotADirectoryError, match="Received"):
        fonts.find_fonts(tmp_path / "missing")


def test_covers_knows_missing_glyphs(font: Path, tmp_path: Path) -> None:
    assert fonts.covers(font, "Jean-Noel d'Ete")
    assert not fonts.covers(font, "Jean-Noël")  # Pillow's font is cut down to ASCII
    assert not fonts.covers(font, "Jean 漢")
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"not a font")
    assert not fonts.covers(broken, "A")
    with pytest.raises(ValueError, match=r"Received: .*broken\.ttf"):
        fonts.load_font(broken, 12)


def test_render_text_puts_capitals_on_the_baseline(font: Path) -> None:
    cover, base = fonts.render_text("HIM", font, 40)
    inked = np.flatnonzero((cover > 127).any(axis=1))
    assert abs(inked[-1] + 1 - base) <= 1
    assert abs(inked[-1] - inked[0] + 1 - 40) <= 2
    blank, _ = fonts.render_text(" ", font, 40)
    assert blank.shape == (1, 1)
    assert not blank.any()


@pytest.mark.parametrize("renderer", ["field", "name", "photo"])
def test_renderers_use_a_font(renderer: str, font: Path) -> None:
    writer = Writer(seed=1)
    typed = RENDERERS[renderer]("EMILE", writer, generator(), font=font)
    again = RENDERERS[renderer]("EMILE", writer, generator(), font=font)
    drawn = RENDERERS[renderer]("EMILE", writer, generator())
    assert np.array_equal(typed, again)
    assert typed.shape != drawn.shape or not np.array_equal(typed, drawn)


def test_draw_uses_only_fonts_that_cover_the_text(
    font: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = fonts.render_text

    def spy(text: str, path: Path | None, *rest: float, **options: float) -> object:
        if path is not None:
            asked.append(text)
        return real(text, path, *rest, **options)

    monkeypatch.setattr(fonts, "render_text", spy)
    for seed in range(60):
        draw("ANNE", generator(seed), fonts=[font], shares={"name": 1.0})
    assert 5 < len(asked) < 40
    asked.clear()
    monkeypatch.setattr(fonts, "covers", lambda path, text: False)
    for seed in range(60):
        draw("ANNE", generator(seed), fonts=[font], shares={"name": 1.0})
    assert asked == []

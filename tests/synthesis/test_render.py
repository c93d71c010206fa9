"""Synthesis: drawn names."""

from __future__ import annotations

import csv
import hashlib
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import features

from hwr.alphabet import Alphabet
from hwr.data.dataset import open_dataset
from hwr.preprocess import prepare
from hwr.spec import Spec
from hwr.synthesis import fonts, sample_set
from hwr.synthesis import render as synthesis
from hwr.synthesis.form_field import draw_field
from hwr.synthesis.ink import write
from hwr.synthesis.letter_strokes import Glyph, Variants, parse, skeletons
from hwr.synthesis.render import RENDERERS, draw
from hwr.synthesis.sample_set import write_pad_samples, write_samples
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


@pytest.mark.parametrize("renderer", sorted(RENDERERS))
def test_unknown_characters_are_named(renderer: str) -> None:
    with pytest.raises(ValueError, match="Received: '漢Ж'"):
        RENDERERS[renderer]("A漢BЖ漢", Writer(seed=0), generator())
    with pytest.raises(ValueError, match="Received: '漢'"):
        draw("漢", generator())


# === Pictures ===


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
    prepared = [prepare(picture, Spec()) for picture in pictures]
    # Paper without anything on it is rarer than not.
    assert 10 < sum(not p.blank for p in prepared) <= 20
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


# === Samples ===


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_write_samples_layout_and_labels(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "samples"
    write_samples(folder, count=200, seed=7)
    files = contents(folder)
    expected = {f"written_name_{split}_v2.csv" for split in ("train", "validation", "test")}
    expected |= {f"train_v2/train/TRAIN_{i:05d}.jpg" for i in range(1, 101)}
    expected |= {f"validation_v2/validation/VALIDATION_{i:04d}.jpg" for i in range(1, 51)}
    expected |= {f"test_v2/test/TEST_{i:04d}.jpg" for i in range(1, 51)}
    assert set(files) == expected
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["samples"]
    header, *rows = read(folder / "written_name_train_v2.csv")
    assert header == ["FILENAME", "IDENTITY"]
    assert [name for name, _ in rows] == [f"TRAIN_{i:05d}.jpg" for i in range(1, 101)]
    labels = [label for _, label in rows]
    assert labels.count("EMPTY") == 2
    assert labels.count("UNREADABLE") == 2
    assert labels.count("") == 2
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ -'")
    assert all(set(label) <= allowed for label in labels)
    assert len(set(labels)) > 60
    for name, data in files.items():
        if name.endswith(".jpg"):
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            assert picture is not None, name
            assert picture.ndim == 2, name
            assert picture.shape[1] in (284, 324, 388), name


def test_write_samples_repeats_itself(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_samples(tmp_path / name, count=24, seed=seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_write_samples_takes_other_names(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()  # an empty folder is as good as none
    write_samples(tmp_path / "out", count=40, seed=0, names=["Éloïse"])
    labels = {label for _, label in read(tmp_path / "out" / "written_name_train_v2.csv")[1:]}
    assert "ELOISE" in labels
    assert all("ELOISE" in label or label == "EMPTY" for label in labels)


def test_write_samples_leaves_nothing_behind_on_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="Received"):
        write_samples(full, count=20, seed=0)
    with pytest.raises(ValueError, match="Received: '漢'"):
        write_samples(tmp_path / "x", count=20, seed=0, names=["漢"])
    with pytest.raises(ValueError, match="Received: 3"):
        write_samples(tmp_path / "x", count=3, seed=0)
    with pytest.raises(ValueError, match="none"):
        write_samples(tmp_path / "x", count=20, seed=0, names=[])

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(sample_set, "_sample", fail)
    with pytest.raises(OSError, match="disk full"):
        write_samples(tmp_path / "x", count=20, seed=0)
    assert [p.name for p in tmp_path.iterdir()] == ["full"]
    assert [p.name for p in full.iterdir()] == ["mine.txt"]


def test_pad_samples_are_a_test_set_of_shapes_never_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[Writer, int]] = []
    real = sample_set.draw_pad

    def spy(text: str, writer: Writer, rng: np.random.Generator, *, pen: int) -> np.ndarray:
        drawn.append((writer, pen))
        return real(text, writer, rng, pen=pen)

    monkeypatch.setattr(sample_set, "draw_pad", spy)
    write_pad_samples(tmp_path / "pad", count=200, seed=3)
    header, *rows = read(tmp_path / "pad" / "labels.csv")
    assert header == ["FILENAME", "IDENTITY", "SPLIT", "PEN", "CASE"]
    assert {writer.variants for writer, _ in drawn} == {"heldout"}
    assert [int(row[3]) for row in rows] == [pen for _, pen in drawn]
    assert [row[4] for row in rows] == [writer.case for writer, _ in drawn]
    pens = np.array([pen for _, pen in drawn])
    assert (pens.min(), pens.max()) == (2, 20)
    assert 0.4 < (pens < 40**0.5).mean() < 0.6  # the middle on a logarithmic scale
    assert all((row[1] == row[1].upper()) == (row[4] == "capitals") for row in rows)
    data = open_dataset(tmp_path / "pad", "test", Alphabet())
    assert (len(data), data.dropped) == (200, ())
    picture = cv2.imread(str(data.samples[0].path), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (200, 800)
    assert not len(open_dataset(tmp_path / "pad", "train", Alphabet()))
    write_pad_samples(tmp_path / "again", count=200, seed=3)
    assert contents(tmp_path / "again") == contents(tmp_path / "pad")
    with pytest.raises(ValueError, match="Received: 0"):
        write_pad_samples(tmp_path / "none", count=0)
    with pytest.raises(FileExistsError, match="new or empty"):
        write_pad_samples(tmp_path / "pad", count=5)

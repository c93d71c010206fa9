"""The page in a real browser, headless Chromium, with the real server and model.

Readings are compared with the server's own /read, so that all but one test hold for any weights.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import find_browser
from gradio_client import Client, handle_file
from helpers import ROOT, free_port
from PIL import Image, ImageOps
from playwright.sync_api import Browser, Page, expect, sync_playwright

from hwr.synthesis.sample_set import write_samples
from hwr.synthesis.writer import Writer, trace_name

#: Seconds until a page on a slow, busy machine must have reacted.
PATIENCE = 30

#: Seconds until the server must answer, before the model is loaded.
START = 180

ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--no-first-run",
]

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


# === Server and browser ===


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 12 training, 6 validation and 6 test pictures."""
    folder = tmp_path_factory.mktemp("data") / "names"
    write_samples(folder, count=24, seed=11)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `python app.py`, started as a person would start it."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("log") / "server.txt"
    command = [sys.executable, str(ROOT / "app.py"), "--port", str(port), "--data", str(folder)]
    with log.open("w") as stream:
        server = subprocess.Popen(command, cwd=ROOT, stdout=stream, stderr=stream)
        try:
            _wait_for(address, server, log)
            yield address
        finally:
            server.terminate()
            server.wait(20)
    # A page that is closed in the middle of an upload is no fault of the server.
    tracebacks = re.split(r"^Traceback ", log.read_text(), flags=re.MULTILINE)[1:]
    faults = [t for t in tracebacks if "\nstarlette.requests.ClientDisconnect" not in t]
    assert faults == []


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    start = time.monotonic()
    while time.monotonic() - start < START:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    raise AssertionError(f"no answer within {START} s: {log.read_text()}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests. Without any the tests are skipped, but not under CI."""
    executable = find_browser()
    if executable is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs a browser: install chromium or set $CHROMIUM")
        pytest.skip("no browser: install chromium or set $CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def read(address: str) -> Iterator[Callable[[Path], dict[str, Any]]]:
    """Read a file by the server's endpoint."""
    client = Client(address, verbose=False)
    yield lambda path: client.predict(handle_file(str(path)), api_name="/read")
    client.close()


def _open(browser: Browser, address: str, **settings: Any) -> Iterator[Page]:
    context = browser.new_context(**{"viewport": {"width": 1000, "height": 800}, **settings})
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.goto(address)
    page.locator("#pad canvas").first.wait_for()
    # The page reads the blank pad when it is ready.
    _expect(page, "#verdict", "nothing written")
    page.wait_for_timeout(500)
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page on a desktop; an error in the browser's console fails the test."""
    yield from _open(browser, address)


@pytest.fixture
def phone(browser: Browser, address: str) -> Iterator[Page]:
    """The page on a phone."""
    viewport = {"width": 390, "height": 844}
    yield from _open(browser, address, viewport=viewport, has_touch=True, is_mobile=True)


# === What a person does ===


def _expect(page: Page, selector: str, text: str) -> None:
    expect(page.locator(selector).first).to_have_text(text, timeout=1000 * PATIENCE)


def _expect_ink(page: Page) -> None:
    """Wait until a picture with ink has been read: only those are cropped."""
    expect(page.locator("#steps")).to_contain_text("ink crop", timeout=1000 * PATIENCE)
    # Seven always; straightened, and freed of form lines and specks, only where there are any.
    assert 7 <= page.locator("#steps img").count() <= 10


def _expect_blank(page: Page) -> None:
    expect(page.locator("#steps")).not_to_contain_text("ink crop", timeout=1000 * PATIENCE)
    _expect(page, "#verdict", "nothing written")
    _expect(page, "#reading", "")


def _paper(page: Page) -> tuple[float, float, float]:
    """Return the centre of the pad's paper and a width that lies well inside it."""
    box = page.locator("#pad canvas").first.bounding_box()
    assert box is not None
    width = 0.7 * min(box["width"], 4 * box["height"])
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, width


def _stroke(page: Page, points: Any) -> None:
    """Draw one stroke with the mouse."""
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point)
    page.mouse.up()


def _darkest(page: Page) -> int:
    """Return the lowest brightness on the paper, 0..255."""
    return int(
        page.evaluate(
            """() => {
              const paper = document.querySelector("#pad canvas");
              const {width, height} = paper;
              const {data} = paper.getContext("2d").getImageData(0, 0, width, height);
              return data.reduce((least, value) => Math.min(least, value), 255);
            }"""
        )
    )


def _tick(page: Page, shift: float = 0) -> list[tuple[float, float]]:
    """Draw a V; return its points."""
    x, y, width = _paper(page)
    x += shift * width
    points = [(x - 15, y - 20), (x, y + 20), (x + 15, y - 20)]
    _stroke(page, points)
    return points


def _write(page: Page, text: str) -> None:
    """Write block capitals in a calm hand with the mouse."""
    unrest = ("jitter", "turn", "size_jitter", "baseline_jitter", "wander", "wobble")
    writer = Writer(seed=0, shape=0.005, haste=0.0, **dict.fromkeys(unrest, 0.0))
    strokes = trace_name(text, writer, np.random.default_rng(0))
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    x, y, width = _paper(page)
    scale = min(width / (high - low)[0], 0.14 * width / (high - low)[1])
    for stroke in strokes:
        # Few points: each move of the mouse costs a frame.
        few = cv2.approxPolyDP(stroke.reshape(-1, 1, 2), 0.04, False).reshape(-1, 2)
        _stroke(page, ((few - (low + high) / 2) * scale + (x, y)).tolist())


def _turn_to(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()


def _upload(page: Page, path: Path) -> None:
    page.locator("#upload input[type=file]").first.set_input_files(str(path))


# === Draw ===


def test_the_reading_follows_the_pen_and_survives_clearing(page: Page) -> None:
    _tick(page)
    _expect_ink(page)
    expect(page.locator("#time")).to_contain_text("ms")
    page.locator("#clear-pad").click()
    _expect_blank(page)
    _tick(page)
    _expect_ink(page)
    page.get_by_role("button", name="Clear the pad", exact=True).click()
    _expect_blank(page)
    _tick(page, 0.2)
    _expect_ink(page)


def test_undo_and_eraser_change_the_reading(page: Page) -> None:
    points = _tick(page)
    _expect_ink(page)
    page.get_by_role("button", name="Undo", exact=True).click()
    _expect_blank(page)
    page.get_by_role("button", name="Redo", exact=True).click()
    _expect_ink(page)
    page.keyboard.press("Control+z")
    _expect_blank(page)
    _tick(page)
    _expect_ink(page)
    page.get_by_role("button", name="Erase", exact=True).click()
    _stroke(page, points)
    _expect_blank(page)


NAMES = ("LEO", "ANNA", "MARTIN", "HUGO", "PAULA", "LE GALL", "EMMA", "ZOE", "DUBOIS", "NINA")


# The one test that needs trained weights in assets/model.
@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_block_capitals_drawn_with_the_mouse_is_read(page: Page, name: str) -> None:
    _write(page, name)
    _expect(page, "#reading", name)
    expect(page.locator("#letters")).to_contain_text("%")
    expect(page.locator("#candidates")).to_contain_text(name)


def test_a_finger_draws_on_a_phone_without_scrolling_the_page(phone: Page) -> None:
    x, y, width = _paper(phone)
    session = phone.context.new_cdp_session(phone)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (x - 0.2 * width, y - 20))
    for step in range(1, 6):
        touch("touchMove", (x - 0.2 * width + 8 * step, y - 20 + 8 * step))
    touch("touchEnd")
    _expect_ink(phone)
    assert phone.evaluate("[scrollX, scrollY]") == [0, 0]
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    # The reading stands on the first screen, below the pad.
    box = phone.locator("#headline").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 844
    # The paper is as wide as the screen allows.
    paper = phone.locator("#pad").bounding_box()
    assert paper is not None
    assert paper["width"] >= 360


def test_an_example_is_written_on_the_pad_and_can_be_cleared(page: Page) -> None:
    page.locator("#pad-examples button").first.click()
    _expect_ink(page)
    assert _darkest(page) == 0  # the pad shows what was read
    _tick(page)  # and what is drawn joins it
    page.get_by_role("button", name="Undo", exact=True).click()
    _expect(page, "#reading", "ANNA")
    page.get_by_role("button", name="Undo", exact=True).click()
    _expect_blank(page)
    page.get_by_role("button", name="Redo", exact=True).click()
    _expect(page, "#reading", "ANNA")
    page.locator("#clear-pad").click()
    _expect_blank(page)


def test_the_reading_follows_a_long_stroke_before_it_ends(page: Page) -> None:
    x, y, width = _paper(page)
    page.mouse.move(x - width / 4, y)
    page.mouse.down()
    for step in range(8):
        page.mouse.move(x - width / 4 + 20 * step, y + 30 * (step % 2))
    _expect_ink(page)
    page.mouse.up()
    _expect_ink(page)


def test_the_thickness_of_the_pen_can_be_chosen(page: Page) -> None:
    counts = []
    for thickness in ("2", "20"):
        page.locator("#pad input[type=range]").fill(thickness)
        _tick(page)
        counts.append(
            page.evaluate(
                """() => {
                  const paper = document.querySelector("#pad canvas");
                  const {width, height} = paper;
                  const {data} = paper.getContext("2d").getImageData(0, 0, width, height);
                  return data.filter((value, i) => i % 4 === 0 && value < 128).length;
                }"""
            )
        )
        page.locator("#clear-pad").click()
    assert counts[1] > 4 * counts[0] > 0


# === Upload ===


def _ink(alpha: bool = False) -> Image.Image:
    """A black zigzag, 400 x 120, on white or on nothing."""
    mask = np.zeros((120, 400), np.uint8)
    points = np.array([[40 + 40 * i, 30 + 60 * (i % 2)] for i in range(9)], np.int32)
    cv2.polylines(mask, [points], False, 255, 7, cv2.LINE_AA)
    if alpha:
        black = np.zeros((120, 400, 3), np.uint8)
        return Image.fromarray(np.dstack([black, mask]), "RGBA")
    return Image.fromarray(255 - mask)


def test_uploads_are_read_or_refused(
    page: Page, folder: Path, tmp_path: Path, read: Callable[[Path], dict[str, Any]]
) -> None:
    _turn_to(page, "Upload")
    expect(page.locator("#message")).to_have_text("The reading appears here.")
    normal = folder / "validation_v2" / "validation" / "VALIDATION_0002.jpg"
    names = ("plain.png", "alpha.png", "turned.jpg", "inverted.png", "shadowed.png")
    plain, transparent, turned, inverted, shadowed = (tmp_path / name for name in names)
    _ink().save(plain)
    _ink(alpha=True).save(transparent)
    exif = Image.Exif()
    exif[274] = 6  # the camera was held upright: turn by 90 degrees to the right
    _ink().rotate(90, expand=True).save(turned, quality=95, exif=exif)
    ImageOps.invert(_ink()).save(inverted)
    light = np.linspace(0.45, 1.0, 400)[None]
    Image.fromarray((np.asarray(_ink()) * light).astype(np.uint8)).save(shadowed)
    false = tmp_path / "note.png"
    false.write_text("Dear all, this is a text and no picture.\n" * 5)

    _upload(page, normal)
    _expect_ink(page)
    _expect(page, "#reading", read(normal)["text"])

    _upload(page, false)
    expect(page.locator("#message")).to_contain_text("text", timeout=1000 * PATIENCE)
    assert "/" not in page.locator("#message").inner_text()
    _expect(page, "#reading", "")
    expect(page.locator("#letters")).to_be_hidden()
    expect(page.locator("#steps")).to_be_hidden()

    expected = read(plain)["text"]
    note = "Turned upright by the camera's orientation tag."
    for path, message in ((transparent, ""), (turned, note), (inverted, ""), (shadowed, "")):
        _upload(page, path)
        _expect_ink(page)
        # Which letters are doubtful may follow.
        expect(page.locator("#message")).to_contain_text(message, timeout=1000 * PATIENCE)
        # A shadow is evened out, but not to the last grey.
        text = read(path)["text"]
        assert text == expected or path == shadowed
        _expect(page, "#reading", text)
        size = "e => [e.naturalWidth, e.naturalHeight]"
        assert page.locator("#steps img").first.evaluate(size) == [400, 120]
        page.locator("#upload").get_by_role("button", name=re.compile("Remove|Clear")).click()
        _expect(page, "#message", "The reading appears here.")


# === Browse ===


def test_browsing_steps_through_a_split(
    page: Page, folder: Path, read: Callable[[Path], dict[str, Any]]
) -> None:
    rows = (folder / "written_name_validation_v2.csv").read_text().splitlines()[1:]
    labels = [row.split(",", 1)[1] for row in rows]
    index, label = page.locator("#sample-index input"), page.locator("#sample-label")

    def expect_sample(number: int) -> None:
        expect(label).to_contain_text(f"VALIDATION_{number:04}.jpg", timeout=1000 * PATIENCE)
        expect(label).to_contain_text(f"{number} of 6")
        expect(label.locator("b")).to_have_text(labels[number - 1] or "no label")
        expect(index).to_have_value(str(number))

    _turn_to(page, "Browse")
    expect_sample(1)
    page.locator("#sample-previous").click()
    expect_sample(1)
    page.locator("#sample-next").click()
    expect_sample(2)
    text = read(folder / "validation_v2" / "validation" / "VALIDATION_0002.jpg")["text"]
    _expect(page, "#reading", text)
    expect(label.locator(".badge")).to_have_text("right" if text == labels[1] else "wrong")
    expect(page.locator("#sample-picture img")).to_be_visible()
    page.locator("#sample-previous").click()
    expect_sample(1)
    page.locator("#sample-random").click()
    expect(index).not_to_have_value("1", timeout=1000 * PATIENCE)

    index.fill("99")
    _expect(
        page,
        "#message",
        "There is no picture with index 99; the validation split has indices 1 to 6.",
    )
    _expect(page, "#reading", "")
    _expect(page, "#sample-label", "")
    page.locator("#sample-previous").click()
    expect_sample(6)
    page.locator("#sample-split input").click()
    page.get_by_role("option", name="train").click()
    expect(label).to_contain_text("TRAIN_00001.jpg, 1 of 12", timeout=1000 * PATIENCE)


def test_browsing_can_be_narrowed_to_errors(
    page: Page, folder: Path, read: Callable[[Path], dict[str, Any]]
) -> None:
    rows = (folder / "written_name_validation_v2.csv").read_text().splitlines()[1:]
    labels = [row.split(",", 1) for row in rows]
    wrong = [
        number
        for number, (file, label) in enumerate(labels, start=1)
        if label not in ("", "EMPTY", "UNREADABLE")
        and read(folder / "validation_v2" / "validation" / file)["text"] != label
    ]
    _turn_to(page, "Browse")
    expect(page.locator("#sample-label")).to_contain_text("1 of 6", timeout=1000 * PATIENCE)
    page.locator("#sample-examples button").nth(2).click()
    expect(page.locator("#sample-label")).to_contain_text(" of 6", timeout=1000 * PATIENCE)
    page.locator("#sample-first-error").click()
    if wrong:
        expect(page.locator("#sample-index input")).to_have_value(str(wrong[0]))
        expect(page.locator("#sample-label .badge")).to_have_text("wrong")
    else:
        expect(page.locator("#message")).to_contain_text("no reading is wrong")
    page.locator("#sample-filter input").click()
    page.get_by_role("option", name="wrong").click()
    page.locator("#sample-next").click()
    if len(wrong) > 1:
        expect(page.locator("#sample-index input")).to_have_value(str(wrong[1]))
    else:
        expect(page.locator("#message")).to_contain_text("no reading is wrong")


# === Batch ===


def _save(page: Page, kind: str, folder: Path) -> Path:
    """Click a download and return the saved file."""
    with page.expect_download(timeout=1000 * PATIENCE) as download:
        page.locator(f"#batch-{kind}").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def _read_all(page: Page, *paths: Path) -> None:
    _turn_to(page, "Batch")
    page.locator("#batch-files input[type=file]").first.set_input_files(list(map(str, paths)))
    expect(page.locator("#batch-files .file-preview")).to_be_visible(timeout=1000 * PATIENCE)
    page.locator("#batch-read").click()


def _correct_in_table(page: Page, file: str, text: str) -> None:
    cells = page.locator("#batch-table [data-testid^='cell-']")
    cell = cells.filter(has_text=file).last.get_attribute("data-testid")
    assert cell is not None
    page.get_by_test_id(cell.rsplit("-", 1)[0] + "-2").last.dblclick()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def test_a_batch_is_read_corrected_and_downloaded(
    page: Page, tmp_path: Path, read: Callable[[Path], dict[str, Any]]
) -> None:
    pictures = tmp_path / "more"
    write_samples(pictures, count=58, seed=3)
    paths = sorted(pictures.rglob("TRAIN_*.jpg"))[:29]
    assert len(paths) == 29
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(paths[0].read_bytes()[:200])
    _read_all(page, *paths, broken)
    status = page.locator("#batch-status")
    expect(status).to_contain_text("30 pictures: ", timeout=3000 * PATIENCE)
    expect(status).to_contain_text("1 cannot be read")
    expect(page.locator("#batch-table img")).not_to_have_count(0)
    # The row that is least certain stands ready to be corrected, with its reading in the panel.
    name = page.locator("#batch-name textarea, #batch-name input").first
    label = page.locator("#batch-name label span").first
    expect(label).to_contain_text("The name in ", timeout=1000 * PATIENCE)
    corrected = label.inner_text().removeprefix("The name in ")
    expect(page.locator("#batch-picture img")).to_be_visible()
    name.fill("=ÉLOÏSE")
    name.press("Enter")
    expect(status).to_contain_text("1 checked", timeout=1000 * PATIENCE)
    expect(label).not_to_have_text(f"The name in {corrected}", timeout=1000 * PATIENCE)
    # The next one is corrected in the table.
    second = label.inner_text().removeprefix("The name in ")
    _correct_in_table(page, second, "ZOE")
    expect(status).to_contain_text("2 checked", timeout=1000 * PATIENCE)

    texts = {path.name: read(path)["text"] for path in paths} | {"broken.jpg": ""}
    texts |= {corrected: "=ÉLOÏSE", second: "ZOE"}
    with _save(page, "csv", tmp_path).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["FILENAME"]: row["IDENTITY"] for row in rows} == texts
    assert {row["FILENAME"] for row in rows if row["CHECKED"] == "yes"} == {corrected, second}
    assert [row["FILENAME"] for row in rows if row["PROBLEM"]] == ["broken.jpg"]
    sheet = _save(page, "spreadsheet", tmp_path).read_text(encoding="utf-8-sig")
    assert "'=ÉLOÏSE" in sheet
    lines = _save(page, "jsonl", tmp_path).read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["file"] for line in lines} == set(texts)
    with zipfile.ZipFile(_save(page, "training", tmp_path)) as packed:
        packed.extractall(tmp_path)
        assert len(packed.namelist()) == 3
    table = (tmp_path / "corrections" / "labels.csv").read_text(encoding="utf-8").splitlines()
    assert sorted(table[1:]) == sorted([f"{corrected},=ÉLOÏSE", f"{second},ZOE"])


def test_who_types_ahead_of_the_page_confirms_what_is_seen(page: Page, tmp_path: Path) -> None:
    _turn_to(page, "Batch")
    page.locator("#batch-examples button").first.click()
    expect(page.locator("#batch-files .file-preview tr")).to_have_count(8)
    page.locator("#batch-read").click()
    status = page.locator("#batch-status")
    expect(status).to_contain_text("8 pictures: ", timeout=1000 * PATIENCE)
    # The keyboard alone: after the button the name has the focus.
    name = page.locator("#batch-name textarea, #batch-name input").first
    expect(name).to_be_focused()
    label = page.locator("#batch-name label span").first
    expect(label).to_contain_text("The name in ", timeout=1000 * PATIENCE)
    first = label.inner_text()
    for _ in range(3):
        name.press("Enter")
    expect(status).to_contain_text(re.compile("[1-3] checked"), timeout=1000 * PATIENCE)
    # A correction in the table stays, though its row is confirmed above the table afterwards.
    expect(label).not_to_have_text(first, timeout=1000 * PATIENCE)
    edited = label.inner_text().removeprefix("The name in ")
    _correct_in_table(page, edited, "ZOE")
    expect(name).to_have_value("ZOE", timeout=1000 * PATIENCE)
    page.locator("#batch-accept").click()
    lines = _save(page, "jsonl", tmp_path).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert {row["file"]: row["text"] for row in rows if row["text"] != row["read"]} == {
        edited: "ZOE"
    }


def test_a_batch_can_be_stopped_and_another_one_read(page: Page, tmp_path: Path) -> None:
    many = tmp_path / "many.zip"
    picture = io.BytesIO()
    _ink().save(picture, "PNG")
    with zipfile.ZipFile(many, "w") as packed:
        for number in range(1500):
            packed.writestr(f"{number}.png", picture.getvalue())
    _read_all(page, many)
    status = page.locator("#batch-status")
    expect(status).to_contain_text("of 1,500 pictures are read", timeout=1000 * PATIENCE)
    page.locator("#batch-stop").click()
    expect(status).to_contain_text("Stopped. ", timeout=1000 * PATIENCE)
    expect(page.locator("#batch-read")).to_be_enabled()
    page.locator("#batch-files").get_by_role(
        "button", name=re.compile("Remove|Clear")
    ).first.click()
    page.locator("#batch-examples button").first.click()
    expect(page.locator("#batch-files .file-preview tr")).to_have_count(8)
    page.locator("#batch-read").click()
    expect(status).to_contain_text("8 pictures: ", timeout=1000 * PATIENCE)


def test_no_files_and_a_false_archive_are_told(page: Page, tmp_path: Path) -> None:
    _turn_to(page, "Batch")
    page.locator("#batch-read").click()
    expect(page.locator("#batch-status")).to_contain_text("There are no pictures")
    false = tmp_path / "forms.zip"
    false.write_bytes(b"PK\x03\x04 and then nothing")
    _read_all(page, false)
    expect(page.locator("#batch-status")).to_contain_text("The archive is damaged; pack it again.")


# === Model ===


def test_the_model_tab_shows_card_and_figures_without_a_panel(page: Page) -> None:
    _turn_to(page, "Model")
    expect(page.locator("#model-card")).to_contain_text("How it was trained")
    expect(page.locator("#model-figures")).to_contain_text("School forms")
    expect(page.locator("#headline")).to_be_hidden()
    _turn_to(page, "Draw")
    expect(page.locator("#headline")).to_be_visible()
    _expect(page, "#verdict", "nothing written")


# === The panel and the tabs ===


def test_each_tab_shows_its_own_reading(
    page: Page, folder: Path, read: Callable[[Path], dict[str, Any]]
) -> None:
    sample = read(folder / "validation_v2" / "validation" / "VALIDATION_0001.jpg")
    _turn_to(page, "Browse")
    expect(page.locator("#sample-label")).to_contain_text("1 of 6", timeout=1000 * PATIENCE)
    _expect(page, "#reading", sample["text"])
    _turn_to(page, "Upload")
    _expect(page, "#message", "The reading appears here.")
    _expect(page, "#reading", "")
    expect(page.locator("#candidates")).to_be_hidden()
    _turn_to(page, "Draw")
    _expect(page, "#verdict", "nothing written")
    # A reading of the pad that is still under way must not land on the next tab.
    page.wait_for_timeout(700)
    _tick(page)
    _turn_to(page, "Upload")
    page.wait_for_timeout(4000)
    _expect(page, "#message", "The reading appears here.")
    _turn_to(page, "Draw")
    _expect_ink(page)
    _turn_to(page, "Browse")
    _expect(page, "#reading", sample["text"])


def test_the_page_can_be_used_by_keyboard(page: Page) -> None:
    page.get_by_role("tab", name="Draw").focus()
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#sample-next")).to_be_visible()
    page.locator("#sample-index input").focus()
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#sample-label")).to_contain_text("2 of 6", timeout=1000 * PATIENCE)
    # From here to a batch of examples that is read, and its first row accepted.
    page.get_by_role("tab", name="Browse").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#batch-examples button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#batch-files .file-preview")).to_be_visible(timeout=1000 * PATIENCE)
    page.locator("#batch-examples button").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#batch-status")).to_contain_text("8 pictures", timeout=1000 * PATIENCE)
    name = page.locator("#batch-name textarea, #batch-name input").first
    expect(page.locator("#batch-name")).to_contain_text("The name in", timeout=1000 * PATIENCE)
    name.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#batch-status")).to_contain_text("1 checked", timeout=1000 * PATIENCE)
    expect(name).to_be_focused()


TABS = ("Draw", "Upload", "Browse", "Batch", "Model")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(browser: Browser, address: str, scheme: str) -> None:
    opened = _open(browser, address, color_scheme=scheme)
    page = next(opened)
    violations = []
    for tab in TABS:
        _turn_to(page, tab)
        if tab == "Batch":
            page.locator("#batch-examples button").first.click()
            expect(page.locator("#batch-files .file-preview")).to_be_visible()
            page.locator("#batch-read").click()
            expect(page.locator("#batch-table")).to_be_visible(timeout=1000 * PATIENCE)
            expect(page.locator("#batch-picture img")).to_be_visible(timeout=1000 * PATIENCE)
        page.wait_for_timeout(1500)
        for found in Axe().run(page).response["violations"]:
            if found["impact"] in ("serious", "critical"):
                places = [node["target"] for node in found["nodes"]]
                violations.append((tab, found["id"], places[:4]))
    assert violations == []
    next(opened, None)


def test_pictures_of_the_page_for_the_readme(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    """They are kept where $HWR_PICTURES says: HWR_PICTURES=docs pytest -k readme."""
    kept = Path(os.environ.get("HWR_PICTURES", tmp_path))
    opened = _open(browser, address, viewport={"width": 1180, "height": 790})
    page = next(opened)
    page.locator("#pad-examples button").nth(1).click()
    _expect_ink(page)
    page.wait_for_timeout(1500)
    page.screenshot(path=kept / "page.png")
    _turn_to(page, "Batch")
    page.locator("#batch-examples button").first.click()
    expect(page.locator("#batch-files .file-preview")).to_be_visible()
    page.locator("#batch-read").click()
    expect(page.locator("#batch-picture img")).to_be_visible(timeout=1000 * PATIENCE)
    page.wait_for_timeout(1000)
    page.set_viewport_size({"width": 1180, "height": 1240})
    page.wait_for_timeout(500)
    page.screenshot(path=kept / "batch.png")
    next(opened, None)
    for name in ("page.png", "batch.png"):
        assert np.asarray(Image.open(kept / name).convert("L")).std() > 10


def test_all_tabs_fit_a_phone(phone: Page) -> None:
    for tab in TABS:
        _turn_to(phone, tab)
        if tab == "Batch":
            phone.locator("#batch-examples button").first.click()
            expect(phone.locator("#batch-files .file-preview")).to_be_visible()
            phone.locator("#batch-read").click()
            expect(phone.locator("#batch-picture img")).to_be_visible(timeout=1000 * PATIENCE)
        phone.wait_for_timeout(1000)
        assert phone.evaluate("document.documentElement.scrollWidth") == 390, tab


def test_ids_are_unique_and_named_for_screen_readers(page: Page) -> None:
    ids = ["pad", "clear-pad", "upload", "sample-index", "sample-split", "batch-files"]
    ids += [f"tab-{tab.lower()}" for tab in TABS]
    ids += ["reading", "confidence", "verdict", "letters", "candidates", "steps"]
    for tab in ("Upload", "Batch", "Model", "Browse"):
        _turn_to(page, tab)
    expect(page.locator("#sample-label")).to_contain_text("1 of 6", timeout=1000 * PATIENCE)
    counts = page.evaluate(
        "ids => ids.map(id => document.querySelectorAll(`[id='${id}']`).length)", ids
    )
    assert dict(zip(ids, counts, strict=True)) == dict.fromkeys(ids, 1)
    assert page.locator("#headline [aria-live=polite] #reading").count() == 1

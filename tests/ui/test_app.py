"""The server and its endpoints, with a recognizer that measures pictures instead of reading."""

from __future__ import annotations

import dataclasses
import gc
import io
import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from helpers import ROOT, free_port, one_by_one, serve_args
from PIL import Image

from hwr.cli import main
from hwr.commands import serve
from hwr.data.dataset import Sample
from hwr.decoding.lexicon import LexiconError
from hwr.image import load_image
from hwr.letter import Candidate, Letter, percent
from hwr.preprocess import Step
from hwr.reading import Reading
from hwr.synthesis.sample_set import write_samples
from hwr.ui.about import about_model
from hwr.ui.background_reader import Reader
from hwr.ui.options import expecting, reads_as_expected
from hwr.ui.page import build
from hwr.ui.panel import Panel
from hwr.ui.tabs.browse import Browse
from hwr.ui.tabs.draw import EXAMPLES, Draw, write
from hwr.ui.tabs.pad import picture_of
from hwr.ui.tabs.samples import Samples

# Of Gradio 6.31: event loops left behind (see the end of `address`), and a pandas option.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting' is deprecated"),
]

HOSTILE = "<img src=x onerror=alert(1)>"


def measure(source: Any, lexicon: str | None = None, language_model: bool | None = None) -> Reading:
    """Read the width of a picture as its text; a white picture is blank.

    With a lexicon the text is its first line, half as likely as that the name is not on it.
    """
    if lexicon and "5" in lexicon:
        raise LexiconError("Entry 1 of the list holds '5'.")
    picture = load_image(source)
    blank = bool(picture.pixels.min() > 200)
    text = "" if blank else f"W {picture.pixels.shape[1]}"
    if lexicon:
        text = lexicon.splitlines()[0]
    return Reading(
        text=text,
        confidence=1.0 if blank else 0.5,
        letters=() if blank else (Letter("W", 0.9, 0, 8), Letter(" ", 0.25, 8, 12, (("-", 0.5),))),
        candidates=() if blank else (Candidate(text, 0.5), Candidate(HOSTILE, 0.125)),
        steps=(Step("grey", picture.pixels),),
        blank=blank,
        notes=picture.notes,
        milliseconds=2.5,
        absent=0.25 if lexicon else None,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 8 training, 4 validation and 4 test pictures."""
    folder = tmp_path_factory.mktemp("private") / "names"
    write_samples(folder, count=16, seed=5)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The address of the real server around `measure`."""
    port = free_port()
    page = build(measure, Samples(folder), read_many=one_by_one(measure))
    args = serve_args("--port", str(port))
    serve.launch(page, args, prevent_thread_lock=True, quiet=True)
    yield f"http://127.0.0.1:{port}"
    page.close(verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[Client]:
    client = Client(address, verbose=False)
    yield client
    client.close()


def png(width: int = 60, height: int = 20, shade: int = 0) -> bytes:
    """A PNG with a dark bar on white."""
    pixels = np.full((height, width), 255, np.uint8)
    pixels[height // 3 : height // 2] = shade
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def jpeg() -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (80, 300), np.uint8)
    Image.fromarray(noise).save(stream, "JPEG")
    return stream.getvalue()


# === Endpoints ===


def test_read_returns_the_whole_record(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "name.png"
    file.write_bytes(png(60))
    assert client.predict(handle_file(str(file)), api_name="/read") == {
        "text": "W 60",
        "confidence": 0.5,
        "verdict": "please check",
        "blank": False,
        "letters": [
            {"character": "W", "probability": 0.9, "left": 0, "right": 8, "alternatives": []},
            {
                "character": " ",
                "probability": 0.25,
                "left": 8,
                "right": 12,
                "alternatives": [{"character": "-", "probability": 0.5}],
            },
        ],
        "candidates": [
            {"text": "W 60", "probability": 0.5},
            {"text": HOSTILE, "probability": 0.125},
        ],
        "absent": None,
        "notes": [],
        "milliseconds": 2.5,
    }


def test_a_lexicon_may_be_sent_along(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "name.png"
    file.write_bytes(png(60))
    record = client.predict(handle_file(str(file)), "Anna\nBob", api_name="/read")
    assert (record["text"], record["absent"]) == ("Anna", 0.25)
    assert client.predict(8, "train", "Bob", api_name="/read_sample")["text"] == "Bob"
    with pytest.raises(AppError, match=r"^Entry 1 of the list holds '5'\.$"):
        client.predict(8, "train", "R5", api_name="/read_sample")


def test_read_of_a_white_picture_is_empty_and_no_error(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "white.png"
    file.write_bytes(png(shade=255))
    record = client.predict(handle_file(str(file)), api_name="/read")
    assert (record["text"], record["verdict"], record["blank"]) == ("", "nothing written", True)
    assert record["letters"] == []
    assert record["candidates"] == []


def test_read_says_that_further_pages_were_left_out(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "pages.tif"
    first, second = (Image.open(io.BytesIO(png(width))) for width in (64, 90))
    first.save(file, save_all=True, append_images=[second])
    record = client.predict(handle_file(str(file)), api_name="/read")
    assert record["text"] == "W 64"
    assert len(record["notes"]) == 1


def test_read_sample_returns_reading_and_label(client: Client, folder: Path) -> None:
    record = client.predict(index=2, split="validation", api_name="/read_sample")
    row = (folder / "written_name_validation_v2.csv").read_text().splitlines()[2]
    file, label = row.split(",")
    width = Image.open(folder / "validation_v2" / "validation" / file).width
    assert {key: record[key] for key in ("text", "label", "index", "split", "file")} == {
        "text": f"W {width}",
        "label": label,
        "index": 2,
        "split": "validation",
        "file": file,
    }
    assert set(record) - {"label", "index", "split", "file"} == {
        *("text", "confidence", "verdict", "blank", "letters", "candidates", "notes"),
        *("absent", "milliseconds"),
    }


def test_read_sample_takes_the_training_split_unless_told(client: Client) -> None:
    assert client.predict(index=8, api_name="/read_sample")["split"] == "train"


def test_read_batch_returns_a_row_for_each_file_and_member(client: Client, tmp_path: Path) -> None:
    single, many, broken = tmp_path / "a.png", tmp_path / "b.zip", tmp_path / "c.png"
    single.write_bytes(png(60))
    broken.write_bytes(png(60)[:50])
    with zipfile.ZipFile(many, "w") as packed:
        packed.writestr("x/one.png", png(64))
        packed.writestr("x/white.png", png(shade=255))
    files = [handle_file(str(path)) for path in (single, many, broken)]
    rows = client.predict(files, api_name="/read_batch")
    assert [(row["file"], row["text"], row["verdict"]) for row in rows] == [
        ("a.png", "W 60", "please check"),
        ("x/one.png", "W 64", "please check"),
        ("x/white.png", "", "nothing written"),
        ("c.png", "", "cannot be read"),
    ]
    assert [row["confidence"] for row in rows] == [0.5, 0.5, 1.0, None]
    assert [row["problem"] for row in rows[:3]] == [None] * 3
    check_sentence(rows[3]["problem"], tmp_path)
    with pytest.raises(AppError, match="There are no pictures"):
        client.predict([], api_name="/read_batch")


def test_the_snippets_of_the_api_page_run(address: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "API.md").read_text("utf-8")
    section = page.split("\n## HTTP\n")[1].split("\n## ")[0]
    (tmp_path / "scan.png").write_bytes(png(60))
    with zipfile.ZipFile(tmp_path / "forms.zip", "w") as packed:
        packed.writestr("one.png", png(64))
    snippets = re.findall(r"```(\w*)\n(.*?)```", section, re.DOTALL)
    assert [kind for kind, _ in snippets] == ["python", "sh", "json", "json"]
    for kind, text in snippets[:2]:
        text = text.replace("http://127.0.0.1:7860", address).replace('17, "test"', '2, "test"')
        command = [sys.executable, "-c", text] if kind == "python" else ["bash", "-euo", "pipefail"]
        answer = subprocess.run(
            command,
            cwd=tmp_path,
            input=None if kind == "python" else text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        for expected in ("W 60", "W 64", '"index": 2' if kind == "sh" else "'index': 2"):
            assert expected in answer.stdout.replace('":', '": ').replace("  ", " ")


def check_sentence(message: str, *private: Path) -> None:
    """Assert that a message is one sentence for a person, without a path or a trace."""
    assert 10 < len(message) < 200
    assert message.endswith((".", "'", ")")) or "Received: " in message
    assert "\n" not in message
    assert "Traceback" not in message
    assert "Error" not in message
    for path in (Path("/tmp"), Path.cwd(), Path.home(), *private):
        assert str(path) not in message


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("note.png", b"just some text, no picture\n" * 3, "text"),
        ("empty.png", b"", "empty"),
        ("cut.jpg", jpeg()[:600], "damaged"),
        ("noise.jpg", jpeg()[:300] + bytes(200), "damaged"),
        ("dot.png", png(1, 1), "pixel"),
        ("vector.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        ("page.png", b"%PDF-1.7\n", "PDF"),
    ],
    ids=["text", "empty", "cut", "no pixels", "1x1", "svg", "pdf"],
)
def test_a_bad_file_gives_one_sentence(
    client: Client, tmp_path: Path, name: str, data: bytes, expected: str
) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(AppError) as error:
        client.predict(handle_file(str(file)), api_name="/read")
    check_sentence(str(error.value), tmp_path)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("index", "split", "expected"),
    [
        (5, "test", "There is no picture with index 5; the test split has indices 1 to 4."),
        (0, "train", "There is no picture with index 0; the train split has indices 1 to 8."),
        (-1, "test", "There is no picture with index -1; the test split has indices 1 to 4."),
        (1, "trian", "A split is one of train, validation, test. Received: 'trian'"),
        (1, "../secret", "A split is one of train, validation, test. Received: '../secret'"),
        ("1", "train", "An index is a whole number. Received: '1'"),
        (1.5, "train", "An index is a whole number. Received: 1.5"),
        (True, "train", "An index is a whole number. Received: True"),
    ],
)  # fmt: skip
def test_a_bad_sample_gives_one_sentence(
    client: Client, index: Any, split: str, expected: str
) -> None:
    with pytest.raises(AppError) as error:
        client.predict(index=index, split=split, api_name="/read_sample")
    assert str(error.value) == expected


def test_a_missing_dataset_is_told_without_its_path(tmp_path: Path) -> None:
    samples = Samples(tmp_path / "secret")
    assert samples.usable("train", 3) == []
    with pytest.raises(ValueError, match=r"^There is no dataset here; start .* --data FOLDER\.$"):
        samples.indices("train")


def test_only_the_named_endpoints_are_public(client: Client) -> None:
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/read", "/read_sample", "/read_batch"}
    assert [p["parameter_name"] for p in endpoints["/read_sample"]["parameters"]] == [
        "index",
        "split",
        "lexicon",
    ]
    assert endpoints["/read_sample"]["parameters"][0]["type"] == {"type": "integer"}


# === Server ===


def status(url: str, **request: Any) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, **request), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_no_folder_monitor_or_history_is_served(address: str, folder: Path) -> None:
    picture = next(folder.glob("train_v2/train/*.jpg"))
    for path in (picture, ROOT / "app.py", Path("/etc/hostname")):
        assert status(f"{address}/gradio_api/file={path}") in (403, 404)
    assert status(f"{address}/monitoring") in (401, 403, 404)
    assert status(f"{address}/gradio_api/runs") in (401, 403, 404)


def test_a_path_of_the_server_is_not_read(address: str, folder: Path) -> None:
    """A client may name any file as its upload; only uploads are read."""
    picture = next(folder.glob("train_v2/train/*.jpg"))
    for meta in ({"_type": "gradio.FileData"}, {}, None):
        file = {"path": str(picture), "orig_name": "a.jpg", "meta": meta}
        code = status(
            f"{address}/gradio_api/run/read",
            headers={"Content-Type": "application/json"},
            data=json.dumps({"data": [file]}).encode(),
        )
        assert code >= 400, meta


def test_a_path_of_the_server_is_not_read_in_a_batch(address: str, folder: Path) -> None:
    picture = next(folder.glob("train_v2/train/*.jpg"))
    files = [{"path": str(picture), "orig_name": "a.jpg", "meta": {}}]
    code = status(
        f"{address}/gradio_api/run/read_batch",
        headers={"Content-Type": "application/json"},
        data=json.dumps({"data": [files]}).encode(),
    )
    assert code >= 400


def test_a_picture_above_the_limit_is_refused(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "big.png"
    file.write_bytes(png() + bytes(5 * 1024 * 1024))
    with pytest.raises(AppError, match=r"5\.0\d* MB|limit"):
        client.predict(handle_file(str(file)), api_name="/read")


def test_the_page_loads_nothing_from_elsewhere(address: str) -> None:
    with urllib.request.urlopen(address, timeout=20) as answer:
        page = answer.read().decode()
    sources = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', page)
    assert [s for s in sources if not s.startswith(address) and "preconnect" not in s] == []
    assert '"analytics_enabled":false' in page.replace(" ", "")


def test_defaults_bind_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: dict[str, Any] = {}

    class Page:
        _queue = SimpleNamespace(send_message=None)

        def queue(self, **settings: Any) -> None:
            taken.update(settings)

        def launch(self, **settings: Any) -> None:
            taken.update(settings)

    monkeypatch.delenv("SPACE_ID", raising=False)
    serve.launch(Page(), serve_args())  # type: ignore[arg-type]
    assert (taken["server_name"], taken["server_port"]) == ("127.0.0.1", 7860)
    assert (taken["share"], taken["max_size"], taken["max_file_size"]) == (False, 32, 100 << 20)
    monkeypatch.setenv("SPACE_ID", "someone/names")
    serve.launch(Page(), serve_args())  # type: ignore[arg-type]
    assert taken["server_name"] == "0.0.0.0"
    serve.launch(Page(), serve_args("--host", "127.0.0.1"))  # type: ignore[arg-type]
    assert taken["server_name"] == "127.0.0.1"
    assert taken["mcp_server"] is False


def test_options_come_from_the_environment_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"HWR_HOST": "0.0.0.0", "HWR_PORT": "80", "HWR_QUEUE_SIZE": "5", "HWR_MCP": "1"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    args = serve_args()
    assert (args.host, args.port, args.queue_size, args.mcp) == ("0.0.0.0", 80, 5, True)
    args = serve_args("--host", "::1", "--port", "81", "--queue-size", "6")
    assert (args.host, args.port, args.queue_size) == ("::1", 81, 6)


def test_a_port_that_is_no_number_ends_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HWR_PORT", "http")
    assert main(["serve"]) == 2
    assert capsys.readouterr().err == ("hwr: $HWR_PORT must be a whole number. Received: 'http'\n")


def test_tools_without_their_package_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"install it with pip install 'gradio\[mcp\]'"):
        serve.launch(None, serve_args("--mcp"))  # type: ignore[arg-type]


def test_a_bad_model_folder_ends_the_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--model", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("hwr: There is no config.json")


# === Parts ===


def test_reads_wait_for_the_model_and_pass_its_error_on() -> None:
    class Recognizer:
        @staticmethod
        def read(source: Any, tta: bool = False) -> Reading:
            cared.append(tta)
            return measure(source)

    cared: list[bool] = []
    gate = threading.Event()

    def load() -> Recognizer:
        gate.wait(10)
        return Recognizer()

    reader = Reader(load)
    answers: list[Reading] = []
    thread = threading.Thread(target=lambda: answers.append(reader(png(44))))
    thread.start()
    time.sleep(0.2)
    assert answers == []
    gate.set()
    thread.join(10)
    assert [answer.text for answer in answers] == ["W 44"]
    assert cared[-1]


def test_a_failed_load_is_raised_by_the_read() -> None:
    def load() -> Any:
        raise ValueError("the weights are damaged")

    with pytest.raises(ValueError, match="the weights are damaged"):
        Reader(load)(png())


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0, "<1 %"), (0.004, "<1 %"), (0.006, "1 %"), (0.5, "50 %"), (0.9999, "99 %"), (1, "100 %")],
)
def test_percent_claims_no_certainty(probability: float, text: str) -> None:
    assert percent(probability) == text


def test_an_untouched_pad_is_white_paper() -> None:
    for value in (None, ""):
        paper = picture_of(value)
        assert isinstance(paper, np.ndarray)
        assert (paper.shape, paper.min()) == ((300, 800), 255)


def test_an_example_is_written_on_the_pad_and_read_from_there() -> None:
    import gradio as gr

    with gr.Blocks(analytics_enabled=False):
        pad, headline, *_ = Draw(measure).show_example(1)
    written = load_image(picture_of(pad)).pixels
    assert (written == write(*EXAMPLES[1])).all()
    assert written.min() == 0
    assert "W 800" in headline


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("<svg onload=alert(1)>", "must be a PNG as a data URL"),
        ({"path": "/etc/passwd"}, "must be a PNG as a data URL"),
        ("data:image/png;base64," + "A" * 2_000_000, "must be a PNG as a data URL"),
        ("data:image/png;base64,AAA", "is damaged"),
        ("data:image/png;base64,AAAA", "not a picture"),
    ],
)
def test_what_no_pad_sends_is_refused(value: object, reason: str) -> None:
    import gradio as gr

    with gr.Blocks(analytics_enabled=False):
        headline, *others = Draw(lambda source: load_image(source)).show(value)
    assert reason in headline
    assert others == [None] * 4


def text_of(html: str) -> str:
    return re.sub(r"<[^>]+>", " ", html)


def test_the_panel_escapes_what_others_wrote() -> None:
    reading = measure(png())
    hostile = Reading(HOSTILE, 0.5, (), (), (), False, (HOSTILE,), 1.0)
    for values in (Panel.result(hostile), Panel.refusal(HOSTILE)):
        assert "<img" not in values[0]
        assert "&lt;img" in values[0]
    assert "W 60" in text_of(Panel.result(reading)[0])


@pytest.fixture
def browse(folder: Path) -> Callable[..., list[Any]]:
    import gradio as gr

    with gr.Blocks(analytics_enabled=False):
        tab = Browse(measure, Samples(folder), one_by_one(measure))
    return lambda action, *values: getattr(tab, f"show_{action}")(*values)


def test_browse_steps_through_the_indices_and_stops_at_the_ends(
    browse: Callable[..., list[Any]],
) -> None:
    assert browse("first", "validation")[0] == 1
    assert [browse("next", "validation", index)[0] for index in (1, 3, 4, 99)] == [2, 4, 4, 4]
    assert [browse("previous", "validation", index)[0] for index in (4, 1, 99)] == [3, 1, 4]
    for _ in range(20):
        index = browse("random", "validation", 2)[0]
        assert index in (1, 3, 4)
    assert browse("current", "validation", 77)[0] == 1
    assert browse("current", "validation", 3)[0] == 3


def test_browse_finds_readings_of_a_kind(browse: Callable[..., list[Any]]) -> None:
    # `measure` reads no name right, and every picture with half its confidence.
    assert browse("first_error", "validation", 4)[0] == 1
    assert browse("kind", "validation", 3, "wrong")[0] == 3
    assert [browse("next", "validation", i, "unsure")[0] for i in (None, 1, 3)] == [1, 2, 4]
    assert [browse("previous", "validation", i, "wrong")[0] for i in (4, 2)] == [3, 1]
    assert browse("random", "validation", 2, "wrong")[0] in (1, 3, 4)
    index, picture, label, headline, *_ = browse("next", "validation", 4, "wrong")
    assert (index, picture, label) == (4, None, "")
    assert "Searched 0 pictures; no reading is wrong, and none are left to search." in headline
    assert "no reading is empty" in browse("kind", "validation", 1, "empty")[3]
    assert "A split is one of" in browse("first_error", "odd", 1)[3]


def test_browse_shows_the_example_that_was_clicked(browse: Callable[..., list[Any]]) -> None:
    assert browse("example", 2)[:2] == ["validation", 3]


def test_browse_says_which_rows_are_not_scored(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    rows = [("W 60", "right"), ("ANNA", "wrong"), ("EMPTY", "not scored"), (HOSTILE, "not scored")]
    lines = ["FILENAME,IDENTITY"]
    for number, (label, _) in enumerate(rows):
        (tmp_path / "images" / f"{number}.png").write_bytes(png(60))
        lines.append(f"{number}.png,{label}")
    lines.append("gone.png,BOB")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    import gradio as gr

    from hwr.alphabet import Alphabet

    with gr.Blocks(analytics_enabled=False):
        samples = Samples(tmp_path, Alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789"))
        tab = Browse(measure, samples, one_by_one(measure))
    found = {}
    for split in ("train", "validation"):
        for index in range(1, 6):
            _, picture, label, headline, *_ = tab.show(split, index)
            if "no picture with index" not in headline and "has no pictures" not in headline:
                found[index] = (picture is not None, label, headline)
    assert sorted(found) == [1, 2, 3, 4, 5]
    for index, (label, mark) in enumerate(rows, start=1):
        assert mark in text_of(found[index][1])
        assert found[index][0]
        assert "<img" not in found[index][1]
        assert label == HOSTILE or label in found[index][1]
    # The picture of the last row is missing: label and reason, but no reading.
    assert found[5][0] is False
    assert "BOB" in found[5][1]
    assert "gone.png" in found[5][2]
    assert str(tmp_path) not in found[5][2]


def test_samples_know_their_place(folder: Path) -> None:
    found = Samples(folder).find("test", 3)
    assert isinstance(found.sample, Sample)
    assert (found.position, found.count) == (3, 4)


def test_about_names_the_training_data(tmp_path: Path) -> None:
    metrics = {"runs": [{"sources": {"<b>": 1200, "dhsd": 3}, "synthetic_share": 0.5}]}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    about = about_model(tmp_path)
    assert "on &lt;b&gt; (1,200 pictures), German places (3 pictures) and names drawn" in about
    (tmp_path / "metrics.json").write_text('{"runs": [{}]}')
    assert "trained on" not in about_model(tmp_path)
    assert "sent nowhere else" in about_model(tmp_path)


def test_the_panel_names_doubtful_letters_and_missing_names() -> None:
    headline = text_of(Panel.result(measure(png()))[0])
    assert "Letters in doubt, by the ink alone: 2. \N{OPEN BOX}, or - 50 %" in headline
    assert "expected names" not in headline
    missing = dataclasses.replace(measure(png()), absent=0.875)
    values = Panel.result(missing)
    assert "Probably not on the list of expected names (88 %)." in text_of(values[0])
    assert values[2] == {HOSTILE: 0.125, "not on the list": 0.875}
    listed = Panel.result(dataclasses.replace(missing, absent=0.25))
    assert listed[2] == {"W 60": 0.5, HOSTILE: 0.125}
    assert Path(values[3]).suffix == ".png"


def test_what_is_expected_holds_for_the_event_alone() -> None:
    taken: list[dict[str, Any]] = []
    read = reads_as_expected(lambda source, **options: taken.append(options))  # type: ignore[func-returns-value,arg-type,return-value]
    read(None)
    with expecting("Anna", "Off"):
        read(None)
    with expecting(" ", "As the model says"):
        read(None)
    read(None)
    assert taken == [{}, {"lexicon": "Anna", "language_model": False}, {}, {}]

"""The page under hostile input: one real server, and clients that do what no browser would."""

from __future__ import annotations

import csv
import gc
import http.server
import io
import json
import os
import re
import secrets
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import httpx
import numpy as np
import pytest
from browser import find_browser
from helpers import ROOT, free_port, one_by_one, serve_args
from playwright.sync_api import expect, sync_playwright

from hwr.commands import serve
from hwr.decoding.lexicon import LexiconError
from hwr.image import load_image
from hwr.name_files import NameFileError
from hwr.preprocess import Step
from hwr.reading import Reading
from hwr.synthesis.sample_set import write_samples
from hwr.ui import options as expected
from hwr.ui.batch import files as batch_files
from hwr.ui.batch import tab as batch_tab
from hwr.ui.batch.files import ExportError
from hwr.ui.page import build
from hwr.ui.server import request_guard as guard
from hwr.ui.server import temp_folder
from hwr.ui.server.cleanup import forget_unheard, remove_files
from hwr.ui.server.temp_folder import PREFIX, size_of, sweep
from hwr.ui.tabs.samples import Samples

# Of Gradio 6.31: event loops left behind.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting' is deprecated"),
]

API = "/gradio_api"
HOSTILE = "<img src=x onerror=window.hit=1>"
SECRET = "the server's own secret"
META = {"_type": "gradio.FileData"}

#: Requests that may wait at this server.
QUEUE = 6


class Site:
    """The server, its page, and how its clients talk to it."""

    def __init__(self, address: str, page: gr.Blocks, uploads: Path, folder: Path) -> None:
        self.address, self.page, self.uploads, self.folder = address, page, uploads, folder
        self.http = httpx.Client(base_url=address, timeout=30)

    def upload(self, name: str, data: bytes) -> dict[str, Any]:
        """Upload one file as the page does; return its FileData."""
        answer = self.http.post(f"{API}/upload", files={"files": (name, data)})
        assert answer.status_code == 200, answer.text
        return {"path": answer.json()[0], "orig_name": name, "meta": META}

    def call(self, name: str, *data: Any) -> tuple[str, Any]:
        """Return how a named endpoint ends, "complete" or "error", and its answer."""
        answer = self.http.post(f"{API}/call/{name}", json={"data": list(data)})
        assert answer.status_code == 200, answer.text
        return self.hear(name, answer.json()["event_id"])

    def hear(self, name: str, event: str) -> tuple[str, Any]:
        stream = self.http.get(f"{API}/call/{name}/{event}").text
        last = stream.strip().split("\n\n")[-1]
        kind, data = re.fullmatch(r"event: (\w+)\ndata: (.*)", last, re.DOTALL).groups()  # type: ignore[union-attr]
        return kind, json.loads(data)

    def refused(self, name: str, *data: Any) -> str:
        """Return the sentence with which a named endpoint refuses."""
        kind, answer = self.call(name, *data)
        assert kind == "error", answer
        return str(answer["error"])

    def join(self, session: str, number: int, data: list[Any]) -> httpx.Response:
        """Ask for an event of the page, by its number."""
        body = {"data": data, "fn_index": number, "session_hash": session}
        return self.http.post(f"{API}/queue/join", json=body)

    def event(self, session: str, number: int, *data: Any) -> dict[str, Any]:
        """Let an event of the page happen in a visitor's session; return its last message."""
        self.join(session, number, list(data)).raise_for_status()
        stream = self.http.get(f"{API}/queue/data", params={"session_hash": session}).text
        messages = [
            json.loads(part.removeprefix("data: ")) for part in stream.split("\n\n") if part
        ]
        return next(m for m in messages if m["msg"] == "process_completed")

    def overheard(self, session: str) -> str:
        """Return what a session is told, if there is one."""
        try:
            return self.http.get(f"{API}/queue/data", params={"session_hash": session}).text
        except httpx.RemoteProtocolError:  # Gradio breaks the answer off where there is none
            return ""

    def events_of(self, element: str) -> list[dict[str, Any]]:
        """Return the events that a component with an element id fires."""
        config = self.page.config
        ids = [c["id"] for c in config["components"] if c["props"].get("elem_id") == element]
        return [
            event
            for event in config["dependencies"]
            if any(target[0] in ids for target in event["targets"]) and event["backend_fn"]
        ]


class Gate:
    """Holds back the readings of pictures that are WIDTH wide."""

    WIDTH = 222

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.reads = 0


GATE = Gate()


def measure(source: Any, lexicon: str | None = None, language_model: bool | None = None) -> Reading:
    """Read the width of a picture as its text."""
    if lexicon and "5" in lexicon:
        raise LexiconError(f"Entry 1 of the list holds {lexicon[:80]!r}.")
    picture = load_image(source)
    GATE.reads += 1
    if picture.pixels.shape[1] == Gate.WIDTH:
        GATE.open.wait(20)
    text = f"W {picture.pixels.shape[1]}"
    return Reading(text, 0.5, (), (), (Step("grey", picture.pixels),), False, (), 1.0)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("private")
    folder, uploads = root / "names", root / "uploads"
    uploads.mkdir()
    write_samples(folder, count=8, seed=5)
    (root / "secret.txt").write_text(SECRET)
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(uploads))
        patch.setattr("tempfile.tempdir", str(root))
        # Gradio serves only what lies in the temporary folder.
        patch.setattr(temp_folder, "_make_root", cache(temp_folder._make_root.__wrapped__))
        page = build(measure, Samples(folder), read_many=one_by_one(measure))
        args = serve_args("--port", str(port), "--queue-size", str(QUEUE))
        serve.launch(page, args, prevent_thread_lock=True, quiet=True)
        site = Site(f"http://127.0.0.1:{port}", page, uploads, root)
        yield site
        site.http.close()
        page.close(verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(autouse=True)
def still_reads(site: Site) -> Iterator[None]:
    """After whatever a test has done, the server answers as before."""
    yield
    GATE.open.set()
    kind, (record,) = site.call("read", site.upload("name.png", png(60)), "")
    assert (kind, record["text"]) == ("complete", "W 60")


def png(width: int, height: int = 20) -> bytes:
    pixels = np.full((height, width), 255, np.uint8)
    pixels[height // 2] = 0
    return cv2.imencode(".png", pixels)[1].tobytes()


def header_of(width: int, height: int) -> bytes:
    """A PNG file that announces a size and holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + head
    data = struct.pack(">I", len(head)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + data + png(60)[33:]


def check_sentence(site: Site, text: str) -> None:
    """Assert that a message is one sentence without a path of the server or a trace."""
    assert 10 < len(text) < 300, text
    assert "\n" not in text
    for word in ("Traceback", str(site.folder), "/tmp", str(Path.cwd()), "site-packages"):
        assert word not in text


# === What passes ===


def test_routes_that_the_page_does_not_need_are_closed(site: Site) -> None:
    opened, closed = set(), 0
    routes = [
        inner
        for route in site.page.app.routes
        for inner in getattr(getattr(route, "original_router", None), "routes", [route])
    ]
    assert len(routes) > 60
    for route in routes:
        path = re.sub(r"\{\w+(:path)?\}", "x", route.path)
        for method in sorted(route.methods):
            pattern = guard._OPEN.get("GET" if method == "HEAD" else method)
            if pattern is not None and pattern.fullmatch(path):
                opened.add(path.rstrip("/"))
                continue
            closed += 1
            answer = site.http.request(method, path)
            assert answer.status_code == 404, (method, path)
            assert method == "HEAD" or answer.json() == {"detail": "There is nothing here."}
    assert closed > 30
    inner = {path.removeprefix(API) for path in opened if path.startswith(API)}
    assert opened - {API + path for path in inner} == {
        *("", "/config", "/theme.css", "/robots.txt", "/favicon.ico", "/manifest.json"),
        *("/pwa_icon", "/static/x", "/assets/x", "/login", "/logout"),
    }
    assert inner == {
        *("/info", "/openapi.json", "/theme.css", "/app_id", "/user", "/login_check"),
        *("/startup-events", "/heartbeat/x", "/queue/status", "/queue/data", "/queue/join"),
        *("/upload_progress", "/upload", "/file=x", "/run/x", "/call/x"),
        *("/call/v2/x", "/call/x/x", "/call/v2/x/x", "/cancel", "/reset"),
    }


def test_every_answer_has_the_headers(site: Site) -> None:
    file = site.upload("a.png", png(60))["path"]
    for path in ("/", "/config", "/nowhere", f"{API}/file={file}", "/static/nowhere"):
        headers = site.http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        policy = headers["content-security-policy"]
        for rule in ("default-src 'self'", "object-src 'none'", "frame-ancestors 'self'"):
            assert rule in policy
        assert "http" not in policy


def test_other_sites_and_names_are_refused(site: Site) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "", "169.254.169.254"):
        assert site.http.get("/config", headers={"Host": host}).status_code == 421
    assert site.http.get("/robots.txt", headers={"Host": "localhost:1"}).status_code == 200
    for origin in ("https://evil.example", "null", "http://[", "http://127.0.0.1.evil.example"):
        answer = site.http.post(f"{API}/call/read", json={"data": []}, headers={"Origin": origin})
        assert answer.status_code == 403
        assert answer.json()["detail"].startswith("This request comes from another site;")
        assert "access-control-allow-origin" not in answer.headers
    own = site.http.post(f"{API}/reset", json={"event_id": "x"}, headers={"Origin": site.address})
    assert own.status_code == 200


def test_requests_that_pass_the_queue_by_wait_their_turn(
    site: Site, limits: Callable[..., None]
) -> None:
    GATE.open.clear()
    limits(WAITING=2)
    before, slow = GATE.reads, site.upload("slow.png", png(Gate.WIDTH))

    def read() -> httpx.Response:
        return site.http.post(f"{API}/run/read", json={"data": [slow, ""]})

    with ThreadPoolExecutor(guard.DIRECT + 3) as pool:
        answers = [pool.submit(read) for _ in range(guard.DIRECT + 3)]
        wait_for(lambda: any(answer.done() for answer in answers))
        wait_for(lambda: GATE.reads == before + guard.DIRECT)
        (full,) = [answer.result() for answer in answers if answer.done()]
        assert (full.status_code, full.json()) == (503, {"detail": guard.BUSY})
        GATE.open.set()
    codes = sorted(answer.result().status_code for answer in answers)
    assert codes == [200] * (guard.DIRECT + 2) + [503]


# === Files of the server ===


def test_no_file_but_an_upload_is_served(site: Site) -> None:
    secret = site.folder / "secret.txt"
    link = site.uploads / "link.txt"
    link.symlink_to(secret)
    inside = site.upload("a.txt", b"hello")["path"]
    up = f"{site.uploads}/../secret.txt"
    quoted = str(secret).replace("/", "%2F")
    paths = [
        *(str(secret), str(link), up, quoted, quoted.replace("%", "%25"), f"//{secret}"),
        *(f"{inside}/../../../secret.txt", up.replace("..", "%2e%2e"), f"file://{secret}"),
        *(f"file:{secret}", "/etc/passwd", "/proc/self/environ", "etc/passwd", "../secret.txt"),
        *("..%2f..%2fetc%2fpasswd", "..\\..\\etc\\passwd", "C:\\Windows\\win.ini", "~/.ssh/id_rsa"),
        *("app.py", "hwr/spec.py", str(ROOT / "app.py"), f"{secret}%00.png", "x" * 5000),
        *(str(site.folder / "names" / "written_name_test_v2.csv"), ".", "/", str(site.uploads)),
    ]
    for path in paths:
        answer = site.http.get(f"{API}/file={path}")
        assert answer.status_code in (400, 403, 404), path
        assert SECRET not in answer.text
        assert "root:" not in answer.text
        assert site.http.get(f"{API}/file/{path}").status_code in (400, 403, 404), path
    link.unlink()
    assert site.http.get(f"{API}/file={inside}").text == "hello"


def test_an_upload_is_never_shown_as_a_page(site: Site) -> None:
    for name, data in {
        "a.html": b"<script>alert(1)</script>",
        "a.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        "a.xhtml": b"<html/>",
        "a": b"<html><script>alert(1)</script>",
    }.items():
        answer = site.http.get(f"{API}/file={site.upload(name, data)['path']}")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert "html" not in answer.headers["content-type"]
        assert "svg" not in answer.headers["content-type"]


def test_a_path_outside_of_the_uploads_is_no_upload(site: Site) -> None:
    paths = [
        str(site.folder / "secret.txt"),
        "/etc/passwd",
        f"{site.uploads}/../secret.txt",
        "app.py",
    ]
    number = site.events_of("roster-file")[0]["id"]
    for path in paths:
        for extra in ({"meta": META}, {"meta": None}, {}, {"url": "x", "meta": META}):
            file = {"path": path, "orig_name": "a.png", **extra}
            for name, data in (("read", [file, ""]), ("read_batch", [[file], ""])):
                answer = site.http.post(f"{API}/call/{name}", json={"data": data})
                assert (answer.status_code, answer.json()["detail"]) == (
                    400, "A file is named that was not uploaded; upload it first.",
                )  # fmt: skip
            assert site.join("s", number, [file]).status_code == 400


def test_the_page_and_its_answers_name_no_folder_of_the_server(site: Site) -> None:
    texts = [site.http.get(path).text for path in ("/", "/config", f"{API}/info", "/nowhere")]
    kind, (sample,) = site.call("read_sample", 1, "test", "")
    assert kind == "complete"
    texts.append(json.dumps(sample))
    for text in texts:
        # The folder of uploads is part of what Gradio's own clients are told.
        text = text.replace(str(site.uploads), "")
        for folder in (site.folder, Path.cwd(), Path(gr.__file__).parent):
            assert str(folder) not in text


# === Other servers ===


def test_nothing_is_fetched_for_a_client(site: Site) -> None:
    taken: list[str] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            taken.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(png(60))

        def log_message(self, *args: Any) -> None:
            pass

    listener = http.server.HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
    thread.start()
    port = listener.server_port
    try:
        assert httpx.get(f"http://127.0.0.1:{port}/control").status_code == 200
        hosts = ("127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "0.0.0.0", "127.1")
        urls = [f"http://{host}:{port}/x.png" for host in hosts]
        urls += [f"HTTP://127.0.0.1:{port}/x.png", f"https://127.0.0.1:{port}/x.png"]
        urls += ["file:///etc/passwd", f"ftp://127.0.0.1:{port}/x.png", "http://example.com/x.png"]
        for url in urls:
            for file in (
                {"path": url, "meta": META},
                {"path": url, "url": url, "orig_name": "x.png", "meta": META},
                {"path": "", "url": url, "meta": META},
            ):
                for name, data in (("read", [file, ""]), ("read_batch", [[file], ""])):
                    answer = site.http.post(f"{API}/call/{name}", json={"data": data})
                    if file["path"]:
                        assert answer.status_code == 400
                    else:
                        kind, _ = site.hear(name, answer.json()["event_id"])
                        assert kind == "error"
            for route in (f"{API}/file={url}", f"{API}/proxy={url}", f"{API}/file/{url}"):
                assert site.http.get(route).status_code in (403, 404)
        assert taken == ["/control"]
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


# === Uploads ===


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.png", b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)", "damaged|pixel|picture"),
        ("a.png", b"%PDF-1.7\n" + png(60), "PDF"),
        ("a.png", b"<!doctype html><script>alert(1)</script>", "web page"),
        (
            "a.png",
            b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/>",
            "SVG",
        ),
        ("a.png", b"PK\x03\x04" + bytes(60), "ZIP"),
        ("a.png", b"MZ" + bytes(200), "not a picture"),
        ("a.png", b"", "empty"),
        ("a.png", png(60)[:60], "damaged"),
        ("a.png", header_of(7000, 3000), "21 megapixel"),
        ("a.png", header_of(2**31 - 1, 2**31 - 1), "pixel"),
        ("a.png", header_of(20_000, 10), "10,000|long|pixel"),
        ("a.png", png(60) + bytes(5 << 20), "5 MB"),
    ],
    ids=[
        *("gif-script", "pdf-png", "html", "svg", "zip", "exe", "empty", "cut", "21-megapixel"),
        *("size-overflow", "too-long", "5-mb"),
    ],
)
def test_a_hostile_file_gets_one_sentence(site: Site, name: str, data: bytes, words: str) -> None:
    message = site.refused("read", site.upload(name, data), "")
    check_sentence(site, message)
    assert re.search(words, message), message


NAMES = {
    HOSTILE + ".png": None,
    "../../../secret.png": None,
    "/etc/cron.d/a.png": None,
    "..\\..\\a.png": None,
    "C:\\a.png": None,
    "=HYPERLINK(1).png": None,
    "a\tb\x07c\x1b[31m.png": "a b c [31m.png",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe": "gnp.exe",
    "a" * 251 + ".png": None,
    "é" * 125 + ".png": None,
    "..": None,
    "CON.png": None,
    "'; DROP TABLE names; --.png": None,
    "\N{PILE OF POO}.png": None,
}


def test_hostile_names_lead_nowhere_and_are_told_exactly(site: Site) -> None:
    before = {path for path in site.folder.rglob("*") if site.uploads not in path.parents}
    files = []
    for name in NAMES:
        answer = site.http.post(f"{API}/upload", files={"files": (name, png(60))})
        path = Path(answer.json()[0]) if answer.status_code == 200 else None
        if path is None:
            assert answer.json()["detail"].startswith("Invalid file name")
            path = Path(site.upload("a.png", png(60))["path"])
        assert re.fullmatch(r"[0-9a-f]{64}", path.parent.name), name
        assert path.parent.parent == site.uploads
        assert len(os.fsencode(path.name)) < 256
        files.append({"path": str(path), "orig_name": name, "meta": META})
    kind, (rows,) = site.call("read_batch", files, "")
    assert kind == "complete"
    assert [row["file"] for row in rows] == [NAMES[name] or name for name in NAMES]
    assert [row["text"] for row in rows] == ["W 60"] * len(NAMES)
    assert {path for path in site.folder.rglob("*") if site.uploads not in path.parents} == before


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_limits(**values: float) -> None:
        for name, value in values.items():
            monkeypatch.setattr(guard, name, value)

    return set_limits


def partial_files(site: Site) -> set[str]:
    """Return what is in the upload folder, but in no folder of its own."""
    return {path.name for path in site.uploads.iterdir() if path.is_file()}


def test_an_upload_has_limits(site: Site, limits: Callable[..., None]) -> None:
    def send(data: Any, **headers: str) -> tuple[int, str]:
        form = "multipart/form-data; boundary=x"
        answer = site.http.post(
            f"{API}/upload", content=data, headers={"Content-Type": form, **headers}
        )
        return answer.status_code, answer.text

    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    before = partial_files(site)
    limits(MAX_UPLOAD=100_000)
    assert send(bytes(100_001))[0] == 413
    assert "more than 0 MB at once" in send(bytes(100_001))[1]
    # Without a length, in pieces.
    code, message = send(iter([part, *[bytes(50_000)] * 3, b"\r\n--x--\r\n"]))
    assert (code, "more than 0 MB at once" in message) == (413, True)
    many = {f"{i}": ("files", (f"{i}.png", b"1")) for i in range(1001)}
    answer = site.http.post(f"{API}/upload", files=list(many.values()))
    assert answer.status_code in (400, 413)
    limits(ROOM=10, _FRESH=0)
    answer = site.http.post(f"{API}/upload", files={"files": ("a.png", png(60))})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "no room for more uploads" in answer.json()["detail"]
    limits(ROOM=2**40)
    assert partial_files(site) == before


def test_an_upload_that_breaks_off_or_stands_still_leaves_nothing(
    site: Site, limits: Callable[..., None]
) -> None:
    before = partial_files(site)
    port = int(site.address.rpartition(":")[2])
    head = (
        f"POST {API}/upload HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 900000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        'Content-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    ).encode() + bytes(200_000)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(head)
        wait_for(lambda: partial_files(site) != before)
    wait_for(lambda: partial_files(site) == before)
    limits(PAUSE=0.3)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(head)
        answer = received(client, b"took too long")
    assert b" 400 " in answer
    assert partial_files(site) == before


def received(client: socket.socket, expected: bytes) -> bytes:
    """Return what comes up to `expected`; the head and the body may arrive one by one."""
    answer = b""
    while expected not in answer:
        piece = client.recv(4096)
        assert piece, answer
        answer += piece
    return answer


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# === Archives ===


def packed(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # two members of one name
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def crowd(count: int) -> bytes:
    """An archive whose directory lists one member `count` times."""
    data = packed(("a.png", png(60)))
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[start:end]
    tail = struct.pack("<4s4HIIH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF,
                       len(entry) * count & 0xFFFFFFFF, start, 0)  # fmt: skip
    return data[:start] + entry * count + tail


def lying(size: int) -> bytes:
    """An archive whose 64-bit field says that its member has `size` bytes."""
    data = packed(("a.png", bytes(2 << 20)))
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = bytearray(data[start:end])
    struct.pack_into("<I", entry, 24, 0xFFFFFFFF)
    struct.pack_into("<H", entry, 30, 12)
    entry += struct.pack("<HHQ", 1, 8, size)
    tail = struct.pack("<4s4HIIH", b"PK\x05\x06", 0, 0, 1, 1, len(entry), start, 0)
    return data[:start] + bytes(entry) + tail


def encrypted() -> bytes:
    data = bytearray(packed(("a.png", png(60))))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


GOOD = ("good.png", png(60))
LEADS_OUT = "Its path leads out of the archive; pack it again."

ARCHIVES = {
    "bomb": (packed(("bomb.png", bytes(4 << 20)), GOOD), ["far more than a picture", None]),
    "traversal": (
        packed(("../../x.png", png(60)), ("/x.png", png(60)), ("C:\\x.png", png(60)), GOOD),
        [LEADS_OUT, LEADS_OUT, LEADS_OUT, None],
    ),
    "nested": (packed(("more.zip", packed(GOOD)), GOOD), ["archive in an archive", None]),
    "link": (packed((link(), b"/etc/passwd"), GOOD), ["a link, not a file", None]),
    "twice": (packed(("a.png", png(60)), ("a.png", png(61)), GOOD), [None, None, None]),
    "encrypted": (encrypted(), ["encrypted"]),
    "says too little": (lying(100), ["damaged in the archive"]),
    "says too much": (lying(2**40), ["more than 5 MB"]),
    "markup": (packed((HOSTILE + ".png", png(60))), [None]),
    "no names": (packed((".", b""), GOOD), ["does not end as a picture", None]),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(ARCHIVES))
def test_hostile_members_are_told_and_the_others_read(site: Site, kind: str) -> None:
    data, problems = ARCHIVES[kind]
    ended, (rows,) = site.call("read_batch", [site.upload("a.zip", data)], "")
    assert ended == "complete"
    assert len(rows) == len(problems)
    for row, problem in zip(rows, problems, strict=True):
        if problem is None:
            assert (row["problem"], row["verdict"]) == (None, "please check")
        else:
            check_sentence(site, row["problem"])
            assert problem in row["problem"]
    assert not list(site.folder.rglob("good.png"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (crowd(100_000), "more than 5,000 files"),
        (crowd(5_001), "5,001 files"),
        (packed(GOOD)[:60], "damaged"),
        (b"PK\x05\x06" + bytes(18), "no pictures"),
        (b"PK\x03\x04" + bytes(1000), "damaged"),
    ],
    ids=["100,000", "5,001", "cut", "empty", "zeros"],
)
def test_a_hostile_archive_gets_one_sentence(site: Site, data: bytes, words: str) -> None:
    message = site.refused("read_batch", [site.upload("a.zip", data)], "")
    check_sentence(site, message)
    assert words in message


# === Arguments ===


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("read_sample", ["1", "test", ""], "An index is a whole number. Received: '1'"),
        ("read_sample", [None, "test", ""], "An index is a whole number. Received: None"),
        ("read_sample", [1e308, "test", ""], "An index is a whole number. Received: 1e+308"),
        ("read_sample", [[1], "test", ""], "An index is a whole number. Received: [1]"),
        ("read_sample", [10**30, "test", ""], "There is no picture with index 1000000"),
        ("read_sample", [1, ["test"], ""], "A split is one of train, validation, test."),
        ("read_sample", [1, {"a": 1}, ""], "A split is one of train, validation, test."),
        ("read_sample", [1, "../..", ""], "A split is one of train, validation, test."),
        ("read_sample", [1, "x" * 100_000, ""], "A split is one of train, validation, test."),
        ("read_sample", [1, "test", 5], "A lexicon is a text with one name per line."),
        ("read_sample", [1, "test", ["Anna"]], "A lexicon is a text with one name per line."),
        ("read_sample", [1, "test", "A" * 2_000_001], "A list may have 2,000,000 characters;"),
        ("read_sample", ["x" * 100_000, "test", ""], "An index is a whole number. Received: 'x"),
        ("read", [None, ""], "There is no picture; choose or drop a file."),
        ("read_batch", [None, ""], "There are no pictures;"),
        ("read_batch", [[], ""], "There are no pictures;"),
    ],
)  # fmt: skip
def test_wrong_arguments_get_one_sentence(
    site: Site, name: str, data: list[Any], message: str
) -> None:
    refusal = site.refused(name, *data)
    check_sentence(site, refusal)
    assert refusal.startswith(message)


def test_what_is_no_request_is_told(site: Site) -> None:
    def post(body: bytes, route: str = "call/read_sample") -> tuple[int, str]:
        answer = site.http.post(
            f"{API}/{route}", content=body, headers={"Content-Type": "application/json"}
        )
        return answer.status_code, str(answer.json()["detail"])

    no_json = (400, "The request is no JSON; numbers like NaN are not part of it.")
    for body in (b'{"data": [NaN, "test", ""]}', b'{"data": [Infinity]}', b"{", b"\xff", b"1 2",
                 b'{"data":' + b"[" * 100_000, '{"data": []}'.encode("utf-16")):  # fmt: skip
        assert post(body) == no_json
    assert post(b" " * (guard.MAX_JSON + 1)) == (
        413, "This is more than 16 MB at once; send less at a time.",
    )  # fmt: skip
    for body in (b"[]", b"5", b'"x"', b"{}", b'{"data": 5}', b'{"data": {"a": 1}}'):
        code, detail = post(body)
        assert code == 422
        assert str(site.folder) not in detail
    # A client may say that it sends a form where there is none.
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x", "text/plain", "x"):
        for route in ("upload", "call/read", "queue/join", "cancel"):
            answer = site.http.post(f"{API}/{route}", content=b"x", headers={"Content-Type": kind})
            assert 400 <= answer.status_code <= 500
            assert str(site.folder) not in answer.text


def test_hidden_events_bear_any_value(site: Site) -> None:
    """The page's own events can be asked for as well, with values that it would never send."""
    events = [d for d in site.page.config["dependencies"] if d["backend_fn"] and d["queue"]]
    assert len(events) > 25
    values = (None, HOSTILE, -1e300, [[HOSTILE, None]], {"path": "", "meta": META})
    session = "hostile"
    texts = []
    for number, event in enumerate(events):
        value = values[number % len(values)]
        answer = site.join(session, event["id"], [value] * len(event["inputs"]))
        texts.append(site.overheard(session) if answer.status_code == 200 else answer.text)
    assert len(texts) == len(events)
    for text in texts:
        assert "Traceback" not in text
        text = text.replace(str(site.uploads), "")
        for folder in (site.folder, Path.cwd(), Path(gr.__file__).parent):
            assert str(folder) not in text


# === Visitors ===


def batch_event(site: Site, element: str) -> int:
    """Return the number of the first event of a component."""
    return int(site.events_of(element)[0]["id"])


def download(site: Site, session: str, element: str) -> str:
    """Return the file that a button of the Batch tab saves."""
    message = site.event(session, batch_event(site, element), None)
    assert message["success"], message
    return site.http.get(f"{API}/file={message['output']['data'][0]['path']}").text


def test_a_batch_belongs_to_its_visitor_alone(site: Site) -> None:
    names = [HOSTILE + ".png", "=1+1.png", "@sum.png", "plain.png"]
    files = [site.upload(name, png(60 + i)) for i, name in enumerate(names)]
    mine, other = secrets.token_hex(6), secrets.token_hex(6)
    message = site.event(mine, batch_event(site, "batch-read"), files, "", "")
    assert message["success"]
    plain = list(csv.reader(io.StringIO(download(site, mine, "batch-csv"))))
    assert [row[0] for row in plain[1:]] == names
    assert [row[1] for row in plain[1:]] == ["W 60", "W 61", "W 62", "W 63"]
    sheet = list(csv.reader(io.StringIO(download(site, mine, "batch-spreadsheet"))))
    assert [row[0] for row in sheet[1:]] == [names[0], "'=1+1.png", "'@sum.png", "plain.png"]
    lines = download(site, mine, "batch-jsonl").splitlines()
    assert [json.loads(line)["file"] for line in lines] == names
    # Nothing of it reaches another one, not even what the page shows after a click.
    for element in ("batch-csv", "batch-spreadsheet"):
        assert len(download(site, other, element).splitlines()) == 1
    assert download(site, other, "batch-jsonl") == ""
    for element in ("batch-accept", "batch-view", "batch-page", "batch-stop"):
        for event in site.events_of(element):
            values: list[Any] = [None] * len(event["inputs"])
            if not event["queue"]:
                continue
            site.join(other, event["id"], values)
            text = site.http.get(f"{API}/queue/data", params={"session_hash": other}).text
            assert "plain.png" not in text
            assert "W 6" not in text


def test_an_answer_is_given_to_who_asked_for_it(site: Site) -> None:
    GATE.open.clear()
    slow = site.upload("slow.png", png(Gate.WIDTH))
    event = site.http.post(f"{API}/call/read", json={"data": [slow, ""]}).json()["event_id"]
    for session in ("", "x", event[:-1], "*", "None"):
        assert "process" not in site.overheard(session)
    # Another one cannot end it, either.
    body = {"session_hash": "x", "fn_index": 0, "event_id": event[:-1] + "g"}
    site.http.post(f"{API}/cancel", json=body)
    GATE.open.set()
    assert site.hear("read", event)[1][0]["text"] == f"W {Gate.WIDTH}"


# === Load ===


def test_a_full_queue_is_told_in_plain_words(site: Site) -> None:
    GATE.open.clear()
    slow = site.upload("slow.png", png(Gate.WIDTH))
    answers = [
        site.http.post(f"{API}/call/read", json={"data": [slow, ""]}) for _ in range(QUEUE + 3)
    ]
    full = [answer for answer in answers if answer.status_code != 200]
    assert 1 <= len(full) <= 3
    for answer in full:
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json() == {"detail": guard.BUSY}
    GATE.open.set()
    for answer in answers:
        if answer.status_code == 200:
            assert site.hear("read", answer.json()["event_id"])[0] == "complete"


def test_clients_that_go_away_free_their_places(site: Site) -> None:
    GATE.open.clear()
    slow = site.upload("slow.png", png(Gate.WIDTH))
    before = GATE.reads
    for _ in range(QUEUE):
        answer = site.http.post(f"{API}/call/read", json={"data": [slow, ""]})
        event = answer.json()["event_id"]
        with site.http.stream("GET", f"{API}/call/read/{event}"):
            pass
    wait_for(lambda: len(site.page._queue) == 0)
    GATE.open.set()
    assert site.call("read", site.upload("name.png", png(60)), "")[0] == "complete"
    # The one that had begun, and this one.
    assert GATE.reads == before + 2


def test_a_visitor_whose_messages_are_gone_does_not_stop_the_queue(site: Site) -> None:
    GATE.open.clear()
    slow = site.upload("slow.png", png(Gate.WIDTH))
    messages = site.page._queue.pending_messages_per_session
    for _ in range(QUEUE):
        site.http.post(f"{API}/call/read", json={"data": [slow, ""]})
    assert len(site.page._queue) >= 2
    # As Gradio does it where a connection closes, or for 2,000 newer sessions.
    messages.clear()
    GATE.open.set()
    wait_for(lambda: len(site.page._queue) == 0)
    assert not site.page._queue.stopped


def test_a_visitor_who_waits_outlasts_thousands_of_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = site.page._queue.pending_messages_per_session
    monkeypatch.setattr(messages, "max_size", len(messages) + 3)
    GATE.open.clear()
    slow = site.upload("slow.png", png(Gate.WIDTH))
    event = site.http.post(f"{API}/call/read", json={"data": [slow, ""]}).json()["event_id"]
    for index in range(9):
        assert site.call("read_sample", index % 2 + 1, "test", "")[0] == "complete"
    assert len(messages) <= messages.max_size
    GATE.open.set()
    assert site.hear("read", event)[1][0]["text"] == f"W {Gate.WIDTH}"


def test_a_batch_that_nobody_waits_for_ends_early(site: Site) -> None:
    GATE.open.clear()
    files = [site.upload("slow.png", png(Gate.WIDTH))] + [site.upload("a.png", png(60))] * 99
    before = GATE.reads
    answer = site.http.post(f"{API}/call/read_batch", json={"data": [files, ""]})
    with site.http.stream("GET", f"{API}/call/read_batch/{answer.json()['event_id']}"):
        wait_for(lambda: GATE.reads > before)
    (active,) = [job for job in site.page._queue.active_jobs if job]
    wait_for(lambda: not active[0].alive)
    GATE.open.set()
    assert site.call("read_batch", [files[1]], "")[0] == "complete"
    # The group of pictures that it was at, and this one.
    assert GATE.reads == before + 16 + 1


# === What is left behind ===


def test_files_of_visitors_go_and_those_of_the_page_stay(site: Site) -> None:
    file = site.upload("a.png", png(77))
    (site.uploads / "tmpbroken").write_bytes(b"1")
    assert site.http.get(f"{API}/file={file['path']}").status_code == 200
    assert remove_files(site.page, 3600) == 0
    assert remove_files(site.page, -1) >= 2
    assert site.http.get(f"{API}/file={file['path']}").status_code == 403
    assert partial_files(site) == set()
    config = site.http.get("/config").text
    own = {p for p in re.findall(r'"path":"([^"]+)"', config) if p.startswith(str(site.uploads))}
    assert len(own) >= 2  # examples
    assert [path for path in own if not Path(path).is_file()] == []
    message = site.refused("read", file, "")
    assert message == "There is no file named 'a.png'; check the name and the folder."


def test_answers_that_nobody_fetches_are_dropped(site: Site) -> None:
    queue = site.page._queue
    forget_unheard(site.page, {})
    waiting = len(queue.pending_messages_per_session)
    for index in (1, 2):
        site.http.post(f"{API}/call/read_sample", json={"data": [index, "test", ""]})
    wait_for(lambda: not queue.event_ids_to_events)
    watched = forget_unheard(site.page, {})
    assert len(watched) >= 2
    assert len(queue.pending_messages_per_session) >= 2
    assert forget_unheard(site.page, watched) == {}
    assert len(queue.pending_messages_per_session) <= waiting
    assert set(queue.pending_event_ids_session) <= set(queue.pending_messages_per_session)


def test_sessions_and_records_of_events_are_bounded(site: Site) -> None:
    assert site.page.app.state_holder.capacity == 1000
    for _ in range(3):
        site.call("read_sample", 1, "test", "")
    assert len(site.page._queue.event_analytics) <= 1


def test_the_scratch_folder_goes_with_its_process(tmp_path: Path) -> None:
    script = (
        "import sys, time; from hwr.ui.server.temp_folder import scratch; "
        "(scratch('uploads') / 'a').write_text('1'); print(scratch('uploads'), flush=True); "
        "time.sleep(60 if len(sys.argv) > 1 else 0)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path.cwd())}

    def start(*arguments: str) -> tuple[subprocess.Popen[str], Path]:
        command = [sys.executable, "-c", script, *arguments]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip()).parent

    running, kept = start("stay")
    killed, left = start("stay")
    killed.kill()
    killed.communicate()
    assert stat.S_IMODE(left.stat().st_mode) == 0o700
    for folder in (kept, left):
        os.utime(folder, (0, 0))
    (tmp_path / f"{PREFIX}file").write_text("not a folder")
    ended, gone = start()
    ended.communicate()
    assert (kept.exists(), left.exists(), gone.exists()) == (True, False, False)
    assert (kept / "uploads" / "a").read_text() == "1"
    assert size_of(kept) == 1
    assert (sweep(kept, 3600), sweep(kept, -1, {str(kept / "lock")})) == (0, 1)
    running.kill()
    running.communicate()


# === Markup ===


def test_messages_over_the_page_show_markup_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise arguments[0]

    monkeypatch.setattr(expected, "read_name_file", lambda file: fail(NameFileError(HOSTILE)))
    with pytest.raises(gr.Error) as error:
        expected._entries("x")
    assert error.value.message == "&lt;img src=x onerror=window.hit=1&gt;"
    monkeypatch.setattr(
        batch_files, "write_training_folder", lambda rows, path: fail(ExportError(HOSTILE))
    )
    with pytest.raises(gr.Error) as error:
        batch_tab._save_training([])
    assert error.value.message == "&lt;img src=x onerror=window.hit=1&gt;"


def test_markup_in_names_is_text_on_the_page(site: Site, tmp_path: Path) -> None:
    executable = find_browser()
    if executable is None:
        pytest.skip("no browser: install chromium or set $CHROMIUM")
    names = [HOSTILE + ".png", "<b>bold<i>.png", "&lt;script&gt;.txt"]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(png(60 + number) if name.endswith(".png") else b"text\n" * 9)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--enable-unsafe-swiftshader"]
        browser = playwright.chromium.launch(executable_path=executable, args=flags)
        page = browser.new_page()
        page.set_default_timeout(60_000)
        errors: list[str] = []
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(site.address)
        page.get_by_role("tab", name="Batch", exact=True).click()
        page.locator("#batch-files input[type=file]").first.set_input_files(
            [str(tmp_path / name) for name in names]
        )
        page.locator("#batch-files").get_by_text("bold", exact=False).first.wait_for()
        page.locator("#batch-read").click()
        expect(page.locator("#batch-status")).to_contain_text("3 pictures", timeout=60_000)
        for name in names:
            expect(page.locator("#batch-table")).to_contain_text(name)
        name = page.locator("#batch-name")
        expect(name).to_contain_text(f"The name in {names[0]}", timeout=60_000)
        assert page.evaluate("window.hit") is None
        assert page.locator("img[src='x']").count() == 0
        assert page.locator("b:text-is('bold'), i").count() == 0
        browser.close()
    assert errors == []

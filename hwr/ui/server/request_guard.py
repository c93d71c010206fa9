"""ASGI middleware: checks requests before Gradio sees them, and adds security headers.

Gradio 6.31 serves routes that this page does not need (a proxy for files of other servers, stored
states, a converter of recordings), takes bodies of any size into memory, and fetches pictures by
their address. Only requests that the page or the documented API makes are let through.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from starlette.formparsers import MultiPartException

from hwr.ui.server.temp_folder import size_of

#: Bytes of a request without files; a list of expected names is the longest part of one.
MAX_JSON = 16 * 1024 * 1024

#: Bytes of the files sent in one request. The page sends a batch a thousand files at a time.
MAX_UPLOAD = 500 * 1024 * 1024

#: Bytes of all uploads kept; they are deleted after an hour.
ROOM = 2 * 1024**3

#: Seconds for which an upload may stand still, and those it may take in all.
PAUSE, PATIENCE = 30.0, 900.0

#: Requests open at once; a page that is being looked at holds one or two.
MAX_OPEN = 2000

#: Requests that pass Gradio's queue by, as `curl` makes them: at once, and waiting for their turn.
DIRECT, WAITING = 2, 32

#: Seconds for which the size of the upload folder is not measured again.
_FRESH = 2.0

BUSY = "Many people are reading just now; please try again in a few seconds."

_API = "/gradio_api"

#: What the page and the API ask for (Gradio 6.31). The names of events are any, as Gradio knows
#: them; `file=` is of the upload folder alone.
_OPEN = {
    "GET": re.compile(
        r"/(config/?|theme\.css|robots\.txt|favicon\.ico|manifest\.json|pwa_icon(/\d+)?"
        r"|logout|(static|assets)/.+)?"
        rf"|{_API}/(info/?|openapi\.json|theme\.css|app_id/?|user/?|login_check/?|startup-events"
        r"|heartbeat/[^/]+|queue/(data|status)|upload_progress|call/(v2/)?[^/]+/[^/]+|file=.+)"
    ),
    "POST": re.compile(
        rf"/login/?|{_API}/(queue/join|(run|call|call/v2)/[^/]+/?|cancel|reset/?|upload)"
    ),
}
_TOOLS = re.compile(rf"{_API}/mcp(/.*)?")

#: Sent with every answer. The scripts of Gradio are inline and compile plots as they run; what
#: counts is that nothing is loaded from, or sent to, any other server.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}

_OWN_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class RefusedError(Exception):
    """A request is not passed on."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Guard:
    """Middleware (ASGI) in front of Gradio's application."""

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        *,
        uploads: Path,
        hosts: Collection[str] | None = None,
        tools: bool = False,
        framed: bool = False,
    ) -> None:
        """Set the limits.

        Args:
            app: Gradio's application.
            uploads: the only folder whose files a client may name.
            hosts: names by which the page may be called; None for any.
            tools: allow requests of the Model Context Protocol.
            framed: allow other sites to show the page in a frame.
        """
        self._app = app
        self._uploads = uploads.resolve()
        self._hosts = None if hosts is None else {name.lower() for name in hosts}
        self._tools = tools
        headers = dict(HEADERS)
        if framed:
            del headers["Cross-Origin-Opener-Policy"]
        else:
            headers["Content-Security-Policy"] += "; frame-ancestors 'self'"
            headers["X-Frame-Options"] = "SAMEORIGIN"
        self._headers = [(k.lower().encode(), v.encode()) for k, v in headers.items()]
        self._open = 0
        # The page's own direct requests are quick and need not wait for readings.
        self._own, self._direct = _Turns(), _Turns()
        self._measured: tuple[float, int] = (float("-inf"), 0)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = partial(self._send, send)
        self._open += 1
        try:
            receive = await self._check(scope, receive)
            if scope["path"].startswith((f"{_API}/queue/join", f"{_API}/call/")):
                send = _busy(send)
            async with self._turns(scope["path"]):
                await self._app(scope, receive, send)
        except RefusedError as error:
            await _answer(send, error.status, str(error))
        finally:
            self._open -= 1

    def _turns(self, path: str) -> AbstractAsyncContextManager[None]:
        if path.startswith(f"{_API}/run/predict"):
            return self._own
        return self._direct if path.startswith(f"{_API}/run/") else nullcontext()

    async def _send(self, send: Send, message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in self._headers}
            own = [(k, v) for k, v in message.get("headers", ()) if k.lower() not in names]
            message = {**message, "headers": [*own, *self._headers]}
        await send(message)

    async def _check(self, scope: Message, receive: Receive) -> Receive:
        """Return what the application receives the body from, or raise RefusedError."""
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"]
        if self._open > MAX_OPEN:
            raise RefusedError(503, BUSY)
        self._check_host(headers)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if self._tools and _TOOLS.fullmatch(path):
            return receive
        if method not in _OPEN or not _OPEN[method].fullmatch(path):
            raise RefusedError(404, "There is nothing here.")
        if path.startswith(f"{_API}/file="):
            self._check_path(path.removeprefix(f"{_API}/file="), RefusedError(403, "No such file."))
        if method == "GET":
            return receive
        self._check_origin(headers)
        if headers.get(b"content-type", "").lower().startswith("multipart/"):
            if path == f"{_API}/upload":
                await self._check_room()
                return _Form(receive, headers, MAX_UPLOAD)
            return _Form(receive, headers, MAX_JSON)
        rest = _Body(receive, headers, MAX_JSON)
        body = await rest.whole()
        if not path.startswith("/login"):
            self._check_body(body)
        return rest

    def _check_host(self, headers: dict[bytes, str]) -> None:
        """Refuse the name of another site that resolves to this address (DNS rebinding)."""
        if self._hosts is not None and _name(headers.get(b"host", "")) not in self._hosts:
            raise RefusedError(
                421,
                "The page is not known by this name; start it with --name NAME, or open "
                "http://127.0.0.1 and its port.",
            )

    def _check_origin(self, headers: dict[bytes, str]) -> None:
        """Refuse requests that another site makes a visitor's browser send."""
        origin = headers.get(b"origin")
        if origin is None:
            return
        own = {_name(headers.get(name, "")) for name in (b"host", b"x-forwarded-host")}
        if _name(origin.partition("://")[2]) not in own - {""} | (self._hosts or set()):
            raise RefusedError(
                403,
                "This request comes from another site; if it is the page's own name, start the "
                "page with --name NAME.",
            )

    def _check_body(self, body: bytes) -> None:
        if not body:
            return
        try:
            # It refuses NaN and deep nesting, which the standard library lets through.
            rest = [orjson.loads(body)]
        except orjson.JSONDecodeError:
            raise RefusedError(
                400, "The request is no JSON; numbers like NaN are not part of it."
            ) from None
        refusal = RefusedError(400, "A file is named that was not uploaded; upload it first.")
        while rest:
            value = rest.pop()
            if isinstance(value, list):
                rest += value
            elif isinstance(value, dict):
                rest += value.values()
                if isinstance(value.get("path"), str) and value["path"]:
                    self._check_path(value["path"], refusal)

    def _check_path(self, path: str, refusal: RefusedError) -> None:
        """Raise `refusal` unless a path, also once decoded, lies in the upload folder."""
        for text in {path, unquote(path)}:
            try:
                inside = Path(text).resolve().is_relative_to(self._uploads)
            except (OSError, ValueError, RuntimeError):
                inside = False
            if not inside:
                raise refusal

    async def _check_room(self) -> None:
        when, size = self._measured
        if time.monotonic() - when > _FRESH:
            size = await asyncio.to_thread(size_of, self._uploads)
            self._measured = (time.monotonic(), size)
        if size > ROOM:
            raise RefusedError(
                503, "There is no room for more uploads just now; they are deleted after an hour."
            )


class _Turns:
    """Lets DIRECT requests in at a time, and as many as WAITING wait."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(DIRECT)
        self._waiting = 0

    async def __aenter__(self) -> None:
        if self._waiting >= WAITING:
            raise RefusedError(503, BUSY)
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        self._places.release()


class _Body:
    """Receives a body of at most `limit` bytes, without long pauses.

    Raises:
        RefusedError: it is too long, takes too long or is broken off.
    """

    def __init__(self, receive: Receive, headers: dict[bytes, str], limit: int) -> None:
        length = headers.get(b"content-length", "")
        if length.isdecimal() and int(length) > limit:
            raise RefusedError(413, _too_much(limit))
        self._receive = receive
        self._limit = self._left = limit
        self._end = time.monotonic() + PATIENCE
        self._whole = False
        self._kept: bytes | None = None

    async def __call__(self) -> Message:
        if self._kept is not None:
            body, self._kept = self._kept, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._whole:
            return await self._receive()
        patience = min(PAUSE, self._end - time.monotonic())
        try:
            message = await asyncio.wait_for(self._receive(), max(patience, 0))
        except TimeoutError:
            raise RefusedError(408, "The request took too long; try again.") from None
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "The request was broken off; try again.")
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise RefusedError(413, _too_much(self._limit))
        self._whole = not message.get("more_body", False)
        return message

    async def whole(self) -> bytes:
        """Return the body, which is then received once more."""
        parts = []
        while not self._whole:
            parts.append((await self()).get("body", b""))
        self._kept = b"".join(parts)
        return self._kept


class _Form(_Body):
    """Receives a form with files; ends it with an error after which Gradio removes the files.

    Gradio keeps the files of an unfinished form unless its own parser fails.
    """

    async def __call__(self) -> Message:
        try:
            return await super().__call__()
        except RefusedError as error:
            # Gradio answers with status 413 where it finds "maximum allowed size" in it.
            size = " (the maximum allowed size)" if error.status == 413 else ""
            raise MultiPartException(f"{error}{size}") from None


def _busy(send: Send) -> Send:
    """Return what sends answers on, but says in plain words that the queue is full."""
    full = False

    async def answer(message: Message) -> None:
        nonlocal full
        if message["type"] == "http.response.start" and message["status"] == 503:
            full = True
            await _answer(send, 503, BUSY)
        elif not full:
            await send(message)

    return answer


async def _answer(send: Send, status: int, message: str) -> None:
    body = orjson.dumps({"detail": message})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 503:
        headers.append((b"retry-after", b"5"))
    if status in (408, 413):
        # The rest of the body is not waited for.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _too_much(limit: int) -> str:
    return f"This is more than {limit // 2**20} MB at once; send less at a time."


def _name(host: str) -> str:
    """Return the name in a Host header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def own_names(host: str, names: Collection[str]) -> Collection[str] | None:
    """Return the names that a page listening on `host` may be called by, or None for any."""
    if names:
        return _OWN_NAMES | set(names)
    # A page for its own machine alone accepts only that machine's names (DNS rebinding).
    return _OWN_NAMES if host in _OWN_NAMES else None

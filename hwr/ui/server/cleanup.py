"""Removes, every few minutes, what visitors have left behind on the server.

Gradio 6.31 deletes only files it knows of: those of an interrupted upload stay. It also keeps in
memory the answers to a client that never fetches them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from hwr.ui.server.temp_folder import LOCK, scratch_root, sweep

#: Seconds between two rounds, and the age of files that are removed. It is above the age at which
#: Gradio removes those it knows of, since Gradio never forgets a file removed by others.
EVERY, AGE = 600.0, 4500.0

#: Visitors whose batches are kept; each costs 0.2 MB, and up to 5 MB with a batch of 2,000.
VISITORS = 1000

#: Seconds for which a visitor's batch is kept after its last change; its pictures go sooner.
KEPT = 7200

_LOG = logging.getLogger(__name__)


def upkeep(page: gr.Blocks) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """Return a lifespan for the server of `page` that cleans up while it serves."""

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        task = asyncio.create_task(_rounds(page))
        try:
            yield
        finally:
            task.cancel()

    return lifespan


async def _rounds(page: gr.Blocks) -> None:
    unheard: dict[str, int] = {}
    while True:
        await asyncio.sleep(EVERY)
        try:
            unheard = forget_unheard(page, unheard)
            await asyncio.to_thread(remove_files, page, AGE)
        except Exception:
            # The next round may succeed.
            _LOG.exception("The clean-up failed and will be tried again.")


def remove_files(page: gr.Blocks, age: float) -> int:
    """Remove old files of visitors, but not those that the page itself shows; return how many."""
    keep = {str(scratch_root() / LOCK)}
    for component in page.blocks.values():
        # A dataset's files are kept by components within it, which the page does not list.
        for part in (component, *getattr(component, "_components", ())):
            keep |= part.keep_in_cache
    folders = (Path(get_upload_folder()).resolve(), scratch_root())
    return sum(sweep(folder, age, keep) for folder in folders)


def forget_unheard(page: gr.Blocks, before: Mapping[str, int]) -> dict[str, int]:
    """Drop answers not fetched since the last round, which returned `before`.

    Returns a mark of each session's oldest answer. Must run in the server's event loop.
    """
    queue = page._queue
    waiting = queue.pending_messages_per_session
    ids = queue.pending_event_ids_session
    seen: dict[str, int] = {}
    for session in list(waiting):
        messages = waiting[session]
        # A connected client takes each message at once.
        mark = id(messages._queue[0]) if messages.qsize() else 0
        if mark and before.get(session) == mark:
            del waiting[session]
            ids.pop(session, None)
        elif mark:
            seen[session] = mark
        elif not ids.get(session):
            del waiting[session]
    running = queue.event_ids_to_events
    for session, events in list(ids.items()):
        if session not in waiting and not events & running.keys():
            del ids[session]
    return seen

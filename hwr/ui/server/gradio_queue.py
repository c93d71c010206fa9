"""Workarounds for two Gradio 6.31 queue bugs.

A client that disconnects while the queue reports positions ends the only task that starts events
(KeyError), and from 2,000 sessions on the messages of the oldest session are dropped, even while
its visitor waits for an answer.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.utils import LRUCache

#: Visitors for whom Gradio keeps messages. Each call of the API is one of its own.
SESSIONS = 2000


def make_steady(page: gr.Blocks) -> None:
    """Apply both workarounds; call it after `page.queue`.

    An event whose messages are gone counts as abandoned. Of more than SESSIONS sessions, the
    oldest one that waits for no answer is dropped.
    """
    queue = page._queue
    send = queue.send_message

    def send_message(event: Any, message: Any) -> None:
        if event.session_hash in queue.pending_messages_per_session:
            send(event, message)
        else:
            event.alive = False

    queue.send_message = send_message
    queue.pending_messages_per_session = _Messages(queue)


class _Messages(LRUCache[str, Any]):  # type: ignore[misc]
    """Messages by session."""

    def __init__(self, queue: Any) -> None:
        super().__init__(SESSIONS)
        self._queue = queue

    def __setitem__(self, session: str, messages: Any) -> None:
        if session not in self and len(self) >= self.max_size:
            waiting = self._queue.pending_event_ids_session
            idle = next((old for old in self if not waiting.get(old)), None)
            if idle is not None:
                del self[idle]
                waiting.pop(idle, None)
        super().__setitem__(session, messages)

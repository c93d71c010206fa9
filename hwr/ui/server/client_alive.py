"""Whether the client of a long event is still connected.

Gradio 6.31 removes the waiting events of a disconnected client, but lets a running one finish.
"""

from __future__ import annotations

from collections.abc import Callable

from gradio.context import LocalContext


def listener() -> Callable[[], bool]:
    """Return a test whether the current event's client is connected; True outside an event."""
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    event = blocks._queue.event_ids_to_events.get(event_id) if blocks and event_id else None
    return lambda: event is None or bool(event.alive)

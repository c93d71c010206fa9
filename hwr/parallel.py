"""Parallel work: cores, threads that read ahead, processes that leave Ctrl-C to their parent."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import cv2

T = TypeVar("T")

#: Seconds that closing `prefetch` waits for its thread.
JOIN = 10

_limit: int | None = None


# === Cores and threads ===


def usable_cores() -> int:
    """Return how many cores this process may use, which can be fewer than the machine has."""
    affinity: Any = getattr(os, "sched_getaffinity", None)
    there = len(affinity(0)) if affinity else os.cpu_count() or 1
    return there if _limit is None else min(there, _limit)


def limit_cores(count: int) -> None:
    """Let this process use at most `count` cores, as one of several that share a machine."""
    global _limit
    _limit = count
    cv2.setNumThreads(count)


def thread_pool() -> Executor:
    """Return a pool with a thread for each usable core; on one core an `InlineExecutor`."""
    cores = usable_cores()
    return ThreadPoolExecutor(cores) if cores > 1 else InlineExecutor()


class InlineExecutor(Executor):
    """An executor that runs each call at once, in the calling thread.

    On one core a second thread only contends for the GIL: bulk reading took 9 % more processor
    time with one (median; 0 to 12 % in 6 rounds of 500 images).
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return a future that already holds what `fn` returned or raised."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def prefetch(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """Yield `items`, which a thread gets at most `depth` ahead; its errors are raised here.

    Closing the generator ends the thread, which closes `items` where they are a generator.
    """
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(more: bool, value: Any) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                ready.put((more, value), timeout=0.1)
                return

    def fill() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                put(True, item)
                if stopped.is_set():
                    break
            put(False, None)
        except BaseException as error:
            put(False, error)
        finally:
            if isinstance(iterator, Generator):
                iterator.close()

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        while True:
            more, value = ready.get()
            if more:
                yield value
            elif value is None:
                return
            else:
                raise value
    finally:
        stopped.set()
        thread.join(JOIN)


# === Processes ===


def start(process: BaseProcess) -> None:
    """Start a process that never sees Ctrl-C, which a terminal sends to all processes.

    Its parent is the one to act on it and to end the process. The signal is blocked from the first
    instruction on. On Windows nothing is blocked, so
    the function of the process has to ignore SIGINT, too.
    """
    if not hasattr(signal, "pthread_sigmask"):
        process.start()
        return
    # It would unblock the signal when it is started by the process.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

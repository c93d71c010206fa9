"""Workers: processes that prepare batches, where one thread cannot keep an accelerator busy.

Each group of batches depends on its number alone, so worker w of W prepares the groups w,
w + W, w + 2W and so on, and the batches are the same however many there are. They are sent as
bytes, a quarter of the floats that the network is given.
"""

from __future__ import annotations

import itertools
import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import cv2
import numpy as np

from hwr.batches import GROUP, Batch, Batches, ahead

#: Seconds between two looks whether a batch has come or the run is over.
LOOK = 0.2


def worked_batches(batches: Batches, first: int, stop: threading.Event) -> Iterator[Batch]:
    """Yield the batches from group `first` on, prepared by `batches.workers` processes.

    Args:
        stop: ends the workers when it is set.

    Raises:
        RuntimeError: a worker ended by itself, for example for want of memory.
        BaseException: what a worker raised.
    """
    # Forking a process in which TensorFlow, JAX or PyTorch already has threads can hang.
    context = multiprocessing.get_context("spawn")
    plain = replace(batches, workers=0)
    workers: list[tuple[SpawnProcess, Connection]] = []
    try:
        for number in range(batches.workers):
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(
                target=_work,
                args=(plain, first + number, batches.workers, sender),
                name=f"batches {number}",
                daemon=True,
            )
            with _keyboard_blocked():
                process.start()
            sender.close()
            workers.append((process, receiver))
        for process, receiver in itertools.cycle(workers):
            for _ in range(GROUP):
                batch = _received(process, receiver, stop)
                if batch is None:
                    return
                yield batch
    finally:
        for _, receiver in workers:
            receiver.close()
        for process, _ in workers:
            process.terminate()
            process.join()


def _received(process: SpawnProcess, receiver: Connection, stop: threading.Event) -> Batch | None:
    """Return the next batch of a worker; None if the run is over."""
    while not receiver.poll(LOOK):
        if stop.is_set():
            return None
    try:
        head = receiver.recv()
        if isinstance(head, BaseException):
            raise head
        shape, labels = head
        pixels = np.frombuffer(receiver.recv_bytes(), np.uint8)
    except EOFError:
        process.join()
        raise RuntimeError(
            f"A process that prepares batches ended with code {process.exitcode}, perhaps for "
            f"want of memory; try fewer --workers."
        ) from None
    return Batch(pixels.reshape(shape).astype(np.float32), labels)


def _work(batches: Batches, first: int, step: int, sender: Connection) -> None:
    """Send the batches of every `step`-th group from `first` on, for as long as they are read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that trains
    cv2.setNumThreads(1)  # the workers themselves are what runs in parallel

    def groups(stop: threading.Event) -> Iterator[Batch]:
        for number in itertools.count(first, step):
            if stop.is_set():
                return
            yield from batches.group(number)

    with suppress(BrokenPipeError, ConnectionResetError):
        try:
            for batch in ahead(groups):
                sender.send((batch.images.shape, batch.labels))
                sender.send_bytes(batch.images.astype(np.uint8).tobytes())
        except (BrokenPipeError, ConnectionResetError):
            raise
        except BaseException as error:
            sender.send(error)


@contextmanager
def _keyboard_blocked() -> Iterator[None]:
    """Keep Ctrl-C from a process that is started inside, before it can say so itself."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

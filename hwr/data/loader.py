"""The loader: the batches of a run as a stream, prepared ahead by a thread or by processes.

A group of batches depends on its number alone, so worker w of W prepares the groups w, w + W,
w + 2W and so on, and the batches do not depend on W. Pixels are sent as bytes, a quarter of the
size of the floats that the network gets.
"""

from __future__ import annotations

import itertools
import multiprocessing
import signal
from collections.abc import Generator
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import cv2
import numpy as np

from hwr.data.batches import GROUP, Batch, Batches
from hwr.parallel import prefetch, start


def stream(batches: Batches, first: int = 0, *, workers: int = 0) -> Generator[Batch, None, None]:
    """Return batch `first` of a run and all that follow, up to GROUP of them prepared ahead.

    Args:
        workers: processes that prepare them; 0 for a thread of this process.

    Raises:
        ValueError: `workers` is negative.
        RuntimeError: a worker ended by itself, for example for lack of memory.
    """
    if workers < 0:
        raise ValueError(f"workers must be 0 or more. Received: {workers}")
    return _stream(batches, first, workers)


def _stream(batches: Batches, first: int, workers: int) -> Generator[Batch, None, None]:
    group, skip = divmod(first, GROUP)
    source = _from_workers(batches, group, workers) if workers else _groups(batches, group)
    with closing(prefetch(source, GROUP)) as ready:
        yield from itertools.islice(ready, skip, None)


def _groups(batches: Batches, first: int, step: int = 1) -> Generator[Batch, None, None]:
    """Yield the batches of every `step`-th group from `first` on."""
    for number in itertools.count(first, step):
        yield from batches.group(number)


def _from_workers(batches: Batches, first: int, workers: int) -> Generator[Batch, None, None]:
    """Yield the batches from group `first` on, prepared by `workers` processes."""
    # Forking a process in which TensorFlow, JAX or PyTorch already has threads can hang.
    context = multiprocessing.get_context("spawn")
    running: list[tuple[SpawnProcess, Connection]] = []
    try:
        for number in range(workers):
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(
                target=_work,
                args=(batches, first + number, workers, sender),
                name=f"batches {number}",
                daemon=True,
            )
            start(process)
            sender.close()
            running.append((process, receiver))
        for process, receiver in itertools.cycle(running):
            for _ in range(GROUP):
                yield _received(process, receiver)
    finally:
        for _, receiver in running:
            receiver.close()
        for process, _ in running:
            process.terminate()
            process.join()


def _received(process: SpawnProcess, receiver: Connection) -> Batch:
    """Return the next batch of a worker, or raise what the worker raised."""
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
            f"lack of memory; try fewer --workers."
        ) from None
    return Batch(pixels.reshape(shape).astype(np.float32), labels)


def _work(batches: Batches, first: int, step: int, sender: Connection) -> None:
    """Send the batches of every `step`-th group from `first` on, for as long as they are read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that trains
    cv2.setNumThreads(1)  # the workers themselves are what runs in parallel
    with suppress(BrokenPipeError, ConnectionResetError):
        try:
            with closing(prefetch(_groups(batches, first, step), GROUP)) as ready:
                for batch in ready:
                    sender.send((batch.images.shape, batch.labels))
                    sender.send_bytes(batch.images.astype(np.uint8).tobytes())
        except (BrokenPipeError, ConnectionResetError):
            raise
        except BaseException as error:
            sender.send(error)

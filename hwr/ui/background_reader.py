"""A recognizer that loads while the page is already being served.

It reads with test-time augmentation: a person who waits for one name does not notice the time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, Protocol

import numpy as np

from hwr.image import ImageError
from hwr.reading import Reading

_log = logging.getLogger(__name__)

#: `Recognizer.read` and `read_many`, with `lexicon` and `language_model` where a person set them.
Read = Callable[..., Reading]
ReadMany = Callable[..., Iterator[Reading | ImageError]]


class Recognizes(Protocol):
    """What the reader needs of a recognizer."""

    @property
    def read(self) -> Read: ...

    @property
    def read_many(self) -> ReadMany: ...


class Reader:
    """Reads pictures with a recognizer that loads in the background; reads wait for it."""

    def __init__(self, load: Callable[[], Recognizes]) -> None:
        self._recognizer: Future[Recognizes] = Future()
        # A daemon, so that Ctrl-C during the load ends the program at once.
        threading.Thread(target=self._run, args=(load,), daemon=True, name="load-model").start()

    def __call__(self, source: Any, **options: Any) -> Reading:
        """Read one picture; raises the error of loading, if there was one."""
        return self._recognizer.result().read(source, tta=True, **options)

    def read_many(self, sources: Iterable[Any], **options: Any) -> Iterator[Reading | ImageError]:
        """Read many pictures; raises the error of loading, if there was one."""
        return self._recognizer.result().read_many(sources, tta=True, **options)

    def _run(self, load: Callable[[], Recognizes]) -> None:
        try:
            recognizer = load()
            for picture in _warm_up_pictures():
                recognizer.read(picture)
        except BaseException as error:
            _log.error("The model cannot be loaded: %s", error)
            self._recognizer.set_exception(error)
        else:
            self._recognizer.set_result(recognizer)


def _warm_up_pictures() -> list[np.ndarray]:
    """Return pictures that become network inputs of two widths.

    Keras traces the network for the first width and, for any width, at the second: a second each.
    """
    pictures = []
    for width in (80, 500):
        picture = np.full((100, width + 40), 255, np.uint8)
        picture[30:70:8, 20 : 20 + width] = 0
        picture[30:70, 20 : 20 + width : 20] = 0
        pictures.append(picture)
    return pictures

"""What many tests share: a tiny network's spec, pictures, folders, faults."""

from __future__ import annotations

import argparse
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hwr.cli import get_args
from hwr.commands.serve import from_environment
from hwr.image import ImageError
from hwr.reading import Reading
from hwr.recombination.letter_bank import LetterBank, collect, cut_letters
from hwr.spec import Spec

ROOT = Path(__file__).resolve().parent.parent

#: A network small enough to be built and trained in seconds.
TINY = Spec(
    height=16,
    max_width=128,
    width_step=32,
    filters=(4, 8, 8),
    features=16,
    units=16,
    dropout=0.0,
)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def serve_args(*arguments: str) -> argparse.Namespace:
    """Return the arguments of `hwr serve`, with what the environment adds."""
    return from_environment(get_args(["serve", *arguments]))


def write_word(text: str, height: int = 40, width: int = 240) -> np.ndarray:
    """Return (height, width) uint8 with `text` in black on white, about the middle."""
    image = np.full((height, width), 255, np.uint8)
    cv2.putText(image, text, (12, height - 12), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 0, 2, cv2.LINE_AA)
    return image


def write_letters(
    text: str, pitch: int = 24, left: int = 30, prompt: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """Return a (40, W) picture of letters that do not touch and the middles of their ink."""
    image = np.full((40, left + pitch * len(text) + 60), 255, np.uint8)
    middles = []
    for k, character in enumerate(text):
        before = image.copy()
        cv2.putText(image, character, (left + pitch * k, 30), 0, 0.7, 0, 2, cv2.LINE_AA)
        columns = np.flatnonzero((image != before).any(axis=0))
        middles.append((columns[0] + columns[-1] + 1) / 2 if len(columns) else np.nan)
    image[4:12, 2:18] = 0 if prompt else 255
    return image, np.array(middles)


def bank_of(*texts: str) -> LetterBank:
    """Return the letters of drawn names, each in a picture with a printed prompt."""
    found = []
    for number, text in enumerate(texts):
        image, middles = write_letters(text, prompt="x")
        letters = cut_letters(image, text, middles)
        assert letters is not None
        found.append((number, letters))
    return collect(found, 40, [("drawn", 0)])


def write_folder(folder: Path, rows: list[tuple[str, str]], writers: bool = False) -> Path:
    """Write a labels.csv + images/ dataset; a row whose name starts with '!' has no picture."""
    (folder / "images").mkdir(parents=True)
    lines = ["FILENAME,IDENTITY" + (",WRITER" if writers else "")]
    for number, (name, text) in enumerate(rows):
        if name.startswith("!"):
            name = name[1:]
        else:
            cv2.imwrite(str(folder / "images" / name), write_word(text.upper()))
        lines.append(f"{name},{text}" + (f",w{number % 20}" if writers else ""))
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def one_by_one(read: Callable[..., Reading]) -> Callable[..., Iterator[Reading | ImageError]]:
    """Return a `read_many` that reads each picture alone."""

    def read_many(sources: Iterable[Any], **options: Any) -> Iterator[Reading | ImageError]:
        for source in sources:
            try:
                yield read(source, **options)
            except ImageError as error:
                yield error

    return read_many


@contextmanager
def full_disk(largest: int = 0) -> Iterator[None]:
    """Let the system refuse to write beyond `largest` bytes of any file, as a full disk does."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def heed_interrupts() -> None:
    """Let a child process be interrupted, also where a shell runs the tests in the background.

    Such a shell has its children ignore SIGINT, and they their children. For `preexec_fn`.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)

"""ImageError, which refuses a picture; raised here for sizes and by decoders."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

MAX_PIXELS = 20_000_000
MAX_SIDE = 10_000
MIN_SIDE = 8
MAX_ASPECT = 40

# Remedies that several messages share.
SAVE_AS = "save or export it as PNG or JPEG and try again"
CHOOSE = "choose a picture (PNG, JPEG, WebP, BMP, TIFF or GIF)"


class ImageError(ValueError):
    """A picture was refused.

    `code` is short, stable and in kebab-case, for programs; `str(error)` is one sentence for a
    person, naming the value that was received and the remedy. It never holds a folder's name.

    Codes: no-picture, bad-source, missing-file, not-a-file, unreadable-file, empty-file, too-large,
    not-an-image, unsupported-format, damaged, too-small, too-many-pixels, too-long, too-elongated,
    bad-array.
    """

    def __init__(self, code: str, message: str) -> None:
        # Both, so that the error survives pickling on its way out of a worker process.
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


@contextmanager
def decoder_errors() -> Iterator[None]:
    """Turn whatever a decoder raises into ImageError 'damaged'."""
    try:
        yield
    # The decoders document no set of exceptions; seen on broken files are OSError, SyntaxError,
    # ValueError, struct.error, zlib.error, EOFError, IndexError, KeyError, TypeError and others.
    except Exception as error:
        raise ImageError(
            "damaged",
            "This picture is damaged or incomplete and cannot be decoded; "
            "open it in an image program, save it again, or send it once more.",
        ) from error


def check_size(width: int, height: int) -> None:
    """Raise ImageError for a picture that is too small, too large or too elongated, in pixels."""
    short, long = min(width, height), max(width, height)
    size = f"The picture is {width} x {height} pixels"
    if short < MIN_SIDE:
        raise ImageError(
            "too-small",
            f"{size}, but each side needs at least {MIN_SIDE}; take it at a higher resolution.",
        )
    if width * height > MAX_PIXELS:
        raise ImageError(
            "too-many-pixels",
            f"{size} ({at_least(width * height / 1e6)} megapixels), more than the limit of "
            f"{MAX_PIXELS // 1_000_000} megapixels; make it smaller or crop it to the name.",
        )
    if long > MAX_SIDE:
        raise ImageError(
            "too-long",
            f"{size}, but a side may have at most {MAX_SIDE}; make it smaller or crop it.",
        )
    if long > MAX_ASPECT * short:
        raise ImageError(
            "too-elongated",
            f"{size}, so one side is more than {MAX_ASPECT} times the other; crop it to the name.",
        )


def at_least(value: float) -> str:
    """Format a number rounded up to hundredths, so that 20.005 still exceeds a limit of 20."""
    return f"{math.ceil(value * 100) / 100:.10g}"

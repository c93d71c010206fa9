"""Load a picture of unknown origin as grey pixels, or say in one sentence why that is impossible.

Bytes, paths, arrays and Pillow images all come through `load_image`, so that training, the command
line and the web page see the same pixels. Everything is refused as early as it can be: the size of
the file before it is read, its format and its cost before it is opened (`hwr.image_file`), the size
of the picture before any pixel is decoded.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from hwr.image_error import CHOOSE, MAX_PIXELS, ImageError, at_least, check_size, decoder_errors
from hwr.image_file import FORMATS, check_directory, open_image, page_notes
from hwr.ink_color import grey_of

__all__ = ["FORMATS", "MAX_BYTES", "MAX_PIXELS", "ImageError", "Picture", "Source", "load_image"]

MAX_BYTES = 5 * 1024 * 1024

# Characters of EXIF that a PNG holds as text, twice its bytes; a camera writes at most 64 kB.
MAX_RAW_PROFILE = 150_000

_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_ORIENTATION = 258, 262, 274

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | np.ndarray | Image.Image


@dataclass(frozen=True, eq=False)
class Picture:
    """Grey pixels, (H, W) uint8, 0 black .. 255 white, C-contiguous, owned by this object.

    `notes` are sentences for the person about what was done on the way, often none.
    """

    pixels: np.ndarray
    notes: tuple[str, ...] = ()


def load_image(source: Source) -> Picture:
    """Turn a file's bytes, its path, an array or a Pillow image into grey pixels.

    Of a file with several pages or frames the first is taken; the camera's orientation tag is
    applied; transparency is laid on white paper, or on black if the ink itself is light (see
    `_on_paper`); 16-bit values are scaled by the bits that are used, 8, 12 or 16; colour becomes
    ITU-R 601 luma, or what shows the ink better (`hwr.ink_color`).
    Whether the ink is dark on light or light on dark is not looked at.

    Arrays may be (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA of bool, uint8, uint16, or
    float32/float64 in 0..1. Of a Pillow image with several frames the current one is read.

    Raises:
        ImageError: whatever is wrong with the source, and nothing else.
    """
    if source is None:
        raise ImageError("no-picture", "There is no picture yet; choose, paste or draw one first.")
    if isinstance(source, Image.Image):
        return _read_image(source)
    if isinstance(source, np.ndarray):
        return _read_array(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read_bytes(source)
    if isinstance(source, (str, os.PathLike)):
        return _read_bytes(_read_file(source))
    raise ImageError(
        "bad-source",
        "A picture must be a file's path, its bytes, a NumPy array or a Pillow image, "
        f"not {type(source).__name__}.",
    )


# === Files and bytes ===


def _read_file(path: str | os.PathLike[str]) -> bytes:
    """Read at most MAX_BYTES of a regular file; raise ImageError if it is anything else."""
    name = _base_name(path)
    try:
        status = os.stat(path)
        # Opening a named pipe or a device would wait for ever.
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(
                "not-a-file", f"'{name}' is not a file but a folder or a device; {CHOOSE}."
            )
        _check_bytes(status.st_size)
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError(
            "missing-file", f"There is no file named '{name}'; check the name and the folder."
        ) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ImageError(
            "unreadable-file",
            f"The file '{name}' cannot be read ({reason}); check its name and permissions.",
        ) from None
    except ImageError:
        raise
    except ValueError:
        raise ImageError(
            "missing-file", f"'{name}' cannot be the name of a file; check the name."
        ) from None
    _check_bytes(len(data))
    return data


def _base_name(path: str | os.PathLike[str]) -> str:
    """Return the last part of a path, printable and at most 80 characters long."""
    # Backslashes too: a Windows path sent to another system must not show its folders.
    parts = re.split(r"[/\\]+", os.fsdecode(path).rstrip("/\\"))
    return "".join(c if c.isprintable() else "?" for c in parts[-1])[:80]


def _read_bytes(source: bytes | bytearray | memoryview) -> Picture:
    _check_bytes(memoryview(source).nbytes)
    data = bytes(source)
    image = open_image(data)
    picture = _read_image(image)
    return Picture(picture.pixels, page_notes(image, data) + picture.notes)


def _check_bytes(count: int) -> None:
    if count == 0:
        raise ImageError("empty-file", f"The file is empty (0 bytes); {CHOOSE}.")
    if count > MAX_BYTES:
        raise ImageError(
            "too-large",
            f"The file has {at_least(count / 2**20)} MB, more than the limit of "
            f"{MAX_BYTES // 2**20} MB; save it smaller or as JPEG and try again.",
        )


# === Pillow images ===


def _read_image(image: Image.Image) -> Picture:
    check_size(*image.size)
    # Pillow turns a TIFF while decoding it and then drops the tag.
    turned = isinstance(image, TiffImageFile) and image.tag_v2.get(_TIFF_ORIENTATION, 1) != 1
    with decoder_errors():
        image.load()
    orientation = _orientation(image)
    luma, alpha = _luma_and_alpha(image)  # each (H, W) uint8
    grey, notes = _on_paper(luma, alpha)
    grey, stretched = _with_square_pixels(grey, image)
    if stretched:
        notes = ("Its pixels are no squares, by its resolution; it was stretched.", *notes)
    if turned or orientation != 1:
        notes = ("Turned upright by the camera's orientation tag.", *notes)
    return Picture(_own(_turn(grey, orientation)), notes)


def _with_square_pixels(grey: np.ndarray, image: Image.Image) -> tuple[np.ndarray, bool]:
    """Return (H, W) uint8 pixels stretched to squares, as the file's resolution says; and whether.

    Only ratios that a fax can have are believed, and none that makes the picture too large.
    """
    across, down = (image.info.get("dpi") or (1, 1))[:2]
    ratio = float(across) / float(down) if across and down else 1.0
    if not 1.3 <= max(ratio, 1 / ratio if ratio else 0) <= 4.5:
        return grey, False
    height, width = grey.shape
    width, height = (width, round(height * ratio)) if ratio > 1 else (round(width / ratio), height)
    if width * height > MAX_PIXELS:
        return grey, False
    return np.asarray(
        Image.fromarray(grey).resize((width, height), Image.Resampling.BILINEAR)
    ), True


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1..8; 1 if there is none."""
    try:
        exif = image.info.get("exif", b"")
        check_directory(exif.removeprefix(b"Exif\0\0"))
        if len(image.info.get("Raw profile type exif", "")) > MAX_RAW_PROFILE:
            return 1
        value = image.getexif().get(_TIFF_ORIENTATION, 1)
    except Exception:
        # Broken metadata raise as many things as broken pixels do, but do not spoil the pixels.
        return 1
    return int(value) if value in range(1, 9) else 1


def _turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation: (H, W) -> (H, W), or (W, H) for 5 to 8."""
    # EXIF 2.32, tag 274: which corner of the scene the first row and first column are.
    if orientation in (5, 6, 7, 8):
        pixels = pixels.T
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _luma_and_alpha(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Split a decoded image of any mode: luma (H, W) uint8, alpha (H, W) uint8 or None."""
    if image.mode == "F":
        raise ImageError(
            "unsupported-format",
            "This picture stores its pixels as floating-point numbers, whose black and white are "
            "not defined; save it with 8 or 16 bits per pixel and try again.",
        )
    if image.mode == "I":
        return _narrow(np.asarray(image)), None
    if image.mode.startswith("I;16"):
        return _read_sixteen_bits(image)
    with decoder_errors():
        if image.has_transparency_data:
            image = image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
            return np.asarray(image.convert("L")), np.asarray(image.getchannel("A"))
        # Pillow knows no direct way.
        if image.mode == "LAB":
            image = image.convert("RGB")
        luma = np.asarray(image.convert("L"))
        if image.mode in ("1", "L"):
            return luma, None
        rgb = image if image.mode == "RGB" else image.convert("RGB")  # which would copy it
        return _clear_grey(np.asarray(rgb), luma), None


def _clear_grey(rgb: np.ndarray, luma: np.ndarray) -> np.ndarray:
    """Return grey pixels in which the ink of a coloured picture stands out, as a rule `luma`."""
    grey = grey_of(rgb)
    return luma if grey is None else grey


def _read_sixteen_bits(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    raw = np.asarray(image)
    white, inverted = _white_of(raw), False
    if isinstance(image, TiffImageFile):
        # Pillow gives 12-bit values as they are and forgets that zero may mean white.
        white = 4095 if image.tag_v2.get(_TIFF_BITS) == (12,) else white
        inverted = image.tag_v2.get(_TIFF_PHOTOMETRIC) == 0
    luma = _scale(raw, white)
    key = image.info.get("transparency")
    alpha = None if key is None else np.where(raw == key, np.uint8(0), np.uint8(255))
    return (255 - luma if inverted else luma), alpha


def _narrow(raw: np.ndarray) -> np.ndarray:
    """Bring 32-bit integers to (H, W) uint8 by guessing the bits that they were made of."""
    low, high = int(raw.min()), int(raw.max())
    if low < 0 or high > 65535:
        raise ImageError(
            "unsupported-format",
            f"This picture's pixel values go from {low} to {high}, beyond 16 bits; "
            "save it with 8 or 16 bits per pixel and try again.",
        )
    return _scale(raw, _white_of(raw))


def _white_of(raw: np.ndarray) -> int:
    """Return the white of integers of 16 bits: many files and arrays hold 8 or 12 bits in them."""
    high = int(raw.max())
    return 255 if high <= 255 else 4095 if high <= 4095 else 65535


def _scale(raw: np.ndarray, white: int) -> np.ndarray:
    """Scale integers 0..white to uint8 0..255, rounding to nearest; the shape stays."""
    scaled = np.empty(raw.shape, np.uint8)
    for rows in _bands(raw.shape):
        scaled[rows] = (raw[rows].astype(np.uint32) * 255 + white // 2) // white
    return scaled


def _bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield ranges of rows that hold about a megapixel each.

    What arithmetic needs for all of 20 megapixels at once would be hundreds of megabytes.
    """
    step = max(1, 2**20 // max(1, math.prod(shape[1:])))
    for start in range(0, shape[0], step):
        yield slice(start, start + step)


def _on_paper(luma: np.ndarray, alpha: np.ndarray | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Lay (H, W) uint8 luma with (H, W) uint8 alpha on paper: (H, W) uint8 grey, and notes.

    The paper is white, unless that would hide the writing: if the visible pixels (at least half as
    opaque as the most opaque one) are fewer than half of the picture and at most 1 % of them
    are dark, they are taken for light ink and laid on black. A label cut out on a transparent
    ground holds dark ink, a sheet with rounded corners fills the picture: both stay on white.
    """
    if alpha is None or alpha.min() == 255:
        return luma, ()
    visible = alpha >= max(1, int(alpha.max()) // 2)
    area = int(np.count_nonzero(visible))
    dark = int(np.count_nonzero(luma[visible] < 128))
    light_ink = 0 < area < alpha.size / 2 and dark <= area / 100
    paper = 0 if light_ink else 255
    grey = np.empty_like(luma)
    for rows in _bands(luma.shape):
        opaque = alpha[rows].astype(np.uint16)
        # At most 255 * 255 + 127, which 16 bits hold.
        grey[rows] = (luma[rows] * opaque + paper * (255 - opaque) + 127) // 255
    notes = ("Light ink on a transparent ground was laid on black.",) if light_ink else ()
    return grey, notes


# === Arrays ===


def _read_array(array: np.ndarray) -> Picture:
    array = np.asarray(array)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(
            "bad-array",
            "An array must have the shape (height, width), or (height, width, channels) with 1, 3 "
            f"or 4 channels; this one has the shape {array.shape}.",
        )
    check_size(array.shape[1], array.shape[0])
    array = _eight_bits(array)
    if array.ndim == 2 or array.shape[2] == 1:
        return Picture(_own(array.reshape(array.shape[:2])))
    rgb = np.ascontiguousarray(array[..., :3])
    luma = np.asarray(Image.fromarray(rgb).convert("L"))  # (H, W, 3) -> (H, W)
    if array.shape[2] == 3:
        return Picture(_own(_clear_grey(rgb, luma)))
    grey, notes = _on_paper(luma, array[..., 3])
    return Picture(_own(grey), notes)


def _eight_bits(array: np.ndarray) -> np.ndarray:
    """Bring an array of a known dtype to uint8 0..255; the shape stays."""
    kind, width = array.dtype.kind, array.dtype.itemsize
    if (kind, width) == ("u", 1):
        return array
    if kind == "b":
        return np.where(array, np.uint8(255), np.uint8(0))
    if (kind, width) == ("u", 2):
        return _scale(array, _white_of(array))
    if kind == "f" and width in (4, 8):
        low, high = float(array.min()), float(array.max())
        # Written so that NaN, which makes both NaN, is refused too.
        if not (low >= 0 and high <= 1):
            raise ImageError(
                "bad-array",
                "A float array must hold numbers from 0 (black) to 1 (white) only; "
                f"this one holds {low:g} to {high:g}.",
            )
        scaled = np.empty(array.shape, np.uint8)
        for rows in _bands(array.shape):
            scaled[rows] = np.rint(array[rows] * 255)
        return scaled
    raise ImageError(
        "bad-array",
        "An array must hold uint8, bool, uint16, or float32/float64 from 0 to 1; "
        f"this one holds {array.dtype}.",
    )


def _own(pixels: np.ndarray) -> np.ndarray:
    """Copy (H, W) uint8 pixels into memory that nobody else holds, row after row."""
    owned: np.ndarray = np.array(pixels, dtype=np.uint8, order="C", copy=True)
    return owned

"""Load a picture of unknown origin as grey pixels, or say in one sentence why that is impossible.

Bytes, paths, arrays and Pillow images all come through `load_image`, so that training, the command
line and the web page see the same pixels. Everything is refused as early as it can be: the size of
the file before it is read, the kind of file by its first bytes, the size of the picture from its
header before any pixel is decoded.
"""

from __future__ import annotations

import codecs
import io
import math
import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 20_000_000
MAX_SIDE = 10_000
MIN_SIDE = 8
MAX_ASPECT = 40

# Every pass of a progressive JPEG costs a walk over all its blocks: 15 ms for 37 bytes of file at
# 19 megapixels, so 5 MB could keep a decoder busy for half an hour. Encoders write about ten, but
# the two bytes counted also turn up by chance, about 80 times in the video that some phones append.
MAX_JPEG_PASSES = 200

# The same in passes times pixels: about 1.5 s of decoding.
MAX_JPEG_WORK = 1_500_000_000

# Headers before the pixels of a JPEG: profiles and metadata come in pieces of 64 kB. Pillow joins
# those of EXIF one by one, which took 7 s for 400,000 of them.
MAX_JPEG_SEGMENTS = 500

# Strips or tiles: Pillow spends 6 microseconds on each, and 5 MB can name a million of 1 x 1.
MAX_TIFF_PARTS = 100_000

# Bytes of a BMP in runs, most of a second for each megabyte.
MAX_BMP_RUNS = 2 * 2**20

# Characters of EXIF that a PNG holds as text, twice its bytes; a camera writes at most 64 kB.
MAX_RAW_PROFILE = 150_000

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")

# The classes are called directly instead of `Image.open(..., formats=...)`: that would warn about,
# or refuse, a big picture before `_check_size` can explain it, and a warning can only be silenced
# by changing state that all threads share.
_DECODERS: dict[str, type[ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "WEBP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "GIF": GifImageFile,
}

# "BM" alone would also claim a text about cars, hence the length of the header that follows.
_SIGNATURES = {
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "WEBP": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "BMP": re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL),
    "TIFF": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "GIF": re.compile(rb"GIF8[79]a"),
}

_SAVE_AS = "save or export it as PNG or JPEG and try again"
_CHOOSE = "choose a picture (PNG, JPEG, WebP, BMP, TIFF or GIF)"

# (first bytes, error code, what it is, what to do)
_FOREIGN = (
    (rb"%PDF-", "unsupported-format", "a PDF", "save the page as PNG or JPEG and try again"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "unsupported-format", "a PostScript (EPS) file", _SAVE_AS),
    (
        rb".{4}ftyp(heic|heix|heim|heis|hevc|hevx|mif1|msf1)",
        "unsupported-format",
        "a HEIC photo",
        "save or share it as JPEG (on an iPhone choose 'Most Compatible') and try again",
    ),
    (rb".{4}ftypavi[fs]", "unsupported-format", "an AVIF picture", _SAVE_AS),
    (rb".{4}ftyp", "not-an-image", "a video", "save one frame of it as PNG or JPEG"),
    (rb".{4}JXL |\xff\x0a", "unsupported-format", "a JPEG XL picture", _SAVE_AS),
    (rb".{4}jP  |\xff\x4f\xff\x51", "unsupported-format", "a JPEG 2000 picture", _SAVE_AS),
    (rb"8BPS", "unsupported-format", "a Photoshop file", _SAVE_AS),
    (rb"\x00\x00\x01\x00", "unsupported-format", "an icon (ICO)", _SAVE_AS),
    (rb"PK\x03\x04", "not-an-image", "a ZIP archive or an Office document", _CHOOSE),
    (rb"\x1f\x8b", "not-an-image", "a compressed (gzip) file", _CHOOSE),
)

_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_ORIENTATION = 258, 262, 274
_TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH = 322, 323
_TIFF_PARTS = (273, 324)  # the offsets of strips, of tiles
_TIFF_TYPE_BYTES = {
    **dict.fromkeys((1, 2, 6, 7), 1),
    **dict.fromkeys((3, 8), 2),
    **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}

_JPEG_MARKER = re.compile(rb"\xff([\x01-\xfe])", re.DOTALL)

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | np.ndarray | Image.Image


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
    `_on_paper`); 16-bit values are divided by 257 and rounded; colour becomes ITU-R 601 luma.
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
        return _read_bytes(_take_bytes(source))
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
                "not-a-file", f"'{name}' is not a file but a folder or a device; {_CHOOSE}."
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


def _take_bytes(source: bytes | bytearray | memoryview) -> bytes:
    _check_bytes(memoryview(source).nbytes)
    return bytes(source)


def _check_bytes(count: int) -> None:
    if count == 0:
        raise ImageError("empty-file", f"The file is empty (0 bytes); {_CHOOSE}.")
    if count > MAX_BYTES:
        raise ImageError(
            "too-large",
            f"The file has {_at_least(count / 2**20)} MB, more than the limit of "
            f"{MAX_BYTES // 2**20} MB; save it smaller or as JPEG and try again.",
        )


def _read_bytes(data: bytes) -> Picture:
    kind = _sniff(data)
    if kind == "JPEG":
        _check_passes(data)
        _check_segments(data)
    if kind == "GIF":
        _check_first_frame(data)
    if kind == "TIFF":
        _check_directory(data)
    if kind == "BMP":
        _check_runs(data)
    with _decoder_errors():
        image = _DECODERS[kind](io.BytesIO(data))
        _rescale_transparent_colour(image, data)
    if isinstance(image, TiffImageFile):
        _check_tile(image)
    if isinstance(image, JpegImageFile):
        _check_passes(data, image.width * image.height)
    picture = _read_image(image)
    return Picture(picture.pixels, _page_notes(image, data) + picture.notes)


def _sniff(data: bytes) -> str:
    """Name the format, one of FORMATS, by the first bytes alone; raise ImageError for others."""
    for kind in FORMATS:
        if _SIGNATURES[kind].match(data):
            return kind
    for pattern, code, what, remedy in _FOREIGN:
        if re.match(pattern, data, re.DOTALL):
            raise ImageError(code, f"This is {what}; {remedy}.")
    head = data[:1024].removeprefix(codecs.BOM_UTF8)
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise ImageError("not-an-image", f"This is a web page, not a picture; {_CHOOSE}.")
    if b"<svg" in head:
        raise ImageError("unsupported-format", f"This is an SVG drawing; {_SAVE_AS}.")
    if _is_text(head):
        raise ImageError("not-an-image", f"This is a text file, not a picture; {_CHOOSE}.")
    raise ImageError("not-an-image", f"This file is not a picture of a known kind; {_CHOOSE}.")


def _is_text(head: bytes) -> bool:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    try:
        # Incremental, because the cut may fall within a character.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c.isspace() for c in text)


def _check_passes(data: bytes, pixels: int = 0) -> None:
    # Within a JPEG's compressed data 0xFF is never followed by 0xDA, so this counts its markers,
    # and what embedded or appended data hold besides.
    passes = data.count(b"\xff\xda")
    most = min(MAX_JPEG_PASSES, MAX_JPEG_WORK // max(1, pixels))
    if passes > most:
        raise ImageError(
            "damaged",
            f"This JPEG is built of {passes} passes, more than the limit of {most}; "
            "save it again with an image program.",
        )


def _check_segments(data: bytes) -> None:
    """Check the headers of a JPEG up to the first pass, and the size of its EXIF values."""
    exif, at = [], 2
    for _ in range(MAX_JPEG_SEGMENTS):
        found = _JPEG_MARKER.search(data, at)
        if not found or found[1] == b"\xda" or len(data) < found.end() + 2:
            break
        at = found.end()
        if found[1][0] != 0x01 and not 0xD0 <= found[1][0] <= 0xD9:  # those stand alone
            (length,) = struct.unpack_from(">H", data, at)
            if found[1] == b"\xe1" and data[at + 2 : at + 8] == b"Exif\0\0":
                exif.append(data[at + 8 : at + length])
            at += max(2, length)
    else:
        raise ImageError(
            "damaged",
            f"This JPEG has more than {MAX_JPEG_SEGMENTS} headers; "
            "save it again with an image program.",
        )
    _check_directory(b"".join(exif))


def _check_runs(data: bytes) -> None:
    """Check how much of a BMP is compressed in runs, which Pillow unpacks in Python."""
    compressed = int.from_bytes(data[30:34], "little") in (1, 2)
    if compressed and data[14] >= 40 and len(data) > MAX_BMP_RUNS:
        raise ImageError(
            "unsupported-format",
            f"This BMP holds {_at_least(len(data) / 2**20)} MB of compressed runs, more than the "
            f"limit of {MAX_BMP_RUNS // 2**20} MB; {_SAVE_AS}.",
        )


def _check_directory(data: bytes) -> None:
    """Check what the first directory of a TIFF file, or of EXIF, wants to be read.

    Pillow copies the values of every tag: where the tags all name the same bytes, those of a file
    of 4 MB fill any memory.
    """
    order = ">" if data.startswith(b"MM") else "<"
    big = b"+" in data[2:4]
    entry, count_type = (order + "HHQQ", "Q") if big else (order + "HHII", "H")
    total = 0
    with suppress(struct.error, OverflowError):  # leads out of the data; the decoder will say so
        (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
        (entries,) = struct.unpack_from(order + count_type, data, at)
        at += struct.calcsize(order + count_type)
        for _ in range(entries):
            tag, kind, count, offset = struct.unpack_from(entry, data, at)
            at += struct.calcsize(entry)
            size = count * _TIFF_TYPE_BYTES.get(kind, 0)
            if tag in _TIFF_PARTS and count > MAX_TIFF_PARTS:
                raise ImageError(
                    "damaged",
                    f"This TIFF is stored in {count} pieces, more than the limit of "
                    f"{MAX_TIFF_PARTS}; {_SAVE_AS}.",
                )
            if size > (8 if big else 4) and offset + size <= len(data):
                total += size
            if total > len(data):
                raise ImageError(
                    "damaged",
                    "The tags of this picture hold more bytes than its file; "
                    "save it again with an image program.",
                )


def _check_first_frame(data: bytes) -> None:
    """Check a GIF's size, that of its screen or of a first frame that sticks out of it.

    Pillow fills memory of the frame's size already while opening the file.
    """
    with _decoder_errors():
        width, height, flags = struct.unpack_from("<HHB", data, 6)
        at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        while data[at] != ord(","):
            if data[at] == ord("!"):
                at += 2
                while data[at]:
                    at += 1 + data[at]
            at += 1
        left, top, frame_width, frame_height = struct.unpack_from("<4H", data, at + 1)
    _check_size(max(width, left + frame_width), max(height, top + frame_height))


@contextmanager
def _decoder_errors() -> Iterator[None]:
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


def _check_tile(image: TiffImageFile) -> None:
    # The decoder needs memory for a whole tile, however small the picture is.
    with _decoder_errors():
        pixels = int(image.tag_v2.get(_TIFF_TILE_WIDTH, 0) * image.tag_v2.get(_TIFF_TILE_LENGTH, 0))
    if pixels > MAX_PIXELS:
        raise ImageError(
            "too-many-pixels",
            f"This TIFF is stored in tiles of {_at_least(pixels / 1e6)} megapixels, more than the "
            f"limit of {MAX_PIXELS // 1_000_000}; {_SAVE_AS}.",
        )


def _rescale_transparent_colour(image: ImageFile, data: bytes) -> None:
    """Bring a PNG's transparent colour to the 8 bits that the pixels were brought to.

    Pillow scales the pixels of 2-, 4- and 16-bit (colour) files and leaves that value as it was, so
    that white paper marked as transparent would not be found.
    """
    key = image.info.get("transparency")
    if not isinstance(image, PngImageFile) or key is None:
        return
    bits, colour_type = data[24], data[25]
    if colour_type == 0 and bits in (2, 4):
        image.info["transparency"] = key * 255 // (2**bits - 1)
    if colour_type == 2 and bits == 16:
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _page_notes(image: ImageFile, data: bytes) -> tuple[str, ...]:
    if isinstance(image, TiffImageFile):
        count, noun = _count_tiff_pages(data), "pages"
    else:
        with _decoder_errors():
            count, noun = int(getattr(image, "n_frames", 1)), "frames"
    return (f"The file has {count} {noun}; only the first was read.",) if count > 1 else ()


def _count_tiff_pages(data: bytes) -> int:
    """Count the pages by following their chain.

    Pillow's `n_frames` reads every tag of every page: a minute for a hostile 5 MB.
    """
    order = "<" if data.startswith(b"II") else ">"
    big = b"+" in data[2:4]
    entry_count, offset = (order + "Q", order + "Q") if big else (order + "H", order + "I")
    entry_bytes = 20 if big else 12
    seen: set[int] = set()
    try:
        (position,) = struct.unpack_from(offset, data, 8 if big else 4)
        while position and position not in seen:
            (entries,) = struct.unpack_from(entry_count, data, position)
            seen.add(position)
            end = position + struct.calcsize(entry_count) + entries * entry_bytes
            (position,) = struct.unpack_from(offset, data, end)
    except (struct.error, OverflowError):
        # The chain leads out of the file. The first page was decoded, so the count still serves.
        pass
    return len(seen)


# === Pillow images ===


def _read_image(image: Image.Image) -> Picture:
    _check_size(*image.size)
    # Pillow turns a TIFF while decoding it and then drops the tag.
    turned = isinstance(image, TiffImageFile) and image.tag_v2.get(_TIFF_ORIENTATION, 1) != 1
    with _decoder_errors():
        image.load()
    orientation = _orientation(image)
    luma, alpha = _luma_and_alpha(image)  # each (H, W) uint8
    grey, notes = _on_paper(luma, alpha)
    if turned or orientation != 1:
        notes = ("Turned upright by the camera's orientation tag.", *notes)
    return Picture(_own(_turn(grey, orientation)), notes)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1..8; 1 if there is none."""
    try:
        exif = image.info.get("exif", b"")
        _check_directory(exif.removeprefix(b"Exif\0\0"))
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
    with _decoder_errors():
        if image.has_transparency_data:
            image = image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
            return np.asarray(image.convert("L")), np.asarray(image.getchannel("A"))
        # Pillow knows no direct way.
        if image.mode == "LAB":
            image = image.convert("RGB")
        return np.asarray(image.convert("L")), None


def _read_sixteen_bits(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    raw = np.asarray(image)
    white, inverted = 65535, False
    if isinstance(image, TiffImageFile):
        # Pillow gives 12-bit values as they are and forgets that zero may mean white.
        white = 4095 if image.tag_v2.get(_TIFF_BITS) == (12,) else 65535
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
    return raw.astype(np.uint8) if high <= 255 else _scale(raw, 65535)


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
    _check_size(array.shape[1], array.shape[0])
    array = _eight_bits(array)
    if array.ndim == 2 or array.shape[2] == 1:
        return Picture(_own(array.reshape(array.shape[:2])))
    rgb = np.ascontiguousarray(array[..., :3])
    luma = np.asarray(Image.fromarray(rgb).convert("L"))  # (H, W, 3) -> (H, W)
    grey, notes = _on_paper(luma, array[..., 3] if array.shape[2] == 4 else None)
    return Picture(_own(grey), notes)


def _eight_bits(array: np.ndarray) -> np.ndarray:
    """Bring an array of a known dtype to uint8 0..255; the shape stays."""
    kind, width = array.dtype.kind, array.dtype.itemsize
    if (kind, width) == ("u", 1):
        return array
    if kind == "b":
        return np.where(array, np.uint8(255), np.uint8(0))
    if (kind, width) == ("u", 2):
        return _scale(array, 65535)
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


# === Both ===


def _check_size(width: int, height: int) -> None:
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
            f"{size} ({_at_least(width * height / 1e6)} megapixels), more than the limit of "
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


def _at_least(value: float) -> str:
    """Write a number that is over a limit so that it still looks it: 20.005 as 20.01."""
    return f"{math.ceil(value * 100) / 100:.10g}"


def _own(pixels: np.ndarray) -> np.ndarray:
    """Copy (H, W) uint8 pixels into memory that nobody else holds, row after row."""
    owned: np.ndarray = np.array(pixels, dtype=np.uint8, order="C", copy=True)
    return owned

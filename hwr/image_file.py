"""The file formats of pictures: recognised by their first bytes, checked before they are decoded.

Pillow's decoders trust a file's headers. Here the headers are read first, so that a small file
cannot demand minutes of computing or gigabytes of memory.
"""

from __future__ import annotations

import codecs
import io
import re
import struct
from contextlib import suppress

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from hwr.image_error import (
    CHOOSE,
    MAX_PIXELS,
    SAVE_AS,
    ImageError,
    at_least,
    check_size,
    decoder_errors,
)

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

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")

# The classes are called directly instead of `Image.open(..., formats=...)`: that would warn about,
# or refuse, a big picture before `check_size` can explain it, and a warning can only be silenced
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

# (first bytes, error code, what it is, what to do)
_FOREIGN = (
    (rb"%PDF-", "unsupported-format", "a PDF", "save the page as PNG or JPEG and try again"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "unsupported-format", "a PostScript (EPS) file", SAVE_AS),
    (
        rb".{4}ftyp(heic|heix|heim|heis|hevc|hevx|mif1|msf1)",
        "unsupported-format",
        "a HEIC photo",
        "save or share it as JPEG (on an iPhone choose 'Most Compatible') and try again",
    ),
    (rb".{4}ftypavi[fs]", "unsupported-format", "an AVIF picture", SAVE_AS),
    (rb".{4}ftyp", "not-an-image", "a video", "save one frame of it as PNG or JPEG"),
    (rb".{4}JXL |\xff\x0a", "unsupported-format", "a JPEG XL picture", SAVE_AS),
    (rb".{4}jP  |\xff\x4f\xff\x51", "unsupported-format", "a JPEG 2000 picture", SAVE_AS),
    (rb"8BPS", "unsupported-format", "a Photoshop file", SAVE_AS),
    (rb"\x00\x00\x01\x00", "unsupported-format", "an icon (ICO)", SAVE_AS),
    (rb"PK\x03\x04", "not-an-image", "a ZIP archive or an Office document", CHOOSE),
    (rb"\x1f\x8b", "not-an-image", "a compressed (gzip) file", CHOOSE),
)

_TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH = 322, 323
_TIFF_PARTS = (273, 324)  # the offsets of strips, of tiles
_TIFF_TYPE_BYTES = {
    **dict.fromkeys((1, 2, 6, 7), 1),
    **dict.fromkeys((3, 8), 2),
    **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}

_JPEG_MARKER = re.compile(rb"\xff([\x01-\xfe])", re.DOTALL)


def open_image(data: bytes) -> ImageFile:
    """Recognise and check a file, and open it; its pixels are not decoded yet.

    Raises:
        ImageError: it is of another format, damaged, or costs too much to decode.
    """
    kind = _sniff(data)
    if kind == "JPEG":
        _check_passes(data)
        _check_segments(data)
    elif kind == "GIF":
        _check_first_frame(data)
    elif kind == "TIFF":
        check_directory(data)
    elif kind == "BMP":
        _check_runs(data)
    with decoder_errors():
        image = _DECODERS[kind](io.BytesIO(data))
        _rescale_transparent_colour(image, data)
    if isinstance(image, TiffImageFile):
        _check_tile(image)
    if isinstance(image, JpegImageFile):
        _check_passes(data, image.width * image.height)
    return image


def page_notes(image: ImageFile, data: bytes) -> tuple[str, ...]:
    """Return a sentence for the person if only the first of several pages or frames is read."""
    if isinstance(image, TiffImageFile):
        count, noun = _count_tiff_pages(data), "pages"
    else:
        with decoder_errors():
            count, noun = int(getattr(image, "n_frames", 1)), "frames"
    return (f"The file has {count} {noun}; only the first was read.",) if count > 1 else ()


def _count_tiff_pages(data: bytes) -> int:
    """Count the pages by following the chain of their directories.

    Pillow's `n_frames` reads every tag of every page: a minute for a hostile 5 MB.
    """
    order = "<" if data.startswith(b"II") else ">"
    big = b"+" in data[2:4]
    entry_count, offset, entry_bytes = ("Q", "Q", 20) if big else ("H", "I", 12)
    seen: set[int] = set()
    # The chain may lead out of the file. The first page was decoded, so the count still serves.
    with suppress(struct.error, OverflowError):
        (position,) = struct.unpack_from(order + offset, data, 8 if big else 4)
        while position and position not in seen:
            (entries,) = struct.unpack_from(order + entry_count, data, position)
            seen.add(position)
            end = position + struct.calcsize(order + entry_count) + entries * entry_bytes
            (position,) = struct.unpack_from(order + offset, data, end)
    return len(seen)


# === Recognition ===


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
        raise ImageError("not-an-image", f"This is a web page, not a picture; {CHOOSE}.")
    if b"<svg" in head:
        raise ImageError("unsupported-format", f"This is an SVG drawing; {SAVE_AS}.")
    if _is_text(head):
        raise ImageError("not-an-image", f"This is a text file, not a picture; {CHOOSE}.")
    raise ImageError("not-an-image", f"This file is not a picture of a known kind; {CHOOSE}.")


def _is_text(head: bytes) -> bool:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    try:
        # Incremental, because the cut may fall within a character.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c.isspace() for c in text)


# === Checks ===


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
    check_directory(b"".join(exif))


def _check_runs(data: bytes) -> None:
    """Check how much of a BMP is compressed in runs, which Pillow unpacks in Python."""
    compressed = int.from_bytes(data[30:34], "little") in (1, 2)
    if compressed and data[14] >= 40 and len(data) > MAX_BMP_RUNS:
        raise ImageError(
            "unsupported-format",
            f"This BMP holds {at_least(len(data) / 2**20)} MB of compressed runs, more than the "
            f"limit of {MAX_BMP_RUNS // 2**20} MB; {SAVE_AS}.",
        )


def check_directory(data: bytes) -> None:
    """Check how many bytes the tags in the first directory of a TIFF file, or of EXIF, refer to.

    Pillow copies the values of every tag. If all tags refer to the same bytes, a file of 4 MB
    fills any memory.
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
                    f"{MAX_TIFF_PARTS}; {SAVE_AS}.",
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
    with decoder_errors():
        width, height, flags = struct.unpack_from("<HHB", data, 6)
        at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        while data[at] != ord(","):
            if data[at] == ord("!"):
                at += 2
                while data[at]:
                    at += 1 + data[at]
            at += 1
        left, top, frame_width, frame_height = struct.unpack_from("<4H", data, at + 1)
    check_size(max(width, left + frame_width), max(height, top + frame_height))


def _check_tile(image: TiffImageFile) -> None:
    # The decoder needs memory for a whole tile, however small the picture is.
    with decoder_errors():
        pixels = int(image.tag_v2.get(_TIFF_TILE_WIDTH, 0) * image.tag_v2.get(_TIFF_TILE_LENGTH, 0))
    if pixels > MAX_PIXELS:
        raise ImageError(
            "too-many-pixels",
            f"This TIFF is stored in tiles of {at_least(pixels / 1e6)} megapixels, more than the "
            f"limit of {MAX_PIXELS // 1_000_000}; {SAVE_AS}.",
        )


# === Corrections ===


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

"""The picture loader against files made here, byte by byte where no encoder would write them."""

from __future__ import annotations

import io
import os
import pickle
import struct
import threading
import time
import tracemalloc
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from hwr import image as loader
from hwr import image_error, image_file
from hwr.image import FORMATS, MAX_BYTES, ImageError, Picture, load_image
from hwr.preprocess import prepare
from hwr.spec import Spec

# === Making files ===

# 8 rows of 12, different in every corner, so that no turn or mirror can pass for another.
GREY = (np.arange(96, dtype=np.uint8).reshape(8, 12) * 2 + 30).astype(np.uint8)
INK = np.zeros((10, 20), bool)
INK[4:6, 3:17] = True
PAGE = np.where(INK, 0, 255).astype(np.uint8)  # black ink on white paper
NEGATIVE = 255 - PAGE
RGB = np.zeros((8, 12, 3), np.uint8)
RGB[:, :4, 0] = RGB[:, 4:8, 1] = RGB[:, 8:, 2] = 255
RGB_GREY = np.repeat(np.array([[76, 150, 29]], np.uint8), 8, axis=0).repeat(4, axis=1)


def encode(picture: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, bits: int, colour: int, rows: bytes, key: bytes = b"") -> bytes:
    """A PNG from unfiltered rows, each led by its filter byte 0."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    extra = chunk(b"tRNS", key) if key else b""
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def png_rows(values: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in values)


def tiff(data: bytes | np.ndarray, width: int, height: int, bits: int, **tags: int) -> bytes:
    """A one-strip TIFF; `tags` is t<number>=value. Little-endian."""
    pixels = bytes(data)
    entries = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 277: 1, 278: height}
    entries |= {int(name[1:]): value for name, value in tags.items()}
    entries |= {279: len(pixels)} if 322 not in entries else {325: len(pixels)}
    start = 8 + 2 + 12 * (len(entries) + 1) + 4
    entries |= {273: start} if 322 not in entries else {324: start}
    listing = b"".join(struct.pack("<HHII", t, 4, 1, v) for t, v in sorted(entries.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + listing + bytes(4) + pixels


def tiff_pages(count: int) -> bytes:
    """A chain of pages, of which only the first can be decoded."""
    first = tiff(GREY.tobytes(), 12, 8, 8)
    end = 10 + 12 * struct.unpack_from("<H", first, 8)[0]
    data = bytearray(first)
    for _ in range(count - 1):
        data[end : end + 4] = struct.pack("<I", len(data))
        end = len(data) + 2
        data += struct.pack("<HI", 0, 0)
    return bytes(data)


def bomb(width: int, height: int) -> bytes:
    """A PNG of zeros, compressed as it is made so that the test itself stays small."""
    squeeze = zlib.compressobj(9)
    row = bytes((width + 7) // 8 + 1)
    body = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def oriented(number: int, kind: str = "PNG") -> bytes:
    exif = Image.Exif()
    exif[274] = number
    return encode(GREY, kind, exif=exif)


def with_alpha(ink: int, alpha: np.ndarray, mode: str = "RGBA") -> Image.Image:
    grey = np.full(alpha.shape, ink, np.uint8)
    channels = [grey, alpha] if mode == "LA" else [grey, grey, grey, alpha]
    return Image.fromarray(np.dstack(channels))


def transparent_palette() -> Image.Image:
    """Index 0, transparent, is black in the palette; index 1 is black ink."""
    picture = Image.frombytes("P", (20, 10), INK.astype(np.uint8).tobytes())
    picture.putpalette([0, 0, 0, 0, 0, 1])
    return picture


def transparent_pa() -> Image.Image:
    picture = transparent_palette().convert("PA")
    picture.putalpha(Image.fromarray(SOLID))
    return picture


def palette() -> Image.Image:
    picture = Image.frombytes("P", (12, 8), bytes([0] * 4 + [1] * 4 + [2] * 4) * 8)
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    return picture


def frames(kind: str, count: int, **options: object) -> bytes:
    pages = [Image.fromarray(np.roll(PAGE, k, axis=0)) for k in range(count)]
    buffer = io.BytesIO()
    pages[0].save(buffer, kind, save_all=True, append_images=pages[1:], **options)
    return buffer.getvalue()


def many_passes() -> bytes:
    data = encode(np.zeros((64, 64), np.uint8), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * image_file.MAX_JPEG_PASSES + data[-2:]


def gif_with_large_frame() -> bytes:
    data = bytearray(encode(GREY, "GIF"))
    at = 13 + (3 << (data[10] & 7) + 1)
    assert data[at] == ord(",")
    data[at + 5 : at + 9] = struct.pack("<HH", 13_000, 13_000)
    data[at:at] = b"!\xf9\4\x08\0\0\0\0"  # "clear the frame to the background" afterwards
    return bytes(data)


SIXTEEN = np.linspace(0, 65535, 96).astype(np.uint16).reshape(8, 12)
SIXTEEN_GREY = np.rint(SIXTEEN / 257).astype(np.uint8)
TWELVE = np.arange(96, dtype=np.uint16).reshape(8, 12) * 43  # up to 4085
FAINT = np.where(INK, 128, 0).astype(np.uint8)
SOLID = np.where(INK, 255, 0).astype(np.uint8)


def twelve_bits() -> bytes:
    pairs = TWELVE.reshape(-1, 2).astype(int)
    packed = [bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in pairs]
    return tiff(b"".join(packed), 12, 8, 12)


def label() -> tuple[Image.Image, np.ndarray]:
    """A white label with black ink, cut out on a large transparent ground."""
    alpha = np.zeros((40, 40), np.uint8)
    alpha[10:20, 10:30] = 255
    grey = np.zeros((40, 40), np.uint8)
    grey[10:20, 10:30] = PAGE
    page = np.full((40, 40), 255, np.uint8)
    page[10:20, 10:30] = PAGE
    return Image.fromarray(np.dstack([grey, grey, grey, alpha])), page


def rounded_sheet() -> Image.Image:
    """An empty white sheet with transparent corners."""
    alpha = np.full((20, 20), 255, np.uint8)
    alpha[:3, :3] = 0
    return with_alpha(255, alpha)


def lab() -> Image.Image:
    rgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(rgb, lab, "RGB", "LAB")
    picture = ImageCms.applyTransform(Image.fromarray(GREY).convert("RGB"), transform)
    assert picture is not None
    return picture


def tiled_bomb() -> bytes:
    """64 x 64 pixels, in a tile of 400 megapixels that a decoder would unpack in memory."""
    squeeze = zlib.compressobj(9)
    body = b"".join(squeeze.compress(bytes(10**6)) for _ in range(2)) + squeeze.flush()
    return tiff(body, 64, 64, 8, t259=8, t322=20_000, t323=20_000)


def tiles(count: int) -> bytes:
    """A TIFF in tiles of one pixel, which all name the same byte."""
    listed = struct.pack("<I", 8) * count
    data = bytearray(tiff(listed, 1000, count // 1000, 8, t322=1, t323=1))
    at = data.index(struct.pack("<HHI", 324, 4, 1))
    data[at + 4 : at + 8] = struct.pack("<I", count)
    return bytes(data)


def tags(count: int, values: int) -> bytes:
    """A TIFF directory whose tags all name the same bytes."""
    entry = [struct.pack("<HHII", 40_000 + n, 4, values, 8) for n in range(count)]
    head = b"II*\0" + struct.pack("<IH", 8, count) + b"".join(entry) + bytes(4)
    return head + bytes(max(0, 8 + 4 * values - len(head)))


def with_segments(count: int) -> bytes:
    """A JPEG with its EXIF in pieces of two bytes."""
    data = encode(GREY, "JPEG")
    return data[:2] + b"\xff\xe1\0\nExif\0\0ab" * count + data[2:]


def with_exif(exif: bytes) -> bytes:
    """A PNG with this EXIF."""
    data = encode(GREY, "PNG")
    return data[:33] + chunk(b"eXIf", exif) + data[33:]


def runs(kilobytes: int) -> bytes:
    """A BMP compressed in runs of one pixel."""
    body = b"\1\7" * (512 * kilobytes)
    sizes = struct.pack("<IHHI", 1078 + len(body), 0, 0, 1078)
    header = struct.pack("<IiiHHIIiiII", 40, 2400, 1000, 1, 8, 1, len(body), 0, 0, 256, 0)
    return b"BM" + sizes + header + bytes(1024) + body


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def lossless_webp(width: int, height: int) -> bytes:
    """A black picture of any size in 34 bytes, valid to the last bit."""
    one_colour = bytes.fromhex("071011fd0f4444ff03")
    bits = 0x2F | (width - 1) << 8 | (height - 1) << 22
    body = b"WEBPVP8L" + struct.pack("<I", 14) + struct.pack("<Q", bits)[:5] + one_colour
    return b"RIFF" + struct.pack("<I", len(body)) + body


def error_of(source: object) -> ImageError:
    with pytest.raises(ImageError) as caught:
        load_image(source)  # type: ignore[arg-type]
    return caught.value


def check(picture: Picture, expected: np.ndarray, tolerance: int = 0) -> None:
    pixels = picture.pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == expected.shape
    assert pixels.flags.c_contiguous
    assert pixels.flags.owndata
    assert pixels.flags.writeable
    assert int(np.abs(pixels.astype(int) - expected).max()) <= tolerance


NOISE = np.random.default_rng(7).integers(0, 256, (40, 60), dtype=np.uint8)
NEAR = np.full((8, 8), 101, np.uint8)
WHITE = np.full((9, 9), 255, np.uint8)
WIDE = np.where(INK, 70_000, 0).astype(np.int32)
BIG_ENDIAN = Image.frombytes("I;16B", (12, 8), SIXTEEN.astype(">u2").tobytes())
KEYED = np.where(INK, 0, 0x1234).astype(">u2")
KEYED_RGB = np.repeat(KEYED[..., None], 3, axis=2)
CMYK = Image.merge("CMYK", [Image.new("L", (20, 10))] * 3 + [Image.fromarray(NEGATIVE)])
LAB = lab()
BIG_WEBP = lossless_webp(16_383, 16_383)
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).T,
    8: np.rot90,
}

# === Files that are read ===

FILES: list[tuple[str, bytes, np.ndarray, int]] = [
    ("grey PNG", encode(GREY, "PNG"), GREY, 0),
    ("grey BMP", encode(GREY, "BMP"), GREY, 0),
    ("grey GIF", encode(GREY, "GIF"), GREY, 0),
    ("grey TIFF", encode(GREY, "TIFF"), GREY, 0),
    ("grey TIFF, LZW", encode(GREY, "TIFF", compression="tiff_lzw"), GREY, 0),
    ("grey TIFF, by hand", tiff(GREY.tobytes(), 12, 8, 8), GREY, 0),
    ("grey WebP, lossless", encode(GREY, "WEBP", lossless=True), GREY, 0),
    ("grey JPEG", encode(GREY, "JPEG", quality=95), GREY, 4),
    ("progressive JPEG", encode(GREY, "JPEG", quality=95, progressive=True), GREY, 4),
    ("colour PNG", encode(RGB, "PNG"), RGB_GREY, 0),
    ("colour BMP", encode(RGB, "BMP"), RGB_GREY, 0),
    ("colour WebP, lossless", encode(RGB, "WEBP", lossless=True), RGB_GREY, 0),
    ("colour JPEG", encode(RGB, "JPEG", quality=100, subsampling=0), RGB_GREY, 3),
    ("palette PNG", encode(palette(), "PNG"), RGB_GREY, 0),
    ("palette TIFF", encode(palette(), "TIFF"), RGB_GREY, 0),
    ("palette GIF", encode(palette(), "GIF"), RGB_GREY, 0),
    ("1-bit PNG", encode(Image.fromarray(PAGE).convert("1"), "PNG"), PAGE, 0),
    ("1-bit TIFF", encode(Image.fromarray(PAGE).convert("1"), "TIFF"), PAGE, 0),
    ("fax TIFF", encode(Image.fromarray(PAGE).convert("1"), "TIFF", compression="group4"), PAGE, 0),
    ("2-bit PNG", png(8, 8, 2, 0, b"\0\x1b\x1b" * 8), np.tile([0, 85, 170, 255], (8, 2)), 0),
    # 16 bits
    ("16-bit PNG", encode(SIXTEEN, "PNG"), SIXTEEN_GREY, 0),
    ("16-bit TIFF", encode(SIXTEEN, "TIFF"), SIXTEEN_GREY, 0),
    ("16-bit TIFF, big-endian", encode(BIG_ENDIAN, "TIFF"), SIXTEEN_GREY, 0),
    ("16-bit TIFF, LZW", encode(SIXTEEN, "TIFF", compression="tiff_lzw"), SIXTEEN_GREY, 0),
    ("16-bit TIFF, 0 is white", tiff(SIXTEEN, 12, 8, 16, t262=0), 255 - SIXTEEN_GREY, 0),
    ("16-bit signed TIFF", tiff(SIXTEEN // 2, 12, 8, 16, t339=2), np.rint(SIXTEEN // 2 / 257), 0),
    ("12-bit TIFF", twelve_bits(), np.rint(TWELVE / 4095 * 255), 0),
    ("32-bit TIFF, 16-bit values", encode(SIXTEEN.astype(np.int32), "TIFF"), SIXTEEN_GREY, 0),
    ("32-bit TIFF, 8-bit values", encode(GREY.astype(np.int32), "TIFF"), GREY, 0),
    ("48-bit colour PNG", png(12, 8, 16, 2, png_rows(RGB.astype(">u2") * 257)), RGB_GREY, 0),
    # Transparency
    ("black ink, RGBA PNG", encode(with_alpha(0, SOLID), "PNG"), PAGE, 0),
    ("black ink, LA PNG", encode(with_alpha(0, SOLID, "LA"), "PNG"), PAGE, 0),
    ("black ink, RGBA TIFF", encode(with_alpha(0, SOLID), "TIFF"), PAGE, 0),
    ("black ink, RGBA WebP", encode(with_alpha(0, SOLID), "WEBP", lossless=True), PAGE, 0),
    ("half-transparent ink", encode(with_alpha(0, FAINT), "PNG"), 255 - FAINT, 0),
    # 50 * 101/255 + 255 * 154/255 = 173.8
    ("grey ink, part clear", encode(with_alpha(50, NEAR), "PNG"), np.full((8, 8), 174), 0),
    ("white ink on nothing", encode(with_alpha(255, SOLID), "PNG"), NEGATIVE, 0),
    ("white ink, LA PNG", encode(with_alpha(255, SOLID, "LA"), "PNG"), NEGATIVE, 0),
    ("faint white ink", encode(with_alpha(255, FAINT), "PNG"), FAINT, 0),
    ("nothing visible", encode(with_alpha(0, np.zeros((9, 9), np.uint8)), "PNG"), WHITE, 0),
    ("cut-out label", encode(label()[0], "PNG"), label()[1], 0),
    ("sheet, round corners", encode(rounded_sheet(), "PNG"), np.full((20, 20), 255), 0),
    ("palette PNG, one clear", encode(transparent_palette(), "PNG", transparency=0), PAGE, 0),
    ("palette PNG, alphas", encode(transparent_palette(), "PNG", transparency=b"\0\xff"), PAGE, 0),
    ("palette GIF, one clear", encode(transparent_palette(), "GIF", transparency=0), PAGE, 0),
    (
        "8-bit tRNS",
        png(20, 10, 8, 0, png_rows(np.where(INK, 0, 9).astype(np.uint8)), b"\0\t"),
        PAGE,
        0,
    ),
    ("2-bit tRNS", png(8, 8, 2, 0, b"\0\x11\x11" * 8, b"\0\1"), np.tile([0, 255], (8, 4)), 0),
    ("16-bit tRNS", png(20, 10, 16, 0, png_rows(KEYED), b"\x12\x34"), PAGE, 0),
    ("48-bit tRNS", png(20, 10, 16, 2, png_rows(KEYED_RGB), b"\x12\x34" * 3), PAGE, 0),
    # Colour spaces
    ("CMYK JPEG", encode(CMYK, "JPEG", quality=95), PAGE, 6),
    ("CMYK TIFF", encode(CMYK, "TIFF"), PAGE, 0),
    ("LAB TIFF", encode(LAB, "TIFF"), GREY, 1),
    # Several pages: the first
    ("TIFF of 3 pages", frames("TIFF", 3), PAGE, 0),
    ("GIF of 3 frames", frames("GIF", 3), PAGE, 0),
    ("WebP of 3 frames", frames("WEBP", 3, lossless=True), PAGE, 0),
    ("PNG of 3 frames", frames("PNG", 3), PAGE, 0),
    ("TIFF, 2nd page broken", tiff_pages(2), GREY, 0),
    # Oriented by the camera, EXIF 1 to 8, each seen upright
    *((f"EXIF {number}", oriented(number), turn(GREY), 0) for number, turn in TURNS.items()),
    ("EXIF 6, TIFF", oriented(6, "TIFF"), np.rot90(GREY, -1), 0),
    ("EXIF 6, JPEG", oriented(6, "JPEG"), np.rot90(GREY, -1), 6),
    ("EXIF 6, WebP", oriented(6, "WEBP"), np.rot90(GREY, -1), 8),
    ("EXIF of tags that overlap", with_exif(tags(20, 50_000)), GREY, 0),
    ("JPEG of many headers", with_segments(400), GREY, 6),
    ("EXIF broken", encode(GREY, "PNG", exif=b"Exif\0\0garbage"), GREY, 0),
    # The limits themselves
    ("smallest", encode(np.full((8, 8), 7, np.uint8), "PNG"), np.full((8, 8), 7), 0),
    ("most elongated", encode(np.zeros((8, 320), np.uint8), "PNG"), np.zeros((8, 320)), 0),
]


@pytest.mark.parametrize(
    ("data", "expected", "tolerance"), [row[1:] for row in FILES], ids=[row[0] for row in FILES]
)
def test_a_file_gives_these_pixels(data: bytes, expected: np.ndarray, tolerance: int) -> None:
    check(load_image(data), expected, tolerance)


NOTES = [
    (encode(GREY, "PNG"), ()),
    (oriented(1), ()),
    (frames("TIFF", 3), ("The file has 3 pages; only the first was read.",)),
    (tiff_pages(5), ("The file has 5 pages; only the first was read.",)),
    (frames("GIF", 3), ("The file has 3 frames; only the first was read.",)),
    (frames("WEBP", 2, lossless=True), ("The file has 2 frames; only the first was read.",)),
    (frames("PNG", 4), ("The file has 4 frames; only the first was read.",)),
    (oriented(6), ("Turned upright by the camera's orientation tag.",)),
    (oriented(6, "TIFF"), ("Turned upright by the camera's orientation tag.",)),
    (encode(with_alpha(0, SOLID), "PNG"), ()),
    (
        encode(with_alpha(255, SOLID), "PNG"),
        ("Light ink on a transparent ground was laid on black.",),
    ),
]


@pytest.mark.parametrize(("data", "notes"), NOTES)
def test_what_was_done_is_noted(data: bytes, notes: tuple[str, ...]) -> None:
    assert load_image(data).notes == notes


def test_a_chain_of_pages_that_bites_its_tail_ends() -> None:
    data = bytearray(tiff_pages(3))
    data[-4:] = struct.pack("<I", 8)  # the last page points to the first
    assert load_image(data).notes == ("The file has 3 pages; only the first was read.",)


def test_the_same_colours_give_the_same_grey_in_every_format() -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    indexed = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert("P")
    indexed.putpalette(colours.tobytes())
    luma = np.asarray(Image.fromarray(colours).convert("L"))
    for source in (colours, encode(colours, "PNG"), encode(indexed, "PNG"), indexed):
        check(load_image(source), luma)


# === Files that are refused ===

PNG = encode(NOISE, "PNG")
JPEG = encode(NOISE, "JPEG")
FTYP = b"\0\0\0\x18ftyp%s\0\0\0\0" + bytes(50)

REFUSED: list[tuple[str, bytes, str, str]] = [
    ("empty", b"", "empty-file", "empty (0 bytes)"),
    ("too many bytes", b"\x89PNG\r\n\x1a\n" + bytes(MAX_BYTES), "too-large", "5.01 MB"),
    ("plain text", b"Emma\nNoah\n", "not-an-image", "text file"),
    ("text in UTF-8", b"x" * 13 + "Zoë, Łukasz\n".encode() * 200, "not-an-image", "text file"),
    ("text with a byte-order mark", b"\xef\xbb\xbfEmma", "not-an-image", "text file"),
    ("text in UTF-16", "Emma".encode("utf-16"), "not-an-image", "text file"),
    ("text that begins with BM", b"BMW drivers of the year: Emma", "not-an-image", "text file"),
    ("web page", b"\n<!DOCTYPE html><svg></svg>", "not-an-image", "web page"),
    ("random bytes", b"\xfe\x80\x00\x01" * 100, "not-an-image", "not a picture"),
    ("beginning of a signature", b"\x89PN", "not-an-image", "not a picture"),
    ("zip", b"PK\3\4" + bytes(60), "not-an-image", "ZIP"),
    ("gzip", b"\x1f\x8b" + bytes(60), "not-an-image", "gzip"),
    ("MP4", FTYP % b"isom", "not-an-image", "video"),
    ("PDF", b"%PDF-1.7\n", "unsupported-format", "a PDF; save the page as PNG or JPEG"),
    ("SVG", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported-format", "SVG"),
    ("SVG with a declaration", b'<?xml version="1.0"?>\n<svg/>', "unsupported-format", "SVG"),
    ("EPS", b"%!PS-Adobe-3.0 EPSF-3.0", "unsupported-format", "EPS"),
    ("HEIC", FTYP % b"heic", "unsupported-format", "HEIC"),
    ("HEIF", FTYP % b"mif1", "unsupported-format", "HEIC"),
    ("AVIF", FTYP % b"avif", "unsupported-format", "AVIF"),
    ("JPEG 2000", b"\0\0\0\x0cjP  \r\n", "unsupported-format", "JPEG 2000"),
    ("JPEG XL", b"\0\0\0\x0cJXL \r\n", "unsupported-format", "JPEG XL"),
    ("Photoshop", b"8BPS\0\1", "unsupported-format", "Photoshop"),
    ("icon", b"\0\0\1\0\1\0", "unsupported-format", "ICO"),
    ("float TIFF", encode(PAGE.astype(np.float32), "TIFF"), "unsupported-format", "floating-point"),
    ("wide 32-bit TIFF", encode(WIDE, "TIFF"), "unsupported-format", "from 0 to 70000"),
    ("negative 32-bit TIFF", encode(-WIDE, "TIFF"), "unsupported-format", "from -70000 to 0"),
    ("signature alone", b"\x89PNG\r\n\x1a\n", "damaged", "damaged"),
    ("JPEG signature alone", b"\xff\xd8\xff\xe0", "damaged", "damaged"),
    ("GIF signature alone", b"GIF89a", "damaged", "damaged"),
    ("WebP signature alone", b"RIFF\0\0\0\0WEBPVP8 ", "damaged", "damaged"),
    ("TIFF signature alone", b"II*\0\x08\0\0\0", "damaged", "damaged"),
    ("BMP header alone", encode(GREY, "BMP")[:30], "damaged", "damaged"),
    ("GIF without a frame", b"GIF89a\x0c\0\x08\0\0\0\0;", "damaged", "damaged"),
    ("truncated PNG", PNG[: len(PNG) // 2], "damaged", "incomplete"),
    ("truncated JPEG", JPEG[: len(JPEG) // 2], "damaged", "incomplete"),
    ("truncated WebP", encode(NOISE, "WEBP")[:-40], "damaged", "incomplete"),
    ("truncated TIFF", tiff(GREY.tobytes()[:-9], 12, 8, 8), "damaged", "incomplete"),
    ("truncated BMP", encode(NOISE, "BMP")[:-9], "damaged", "incomplete"),
    ("flipped bit in a PNG", flip(PNG, len(PNG) // 2), "damaged", "damaged"),
    ("JPEG of too many passes", many_passes(), "damaged", "passes"),
    ("JPEG of too many headers", with_segments(500), "damaged", "more than 500 headers"),
    ("JPEG of fill bytes alone", b"\xff\xd8" + b"\xff" * 10**5, "damaged", "damaged"),
    ("TIFF in a million tiles", tiles(1_000_000), "damaged", "1000000 pieces"),
    ("TIFF of tags that overlap", tags(20, 50_000), "damaged", "more bytes than its file"),
    ("BMP of too many runs", runs(2048), "unsupported-format", "2.01 MB of compressed runs"),
    ("1 x 1", encode(np.zeros((1, 1), np.uint8), "PNG"), "too-small", "1 x 1"),
    ("7 high", encode(np.zeros((7, 100), np.uint8), "PNG"), "too-small", "100 x 7"),
    ("41 : 1", encode(np.zeros((8, 321), np.uint8), "PNG"), "too-elongated", "321 x 8"),
    ("1 : 41", encode(np.zeros((321, 8), np.uint8), "PNG"), "too-elongated", "8 x 321"),
    ("10 001 wide", bomb(10_001, 1000), "too-long", "10001 x 1000"),
    (
        "just over 20 megapixels",
        bomb(5000, 4001),
        "too-many-pixels",
        "5000 x 4001 pixels (20.01 megapixels)",
    ),
    ("400 megapixels", bomb(20_000, 20_000), "too-many-pixels", "(400 megapixels)"),
    ("100 megapixels, no data", png(10_000, 10_000, 8, 6, b""), "too-many-pixels", "(100 meg"),
    ("GIF, big first frame", gif_with_large_frame(), "too-many-pixels", "13000 x 13000"),
    ("WebP, 268 megapixels", BIG_WEBP, "too-many-pixels", "16383 x 16383"),
    ("TIFF in a 400-megapixel tile", tiled_bomb(), "too-many-pixels", "tiles of 400 megapixels"),
]


@pytest.mark.parametrize(
    ("data", "code", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_file_is_refused_with_this_code(data: bytes, code: str, words: str) -> None:
    error = error_of(data)
    assert error.code == code
    assert words in str(error)
    assert str(error).endswith(".")
    assert "\n" not in str(error)
    assert ";" in str(error)  # what is wrong; what to do


@pytest.mark.parametrize(
    "data",
    [bomb(20_000, 20_000), gif_with_large_frame(), BIG_WEBP, tiled_bomb()],
    ids=["PNG", "GIF", "WebP", "TIFF"],
)
def test_a_bomb_is_refused_from_its_header(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("pixels were decoded, or memory for them was taken")

    for decoder in image_file._DECODERS.values():
        monkeypatch.setattr(decoder, "load", never)
    monkeypatch.setattr(Image.core, "fill", never)
    tracemalloc.start()
    try:
        assert error_of(data).code == "too-many-pixels"
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_passes_are_counted_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_image(encode(NOISE, "JPEG", progressive=True)).pixels.shape == NOISE.shape
    monkeypatch.setattr(image_file, "MAX_JPEG_PASSES", 3)
    assert "passes" in str(error_of(encode(NOISE, "JPEG", progressive=True)))


def test_passes_over_many_pixels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(NOISE, "JPEG", progressive=True)
    passes = data.count(b"\xff\xda")
    monkeypatch.setattr(image_file, "MAX_JPEG_WORK", passes * NOISE.size - 1)
    assert f"{passes} passes, more than the limit of {passes - 1}" in str(error_of(data))
    monkeypatch.setattr(image_file, "MAX_JPEG_WORK", passes * NOISE.size)
    assert load_image(data).pixels.shape == NOISE.shape


@pytest.mark.parametrize(
    "data", [tags(300, 250_000), with_exif(tags(300, 250_000))], ids=["TIFF", "EXIF"]
)
def test_tags_that_overlap_take_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with suppress(ImageError):
            load_image(data)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000  # of 300 MB
    finally:
        tracemalloc.stop()


def test_arithmetic_on_a_large_picture_is_done_in_parts() -> None:
    raw = np.full((4000, 5000), 65535, np.uint16)
    tracemalloc.start()
    try:
        assert loader._scale(raw, 65535).min() == 255
        assert tracemalloc.get_traced_memory()[1] < 50_000_000  # 20 of them the result
    finally:
        tracemalloc.stop()


CORPUS = sorted((ROOT / "tests" / "corpus").iterdir())


def test_the_fuzzer_s_corpus_is_read_and_prepared_or_refused() -> None:
    """What `benchmarks/fuzz_image.py` starts from, and what it once found."""
    outcomes: Counter[str] = Counter()
    spec = Spec()
    for file in CORPUS:
        result = valid_or_refused(file.read_bytes())
        outcomes[type(result).__name__] += 1
        if isinstance(result, Picture):
            prepared = prepare(result.pixels, spec)
            assert prepared.image.dtype == np.uint8
            assert prepared.image.shape[0] == spec.height
            assert 0 < prepared.image.shape[1] <= spec.max_width
    assert outcomes["Picture"] > 50
    assert outcomes["ImageError"] > 40


def test_the_largest_picture_is_read() -> None:
    assert load_image(bomb(5000, 4000)).pixels.shape == (4000, 5000)


def test_pillow_is_left_as_it_was() -> None:
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    for row in REFUSED:
        error_of(row[1])
    after = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    assert after == before


def test_a_decoder_for_every_promised_format() -> None:
    assert tuple(image_file._DECODERS) == tuple(image_file._SIGNATURES) == FORMATS


def test_any_exception_of_a_decoder_becomes_one_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    for raised in (OSError, SyntaxError, struct.error, zlib.error, MemoryError, EOFError, KeyError):

        def fail(*_: object, raised: type[Exception] = raised) -> None:
            raise raised("somewhere inside")

        monkeypatch.setattr(image_file._DECODERS["PNG"], "load", fail)
        error = error_of(encode(GREY, "PNG"))
        assert error.code == "damaged"
        assert isinstance(error.__cause__, raised)


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(error_of(b"")))
    assert isinstance(error, ImageError)
    assert error.code == "empty-file"
    assert str(error) == str(error_of(b""))


# === Paths ===


def test_a_path_is_read_by_content_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "name.txt"
    path.write_bytes(encode(PAGE, "PNG"))
    check(load_image(path), PAGE)
    check(load_image(str(path)), PAGE)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("name.png", b"Emma", "not-an-image"),
        ("name.png", b"", "empty-file"),
        ("page.png", b"%PDF-1.4", "unsupported-format"),
        ("large.png", bytes(MAX_BYTES + 1), "too-large"),
        ("scan.jpg", JPEG[:400], "damaged"),
        ("tiny.png", encode(np.zeros((2, 2), np.uint8), "PNG"), "too-small"),
        ("folder", None, "not-a-file"),
        ("absent.png", None, "missing-file"),
        ("nul\0.png", None, "missing-file"),
        ("n" * 300, None, "unreadable-file"),
        ("file/below.png", None, "missing-file"),
    ],
)
def test_a_path_is_refused_without_naming_folders(
    tmp_path: Path, name: str, content: bytes | None, code: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    if content is not None:
        (tmp_path / name).write_bytes(content)
    error = error_of(str(tmp_path / name))
    assert error.code == code
    assert tmp_path.name not in str(error)
    if content is None:
        shown = Path(name).name.replace("\0", "?")[:80]
        assert f"'{shown}'" in str(error)


def test_a_windows_path_shows_no_folder_either() -> None:
    assert "'x.png'" in str(error_of("C:\\Users\\Emma\\x.png"))


def test_a_large_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)  # sparse

    def never(*_: object) -> None:
        raise AssertionError("the file was opened")

    monkeypatch.setattr("builtins.open", never)
    assert error_of(path).code == "too-large"


def test_a_file_that_grows_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "growing.png"
    path.write_bytes(bytes(MAX_BYTES + 1))
    small = os.stat_result((0o100644, 0, 0, 1, 0, 0, 100, 0, 0, 0))
    monkeypatch.setattr(loader.os, "stat", lambda *_, **__: small)
    assert error_of(path).code == "too-large"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert error_of(tmp_path / "pipe").code == "not-a-file"


# === Other sources ===


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_every_kind_of_bytes(wrap: type) -> None:
    check(load_image(wrap(encode(GREY, "PNG"))), GREY)


def test_a_strided_view_counts_its_bytes() -> None:
    check(load_image(memoryview(np.repeat(np.frombuffer(PNG, np.uint8), 2).data)[::2]), NOISE)
    assert error_of(np.zeros(MAX_BYTES // 8 + 1).data).code == "too-large"


@pytest.mark.parametrize(
    ("source", "code"), [(None, "no-picture"), (3, "bad-source"), ([1, 2], "bad-source")]
)
def test_other_objects_are_refused(source: object, code: str) -> None:
    assert error_of(source).code == code


IMAGES: list[tuple[str, Image.Image, np.ndarray, int]] = [
    ("L", Image.fromarray(GREY), GREY, 0),
    ("1", Image.fromarray(PAGE).convert("1"), PAGE, 0),
    ("P", palette(), RGB_GREY, 0),
    ("RGB", Image.fromarray(RGB), RGB_GREY, 0),
    ("RGBA", with_alpha(0, SOLID), PAGE, 0),
    ("RGBa", with_alpha(0, SOLID).convert("RGBa"), PAGE, 0),
    ("LA", with_alpha(0, SOLID, "LA"), PAGE, 0),
    ("La", with_alpha(0, SOLID, "LA").convert("La"), PAGE, 0),
    ("PA", transparent_pa(), PAGE, 0),
    ("CMYK", CMYK, PAGE, 0),
    ("YCbCr", Image.fromarray(RGB).convert("YCbCr"), RGB_GREY, 1),
    ("HSV", Image.fromarray(RGB).convert("HSV"), RGB_GREY, 1),
    ("LAB", LAB, GREY, 1),
    ("I;16", Image.fromarray(SIXTEEN), SIXTEEN_GREY, 0),
    ("I;16B", BIG_ENDIAN, SIXTEEN_GREY, 0),
    ("I", Image.fromarray(SIXTEEN.astype(np.int32)), SIXTEEN_GREY, 0),
    ("I of 8 bits", Image.fromarray(GREY).convert("I"), GREY, 0),
]


@pytest.mark.parametrize(
    ("source", "expected", "tolerance"), [row[1:] for row in IMAGES], ids=[row[0] for row in IMAGES]
)
def test_pillow_images(source: Image.Image, expected: np.ndarray, tolerance: int) -> None:
    mode, before = source.mode, source.tobytes()
    check(load_image(source), expected, tolerance)
    assert (source.mode, source.tobytes()) == (mode, before)


def test_an_opened_file_is_turned_once() -> None:
    for kind in ("PNG", "TIFF"):
        opened = Image.open(io.BytesIO(oriented(6, kind)))
        picture = load_image(opened)
        check(picture, np.rot90(GREY, -1))
        assert picture.notes == ("Turned upright by the camera's orientation tag.",)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (Image.new("F", (9, 9)), "unsupported-format"),
        (Image.new("L", (0, 0)), "too-small"),
        (Image.new("1", (5000, 4001)), "too-many-pixels"),
        (Image.open(io.BytesIO(PNG[: len(PNG) // 2])), "damaged"),
    ],
)
def test_pillow_images_are_refused(source: Image.Image, code: str) -> None:
    assert error_of(source).code == code


ARRAYS: list[tuple[str, np.ndarray, np.ndarray]] = [
    ("(H, W)", GREY, GREY),
    ("(H, W, 1)", GREY[..., None], GREY),
    ("(H, W, 3)", RGB, RGB_GREY),
    ("(H, W, 4)", np.asarray(with_alpha(0, SOLID)), PAGE),
    ("(H, W, 4) white ink", np.asarray(with_alpha(255, SOLID)), NEGATIVE),
    ("bool", PAGE > 0, PAGE),
    ("uint16", SIXTEEN, SIXTEEN_GREY),
    ("uint16 RGB", RGB.astype(np.uint16) * 257, RGB_GREY),
    ("uint16, other byte order", SIXTEEN.astype(">u2"), SIXTEEN_GREY),
    ("float32", (GREY / 255).astype(np.float32), GREY),
    ("float64", GREY / 255, GREY),
    ("float64, rounded", np.full((8, 8), 0.999), np.full((8, 8), 255)),
    ("float64, other byte order", (GREY / 255).astype(">f8"), GREY),
    ("float RGBA", np.asarray(with_alpha(0, FAINT)) / 255, 255 - FAINT),
    ("reversed view", GREY[::-1, ::-1], GREY[::-1, ::-1]),
    ("Fortran order", np.asfortranarray(GREY), GREY),
    ("reversed channels", RGB[..., ::-1], np.flip(RGB_GREY, 1)),
]


@pytest.mark.parametrize(
    ("array", "expected"), [row[1:] for row in ARRAYS], ids=[row[0] for row in ARRAYS]
)
def test_arrays(array: np.ndarray, expected: np.ndarray) -> None:
    before = array.copy()
    picture = load_image(array)
    check(picture, expected)
    assert not np.shares_memory(picture.pixels, array)
    picture.pixels[:] = 99
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(
    ("array", "code", "words"),
    [
        (np.zeros(9, np.uint8), "bad-array", "(9,)"),
        (np.zeros((), np.uint8), "bad-array", "()"),
        (np.zeros((9, 9, 2), np.uint8), "bad-array", "(9, 9, 2)"),
        (np.zeros((3, 64, 64), np.uint8), "bad-array", "(3, 64, 64)"),
        (np.zeros((1, 9, 9, 3), np.uint8), "bad-array", "(1, 9, 9, 3)"),
        (np.zeros((9, 9), np.int64), "bad-array", "int64"),
        (np.zeros((9, 9), np.float16), "bad-array", "float16"),
        (np.zeros((9, 9), complex), "bad-array", "complex128"),
        (np.full((9, 9), "a"), "bad-array", "<U1"),
        (np.full((9, 9), None), "bad-array", "object"),
        (np.full((9, 9), np.nan), "bad-array", "nan"),
        (np.where(INK, np.nan, 0.5), "bad-array", "nan"),
        (np.full((9, 9), np.inf), "bad-array", "inf"),
        (np.where(INK, -0.5, 1), "bad-array", "-0.5 to 1"),
        (np.where(INK, 0, 255.0), "bad-array", "0 to 255"),
        (np.zeros((0, 9), np.uint8), "too-small", "9 x 0"),
        (np.zeros((7, 9, 3), np.uint8), "too-small", "9 x 7"),
        (np.broadcast_to(np.uint8(0), (5000, 4001)), "too-many-pixels", "4001 x 5000"),
        (np.broadcast_to(np.uint8(0), (10_001, 300)), "too-long", "300 x 10001"),
        (np.zeros((8, 321), np.uint8), "too-elongated", "321 x 8"),
    ],
)
def test_arrays_are_refused(array: np.ndarray, code: str, words: str) -> None:
    error = error_of(array)
    assert error.code == code
    assert words in str(error)


def of_bits(bits: int) -> np.ndarray:
    """Return GREY's brightness in `bits` bits, (H, W) uint16, its white the largest of them."""
    white = 2**bits - 1
    values = np.rint(GREY / 255 * white).astype(np.uint16)
    values[0, 0] = white
    return values


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_sixteen_bits_that_hold_fewer_read_as_eight_do(bits: int) -> None:
    eight = GREY.copy()
    eight[0, 0] = 255
    values = of_bits(bits)
    check(load_image(values), eight)
    check(load_image(values.astype(">u2")), eight)
    check(load_image(np.repeat(values[..., None], 3, axis=2)), eight, 1)
    check(load_image(Image.fromarray(values)), eight)
    check(load_image(encode(values, "PNG")), eight)
    check(load_image(encode(values, "TIFF")), eight)
    check(load_image(Image.fromarray(values.astype(np.int32))), eight)


def test_white_of_sixteen_bits_is_the_least_that_holds_all() -> None:
    for high, white in ((255, 255), (256, 4095), (4095, 4095), (4096, 65535), (65535, 65535)):
        values = np.zeros((8, 12), np.uint16)
        values[4, 5] = high
        expected = np.zeros((8, 12), np.uint8)
        expected[4, 5] = (high * 255 + white // 2) // white
        check(load_image(values), expected)
        check(load_image(encode(values, "PNG")), expected)


def test_many_threads_read_the_same_pixels() -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for data, expected in ((PNG, NOISE), (oriented(6), np.rot90(GREY, -1))):
                for _ in range(20):
                    check(load_image(data), expected)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# === Properties ===

# Formats that can hold a mode; Pillow refuses to write the others.
WRITABLE = {
    "1": ("PNG", "BMP", "TIFF", "GIF"),
    "L": FORMATS,
    "P": ("PNG", "BMP", "TIFF", "GIF"),
    "LA": ("PNG", "TIFF"),
    "RGB": ("PNG", "JPEG", "WEBP", "BMP", "TIFF"),
    "RGBA": ("PNG", "WEBP", "TIFF"),
    "CMYK": ("JPEG", "TIFF"),
    "I;16": ("PNG", "TIFF"),
    "F": ("TIFF",),
}
CASES = [(mode, kind) for mode, kinds in WRITABLE.items() for kind in kinds]
RELAXED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def random_picture(mode: str, width: int, height: int, seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    if mode in ("I;16", "F"):
        values = rng.integers(0, 65536, (height, width))
        return Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.float32))
    if mode in ("1", "P"):
        return Image.fromarray(rng.integers(0, 256, (height, width), dtype=np.uint8)).convert(mode)
    bands = len(mode)
    pixels = rng.integers(0, 256, (height, width, bands), dtype=np.uint8)
    return Image.frombytes(mode, (width, height), pixels.tobytes())


def valid_or_refused(data: bytes) -> Picture | ImageError:
    start = time.monotonic()
    try:
        picture = load_image(data)
    except ImageError as error:
        return error
    finally:
        assert time.monotonic() - start < 5
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.ndim == 2
    assert picture.pixels.flags.c_contiguous
    return picture


@RELAXED
@given(
    case=st.sampled_from(CASES),
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    seed=st.integers(0, 99),
)
def test_any_picture_is_read_in_its_shape_or_refused(
    case: tuple[str, str], width: int, height: int, seed: int
) -> None:
    mode, kind = case
    result = valid_or_refused(encode(random_picture(mode, width, height, seed), kind))
    if min(width, height) < image_error.MIN_SIDE:
        assert isinstance(result, ImageError)
        assert result.code == "too-small"
    elif mode == "F":
        assert isinstance(result, ImageError)
        assert result.code == "unsupported-format"
    else:
        assert isinstance(result, Picture)
        assert result.pixels.shape == (height, width)


@RELAXED
@given(
    mode=st.sampled_from(["L", "RGB", "RGBA"]),
    width=st.integers(8, 40),
    height=st.integers(8, 40),
    seed=st.integers(0, 99),
)
def test_array_image_and_lossless_file_agree(mode: str, width: int, height: int, seed: int) -> None:
    picture = random_picture(mode, width, height, seed)
    expected = load_image(np.asarray(picture)).pixels
    check(load_image(picture), expected)
    check(load_image(encode(picture, "PNG")), expected)
    check(load_image(encode(picture, "TIFF")), expected)


VICTIMS = [encode(random_picture(mode, 24, 16, 1), kind) for mode, kind in CASES if mode != "F"] + [
    frames("GIF", 3),
    frames("PNG", 3),
    frames("TIFF", 3),
    oriented(6, "JPEG"),
    many_passes(),
]


@RELAXED
@given(data=st.sampled_from(VICTIMS), keep=st.floats(0, 1, exclude_max=True))
def test_truncation_is_refused_or_survived(data: bytes, keep: float) -> None:
    valid_or_refused(data[: int(len(data) * keep)])


@settings(RELAXED, max_examples=400)
@given(
    data=st.sampled_from(VICTIMS),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    early=st.booleans(),
)
def test_flipped_bits_are_refused_or_survived(
    data: bytes, flips: list[tuple[float, int]], early: bool
) -> None:
    broken = bytearray(data)
    reach = min(64, len(data)) if early else len(data)
    for where, mask in flips:
        broken[int(where * (reach - 1))] ^= mask
    valid_or_refused(bytes(broken))


@RELAXED
@given(
    lead=st.sampled_from(
        [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"II*\0", b"MM\0*", b"BM"]
    ),
    rest=st.binary(max_size=300),
)
def test_noise_is_refused_or_survived(lead: bytes, rest: bytes) -> None:
    valid_or_refused(lead + rest)

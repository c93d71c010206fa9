"""A batch: many pictures, each read into a row that a person then checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2

from hwr.arrays import Grey
from hwr.bulk.zip_archive import ArchiveError, is_archive, list_members, read_member, read_members
from hwr.image import ImageError, Picture, load_image
from hwr.parallel import thread_pool
from hwr.preprocess import reduce
from hwr.reading import Reading
from hwr.ui.background_reader import ReadMany

MAX_PICTURES = 2000

#: Pictures read together: larger groups are little faster, but let other visitors wait longer.
CHUNK = 16

#: Characters of a corrected name; the network reads no longer ones.
MAX_NAME = 200

#: Rows and columns of the small picture of a row.
THUMBNAIL = (36, 200)


class BatchError(ValueError):
    """A batch as a whole is refused; the message says why in one sentence."""


@dataclass(frozen=True)
class Source:
    """Where one picture of a batch comes from.

    Attributes:
        name: the file name, or the path in an archive, on one line.
        path: the file, or the archive.
        place: the position in the archive's directory, or None for a file.
        problem: why it cannot be read, if that is known beforehand.
    """

    name: str
    path: Path
    place: int | None = None
    problem: str | None = None

    def load(self) -> Path | bytes:
        """Return what `hwr.image.load_image` takes.

        Raises:
            ArchiveError: the archive or the member cannot be read.
        """
        if self.problem:
            raise ArchiveError(self.problem)
        return self.path if self.place is None else read_member(self.path, self.place)


@dataclass(frozen=True)
class Row:
    """One picture of a batch and its name.

    Attributes:
        number: place in the batch, from 1.
        text: the name, as read or corrected; empty where nothing is written or read.
        read: the name as read.
        confidence: of `read`, 0..1; None where the picture cannot be read.
        verdict: that of the reading; "cannot be read" where there is none.
        problem: why the picture cannot be read, or None.
        notes: remarks on the file, for instance that only its first page was read.
        checked: whether a person has accepted or corrected it.
        thumbnail: a small JPEG of the picture; empty where it cannot be read.
    """

    number: int
    source: Source
    text: str = ""
    read: str = ""
    confidence: float | None = None
    verdict: str = "cannot be read"
    problem: str | None = None
    notes: tuple[str, ...] = ()
    checked: bool = False
    thumbnail: bytes = field(default=b"", repr=False)

    @property
    def corrected(self) -> bool:
        """Whether a person has changed what was read."""
        return self.text != self.read

    def accept(self, text: str) -> Row:
        """Return the row with the name that a person says is right."""
        return replace(self, text=one_line(text)[:MAX_NAME].strip(), checked=True)


def find_pictures(files: Sequence[tuple[str, Path]]) -> list[Source]:
    """Return the pictures among named files and in the ZIP archives among them.

    Raises:
        BatchError: there are none, or too many; or an archive beside no other file is refused.
    """
    found: list[Source] = []
    for name, path in files:
        shown = one_line(name)
        try:
            if path.is_file() and is_archive(path):
                found += [
                    Source(one_line(member.name), path, member.place, member.problem)
                    for member in list_members(path)
                ]
            else:
                found.append(Source(shown, path))
        except ArchiveError as error:
            if len(files) == 1:
                raise BatchError(str(error)) from None
            found.append(Source(shown, path, problem=str(error)))
    if not found:
        raise BatchError("There are no pictures; choose picture files or a ZIP file of them.")
    if len(found) > MAX_PICTURES:
        raise BatchError(
            f"There are {len(found):,} pictures, more than {MAX_PICTURES:,}; "
            "read them in several batches."
        )
    return found


def read_batch(read_many: ReadMany, sources: Sequence[Source]) -> Iterator[list[Row]]:
    """Yield the rows of `sources` in their order, a few at a time; errors become rows, too.

    Raises:
        hwr.decoding.lexicon.LexiconError: the lexicon cannot be used; no picture was loaded.
    """
    # Lets the recognizer check its options.
    next(read_many([]), None)
    with thread_pool() as pool:
        for start in range(0, len(sources), CHUNK):
            chunk = sources[start : start + CHUNK]
            loaded = list(pool.map(_load, _contents(chunk)))
            readings = read_many([item.pixels for item in loaded if isinstance(item, Picture)])
            yield [
                _row(number, source, item, next(readings) if isinstance(item, Picture) else None)
                for number, (source, item) in enumerate(
                    zip(chunk, loaded, strict=True), start=start + 1
                )
            ]


def for_review(rows: Iterable[Row]) -> list[Row]:
    """Return the rows without a name first, then the least certain, unreadable ones last."""
    return sorted(
        rows, key=lambda row: (row.confidence is None, bool(row.read), row.confidence or 0.0)
    )


def needs_review(row: Row) -> bool:
    """Return whether nobody has checked a row that is not sure."""
    return not row.checked and row.problem is None and row.verdict != "sure"


def one_line(text: str) -> str:
    """Return `text` with a space for each run of blanks, line ends and control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _contents(sources: Sequence[Source]) -> list[Path | bytes | str]:
    """Return, for each source, what to load, or in one sentence why there is nothing."""
    contents: list[Path | bytes | str] = [source.problem or source.path for source in sources]
    members: dict[Path, list[int]] = {}
    for i, source in enumerate(sources):
        if source.place is not None and not source.problem:
            members.setdefault(source.path, []).append(i)
    for path, positions in members.items():
        places = [sources[i].place or 0 for i in positions]
        try:
            for i, content in zip(positions, read_members(path, places), strict=True):
                contents[i] = content if isinstance(content, bytes) else str(content)
        except ArchiveError as error:
            for i in positions:
                contents[i] = str(error)
    return contents


def _load(content: Path | bytes | str) -> Picture | str:
    """Return the picture, no larger than it is read at; or in one sentence why there is none."""
    if isinstance(content, str):
        return content
    try:
        picture = load_image(content)
    except ImageError as error:
        return str(error)
    return replace(picture, pixels=reduce(picture.pixels))


def _row(
    number: int, source: Source, loaded: Picture | str, result: Reading | ImageError | None
) -> Row:
    if isinstance(loaded, str) or not isinstance(result, Reading):
        problem = loaded if isinstance(loaded, str) else str(result)
        return Row(number, source, problem=problem)
    return Row(
        number,
        source,
        result.text,
        result.text,
        result.confidence,
        result.verdict,
        notes=loaded.notes,
        thumbnail=_thumbnail(loaded.pixels),
    )


def _thumbnail(pixels: Grey) -> bytes:
    """Return a JPEG of (H, W) uint8 `pixels` that is at most THUMBNAIL in size."""
    height, width = pixels.shape
    scale = min(THUMBNAIL[0] / height, THUMBNAIL[1] / width, 1.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()

"""The recognizer: the front door from a picture to a reading."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from functools import lru_cache, partial, wraps
from itertools import islice
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwr.alternatives import Alternative, alternatives
from hwr.arrays import Floats, Grey
from hwr.decoding.confidence import DecodingParameters, load_parameters
from hwr.decoding.ctc import greedy_text
from hwr.decoding.decoder import Decoder, Decoding, LanguageModelChoice, timeline
from hwr.decoding.lexicon import Lexicon
from hwr.decoding.test_time_augmentation import VIEWS, blend
from hwr.defaults import MODEL
from hwr.image import ImageError, load_image
from hwr.letter import Candidate
from hwr.network.engine import Engine, batches_by_width, load_engine
from hwr.parallel import thread_pool
from hwr.preprocess import Prepared, Step, lines_from_above, pad, prepare, trace
from hwr.reading import Reading
from hwr.spec import Spec

Notes = tuple[str, ...]
Decode = Callable[..., Decoding]

#: Pasted lexicons that a recognizer keeps, since making one of many names takes a second.
LEXICONS = 4

#: Pictures decoded and read together by `Recognizer.read_many`, and bytes of those that are given
#: as bytes or pixels; memory stays flat.
CHUNK, CHUNK_BYTES = 256, 64 * 2**20

#: Where a reading is less probable than this, alternatives are read, too, and one that is so many
#: times as probable is taken. Of 4,339 Kaggle training pictures with several lines other lines
#: change 22, 19 for the better and 2 for the worse.
LOST, CLEARER = 0.25, 1.5

#: A sure reading is to be checked where another line of the picture reads so many letters at this
#: confidence.
OTHER_LETTERS, OTHER_SURE = 3, 0.75

#: The confidence that nothing is written where no ink was found, by contrast: on paper whose grain
#: is as dark as faint pencil there may be a name. Of names in pencil 8 to 20 of 255 darker than the
#: paper 43 of 480 are not found; of 1,000 empty fields 410 have no ink, 82 of them on grainy paper.
BLANK_CONTRASTS, BLANK_CONFIDENCES = (1.0, 6.0, 12.0), (1.0, 0.97, 0.75)


#: Keywords of the version before; they are understood for one version more.
OLD_KEYWORDS = {"roster": "lexicon", "prior": "language_model", "careful": "tta"}

P = ParamSpec("P")
R = TypeVar("R")


def _renamed(method: Callable[P, R]) -> Callable[P, R]:
    """Return a method that also takes OLD_KEYWORDS."""

    @wraps(method)
    def call(*args: P.args, **options: P.kwargs) -> R:
        for old in OLD_KEYWORDS.keys() & options.keys():
            options[OLD_KEYWORDS[old]] = options.pop(old)
        return method(*args, **options)

    return call


class Recognizer:
    """Reads one handwritten name in a picture. Safe to share between threads."""

    def __init__(
        self, spec: Spec, engine: Engine, confidence: DecodingParameters | None = None
    ) -> None:
        self.spec = spec
        self.decoder = Decoder(spec.alphabet, confidence or DecodingParameters())
        self._lexicon = lru_cache(LEXICONS)(partial(Lexicon.parse, alphabet=spec.alphabet))
        self._engine = engine

    @classmethod
    def load(
        cls, folder: str | os.PathLike[str] = MODEL, *, engine: str | None = None
    ) -> Recognizer:
        """Return the recognizer of a model folder.

        Args:
            engine: "onnx" or "keras"; by default ONNX Runtime where it can be used.

        Raises:
            hwr.network.model_folder.ModelFolderError: the folder is missing, incomplete or damaged.
        """
        return cls(*load_engine(Path(folder), engine), load_parameters(Path(folder)))

    @_renamed
    def read(
        self,
        source: Any,
        *,
        lexicon: Lexicon | str | Iterable[str] | None = None,
        language_model: LanguageModelChoice = "auto",
        details: bool = True,
        tta: bool = False,
    ) -> Reading:
        """Read one picture and keep the preprocessing steps.

        Args:
            source: whatever `hwr.image.load_image` takes: a path, bytes, an array, a Pillow image.
            lexicon: the names that can occur: a `hwr.decoding.lexicon.Lexicon`, a text with one
                name a line, or names; None or an empty text where anything can.
            language_model: whether to lean towards what looks like a name; "auto" as the model
                folder says. A lexicon takes its place.
            details: whether steps, letters and timeline are wanted; that takes a sixth longer.
            tta: read a picture whose reading is not sure once more in several views, see
                `hwr.decoding.test_time_augmentation`; that takes four times as long for such a
                picture.

        Raises:
            hwr.image.ImageError: the picture cannot be used; the message says why.
            hwr.decoding.lexicon.LexiconError: the lexicon cannot be used.
        """
        expected = self.lexicon(lexicon)
        start = time.perf_counter()
        picture = load_image(source)
        decode = partial(self.decoder.decode, lexicon=expected, language_model=language_model)

        pixels, notes = picture.pixels, picture.notes
        prepared, steps, logits, decoding = self._look(pixels, 0, decode, details)
        others: tuple[str, ...] = ()
        if logits is not None and decoding:
            clearer = self._clearer(pixels, prepared, decoding, decode)
            if clearer:
                notes = (*notes, clearer.note) if clearer.note else notes
                look = self._look(clearer.pixels, clearer.line, decode, details)
                prepared, steps, logits, decoding = look
            if logits is not None and decoding:
                logits, decoding = self._again(prepared, logits, decoding, decode, details, tta)
                if self._sure(decoding) and not clearer:
                    others = self._others(pixels, prepared, decode)
        seen = logits if details else None
        return self._reading(prepared, decoding, steps, notes, start, seen, others)

    @_renamed
    def read_lines(
        self,
        source: Any,
        *,
        lexicon: Lexicon | str | Iterable[str] | None = None,
        language_model: LanguageModelChoice = "auto",
        details: bool = True,
        tta: bool = False,
    ) -> list[Reading]:
        """Read every line of writing in a picture, from above; lines without a name are left out.

        Args:
            source, lexicon, language_model, details, tta: see `read`.

        Raises:
            hwr.image.ImageError: the picture cannot be used; the message says why.
            hwr.decoding.lexicon.LexiconError: the lexicon cannot be used.
        """
        expected = self.lexicon(lexicon)
        picture = load_image(source)
        decode = partial(self.decoder.decode, lexicon=expected, language_model=language_model)
        readings = []
        for line in lines_from_above(picture.pixels):
            start = time.perf_counter()
            look = self._look(picture.pixels, line, decode, details)
            prepared, steps, logits, decoding = look
            if logits is None or not decoding:
                continue
            logits, decoding = self._again(prepared, logits, decoding, decode, details, tta)
            # Of a printed prompt at most a letter is read, and that hardly.
            if len(decoding.text) > 1 or (decoding.text and decoding.confidence >= LOST):
                seen = logits if details else None
                readings.append(
                    self._reading(prepared, decoding, steps, picture.notes, start, seen)
                )
        return readings

    @_renamed
    def read_many(
        self,
        sources: Iterable[Any],
        *,
        lexicon: Lexicon | str | Iterable[str] | None = None,
        language_model: LanguageModelChoice = "auto",
        greedy: bool = False,
        tta: bool = False,
    ) -> Iterator[Reading | ImageError]:
        """Read many pictures, in their order; a picture that cannot be used yields its error.

        Pictures are decoded in parallel and read in batches of equal width. The readings
        equal those of `read` without details.

        Args:
            lexicon, language_model, tta: see `read`.
            greedy: take the text of the best path, whatever lexicon and language model say.

        Raises:
            hwr.decoding.lexicon.LexiconError: the lexicon cannot be used.
        """
        expected = self.lexicon(lexicon)
        decode = partial(
            self.decoder.decode, lexicon=expected, language_model=language_model, greedy=greedy
        )
        sources = iter(sources)
        pool = thread_pool()
        try:
            start = time.perf_counter()
            chunk, loading = self._load_chunk(pool, sources)
            while loading:
                loaded = [future.result() for future in loading]
                prepared = {i: p[1] for i, p in enumerate(loaded) if isinstance(p, tuple)}
                inked = [i for i, p in prepared.items() if not p.blank]
                images = [prepared[i].image for i in inked]
                running = [
                    (positions, pool.submit(self.logits, batch))
                    for positions, batch in batches_by_width(images, self.spec)
                ]
                # Pictures are loaded behind the network, and what it says is decoded meanwhile,
                # so that no core waits for the other.
                read, (chunk, loading) = chunk, self._load_chunk(pool, sources)
                decodings: dict[int, Decoding] = {}
                notes: dict[int, Notes] = {}
                again: dict[int, Future[Floats]] = {}
                for positions, future in running:
                    for position, logits in zip(positions, future.result(), strict=True):
                        i, image = inked[position], images[position]
                        decoding = decode(logits)
                        if _is_lost(prepared[i], decoding):
                            found = self._found(read[i], prepared[i], decoding, decode)
                            if found:
                                image, logits, decoding, notes[i] = found
                        decodings[i] = decoding
                        if tta and not self._sure(decoding):
                            again[i] = pool.submit(self._augmented, image, logits)
                decodings |= {i: decode(future.result()) for i, future in again.items()}
                looking = {
                    i: pool.submit(self._others_of, read[i], prepared[i], decode)
                    for i, decoding in decodings.items()
                    if prepared[i].rivals and i not in notes and self._sure(decoding)
                }
                others = {i: future.result() for i, future in looking.items()}
                # The time of the chunk, shared evenly: pictures of a batch are read together.
                share = (time.perf_counter() - start) / len(loaded)
                for i, item in enumerate(loaded):
                    if isinstance(item, ImageError):
                        yield item
                    else:
                        start = time.perf_counter() - share
                        said = item[0] + notes.get(i, ())
                        other = others.get(i, ())
                        yield self._reading(item[1], decodings.get(i), [], said, start, None, other)
                start = time.perf_counter()
        finally:
            pool.shutdown(cancel_futures=True)

    def lexicon(self, names: Lexicon | str | Iterable[str] | None) -> Lexicon | None:
        """Return `names` as a lexicon of this model; None where there are none to expect.

        Raises:
            hwr.decoding.lexicon.LexiconError: the names cannot be used.
        """
        if names is None or isinstance(names, Lexicon):
            return names
        if isinstance(names, str):
            return self._lexicon(names) if names.strip() else None
        return Lexicon.of(names, self.spec.alphabet)

    def logits(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return (B, W / 4, classes) float32 logits of (B, height, W) uint8 padded images."""
        return self._engine(np.ascontiguousarray(images, np.uint8))

    def _logits(self, prepared: Prepared) -> Floats:
        return np.asarray(self.logits(pad(prepared.image, self.spec)[None])[0])

    def _look(
        self, pixels: Grey, line: int, decode: Decode, details: bool
    ) -> tuple[Prepared, list[Step], Floats | None, Decoding | None]:
        """Return one line as prepared and decoded; no logits and decoding where it is blank."""
        steps: list[Step] = []
        if details:
            prepared, steps = trace(pixels, self.spec, line=line)
        else:
            prepared = prepare(pixels, self.spec, line=line)
        if prepared.blank:
            return prepared, steps, None, None
        logits = self._logits(prepared)
        return prepared, steps, logits, decode(logits, prepared.image if details else None)

    def _again(
        self,
        prepared: Prepared,
        logits: Floats,
        decoding: Decoding,
        decode: Decode,
        details: bool,
        tta: bool,
    ) -> tuple[Floats, Decoding]:
        """Return logits and decoding, of several views if wanted and the first is not sure."""
        if not tta or self._sure(decoding):
            return logits, decoding
        logits = self._augmented(prepared.image, logits)
        return logits, decode(logits, prepared.image if details else None)

    def _clearer(
        self, pixels: Grey, prepared: Prepared, decoding: Decoding, decode: Decode
    ) -> Alternative | None:
        """Return the alternative that reads far better than what was decoded, if there is one."""
        if not _is_lost(prepared, decoding):
            return None
        best = None
        least = 0.0 if _is_part(prepared, decoding) else CLEARER * decoding.confidence
        for other in alternatives(pixels):
            seen = prepare(other.pixels, self.spec, line=other.line)
            if seen.blank:
                continue
            said = decode(self._logits(seen))
            if said.text and said.confidence > max(least, other.least):
                best, least = other, said.confidence
        return best

    def _found(
        self, source: Any, prepared: Prepared, decoding: Decoding, decode: Decode
    ) -> tuple[Grey, Floats, Decoding, Notes] | None:
        """Return the alternative of a source that reads far better: image, logits, text, notes."""
        try:
            pixels = load_image(source).pixels
        except ImageError:  # the file is gone or another by now
            return None
        other = self._clearer(pixels, prepared, decoding, decode)
        if other is None:
            return None
        seen = prepare(other.pixels, self.spec, line=other.line)
        logits = self._logits(seen)
        return seen.image, logits, decode(logits), (other.note,) if other.note else ()

    def _others(self, pixels: Grey, prepared: Prepared, decode: Decode) -> tuple[str, ...]:
        """Return what other lines of a picture say that could be the name as well."""
        texts = []
        for line in prepared.rivals:
            logits = self._logits(prepare(pixels, self.spec, line=line))
            # The best path shows at once that most lines are rests, which take the beam longest.
            if _letters(greedy_text(logits, self.spec.alphabet)) < OTHER_LETTERS:
                continue
            other = decode(logits)
            if _letters(other.text) >= OTHER_LETTERS and other.confidence >= OTHER_SURE:
                texts.append(other.text)
        return tuple(texts)

    def _others_of(self, source: Any, prepared: Prepared, decode: Decode) -> tuple[str, ...]:
        try:
            return self._others(load_image(source).pixels, prepared, decode)
        except ImageError:  # the file is gone or another by now
            return ()

    def _sure(self, decoding: Decoding) -> bool:
        return decoding.confidence >= self.decoder.parameters.sure

    def _augmented(self, image: Grey, logits: Floats) -> Floats:
        """Return what the network says in the mean of the views of a prepared image.

        Args:
            logits: what it said of the image itself.
        """
        batch = np.stack([pad(view.of(image), self.spec) for view in VIEWS])
        return blend([logits, *self.logits(batch)])

    def _load_chunk(
        self, pool: Executor, sources: Iterator[Any]
    ) -> tuple[list[Any], list[Future[tuple[Notes, Prepared] | ImageError]]]:
        """Return the next sources and their pictures, which are being prepared."""
        chunk: list[Any] = []
        loading: list[Future[tuple[Notes, Prepared] | ImageError]] = []
        size = 0
        for source in islice(sources, CHUNK):
            chunk.append(source)
            loading.append(pool.submit(self._load, source))
            size += len(source) if isinstance(source, bytes) else getattr(source, "nbytes", 0)
            if size >= CHUNK_BYTES:
                break
        return chunk, loading

    def _load(self, source: Any) -> tuple[Notes, Prepared] | ImageError:
        try:
            picture = load_image(source)
        except ImageError as error:
            return error
        # Without the pixels: those of 256 photographs would fill 5 GB.
        return picture.notes, prepare(picture.pixels, self.spec)

    def _reading(
        self,
        prepared: Prepared,
        decoding: Decoding | None,
        steps: list[Step],
        notes: Notes,
        start: float,
        logits: Floats | None = None,
        others: tuple[str, ...] = (),
    ) -> Reading:
        if others:
            quoted = ", ".join(f"'{text}'" for text in others)
            notes = (*notes, f"There are more lines of writing: {quoted}.")
        empty = _blank_confidence(prepared.contrast)
        said = decoding or Decoding("", empty, (), (Candidate("", empty),))
        return Reading(
            said.text,
            said.confidence,
            said.letters,
            said.candidates,
            tuple(steps),
            prepared.blank,
            notes,
            1000 * (time.perf_counter() - start),
            said.absent,
            self.decoder.parameters.sure,
            None if logits is None else timeline(logits, self.spec.alphabet),
            others,
        )


def _letters(text: str) -> int:
    return sum(character.isalpha() for character in text)


def _is_part(prepared: Prepared, decoding: Decoding) -> bool:
    """Whether, however clear, it may be one letter of a name that runs up or down."""
    return prepared.tall and len(decoding.text) < OTHER_LETTERS


def _is_lost(prepared: Prepared, decoding: Decoding) -> bool:
    """Whether a reading is so poor that alternatives are tried."""
    return decoding.confidence < LOST or _is_part(prepared, decoding)


def _blank_confidence(contrast: float) -> float:
    """Return the probability that a picture in which no ink was found is empty."""
    return float(np.interp(contrast, BLANK_CONTRASTS, BLANK_CONFIDENCES))

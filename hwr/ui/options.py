"""Options of reading: the lexicon and the language model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from typing import Any

import gradio as gr

from hwr.decoding.lexicon import LexiconError
from hwr.name_files import NameFileError, read_name_file
from hwr.reading import Reading
from hwr.ui.background_reader import Read

#: Longest list that the page takes, in characters; about 100,000 names.
LONGEST = 2_000_000

_LANGUAGE_MODELS: dict[str, str | bool] = {"As the model says": "auto", "On": True, "Off": False}

# Options of the current event, so that the tabs need not pass them on.
_options: ContextVar[dict[str, Any] | None] = ContextVar("options", default=None)


class Expected:
    """The accordion beside the inputs, shared by all tabs."""

    def __init__(self) -> None:
        with gr.Accordion("Expected names", open=False, elem_id="expected"):
            self.lexicon = gr.Textbox(
                label="Names that can occur, one per line",
                info="Then the answer is one of them, or that the name is not on the list.",
                elem_id="roster",
                lines=4,
                max_lines=8,
                max_length=LONGEST,
                placeholder="Léa Martin\nJean-Pierre Dubois",
            )
            self.file = gr.UploadButton(
                "Load names from a file",
                file_types=[".txt", ".csv"],
                elem_id="roster-file",
                size="sm",
                type="filepath",
            )
            self.language_model = gr.Radio(
                list(_LANGUAGE_MODELS),
                value=next(iter(_LANGUAGE_MODELS)),
                label="Language model: prefer what looks like a name (without a list)",
                elem_id="language-model",
            )

            self.inputs = [self.lexicon, self.language_model]
            #: The events after which a picture is read again; not every key, since a half-typed
            #: list is no lexicon.
            self.changes = [self.lexicon.blur, self.lexicon.submit, self.language_model.input]
            #: The event after which a file has filled the list.
            self.filled = self.file.upload(
                _entries, self.file, self.lexicon, show_progress="hidden", api_visibility="private"
            )


def reads_as_expected(read: Read) -> Read:
    """Return `read` with the options of the event it is called in."""

    def reading(source: Any) -> Reading:
        return read(source, **(_options.get() or {}))

    return reading


def _entries(file: str) -> str:
    """Return the names of an uploaded list, one a line."""
    try:
        return "\n".join(read_name_file(file).names)
    except NameFileError as error:
        # It quotes the file, and the page shows it as HTML.
        raise gr.Error(escape(str(error)), print_exception=False) from None


def reading_options(lexicon: Any, language_model: str | None = None) -> dict[str, Any]:
    """Return the options of `Recognizer.read` and `read_many` for what a client sent.

    Raises:
        LexiconError: the lexicon is no text, or too long.
    """
    if lexicon is not None and not isinstance(lexicon, str):
        raise LexiconError("A lexicon is a text with one name per line.")
    if lexicon and len(lexicon) > LONGEST:
        raise LexiconError(f"A list may have {LONGEST:,} characters; give a shorter one.")
    options: dict[str, Any] = {}
    if lexicon and lexicon.strip():
        options["lexicon"] = lexicon
    choice = _LANGUAGE_MODELS.get(language_model or "", "auto")
    if choice != "auto":
        options["language_model"] = choice
    return options


@contextmanager
def expecting(lexicon: Any, language_model: str | None = None) -> Iterator[None]:
    """Set the options of readings in this context; see `reading_options`."""
    token = _options.set(reading_options(lexicon, language_model))
    try:
        yield
    finally:
        _options.reset(token)

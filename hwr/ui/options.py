"""What a person expects to find: names that can occur, and whether to lean towards names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from typing import Any

import gradio as gr

from hwr.decoding.lexicon import RosterError
from hwr.name_files import NameFileError, read_name_file
from hwr.reading import Reading
from hwr.ui.background_reader import Read

#: Longest list that the page takes, in characters; about 100,000 names.
LONGEST = 2_000_000

_PRIORS: dict[str, str | bool] = {"As the model says": "auto", "On": True, "Off": False}

# Options of the reading that the present event is about. Tabs hand pictures to `read` and need
# not know of them.
_options: ContextVar[dict[str, Any] | None] = ContextVar("options", default=None)


class Expected:
    """The accordion beside the inputs, shared by all tabs."""

    def __init__(self) -> None:
        """Lay it out in the current Gradio context."""
        with gr.Accordion("Expected names", open=False, elem_id="expected"):
            self.roster = gr.Textbox(
                label="Names that can occur, one a line",
                info="Then the answer is one of them, or that the name is not on the list.",
                elem_id="roster",
                lines=4,
                max_lines=8,
                max_length=LONGEST,
                placeholder="Léa Martin\nJean-Pierre Dubois",
            )
            self.file = gr.UploadButton(
                "Take them from a file",
                file_types=[".txt", ".csv"],
                elem_id="roster-file",
                size="sm",
                type="filepath",
            )
            self.prior = gr.Radio(
                list(_PRIORS),
                value=next(iter(_PRIORS)),
                label="Lean towards what looks like a name (without a list)",
                elem_id="prior",
            )

            #: What happens when a file has filled the list.
            self.filled = self.file.upload(
                _entries,
                self.file,
                self.roster,
                show_progress="hidden",
                api_visibility="private",
            )

    @property
    def inputs(self) -> list[Any]:
        return [self.roster, self.prior]

    @property
    def changes(self) -> list[Any]:
        """The events after which a picture is to be read again."""
        # Not at each key: a half-typed list is none.
        return [self.roster.blur, self.roster.submit, self.prior.input]


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
        # It quotes the list, and the page shows it as HTML.
        raise gr.Error(escape(str(error)), print_exception=False) from None


def checked_roster(roster: Any) -> str:
    """Return a list of names as a client sent it.

    Raises:
        RosterError: it is no text, or too long.
    """
    if roster is not None and not isinstance(roster, str):
        raise RosterError("A roster is a text with one name a line.")
    if roster and len(roster) > LONGEST:
        raise RosterError(f"A list may have {LONGEST:,} characters; give a shorter one.")
    return roster or ""


def reading_options(roster: str | None, prior: str | None = None) -> dict[str, Any]:
    """Return what `Recognizer.read` and `read_many` are told of `roster`, as typed, and `prior`."""
    options: dict[str, Any] = {}
    if roster and roster.strip():
        options["roster"] = roster
    choice = _PRIORS.get(prior or "", "auto")
    if choice != "auto":
        options["prior"] = choice
    return options


@contextmanager
def expecting(roster: str | None, prior: str | None = None) -> Iterator[None]:
    """Let readings of this thread expect the names of `roster`, as typed, and lean as told."""
    token = _options.set(reading_options(roster, prior))
    try:
        yield
    finally:
        _options.reset(token)

"""The Batch tab: many pictures read into a table, checked by a person and saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from html import escape
from pathlib import Path
from threading import Event
from typing import Any

import gradio as gr

from hwr.bulk.zip_archive import ArchiveError
from hwr.decoding.lexicon import LexiconError
from hwr.image import ImageError
from hwr.ui.background_reader import Read, ReadMany
from hwr.ui.batch import files as batch_files
from hwr.ui.batch.rows import (
    MAX_NAME,
    MAX_PICTURES,
    BatchError,
    Row,
    Source,
    find_pictures,
    for_review,
    needs_review,
    read_batch,
)
from hwr.ui.batch.table import COLUMNS, NAME, NUMBER, VIEWS, merge, pages, shown, summary, table_of
from hwr.ui.options import reading_options
from hwr.ui.panel import Panel, button, first_step, shown_picture
from hwr.ui.server.cleanup import KEPT
from hwr.ui.server.downloads import SAVE, download
from hwr.ui.tabs.upload import uploaded

#: Seconds between two looks at a table that is still growing.
PAUSE = 1.0

#: Settings of events that read no picture.
_QUIET = {"show_progress": "hidden", "api_visibility": "private"}

#: After reading, the name gets the focus unless the visitor has put it elsewhere.
_FOCUS = Path(__file__).with_name("focus.js").read_text(encoding="utf-8")

Files = Sequence[dict[str, Any]] | None


class Batch:
    """The files, the table of their readings, and the row that is being checked."""

    name = "Batch"

    def __init__(self, read: Read, read_many: ReadMany, examples: Sequence[Path]) -> None:
        self._read = read
        self._read_many = read_many
        #: By visitor, whether the batch that is being read is to end; see `stop_reading`.
        self._stops: dict[str | None, Event] = {}
        self.rows = gr.State([], time_to_live=KEPT)
        self.current = gr.State(None)
        # The row that the browser shows, sent together with picture and name: a second key press
        # before the next row arrives confirms the first row again.
        self.shown = gr.Number(visible=False, precision=0)
        self.files = gr.Files(
            label=f"Up to {MAX_PICTURES:,} pictures, or a ZIP file of them",
            elem_id="batch-files",
            height=150,
        )
        if examples:
            gr.Examples(
                [[[str(path) for path in examples]]],
                [self.files],
                elem_id="batch-examples",
                example_labels=[f"{len(examples)} samples"],
            )
        with gr.Row():
            self.start = button("Read them all", "batch-read", variant="primary")
            self.stop = button("Stop", "batch-stop", min_width=80, interactive=False)
        self.status = gr.HTML(elem_id="batch-status")
        with gr.Column(visible=False) as self.review:
            self.picture = shown_picture(
                "The picture of the row",
                "batch-picture",
                "the picture of the row that is being checked",
                height=130,
            )
            with gr.Row():
                self.text = gr.Textbox(
                    label="Its name",
                    elem_id="batch-name",
                    max_lines=1,
                    max_length=MAX_NAME,
                    scale=3,
                    min_width=180,
                )
                self.accept = gr.Button(
                    "Right, next", elem_id="batch-accept", scale=1, min_width=110
                )
            with gr.Row():
                self.view = gr.Radio(
                    list(VIEWS), value="All", label="Rows", elem_id="batch-view", scale=4
                )
                self.page = gr.Number(
                    1,
                    label="Page",
                    precision=0,
                    minimum=1,
                    elem_id="batch-page",
                    min_width=90,
                    visible=False,
                )
        with gr.Column(visible=False) as self.grown:
            self.table = gr.Dataframe(
                headers=[header for header, _, _ in COLUMNS],
                datatype=[kind for _, kind, _ in COLUMNS],
                column_widths=[width for _, _, width in COLUMNS],
                column_count=len(COLUMNS),
                static_columns=[i for i in range(len(COLUMNS)) if i != NAME],
                type="array",
                label="Least certain first; a name can be corrected here, too",
                elem_id="batch-table",
                interactive=True,
                max_height=440,
                buttons=[],
            )
        with gr.Column(visible=False) as self.saving:
            with gr.Row():
                self.savers = [
                    (button(label, f"batch-{kind}", min_width=width), save)
                    for label, kind, width, save in _SAVERS
                ]
            gr.Markdown(
                "CSV holds each name exactly. CSV for Excel keeps accents and disarms formulas. "
                "*For training* holds the checked names and their pictures as a folder for "
                "`train.py --data`.",
                elem_classes="hint",
            )
        self._file = gr.File(visible=False)

    def read_all(
        self,
        files: Files,
        lexicon: str = "",
        language_model: str = "",
        request: gr.Request = None,
        # This default makes Gradio pass one.
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[dict[Any, Any]]:
        """Read all files for the visitor of `request`; yield updates of the growing table."""
        session = request.session_hash if request else None
        stop = self._stops[session] = Event()
        try:
            yield {
                self.rows: [],
                self.current: None,
                **self._visible(review=False, table=False),
                **self._running(True),
                self.status: _say("Checking the files."),
            }
            sources = find_pictures(uploaded_files(files))
            options = reading_options(lexicon, language_model)
            yield from self._read_sources(sources, options, stop, progress)
        except (BatchError, ImageError, LexiconError) as error:
            yield {self.status: _say(str(error), "refusal"), **self._running(False)}
        finally:
            if self._stops.get(session) is stop:
                del self._stops[session]

    def _read_sources(
        self, sources: Sequence[Source], options: dict[str, Any], stop: Event, progress: gr.Progress
    ) -> Iterator[dict[Any, Any]]:
        rows: list[Row] = []
        start = shown = time.monotonic()
        for chunk in read_batch(partial(self._read_many, **options), sources):
            rows = rows + chunk
            if stop.is_set():
                yield self._finished(rows, f"Stopped. {summary(rows)}")
                return
            progress((len(rows), len(sources)), unit="pictures")
            if time.monotonic() - shown > PAUSE:
                shown = time.monotonic()
                yield {
                    self.rows: rows,
                    # The next rows would overwrite a change made now.
                    self.table: self._first_page(rows, editable=False),
                    **self._visible(review=False, table=True),
                    self.status: _say(f"{len(rows):,} of {len(sources):,} pictures are read."),
                }
        yield self._finished(rows, f"{summary(rows)} ({time.monotonic() - start:.0f} s)")

    def stop_reading(self, request: gr.Request) -> dict[Any, Any]:
        """End the visitor's batch after the pictures being read; return updates.

        Cancelling in Gradio 6.31 would drop the rows read since the last update.
        """
        stop = self._stops.get(request.session_hash)
        if stop:
            stop.set()
        return {self.stop: gr.update(interactive=False)}

    def choose(self, event: gr.SelectData) -> int | None:
        """Return the number of the row that was selected in the table."""
        number = event.row_value[NUMBER] if event.row_value else None
        return number if isinstance(number, int) else None

    def show(self, rows: list[Row], number: int | None) -> list[Any]:
        """Return picture, name and number of a row, then the panel's values for it."""
        row = _find(rows, number)
        if row is None:
            return [None, gr.update(value="", label="Its name"), None, *Panel.nothing()]
        name = gr.update(value=row.text, label=f"The name in {row.source.name}")
        try:
            if row.problem:
                raise ArchiveError(row.problem)
            reading = self._read(row.source.load())
        except (ArchiveError, ImageError) as error:
            return [None, name, number, *Panel.refusal(str(error))]
        return [first_step(reading), name, number, *Panel.result(reading)]

    def take(
        self, rows: list[Row], number: int | None, text: str, view: str, page: int
    ) -> dict[Any, Any]:
        """Return the updates for a row whose name a person has confirmed; the next one follows."""
        row = _find(rows, number)
        if row is None or row.problem:
            return {self.status: _say("Choose a row with a picture in the table.", "refusal")}
        rows = [row.accept(text) if r is row else r for r in rows]
        left = [r for r in for_review(rows) if needs_review(r)]
        end = "" if left else " Nothing is left to check; save the names below."
        return {
            self.rows: rows,
            self.table: table_of(shown(rows, view, page)),
            self.current: left[0].number if left else number,
            self.status: _say(summary(rows) + end),
        }

    def edit(self, rows: list[Row], table: list[list[Any]], number: int | None) -> dict[Any, Any]:
        """Return the updates for names changed in the table; `number` is shown above it."""
        before, rows = _find(rows, number), merge(rows, table)
        after = _find(rows, number)
        # Otherwise the next confirmation would undo this correction.
        taken = {self.text: after.text} if after and after is not before else {}
        there = [_find(rows, cells[NUMBER]) for cells in table if cells]
        return {
            self.rows: rows,
            self.table: table_of([row for row in there if row]),
            self.status: _say(summary(rows)),
            **taken,
        }

    def turn(self, rows: list[Row], view: str, page: int | None) -> dict[Any, Any]:
        """Return the updates for another choice of rows, or another page of them."""
        return {self.table: table_of(shown(rows, view, page)), self.page: pages(rows, view, page)}

    def choose_view(self, rows: list[Row], view: str, number: int | None) -> dict[Any, Any]:
        """Return the updates for another choice of rows; one of them is shown above the table."""
        numbers = [row.number for row in for_review(rows) if VIEWS[view](row)]
        if number not in numbers:
            number = numbers[0] if numbers else None
        return {**self.turn(rows, view, 1), self.current: number}

    def listen(self, panel: Panel, tab: gr.Tab) -> None:
        """Read, show and save what is asked for."""
        tabs_own = [self.rows, self.current, self.start, self.stop, self.status, self.table]
        tabs_own += [self.review, self.grown, self.saving, self.view, self.page]
        reading = self.start.click(
            self.read_all,
            [self.files, *panel.expected.inputs],
            tabs_own,
            preprocess=False,
            concurrency_id="batch",
            show_progress_on=self.status,
            trigger_mode="once",
            api_visibility="private",
        )
        reading.success(None, js=_FOCUS)
        self.stop.click(self.stop_reading, None, [self.stop], queue=False, **_QUIET)
        self.table.select(self.choose, None, self.current, **_QUIET)
        inputs, own = [self.rows, self.current], [self.picture, self.text, self.shown]
        panel.follow(self.name, [self.current.change], self.show, inputs, own)
        panel.turn_to(self.name, tab, self.show, inputs, own)
        gr.on(
            [self.text.submit, self.accept.click],
            self.take,
            [self.rows, self.shown, self.text, self.view, self.page],
            [self.rows, self.table, self.current, self.status],
            **_QUIET,
        )
        self.table.input(
            self.edit,
            [self.rows, self.table, self.shown],
            [self.rows, self.table, self.status, self.text],
            **_QUIET,
        )
        turned = [self.rows, self.view, self.page]
        self.page.input(self.turn, turned, [self.table, self.page], **_QUIET)
        self.view.input(
            self.choose_view,
            [self.rows, self.view, self.current],
            [self.table, self.page, self.current],
            **_QUIET,
        )
        for saver, save in self.savers:
            saver.click(save, self.rows, self._file, **_QUIET).success(
                None, self._file, None, js=SAVE
            )

    def _running(self, running: bool) -> dict[Any, Any]:
        return {
            self.start: gr.update(interactive=not running),
            self.stop: gr.update(interactive=running),
        }

    def _visible(self, review: bool, table: bool) -> dict[Any, Any]:
        return {
            self.review: gr.update(visible=review),
            self.grown: gr.update(visible=table),
            self.saving: gr.update(visible=review),
        }

    def _first_page(self, rows: list[Row], editable: bool) -> Any:
        first = shown(rows, "All", 1)
        return gr.update(value=table_of(first), interactive=editable)

    def _finished(self, rows: list[Row], message: str) -> dict[Any, Any]:
        ordered = for_review(rows)
        left = [row for row in ordered if needs_review(row)]
        return {
            self.rows: rows,
            self.current: (left or ordered)[0].number if rows else None,
            self.view: "All",
            self.page: pages(rows, "All", 1),
            self.table: self._first_page(rows, editable=True),
            self.status: _say(message),
            **self._visible(review=bool(rows), table=bool(rows)),
            **self._running(False),
        }


def uploaded_files(files: Files) -> list[tuple[str, Path]]:
    """Return name and path of each file; raise ImageError for one that is not an upload."""
    return [(str(file.get("orig_name") or "picture"), uploaded(file)) for file in files or ()]


def _find(rows: Sequence[Row], number: int | None) -> Row | None:
    return next((row for row in rows if row.number == number), None)


def _say(message: str, kind: str = "note") -> str:
    return f'<p class="{kind}">{escape(message)}</p>'


def _save(name: str, table: Callable[[list[Row]], bytes]) -> Callable[[list[Row]], str]:
    return lambda rows: download(name, lambda path: path.write_bytes(table(rows)))


def _save_training(rows: list[Row]) -> str:
    try:
        return download("corrections.zip", partial(batch_files.write_training_folder, rows))
    except batch_files.ExportError as error:
        # It quotes names of uploaded files, and the page shows it as HTML.
        raise gr.Error(escape(str(error)), print_exception=False) from None


#: Label, element id, width and function of each button that saves the rows.
_SAVERS: tuple[tuple[str, str, int, Callable[[list[Row]], str]], ...] = (
    ("CSV", "csv", 80, _save("names.csv", batch_files.csv_table)),
    ("CSV for Excel", "spreadsheet", 120, _save("names-sheet.csv", batch_files.spreadsheet_table)),
    ("JSON lines", "jsonl", 90, _save("names.jsonl", batch_files.json_lines)),
    ("For training", "training", 110, _save_training),
)

"""The table of the Batch tab: columns, views and changed names."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from hwr.letter import whole_percent
from hwr.ui.batch.rows import Row, for_review, needs_review, one_line

#: Headers, types and widths of the columns; NUMBER and NAME are read back. Check boxes would have
#: no names for screen readers (Gradio 6.31).
COLUMNS = (
    ("No.", "number", "60px"),
    ("Picture", "html", "160px"),
    ("Name", "str", "150px"),
    ("Sure %", "number", "95px"),
    ("Checked", "str", "110px"),
    ("Remark", "str", "150px"),
    ("File", "str", "190px"),
)
NUMBER, NAME = 0, 2

#: Rows shown at a time: 2,000 at once make each change take seconds (Gradio 6.31).
PAGE = 100

#: Which rows are shown, by the choice that a person makes.
VIEWS: dict[str, Callable[[Row], bool]] = {
    "All": lambda row: True,
    "To check": needs_review,
    "Checked": lambda row: row.checked,
    "Cannot be read": lambda row: row.problem is not None,
}


def table_of(rows: Sequence[Row]) -> list[list[Any]]:
    """Return the cells of the table."""
    return [
        [
            row.number,
            _image(row.thumbnail),
            row.text,
            None if row.confidence is None else whole_percent(row.confidence),
            "yes" if row.checked else "",
            _remark(row),
            row.source.name,
        ]
        for row in rows
    ]


def _remark(row: Row) -> str:
    if row.problem or not row.checked:
        return row.problem or row.verdict
    return "corrected" if row.corrected else "confirmed"


def shown(rows: Sequence[Row], view: str, page: int | None) -> list[Row]:
    """Return the rows of one page of a view; of the nearest page where there is none such."""
    chosen = [row for row in for_review(rows) if VIEWS[view](row)]
    start = PAGE * (_nearest(page, len(chosen)) - 1)
    return chosen[start : start + PAGE]


def merge(rows: Sequence[Row], table: Sequence[Sequence[Any]]) -> list[Row]:
    """Return rows with the names of a table in any order; unknown numbers are ignored."""
    merged = {row.number: row for row in rows}
    for cells in table:
        row = merged.get(cells[NUMBER]) if len(cells) > NAME else None
        if row is None or row.problem:
            continue
        text = one_line(str(cells[NAME] or ""))
        if text != row.text:
            merged[row.number] = row.accept(text)
    return list(merged.values())


def summary(rows: Sequence[Row]) -> str:
    """Return in one line how many rows there are of each kind."""
    checked = sum(row.checked for row in rows)
    counts = Counter(row.verdict for row in rows if not row.checked)
    kinds = ("sure", "please check", "nothing written", "cannot be read")
    parts = [f"{checked:,} checked"] if checked else []
    parts += [f"{counts[kind]:,} {kind}" for kind in kinds if counts[kind]]
    pictures = "1 picture" if len(rows) == 1 else f"{len(rows):,} pictures"
    return f"{pictures}: {', '.join(parts)}." if rows else "No pictures are read."


def _nearest(page: int | None, count: int) -> int:
    """Return the page of `count` rows that is nearest to `page`, from 1."""
    return min(max(page or 1, 1), max(-(-count // PAGE), 1))


def pages(rows: Sequence[Row], view: str, page: int | None) -> Any:
    """Return the update of the number that chooses a page."""
    count = sum(map(VIEWS[view], rows))
    last = _nearest(len(rows), count)
    return gr.update(
        value=_nearest(page, count), maximum=last, label=f"Page (of {last})", visible=last > 1
    )


def _image(thumbnail: bytes) -> str:
    """Return the only HTML in the table; it holds no text of a visitor."""
    if not thumbnail:
        return ""
    data = base64.b64encode(thumbnail).decode()
    return f'<img alt="" src="data:image/jpeg;base64,{data}">'

"""The Browse tab: the pictures of a dataset with their labels."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from hwr.data.dataset import SPLITS, DatasetError
from hwr.image import ImageError
from hwr.reading import Reading
from hwr.ui.background_reader import Read, ReadMany
from hwr.ui.panel import Panel, button, first_step, shown_picture
from hwr.ui.tabs.samples import Found, Samples
from hwr.ui.tabs.search import KINDS, Search

#: How many pictures of the split can be clicked.
EXAMPLES = 8


class Browse:
    """Split, index, and the picture with its label."""

    name = "Browse"

    def __init__(self, read: Read, samples: Samples, read_many: ReadMany) -> None:
        self._read = read
        self._samples = samples
        self._search = Search(read_many, samples)
        self._rng = np.random.default_rng()
        with gr.Row():
            self.split = gr.Dropdown(
                list(SPLITS),
                value="validation",
                label="Split",
                elem_id="sample-split",
                min_width=150,
            )
            self.index = gr.Number(
                1, precision=0, label="Index", elem_id="sample-index", min_width=120
            )
            self.kind = gr.Dropdown(
                list(KINDS), value="all", label="Show only", elem_id="sample-filter", min_width=120
            )
        with gr.Row():
            self.previous = button("Previous", "sample-previous", min_width=80)
            self.next = button("Next", "sample-next", min_width=80)
            self.random = button("Random", "sample-random", min_width=80)
            self.error = button("First error", "sample-first-error", min_width=110)
        self.picture = shown_picture(
            "The picture", "sample-picture", "the picture of the dataset", height=180
        )
        self.label = gr.HTML(elem_id="sample-label")
        self._examples = self._samples.usable("validation", EXAMPLES)
        self.examples = gr.Dataset(
            components=["image"],
            samples=[[str(sample.path)] for sample in self._examples],
            label="Examples",
            type="index",
            elem_id="sample-examples",
            visible=bool(self._examples),
        )

    def show(self, split: str, index: int | None) -> list[Any]:
        """Return index, picture and label, then the panel's values, for one sample."""
        if index is None:
            return _refusal(None, "Type the index of a picture or press Next.")
        try:
            found = self._samples.find(split, index)
        except DatasetError as error:
            return _refusal(index, str(error))
        try:
            reading = self._read(found.sample.path)
        except ImageError as error:
            return _refusal(index, str(error), _label(found, None))
        return [index, first_step(reading), _label(found, reading), *Panel.result(reading)]

    def show_current(self, split: str, index: int | None) -> list[Any]:
        """Return what `show` returns; for the first sample where there is none with `index`."""
        try:
            self._samples.find(split, index or 0)
        except DatasetError:
            return self.show_first(split)
        return self.show(split, index)

    def show_first(self, split: str) -> list[Any]:
        """Return what `show` returns for the first sample of a split."""
        return self.show_next(split, None)

    def show_next(self, split: str, index: int | None, kind: str = "all") -> list[Any]:
        """Return what `show` returns for the next sample of a kind; the last one stays."""
        return self._show_found(split, index, kind, lambda all_, i: all_[bisect_right(all_, i) :])

    def show_previous(self, split: str, index: int | None, kind: str = "all") -> list[Any]:
        """Return what `show` returns for the previous sample of a kind; the first one stays."""
        return self._show_found(
            split, index, kind, lambda all_, i: all_[: bisect_left(all_, i)][::-1]
        )

    def show_random(self, split: str, index: int | None, kind: str = "all") -> list[Any]:
        """Return what `show` returns for any other sample of a kind."""
        return self._show_found(split, index, kind, self._shuffled)

    def show_kind(self, split: str, index: int | None, kind: str) -> list[Any]:
        """Return what `show` returns for the first sample of a kind from `index` on."""
        return self._show_found(split, index, kind, lambda all_, i: all_[bisect_left(all_, i) :])

    def show_first_error(self, split: str, index: int | None) -> list[Any]:
        """Return what `show` returns for the first sample of a split that is read wrong."""
        return self._show_found(split, index, "wrong", lambda all_, _: all_)

    def show_example(self, number: int) -> list[Any]:
        """Return the split, then what `show` returns for one of the examples."""
        sample = self._examples[number]
        return [sample.split, *self.show(sample.split, sample.index)]

    def listen(self, panel: Panel, tab: gr.Tab) -> None:
        """Show each sample asked for."""
        place, own = [self.split, self.index], [self.index, self.picture, self.label]
        filtered = [*place, self.kind]
        panel.turn_to(self.name, tab, self.show_current, place, own)
        # `input` is fired by people alone, so that an index set by a button is not read twice.
        panel.follow(self.name, [self.split.input], self.show_first, [self.split], own)
        panel.follow(self.name, [self.kind.input], self.show_kind, filtered, own)
        panel.follow(self.name, [self.previous.click], self.show_previous, filtered, own)
        panel.follow(self.name, [self.next.click], self.show_next, filtered, own)
        panel.follow(self.name, [self.random.click], self.show_random, filtered, own)
        panel.follow(self.name, [self.error.click], self.show_first_error, place, own)
        panel.follow(
            self.name, [self.examples.click], self.show_example, [self.examples], [self.split, *own]
        )
        # The index itself stays as it is while it is being typed.
        panel.follow(self.name, [self.index.input], self._show_typed, place, own[1:])

    def _show_typed(self, split: str, index: int | None) -> list[Any]:
        return self.show(split, index)[1:]

    def _shuffled(self, indices: Sequence[int], last: int) -> list[int]:
        """Return the indices in any order, the one shown now last."""
        order: list[int] = self._rng.permutation(indices).tolist()
        return sorted(order, key=lambda index: index == last)

    def _show_found(
        self,
        split: str,
        index: int | None,
        kind: str,
        choose: Callable[[Sequence[int], int], Sequence[int]],
    ) -> list[Any]:
        """Return what `show` returns for the first sample of a kind among those chosen.

        When the search pauses, the index is that of the last picture searched.

        Args:
            choose: returns the indices to search, in order, of all indices and the present one.
        """
        present = -1 if index is None else index
        try:
            indices = self._samples.indices(split)
            chosen = choose(indices, present)
            if kind == "all":
                nearest = min(max(present, indices[0]), indices[-1])
                return self.show(split, chosen[0] if chosen else nearest)
            hit = self._search.find(split, chosen, kind)
        except DatasetError as error:
            return _refusal(index, str(error))
        if hit.index is not None:
            return self.show(split, hit.index)
        looked = "1 picture" if hit.looked == 1 else f"{hit.looked:,} pictures"
        message = f"Searched {looked}; no reading is {kind}"
        message += ", and none are left to search." if hit.ended else "; press again to continue."
        return _refusal(index if hit.ended or hit.last is None else hit.last, message)


def _refusal(index: int | None, message: str, label: str = "") -> list[Any]:
    return [index, None, label, *Panel.refusal(message)]


def _label(found: Found, reading: Reading | None) -> str:
    """Return the label in HTML, whether the reading agrees, and the place in the split."""
    sample = found.sample
    if found.dropped:
        mark = f'<span class="badge blank">not scored: {escape(found.dropped)}</span>'
    elif reading is None:
        mark = '<span class="badge blank">not read</span>'
    elif reading.text == sample.text:
        mark = '<span class="badge sure">right</span>'
    else:
        mark = '<span class="badge wrong">wrong</span>'
    label = escape(sample.label) or "<i>no label</i>"
    return (
        f'<p><span class="caption">Label</span> <b class="label">{label}</b> {mark}</p>'
        f'<p class="hint">{escape(sample.path.name)}, {found.position} of {found.count}</p>'
    )

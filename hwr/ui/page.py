"""The page: tabs on one side, the shared result panel on the other, and the named endpoints."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from hwr.data.dataset import SPLITS, DatasetError
from hwr.decoding.lexicon import LexiconError
from hwr.image import ImageError
from hwr.ui import api_types
from hwr.ui.about import HOW
from hwr.ui.background_reader import Read, ReadMany
from hwr.ui.batch.rows import BatchError, find_pictures, read_batch
from hwr.ui.batch.tab import Batch, uploaded_files
from hwr.ui.options import Expected, expecting, reading_options, reads_as_expected
from hwr.ui.panel import Panel
from hwr.ui.server.client_alive import listener
from hwr.ui.tabs.browse import Browse
from hwr.ui.tabs.draw import Draw
from hwr.ui.tabs.model import ModelTab
from hwr.ui.tabs.samples import Samples
from hwr.ui.tabs.upload import Upload, uploaded

#: Readings at a time: the network uses all cores anyway, and an older result never replaces a
#: newer one.
READERS = 1

#: Seconds between two cleanings of the upload folder, and the age of what is deleted.
CLEANING = (600, 3600)


def build(
    read: Read,
    samples: Samples,
    *,
    read_many: ReadMany,
    examples: Sequence[Path] = (),
    model: Path | None = None,
    about: str = "",
) -> gr.Blocks:
    """Return the page, not yet served.

    Args:
        read: turns a picture (path, bytes or array) into a reading, or raises ImageError.
        samples: the dataset of the Browse tab.
        read_many: turns many pictures into readings or ImageErrors, in their order.
        examples: pictures offered on the Upload and Batch tabs.
        model: folder of the model of the Model tab; without it there is no such tab.
        about: Markdown about the model.
    """
    read = reads_as_expected(read)
    with gr.Blocks(
        title="Handwritten names", fill_width=True, delete_cache=CLEANING, analytics_enabled=False
    ) as page:
        gr.Markdown(
            "# Handwritten names\n"
            "Draw a name, upload one picture or hundreds, or browse a dataset, and see each name "
            "and how certain its reading is.",
            elem_id="title",
        )
        with gr.Row(elem_id="page-columns"):
            with gr.Column(scale=3, min_width=480):
                with gr.Tabs(elem_id="inputs", overflow_behavior="wrap"):
                    with gr.Tab(Draw.name, elem_id="tab-draw") as draw_tab:
                        draw = Draw(read)
                    with gr.Tab(Upload.name, elem_id="tab-upload") as upload_tab:
                        upload = Upload(read, examples)
                    with gr.Tab(Browse.name, elem_id="tab-browse") as browse_tab:
                        browse = Browse(read, samples, read_many)
                    with gr.Tab(Batch.name, elem_id="tab-batch") as batch_tab:
                        batch = Batch(read, read_many, examples)
                    if model is not None:
                        with gr.Tab(ModelTab.name, elem_id="tab-model") as model_tab:
                            shown = ModelTab(model)
                expected = Expected()
            with gr.Column(scale=2, min_width=320, elem_id="panel"):
                panel = Panel(Draw.name, expected)
        panel.timeline.render()
        panel.steps.render()
        with gr.Accordion("How it works", open=False, elem_id="how"):
            gr.Markdown(HOW)
        gr.Markdown(about, elem_id="about")

        draw.listen(page, panel, draw_tab)
        upload.listen(panel, upload_tab)
        browse.listen(panel, browse_tab)
        batch.listen(panel, batch_tab)
        if model is not None:
            shown.listen(panel, model_tab)
        _add_endpoints(upload, batch, read, read_many, samples)
    return page


def _add_endpoints(
    upload: Upload, batch: Batch, read: Read, read_many: ReadMany, samples: Samples
) -> None:
    """Add /read, /read_sample and /read_batch to the page in the current Gradio context."""

    def read_picture(picture: dict[str, Any] | None, lexicon: str = "") -> api_types.ReadingRecord:
        """Read the one handwritten name in a picture file.

        Args:
            picture: a PNG, JPEG, WebP, BMP, TIFF or GIF file of at most 5 MB.
            lexicon: the names that can occur, one a line; empty where any name can.
        """
        try:
            with expecting(lexicon):
                return api_types.reading_record(read(uploaded(picture)))
        except (ImageError, LexiconError) as error:
            raise _refusal(error) from None

    def read_sample(index: int, split: str = "train", lexicon: str = "") -> api_types.SampleRecord:
        """Read a picture of the dataset by its index and return its label too.

        Args:
            index: the number in the picture's file name (TRAIN_10261.jpg is 10261).
            split: train, validation or test.
            lexicon: the names that can occur, one a line; empty where any name can.
        """
        # Types are announced to clients, but not enforced.
        if not isinstance(index, int) or isinstance(index, bool):
            raise _refusal(f"An index is a whole number. Received: {reprlib.repr(index)}")
        if split not in list(SPLITS):
            raise _refusal(
                f"A split is one of {', '.join(SPLITS)}. Received: {reprlib.repr(split)}"
            )
        try:
            sample = samples.find(split, index).sample
            with expecting(lexicon):
                return api_types.sample_record(read(sample.path), sample)
        except (DatasetError, ImageError, LexiconError) as error:
            raise _refusal(error) from None

    def read_pictures(
        pictures: list[dict[str, Any]] | None, lexicon: str = ""
    ) -> list[api_types.RowRecord]:
        """Read many pictures, each with one handwritten name; ZIP files of pictures, too.

        Args:
            pictures: up to 2,000 files; what cannot be read has its reason as `problem`.
            lexicon: the names that can occur, one a line; empty where any name can.
        """
        try:
            sources = find_pictures(uploaded_files(pictures))
            many = partial(read_many, **reading_options(lexicon))
            records: list[api_types.RowRecord] = []
            listening = listener()
            for rows in read_batch(many, sources):
                records += map(api_types.row_record, rows)
                if not listening():
                    raise BatchError("The client has disconnected, so the batch was stopped.")
            return records
        except (BatchError, ImageError, LexiconError) as error:
            raise _refusal(error) from None

    # Files reach an endpoint safely through a component alone, hence buttons that nobody sees.
    for name, read_files, files, turn in (
        ("read", read_picture, upload.picture, "read"),
        ("read_batch", read_pictures, batch.files, "batch"),
    ):
        gr.Button(visible=False).click(
            read_files,
            [files, gr.Textbox("", visible=False, label="lexicon")],
            gr.JSON(visible=False),
            preprocess=False,
            api_name=name,
            concurrency_id=turn,
            show_progress="hidden",
        )
    gr.api(read_sample, api_name="read_sample", concurrency_id="read")


def _refusal(error: object) -> gr.Error:
    """Return an error whose message the client sees, without a trace in the log."""
    return gr.Error(str(error), print_exception=False)

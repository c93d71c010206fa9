"""The page: tabs on one side, the shared result panel on the other, and the named endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from hwr.dataset import DatasetError
from hwr.image import ImageError
from hwr.ui.batch import Batch
from hwr.ui.browse import Browse
from hwr.ui.draw import Draw
from hwr.ui.panel import Panel
from hwr.ui.reader import Read, ReadMany, one_by_one
from hwr.ui.record import ReadingRecord, SampleRecord, reading_record, sample_record
from hwr.ui.samples import Samples
from hwr.ui.upload import Upload, uploaded

#: One reading at a time: the network uses all cores anyway, and results arrive in the order
#: in which they were asked for, so that an old one never lands on top of a newer one.
READERS = 1

#: Seconds between two cleanings of the upload folder, and the age of what is deleted.
CLEANING = (3600, 3600)


def build(
    read: Read,
    samples: Samples,
    *,
    read_many: ReadMany | None = None,
    examples: Sequence[Path] = (),
    about: str = "",
) -> gr.Blocks:
    """Return the page, not yet served.

    Args:
        read: turns a picture (path, bytes or array) into a reading, or raises ImageError.
        samples: the dataset of the Browse tab.
        read_many: reads many pictures faster than one by one.
        examples: pictures offered on the Upload and Batch tabs.
        about: Markdown about the model.
    """
    with gr.Blocks(
        title="Handwritten names", delete_cache=CLEANING, analytics_enabled=False
    ) as page:
        gr.Markdown(
            "# Handwritten names\n"
            "Draw a name, give a picture of one, or leaf through a dataset, and see what it says.",
            elem_id="title",
        )
        with gr.Row():
            with gr.Column(scale=3, min_width=320), gr.Tabs(elem_id="inputs"):
                with gr.Tab(Draw.name, elem_id="tab-draw") as draw_tab:
                    draw = Draw(read)
                with gr.Tab(Upload.name, elem_id="tab-upload") as upload_tab:
                    upload = Upload(read, examples)
                with gr.Tab(Browse.name, elem_id="tab-browse") as browse_tab:
                    browse = Browse(read, samples)
                with gr.Tab(Batch.name, elem_id="tab-batch") as batch_tab:
                    batch = Batch(read, read_many or one_by_one(read), examples)
            with gr.Column(scale=2, min_width=320):
                panel = Panel(Draw.name)
        panel.steps.render()
        gr.Markdown(about, elem_id="about")

        draw.listen(panel, draw_tab)
        upload.listen(panel, upload_tab)
        browse.listen(panel, browse_tab)
        batch.listen(panel, batch_tab)
        _add_endpoints(upload, read, samples)
    return page


def _add_endpoints(upload: Upload, read: Read, samples: Samples) -> None:
    """Add /read and /read_sample to the page in the current Gradio context."""

    def read_picture(picture: dict[str, Any] | None) -> ReadingRecord:
        """Read the one handwritten name in a picture file.

        Args:
            picture: a PNG, JPEG, WebP, BMP, TIFF or GIF file of at most 5 MB.
        """
        try:
            return reading_record(read(uploaded(picture)))
        except ImageError as error:
            raise _refusal(error) from None

    def read_sample(index: int, split: str = "train") -> SampleRecord:
        """Read a picture of the dataset by its index and return its label too.

        Args:
            index: the number in the picture's file name (TRAIN_10261.jpg is 10261).
            split: train, validation or test.
        """
        # Types are announced to clients, but not enforced.
        if not isinstance(index, int) or isinstance(index, bool):
            raise _refusal(f"An index is a whole number. Received: {index!r}")
        try:
            sample = samples.find(split, index).sample
            return sample_record(read(sample.path), sample)
        except (DatasetError, ImageError) as error:
            raise _refusal(error) from None

    # Files reach an endpoint safely through a component alone, hence a button that nobody sees.
    gr.Button(visible=False).click(
        read_picture,
        upload.picture,
        gr.JSON(visible=False),
        preprocess=False,
        api_name="read",
        concurrency_id="read",
        show_progress="hidden",
    )
    gr.api(read_sample, api_name="read_sample", concurrency_id="read")


def _refusal(error: object) -> gr.Error:
    """Return an error whose message the client sees, without a trace in the log."""
    return gr.Error(str(error), print_exception=False)

"""Empty fields: how often a picture into which nobody wrote a name is read as empty."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from hwr.evaluation.metrics import wilson_interval
from hwr.image import ImageError
from hwr.recognizer import Recognizer
from hwr.synthesis.render import draw_nothing
from hwr.synthesis.writer import Writer

#: What to call the pictures of each renderer.
KINDS: Final = {
    "field": "field of a form",
    "photo": "photographed paper",
    "name": "white page",
    "pad": "sketchpad",
}

#: Far from the seeds that training starts from.
SEED: Final = 48_271


def read_empty_fields(recognizer: Recognizer, count: int) -> dict[str, dict[str, Any]]:
    """Draw `count` pictures of each kind without a name, and read them.

    Prompts, rests of other lines, ruling and specks are in them
    (`hwr.synthesis.render.draw_nothing`).
    They are drawn by the code that draws pictures to train on, so that real forms may be harder.

    Returns:
        By kind: n, empty (the share read as empty), its 95 % interval empty_low and empty_high,
        and no_ink, the share in which the preprocessing found nothing, so that the network was not
        asked.

    Raises:
        ValueError: `count` is less than 1.
    """
    if count < 1:
        raise ValueError(f"At least one picture of each kind is drawn. Received: {count}")
    found = {}
    for number, (kind, name) in enumerate(KINDS.items()):
        rng = np.random.default_rng((SEED, number))
        pictures = [draw_nothing(Writer.sample(rng), rng, kind=kind) for _ in range(count)]
        readings = [r for r in recognizer.read_many(pictures) if not isinstance(r, ImageError)]
        empty = sum(not reading.text for reading in readings)
        low, high = wilson_interval(empty, count)
        found[name] = {
            "n": count,
            "empty": empty / count,
            "empty_low": low,
            "empty_high": high,
            "no_ink": sum(reading.blank for reading in readings) / count,
        }
    return found

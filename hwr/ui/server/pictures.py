"""Images as files that are written atomically before Gradio copies them.

Gradio 6.31 writes an array in place into its cache, also while the same file is being sent: the
browser then gets half of it. A file that it is given is copied aside and renamed.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import cv2
import numpy as np

from hwr.arrays import Grey
from hwr.ui.server.temp_folder import remove_old, scratch


def picture_file(image: Grey) -> str:
    """Return the path of a PNG file of `image`, (H, W) grey or (H, W, 3) RGB uint8."""
    pixels = image if image.ndim == 2 else image[..., ::-1]
    data = cv2.imencode(".png", np.ascontiguousarray(pixels))[1].tobytes()
    folder = scratch("pictures")
    file = folder / f"{hashlib.sha256(data).hexdigest()[:32]}.png"
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as partial:
        partial.write(data)
    Path(partial.name).replace(file)
    remove_old(folder)
    return str(file)

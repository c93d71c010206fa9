"""Images as files that are written atomically before Gradio copies them.

Gradio 6.31 writes an array in place into its cache, also while the same file is being sent: the
browser then gets half of it. A file that it is given is copied aside and renamed.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hwr.ui.server.temp_folder import scratch

#: Seconds after which a file has long been copied by Gradio and is removed.
KEPT = 300


def picture_file(image: NDArray[np.uint8]) -> str:
    """Return the path of a PNG file of `image`, (H, W) grey or (H, W, 3) RGB uint8."""
    pixels = image if image.ndim == 2 else image[..., ::-1]
    data = cv2.imencode(".png", np.ascontiguousarray(pixels))[1].tobytes()
    file = scratch("pictures") / f"{hashlib.sha256(data).hexdigest()[:32]}.png"
    with tempfile.NamedTemporaryFile(dir=scratch("pictures"), delete=False) as partial:
        partial.write(data)
    Path(partial.name).replace(file)
    _remove_old()
    return str(file)


def _remove_old() -> None:
    for file in scratch("pictures").iterdir():
        # Another thread may have removed it in between.
        with suppress(FileNotFoundError):
            if file.stat().st_mtime < time.time() - KEPT:
                file.unlink()

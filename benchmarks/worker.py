"""One contender in a process of its own: reads commands as JSON lines, answers with JSON lines.

Runs in the project's environment or in that of the peers; imports only what the contender needs.
`run.py` starts it and says on how many cores.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""
ROOT = Path(__file__).resolve().parent.parent


class Hwr:
    """This project."""

    def __init__(self, engine: str, model: str) -> None:
        from hwr.recognizer import Recognizer

        self.recognizer = Recognizer.load(model, engine=engine)

    def one(self, path: str) -> str:
        return str(self.recognizer.read(path, details=False).text)

    def details(self, paths: list[str]) -> list[list[float]]:
        """Return, for each picture, ms of reading it with letters and steps, and without."""
        rows = []
        for path in paths:
            row = []
            for details in (True, False):
                start = time.perf_counter()
                self.recognizer.read(path, details=details)
                row.append(1000 * (time.perf_counter() - start))
            rows.append(row)
        return rows

    def many(self, paths: list[str]) -> list[str]:
        return [r.text for r in self.recognizer.read_many(paths)]  # type: ignore[union-attr]

    def network(self, paths: list[str]) -> dict[str, float]:
        """Time the network alone on one core; return ms and columns an image."""
        from hwr.image import load_image
        from hwr.network.engine import batches_by_width
        from hwr.preprocess import prepare

        spec = self.recognizer.spec
        images = [prepare(load_image(p).pixels, spec).image for p in paths]
        batches = [batch for _, batch in batches_by_width(images, spec)]
        start = time.perf_counter()
        for batch in batches:
            self.recognizer.logits(batch)
        spent = time.perf_counter() - start
        columns = sum(b.shape[0] * b.shape[2] for b in batches)
        return {"ms": 1000 * spent / len(paths), "columns": columns / len(paths)}

    def grow(self, paths: list[str], count: int) -> dict[str, float]:
        """Read `count` pictures from a generator; return seconds and the memory at its end."""
        start = time.perf_counter()
        endless = (paths[i % len(paths)] for i in range(count))
        done = sum(1 for _ in self.recognizer.read_many(endless))
        assert done == count
        return {"seconds": time.perf_counter() - start, "memory": memory()}

    def train(self, steps: int) -> list[float]:
        """Return seconds of each training step of 64 images of 256 columns."""
        if not hasattr(self, "_step"):
            from benchmarks.profile_training import make_step, random_batch

            spec = self.recognizer.spec
            self._step = make_step(spec, *random_batch(spec, 64, 256))
        return timed(self._step, steps)


class Original:
    """The original project's network, untrained."""

    def __init__(self) -> None:
        from benchmarks import original

        self.module = original
        self.model = original.build()

    def one(self, path: str) -> str:
        image = self.module.prepare(path)[None]
        return str(self.module.decode(self.model.predict_on_batch(image))[0])

    def many(self, paths: list[str]) -> list[str]:
        import numpy as np

        texts = []
        for start in range(0, len(paths), 64):
            batch = np.stack([self.module.prepare(p) for p in paths[start : start + 64]])
            texts += self.module.decode(self.model.predict_on_batch(batch))
        return texts

    def train(self, steps: int) -> list[float]:
        """As `Hwr.train`, with the loss that Keras has built in."""
        if not hasattr(self, "_step"):
            import keras
            import numpy as np

            rng = np.random.default_rng(0)
            images = rng.random((64, self.module.WIDTH, self.module.HEIGHT, 1), np.float32)
            labels = rng.integers(1, 28, (64, 16)).astype(np.int32)
            labels[:, 9:] = 0
            self.model.compile("adam", loss=keras.losses.CTC(), jit_compile=False)
            self._step = lambda: self.model.train_on_batch(images, labels)
        return timed(self._step, steps)


class Rapid:
    """RapidOCR's recogniser, PP-OCRv6 small, without detection."""

    def __init__(self, cores: int) -> None:
        from rapidocr import RapidOCR

        threads = "EngineConfig.onnxruntime.{}_op_num_threads"
        self.engine = RapidOCR(
            params={
                "Global.use_det": False,
                "Global.use_cls": False,
                "Global.log_level": "critical",
                threads.format("intra"): cores,
                threads.format("inter"): 1,
            }
        )

    def one(self, path: str) -> str:
        result = self.engine(path, use_det=False, use_cls=False, use_rec=True)
        return " ".join(result.txts or ())

    def many(self, paths: list[str]) -> list[str]:
        import cv2
        from rapidocr.ch_ppocr_rec.typings import TextRecInput

        if self.engine.text_rec is None:
            self.one(paths[0])  # loads it
        images = [cv2.imread(path) for path in paths]
        return list(self.engine.text_rec(TextRecInput(img=images, return_word_box=False)).txts)


class Tesseract:
    """Tesseract's command: a process an image, or one for a list of images."""

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.environment = os.environ | {"OMP_THREAD_LIMIT": "1"}

    def _run(self, name: str, **settings: Any) -> list[str]:
        done = subprocess.run(
            ["tesseract", name, "stdout", "--psm", "7", "-l", "fra"],
            capture_output=True,
            text=True,
            env=self.environment,
            **settings,
        )
        return [" ".join(page.split()) for page in done.stdout.split("\f")]

    def one(self, path: str) -> str:
        return self._run(path)[0]

    def many(self, paths: list[str]) -> list[str]:
        parts = [paths[i :: self.cores] for i in range(self.cores)]
        with ThreadPoolExecutor(self.cores) as pool:
            pages = list(pool.map(lambda part: self._run("-", input="\n".join(part)), parts))
        texts = [""] * len(paths)
        for i, (part, page) in enumerate(zip(parts, pages, strict=True)):
            texts[i :: self.cores] = page[: len(part)]
        return texts


def timed(step: Any, count: int) -> list[float]:
    """Return the seconds that each of `count` calls takes."""
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return seconds


def busy() -> float:
    """Return the seconds of processor time of this process and of the children it waited for."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def memory() -> float:
    """Return the largest memory in MB that this process or a child of it has held so far."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) / 1024


def contender(name: str, model: str, cores: int) -> Any:
    """Return the contender called `name`."""
    if name == "original":
        return Original()
    if name == "rapidocr":
        return Rapid(cores)
    if name == "tesseract":
        return Tesseract(cores)
    return Hwr(name.removeprefix("hwr "), model)


def answers(reader: Any, commands: Iterator[str]) -> Iterator[Any]:
    """Do one command after the other."""
    for line in commands:
        command = json.loads(line)
        paths = command.get("paths", [])
        if command["do"] == "one":
            rows = []
            for path in paths:
                start, start_busy = time.perf_counter(), busy()
                text = reader.one(path)
                spent = time.perf_counter() - start, busy() - start_busy
                rows.append([1000 * spent[0], 1000 * spent[1], text])
            yield rows
        elif command["do"] == "many":
            start = time.perf_counter()
            texts = reader.many(paths)
            yield {"seconds": time.perf_counter() - start, "texts": texts}
        elif command["do"] == "memory":
            yield memory()
        elif command["do"] == "train":
            yield reader.train(command["steps"])
        elif command["do"] == "grow":
            yield reader.grow(paths, command["count"])
        else:
            yield getattr(reader, command["do"])(paths)


def main() -> int:
    """Serve the contender named on the command line: NAME MODEL CORES."""
    sys.path.insert(0, str(ROOT))
    name, model, cores = sys.argv[1], sys.argv[2], int(sys.argv[3])
    # Libraries print; answers alone go to the real standard output.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    reader = contender(name, model, cores)
    for answer in answers(reader, iter(sys.stdin.readline, "")):
        out.write(json.dumps(answer) + "\n")
        out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Training on a set as large as the full Kaggle one: memory and time, by pictures drawn here.

    python benchmarks/full_dataset.py --pictures 330961 --folder /tmp/full

Writes the Kaggle layout (a pool of drawn pictures, linked under as many names as asked for),
prepares it and trains a few batches, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

#: Distinct pictures; the rest are links to these.
POOL = 2000


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=330_961)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--step", choices=("prepare", "train"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def write(folder: Path, pictures: int) -> None:
    """Write the training split of a dataset in the Kaggle layout."""
    import cv2
    import numpy as np

    from hwr.alphabet import fold
    from hwr.synthesis.names import compose_name
    from hwr.synthesis.render import draw

    images = folder / "train_v2" / "train"
    images.mkdir(parents=True)
    rng = np.random.default_rng(0)
    names = [compose_name(rng) for _ in range(POOL)]
    for number, name in enumerate(names):
        picture = draw(name.upper(), rng, shares={"field": 1.0})
        cv2.imwrite(str(folder / f"pool{number}.png"), picture)
    with (folder / "written_name_train_v2.csv").open("w") as table:
        table.write("FILENAME,IDENTITY\n")
        for number in range(pictures):
            name = f"TRAIN_{number + 1:06d}.png"
            os.link(folder / f"pool{number % POOL}.png", images / name)
            table.write(f'{name},"{fold(names[number % POOL])}"\n')


def memory() -> dict[str, float]:
    """Return the peak of resident memory and the part now that is not file pages, in MB."""
    status = Path("/proc/self/status").read_text()
    anonymous = next(int(line.split()[1]) for line in status.splitlines() if "RssAnon" in line)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"peak_mb": peak / 1024, "anonymous_mb": anonymous / 1024}


def run_step(args: argparse.Namespace) -> dict[str, float]:
    """Prepare, or train, and return what was measured."""
    from hwr.data.batches import Batches, PreparedSource
    from hwr.data.dataset import open_dataset
    from hwr.data.loader import stream
    from hwr.data.prepared_cache import prepare_dataset
    from hwr.spec import Spec

    spec = Spec()
    start, busy = time.monotonic(), time.process_time()
    dataset = open_dataset(args.folder, "train", spec.alphabet)
    opened = time.monotonic() - start
    images = prepare_dataset(dataset, spec, folder=args.folder / "cache")
    values = {
        "pictures": float(len(images)),
        "open_s": opened,
        "prepare_s": time.monotonic() - start,
        "processor_s": time.process_time() - busy,
    }
    if args.step == "train":
        import keras

        from hwr.network.crnn import build_model
        from hwr.network.ctc_loss import ctc_loss

        values |= {f"before_{name}": value for name, value in memory().items()}
        model = build_model(spec)
        model.compile(keras.optimizers.AdamW(1e-3), loss=ctc_loss, jit_compile=False)
        ready = stream(Batches([PreparedSource(images)], [1.0], spec))
        start = time.monotonic()
        for _, batch in zip(range(args.batches), ready, strict=False):
            model.train_on_batch(batch.images, batch.labels)
        ready.close()
        values["train_images_per_s"] = 64 * args.batches / (time.monotonic() - start)
    return values | memory()


def main(argv: list[str] | None = None) -> int:
    """Measure."""
    args = get_args(argv)
    if args.step:
        print(json.dumps({k: round(v, 1) for k, v in run_step(args).items()}))
        return 0
    if not args.folder.exists():
        write(args.folder, args.pictures)
    for step in ("prepare", "train"):
        command = [sys.executable, __file__, "--folder", str(args.folder), "--step", step]
        command += ["--batches", str(args.batches)]
        print(step, subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What an older processor reads in 8 bits: python -m benchmarks.old_processor --data DIR

Without VNNI instructions, ONNX Runtime takes other paths, on which sums of products can be cut off.
Runs the engine on this processor and on one that QEMU emulates (apt-get install qemu-user), and
compares the logits of both with those of 32 bits.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from hwr.data.dataset import open_dataset
from hwr.defaults import default_data, default_model
from hwr.image import load_image
from hwr.network.engine import load_engine
from hwr.preprocess import pad, prepare

#: Reads padded pictures from a file and writes their logits to another; takes model, engine, files.
READ = """
import sys
from pathlib import Path
import numpy as np
from hwr.network.engine import load_engine
_, engine = load_engine(Path(sys.argv[1]), sys.argv[2])
with np.load(sys.argv[3]) as images:
    np.savez(sys.argv[4], **{name: engine(images[name][None])[0] for name in images.files})
"""


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=default_data(), metavar="DIR")
    parser.add_argument("--model", type=Path, default=default_model())
    parser.add_argument("--cpu", default="Haswell", help="see qemu-x86_64 -cpu help (%(default)s)")
    parser.add_argument("--pictures", type=int, default=100, help="(%(default)s)")
    args = parser.parse_args(argv)
    spec, _ = load_engine(args.model, "int8")
    samples = open_dataset(args.data, "validation", spec.alphabet).samples[: args.pictures]
    prepared = [prepare(load_image(sample.path).pixels, spec) for sample in samples]
    images = {f"{i}": pad(p.image, spec) for i, p in enumerate(prepared) if not p.blank}
    emulated = ["qemu-x86_64", "-cpu", args.cpu]
    print(
        f"{len(images)} pictures of {Path(args.data).name}, difference of the logits from 32 bits"
    )
    print("| processor | mean | largest |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "images.npz"), Path(folder, "logits.npz")
        np.savez(source, **images)

        def read(engine: str, before: list[str]) -> dict[str, np.ndarray]:
            command = [*before, sys.executable, "-c", READ, str(args.model), engine]
            done = subprocess.run([*command, str(source), str(target)], stderr=subprocess.PIPE)
            if done.returncode:  # QEMU says what it lacks even where all goes well
                raise RuntimeError(done.stderr.decode())
            with np.load(target) as logits:
                return dict(logits)

        exact = read("onnx", [])
        for name, before in (("this one", []), (args.cpu, emulated)):
            said = read("int8", before)
            apart = np.concatenate([np.abs(said[i] - exact[i]).ravel() for i in images])
            print(f"| {name} | {apart.mean():.4f} | {apart.max():.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What survives SIGKILL; the long version is `python -m benchmarks.faults kills`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from helpers import ROOT, TINY, write_folder

from hwr.data.dataset import open_dataset
from hwr.data.prepared_cache import prepare_dataset


def test_nothing_is_corrupt_after_a_kill() -> None:
    command = [sys.executable, "-m", "benchmarks.faults", "kills", "--count", "3"]
    done = subprocess.run(
        [*command, "--training", "0", "--longest", "0.5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 kills, nothing corrupt." in done.stdout


def test_a_cache_that_is_not_whole_is_made_anew(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "d", [(f"{i}.png", "ANNA") for i in range(1, 4)])
    dataset = open_dataset(folder, "train", TINY.alphabet)
    whole = bytes(prepare_dataset(dataset, TINY, folder=tmp_path / "c").pixels)
    (root,) = (tmp_path / "c").iterdir()
    for name in ("pixels.bin", "index.json"):
        for content in (b"", (root / name).read_bytes()[:-9], None):
            (root / name).unlink()
            if content is not None:
                (root / name).write_bytes(content)
            assert bytes(prepare_dataset(dataset, TINY, folder=tmp_path / "c").pixels) == whole

"""The same training on other backends and in several processes, and what comparing them notices."""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks import backends, several_hosts

#: They are no part of the extra dev, for their tests take minutes; the workflow installs them.
BACKENDS = ("jax", "torch")


@pytest.mark.parametrize("backend", BACKENDS)
def test_backend_trains_like_tensorflow(backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    args = backends.get_args(["--backends", "tensorflow", backend])
    lines = backends.run_all(args, tmp_path)
    assert [line.split()[0] for line in lines[1:]] == ["tensorflow", backend]


@pytest.mark.skipif(find_spec("jax") is None, reason="pip install 'hwr[jax]'")
def test_two_processes_train_like_one(tmp_path: Path) -> None:
    """Losses alone; the test below adds two devices, kills and resumed runs."""
    assert several_hosts.main(["--steps", "6", "--no-kills", "--work", str(tmp_path)]) == 0


@pytest.mark.skipif(
    os.environ.get("HWR_SLOW_TESTS") != "1",
    reason="HWR_SLOW_TESTS=1 python -m pytest tests/training/test_backends.py -k survive",
)
def test_several_processes_train_like_one_and_survive_a_loss(tmp_path: Path) -> None:
    """Eleven processes, two to three minutes of processor time: run by .github/workflows/ci.yml."""
    assert several_hosts.main(["--steps", "12", "--kill-at", "2", "--work", str(tmp_path)]) == 0


def test_comparison_notices_what_differs(tmp_path: Path) -> None:
    """The comparison of the backends, given figures made up for it."""
    args = argparse.Namespace(backends=["a", "b"], steps=20, precision="float32")
    falling = [40.0 - step for step in range(20)]
    logits = np.zeros((1, 4, 3), np.float32)

    def write(backend: str, whole: list[float], parts: list[float], read: np.ndarray) -> None:
        folder = tmp_path / backend
        folder.mkdir(exist_ok=True)
        facts = {"whole": whole, "parts": parts, "dtypes": ["float32"], "cer": []}
        (folder / "facts.json").write_text(backends.json.dumps(facts))
        np.savez(folder / "logits.npz", allow_pickle=False, a=logits, b=read)

    write("a", falling, falling, logits)
    write("b", falling, falling, logits)
    assert "within 0.0e+00" in backends.compare(args, tmp_path)[2]
    for whole, parts, read in (
        ([x * 1.002 for x in falling], falling, logits),
        (falling, [*falling[:19], 22.0], logits),
        (falling, falling, logits + 2e-4),
        (falling, falling[:19], logits),
    ):
        write("b", whole, parts, read)
        with pytest.raises(AssertionError):
            backends.compare(args, tmp_path)

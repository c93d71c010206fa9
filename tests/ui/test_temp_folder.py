from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from helpers import ROOT

SCRIPT = """
import time
from concurrent.futures import ThreadPoolExecutor
from hwr.ui.server import temp_folder
temp_folder.remove_abandoned = lambda base: time.sleep(0.2)
with ThreadPoolExecutor(4) as pool:
    print(len(set(pool.map(lambda _: temp_folder.scratch_root(), range(4)))))
"""


def test_threads_of_a_process_share_one_folder(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SCRIPT]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout == "1\n"
    assert list(tmp_path.iterdir()) == []

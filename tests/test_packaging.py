"""The wheel, and what it needs."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from helpers import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_requirements_are_those_of_reading_page_and_training() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    extras = PROJECT["optional-dependencies"]
    assert listed == [*PROJECT["dependencies"], *extras["app"], *extras["train"]]


def build(target: str, out: Path) -> Path:
    """Build the wheel or the sdist; return its file."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (found,) = out.iterdir()
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


def test_the_sdist_holds_what_its_tests_read(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    wanted = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CITATION.cff"]
    wanted += ["LICENSE", "Makefile", "Dockerfile", "pyproject.toml", "requirements.txt"]
    wanted += [".gitignore", "app.py", "train.py", ".ci/run", ".github/workflows/ci.yml"]
    for folder in ("hwr", "tests", "benchmarks", "docs", "assets", ".ci"):
        found = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        wanted += [str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts]
    assert set(wanted) <= files
    assert not {file.split("/")[0] for file in files} & {".git", ".venv", "runs", "cache"}


def needed(*names: str) -> set[str]:
    """Return the installed distributions that some need, extras aside."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.split(r"[^\w.-]", waiting.pop(), maxsplit=1)[0].lower()
        if name in found:
            continue
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another system or version of Python
        found.add(name)
        waiting += [line for line in requires if ";" not in line]
    return found


def test_an_installed_wheel_reads_without_tensorflow_and_gradio(
    wheel: Path, tmp_path: Path
) -> None:
    """In another folder, where nothing but the wheel and the base dependencies is to be found."""
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    for name in needed(*PROJECT["dependencies"]):
        files = importlib.metadata.files(name) or []
        for top in {file.parts[0] for file in files if ".." not in file.parts}:
            there = Path(str(importlib.metadata.distribution(name).locate_file(top)))
            if there.exists() and not (site / top).exists():
                (site / top).symlink_to(there)
    picture = ROOT / "assets" / "samples" / "test_v2" / "test" / "TEST_0002.jpg"
    program = (
        "import sys; from hwr.cli import main; code = main(sys.argv[1:]);"
        "print(sorted({'keras', 'tensorflow', 'gradio'} & set(sys.modules)), file=sys.stderr);"
        "sys.exit(code)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HWR_", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, "read", "--json", str(picture)],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.endswith("[]\n"), done.stderr
    assert [row["text"] for row in json.loads(done.stdout)] == ["MARCHAND"]

"""The files around the package: the Space, workflows, documents."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml
from helpers import ROOT

import hwr
from hwr.cli import OLD_COMMANDS, OLD_OPTIONS
from hwr.recognizer import OLD_KEYWORDS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_folder_of_a_space_holds_what_the_page_needs(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "old.py").touch()
    (tmp_path / "tests").mkdir()
    runpy.run_path(str(ROOT / ".ci" / "space.py"))["write_space"](tmp_path)

    assert (tmp_path / ".git").is_dir()
    assert not (tmp_path / "old.py").exists()
    assert not (tmp_path / "tests").exists()
    for name in ("app.py", "hwr/ui/page.py", "assets/model/model.int8.onnx", "LICENSE"):
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()
    assert not [*tmp_path.rglob("__pycache__")]
    needed = (tmp_path / "requirements.txt").read_text().splitlines()
    assert needed == [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["app"]]

    readme = (tmp_path / "README.md").read_text("utf-8")
    start, header, body = readme.split("---\n", 2)
    assert start == ""
    assert body.startswith("\n# ")
    about = yaml.safe_load(header)
    assert (about["sdk"], about["app_file"], about["license"]) == ("gradio", "app.py", "mit")
    # The Space installs Gradio before the requirements: it has to be a version they allow.
    (gradio,) = (line for line in needed if line.startswith("gradio"))
    allowed = re.search(r">=(\d+\.\d+)", gradio)
    assert allowed is not None
    assert about["sdk_version"].startswith(f"{allowed[1]}.")
    # Binary files without Git LFS are refused.
    lfs = (tmp_path / ".gitattributes").read_text()
    for path in tmp_path.rglob("*"):
        if path.is_file() and b"\0" in path.read_bytes():
            assert f"*{path.suffix} filter=lfs" in lfs


def test_the_workflow_runs_the_command_of_the_readme_on_each_supported_python() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    job = workflow["jobs"]["test"]
    versions = [
        line.rsplit(" ", 1)[1]
        for line in PROJECT["classifiers"]
        if re.search(r"Python :: 3\.\d+$", line)
    ]
    assert job["strategy"]["matrix"]["python"] == versions
    assert job["steps"][-1]["run"] == "bash .ci/run"
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert "make test " in (ROOT / "README.md").read_text("utf-8")
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            for path in re.findall(r"tests/\S+\.py", step.get("run", "")):
                assert (ROOT / path).is_file()


@pytest.mark.parametrize("name", ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_of_the_documents_at_the_top_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]*)\)", text):
        assert (ROOT / target).is_file(), target
    for path in re.findall(r"(?<![\w/.-])(?:hwr|tests)/[\w./]+\w", text):
        assert (ROOT / path).exists(), path


def test_the_changelog_names_each_old_word_with_the_new_one() -> None:
    table = [
        [re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:3]]
        for line in (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
        if line.strip().startswith("| `")
    ]
    renamed = {old: new for row in table for old, new in zip(*row, strict=True)}
    expected = {
        **{f"{old}=": f"{new}=" for old, new in OLD_KEYWORDS.items()},
        **OLD_OPTIONS,
        **{f"hwr {old}": f"hwr {' '.join(new)}" for old, new in OLD_COMMANDS.items()},
    }
    assert renamed == expected


def test_the_citation_names_this_software_and_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["authors"] == [{"name": "The hwr contributors"}]
    assert (citation["version"], citation["license"]) == (hwr.__version__, PROJECT["license"])

"""The documents: links, names of files and tests, commands and what they print."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from helpers import ROOT

from hwr.cli import get_args, main

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
#: A transcript: a command, then what it prints.
_COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(document: Path) -> list[tuple[str, str]]:
    """Return the language and the text of each fenced block."""
    return _BLOCK.findall(document.read_text("utf-8"))


def headings(document: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    text = _BLOCK.sub("", document.read_text("utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(document: Path) -> Iterator[list[str]]:
    """Yield the arguments of each `hwr` command in the blocks of a document."""
    for kind, text in blocks(document):
        if kind in ("", "sh", "console"):
            for line in text.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True) if "hwr" in line else []
                if words[:3] == ["python", "-m", "hwr"]:
                    words = words[2:]
                elif words and re.match(r"[A-Z_]+=", words[0]):
                    words = words[1:]
                if words[:1] == ["hwr"]:
                    yield words[1:]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_names_of_files_and_tests_lead_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
        file = (document.parent / target).resolve() if target else document
        assert file.exists(), target
        if anchor:
            assert anchor in headings(file), f"{target}#{anchor}"
    for name in re.findall(r"(?<![\w/.-])(?:hwr|tests|benchmarks)/[\w./]+\w", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"python -m (benchmarks\.\w+)", text):
        assert (ROOT / (name.replace(".", "/") + ".py")).exists(), name
    tests = {path: path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    for name in re.findall(r"`(test_\w+)`", text):
        assert any(f"def {name}(" in content for content in tests.values()), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_have_the_options_of_the_command_line(document: Path) -> None:
    for arguments in commands(document):
        get_args(arguments)


def test_the_readme_is_short_and_names_every_document() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(readme.encode()) <= 8_000
    for document in DOCUMENTS[1:]:
        assert f"(docs/{document.name})" in readme, document.name


def test_transcripts_hold_what_the_commands_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figures aside, which differ between weights and machines."""
    for name in ("assets", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    for variable in ("HWR_MODEL", "HWR_DATA"):
        monkeypatch.delenv(variable, raising=False)
    seen = 0
    for document in DOCUMENTS:
        for command, expected in _transcripts(document):
            seen += 1
            words = shlex.split(command)
            if words[0] == "cat":
                (tmp_path / words[1]).write_text(expected, "utf-8")
                continue
            printed = io.StringIO()
            errors = io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
                main(words[1:])
            shown = printed.getvalue() + errors.getvalue()
            assert _without_figures(shown) == _without_figures(expected), command
    assert seen >= 9


@pytest.mark.parametrize("name", ["load", "pen_latency"])
def test_the_benchmarks_of_the_page_find_what_they_share_with_the_tests(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        import_module(f"benchmarks.{name}").main(["--help"])
    assert "usage:" in capsys.readouterr().out


def _transcripts(document: Path) -> Iterator[tuple[str, str]]:
    for kind, text in blocks(document):
        if kind == "console":
            yield from _COMMAND.findall(text)


def _without_figures(text: str) -> str:
    text = re.sub(r"\d+(\.\d+)?(?= ?%)", "N", text)
    text = re.sub(r"\d+ s, \d+\.\d+ pictures a second", "T", text)
    return re.sub(r"^edits .*", "edits", text, flags=re.MULTILINE)


def test_the_python_of_the_readme_and_the_api_page_prints_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "scan.png").symlink_to(ROOT / "docs" / "scan.png")
    (tmp_path / "broken.png").write_text("not a picture")
    monkeypatch.chdir(tmp_path)
    for variable in ("HWR_MODEL", "HWR_DATA"):
        monkeypatch.delenv(variable, raising=False)

    (_, program), (_, output) = _python(ROOT / "README.md", "## From Python")
    assert _without_figures(_run(program)) == _without_figures(output)

    page = _python(ROOT / "docs" / "API.md", "## Python\n")
    lines = _run(page[0][1]).splitlines()
    assert lines[0].startswith("MARCHAND 0.")
    assert lines[0].endswith(" sure")
    assert [line for line in lines if line.startswith("MARCHAND ")][1:]  # the first candidate
    assert lines[-2] == "scan.png MARCHAND"
    assert lines[-1].startswith("broken.png This is a text file, not a picture;")
    assert _without_figures(_run(page[1][1])) == _without_figures(page[2][1])


def _python(document: Path, heading: str) -> list[tuple[str, str]]:
    """Return the blocks of a section."""
    section = document.read_text("utf-8").split(f"\n{heading}", 1)[1].split("\n## ")[0]
    return _BLOCK.findall(section)


def _run(program: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "<document>", "exec"), {"__name__": "__main__"})
    return printed.getvalue()

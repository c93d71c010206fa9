"""Write dist/space, the content of a Hugging Face Space: what the page needs, and the documents."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("app.py", "hwr", "assets", "docs", "benchmarks", "LICENSE")
# A Space refuses binary files that are not in Git LFS.
LFS = ("*.h5", "*.jpg", "*.npz", "*.onnx", "*.png")


def write_space(out: Path) -> None:
    """Fill the folder `out`; whatever else is in it goes, but for `.git`."""
    out.mkdir(parents=True, exist_ok=True)
    for old in out.iterdir():
        if old.is_dir() and old.name != ".git":
            shutil.rmtree(old)
        elif old.is_file():
            old.unlink()
    for source in [*(ROOT / name for name in COPIED), *ROOT.glob("*.md")]:
        if source.is_dir():
            # Of the benchmarks, the results that the documents link to.
            code = ("*.py",) if source.name == "benchmarks" else ()
            unwanted = shutil.ignore_patterns("__pycache__", ".*", *code)
            shutil.copytree(source, out / source.name, ignore=unwanted)
        else:
            shutil.copyfile(source, out / source.name)
    header = (ROOT / "docs" / "space-header.yml").read_text("utf-8").strip("-\n")
    readme = (ROOT / "README.md").read_text("utf-8")
    if readme.startswith("---\n"):  # it has a header of its own
        readme = readme.split("---\n", 2)[2]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["app"]]
    files = {
        "README.md": f"---\n{header}\n---\n\n{readme.lstrip()}",
        "requirements.txt": "".join(f"{line}\n" for line in needed),
        ".gitattributes": "".join(f"{name} filter=lfs diff=lfs merge=lfs -text\n" for name in LFS),
    }
    for name, text in files.items():
        (out / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write_space(ROOT / "dist" / "space")
    sys.stdout.write("Wrote dist/space\n")

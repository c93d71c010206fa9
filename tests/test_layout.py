"""The layout of the package: who may import whom, and how long a module may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from helpers import ROOT

#: From the bottom up; a wing imports from its own level and from those below.
LEVELS = (
    ("",),  # the modules of hwr/ itself
    ("data", "synthesis"),
    ("network",),
    ("decoding",),
    ("recognizer",),
    ("training", "bulk", "forms", "evaluation", "recombination"),
    ("commands", "ui"),
)
RANK = {wing: rank for rank, wings in enumerate(LEVELS) for wing in wings}

#: Modules of hwr/ itself that stand higher: what reads, and the doors to everything.
HIGH = {
    "recognizer": "recognizer",
    "shipped": "recognizer",
    "cli": "commands",
    "__main__": "commands",
    "__init__": "commands",
}

LONGEST = 450

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted((ROOT / "hwr").rglob("*.py"))
}


def wing_of(module: str) -> str:
    """Return the wing of a module such as hwr.data.dataset."""
    _, first, *rest = [*module.split("."), ""] if module == "hwr" else module.split(".")
    if rest and rest != [""]:
        return first
    return HIGH.get(first or "__init__", "")


def imported(module: str, path: Path, source: str) -> Iterator[str]:
    """Yield the modules of hwr that a module imports anywhere, in functions and for types too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "hwr")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            if (node.module or "").split(".")[0] == "hwr":
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    yield inner if is_module(inner) else str(node.module)


def is_module(name: str) -> bool:
    return name in MODULES or f"{name}.__init__" in MODULES


def arrows(sources: dict[str, str]) -> dict[str, set[str]]:
    """Return which modules each module imports."""
    found = {}
    for module, source in sources.items():
        targets = set(imported(module, MODULES.get(module, Path(module)), source))
        found[module] = {t if t in MODULES else f"{t}.__init__" for t in targets} - {module}
    return found


def upwards(graph: dict[str, set[str]]) -> list[str]:
    """Return the imports of a wing from one above it."""
    return [
        f"{module} -> {target}"
        for module, targets in sorted(graph.items())
        for target in sorted(targets)
        # Everybody may ask the package for its version.
        if target != "hwr.__init__" and RANK[wing_of(target)] > RANK[wing_of(module)]
    ]


SOURCES = {module: path.read_text(encoding="utf-8") for module, path in MODULES.items()}


def test_nothing_imports_upwards() -> None:
    # The package's door loads what is behind it by name, when it is asked for.
    graph = {m: targets for m, targets in arrows(SOURCES).items() if m != "hwr.__init__"}
    assert upwards(graph) == []


def test_no_modules_and_no_wings_import_each_other() -> None:
    graph = {m: t - {"hwr.__init__"} for m, t in arrows(SOURCES).items() if m != "hwr.__init__"}
    tuple(TopologicalSorter(graph).static_order())
    wings: dict[str, set[str]] = {}
    for module, targets in graph.items():
        wings.setdefault(wing_of(module), set()).update(map(wing_of, targets))
    for wing, below in wings.items():
        below.discard(wing)
    tuple(TopologicalSorter(wings).static_order())


def test_an_arrow_upwards_and_a_circle_would_be_found() -> None:
    up = arrows({"hwr.spec": "def f():\n    from hwr.data.dataset import Sample\n"})
    assert upwards(up) == ["hwr.spec -> hwr.data.dataset"]
    circle = arrows(
        {
            "hwr.spec": "from hwr import alphabet",
            "hwr.alphabet": "import hwr.spec",
        }
    )
    with pytest.raises(CycleError):
        tuple(TopologicalSorter(circle).static_order())


def test_no_module_is_long() -> None:
    lengths = {module: source.count("\n") for module, source in SOURCES.items()}
    assert {module: n for module, n in lengths.items() if n > LONGEST} == {}


def test_every_wing_has_its_level() -> None:
    assert {wing_of(module) for module in MODULES} <= RANK.keys()

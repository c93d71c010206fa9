"""The figures of docs/HOW_IT_WORKS.md are those of the code and of the shipped model."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import keras
import numpy as np
import pytest
from helpers import ROOT

from hwr.alphabet import Alphabet
from hwr.decoding.beam import beam_search
from hwr.decoding.ctc import greedy_text, log_probability
from hwr.network.crnn import build_model
from hwr.network.model_folder import load_spec

TEXT = (ROOT / "docs" / "HOW_IT_WORKS.md").read_text("utf-8")
MODEL = ROOT / "assets" / "model"
LETTERS = "-AB"

SOFTMAX = np.array(
    [
        [float(cell) for cell in line.split("|")[2:5]]
        for line in TEXT.splitlines()
        if re.match(r"\| \d \| 0\.", line)
    ]
)


def test_the_worked_example_lists_every_path_with_its_probability() -> None:
    expected: dict[str, dict[str, float]] = {}
    for path in itertools.product(range(3), repeat=3):
        text = "".join(LETTERS[c] for c, _ in itertools.groupby(path) if c)
        chance = float(np.prod(SOFTMAX[range(3), path]))
        expected.setdefault(text, {})["".join(LETTERS[c] for c in path)] = chance

    rows = re.findall(r"^\| (empty|[AB]+) \| (0\.\d{4}) \| (`.*) \|$", TEXT, re.MULTILINE)
    shown = {("" if text == "empty" else text): (total, paths) for text, total, paths in rows}
    assert shown.keys() == expected.keys()
    for text, (total, paths) in shown.items():
        listed = dict(re.findall(r"`([-AB]{3})` (0\.\d{4})", paths))
        assert listed == {path: f"{chance:.4f}" for path, chance in expected[text].items()}
        assert total == f"{sum(expected[text].values()):.4f}"
        ids = [LETTERS.index(letter) for letter in text]
        computed = np.exp(log_probability(np.log(SOFTMAX), ids))
        assert computed == pytest.approx(sum(expected[text].values()), abs=1e-12)
    assert sum(float(total) for total, _ in shown.values()) == pytest.approx(1)


def test_the_best_path_of_the_example_is_not_the_best_text() -> None:
    assert greedy_text(np.log(SOFTMAX), Alphabet("AB")) == "A"
    assert beam_search(np.log(SOFTMAX))[0].ids == (1, 2)


def test_the_figure_of_the_network_has_the_shapes_of_the_shipped_model() -> None:
    model = build_model(load_spec(MODEL))
    assert f"with {model.count_params():,} parameters" in TEXT

    texts = [
        node.text or ""
        for node in ET.parse(ROOT / "docs" / "network.svg").iter("{http://www.w3.org/2000/svg}text")
    ]
    names, shapes = texts[::3], texts[2::3]
    named = {layer.name for layer in model.layers}
    # A box stands for a convolution with what follows it.
    layers = [
        next(each for each in (f"{name}_add", f"{name}_relu", name) if each in named)
        for name in names
    ]
    width = 272
    inner = keras.Model(model.input, [model.get_layer(layer).output for layer in layers])
    outputs = inner(np.full((1, 40, width, 1), 255, np.float32))
    sizes = {"W": width, "W/2": width // 2, "W/4": width // 4, "T": width // 4}
    assert len(names) == 11
    for shape, output in zip(shapes, outputs, strict=True):
        parts = shape.split(",")[0].split(" × ")
        assert tuple(sizes.get(part) or int(part) for part in parts) == output.shape[1:]

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import pytest
from helpers import write_folder, write_word

from hwr.alphabet import Alphabet
from hwr.data.dataset import Dataset, open_dataset
from hwr.evaluation.evaluate import Evaluation, Row
from hwr.evaluation.metrics import score
from hwr.evaluation.report import record, summarise, summary_name, training_labels, write_report
from hwr.network.model_folder import CARD, METRICS, WEIGHTS, ModelFolderError

HOSTILE = "<img src=x onerror=alert(1)>&\"'"

#: Label, reading, confidence, texts that the ink allows.
ROWS = [
    ("ANNA", "ANNA", 0.95, ("ANNA",)),
    ("EMM", "EMMA", 0.9, ("EMMA",)),
    ("Ida", "", 0.2, ("IDA", "IDO")),
    ("TOM", "TOM", 0.6, None),
]


def make_dataset(folder: Path) -> Dataset:
    rows = [(f"{number}{HOSTILE}.png", label) for number, (label, *_) in enumerate(ROWS)]
    images = folder / "validation_v2" / "validation"
    images.mkdir(parents=True)
    for number, (name, label) in enumerate(rows):
        cv2.imwrite(str(images / f"{number}.png"), write_word(label, width=200 + 50 * (number > 1)))
        (images / f"{number}.png").rename(images / name)
    quoted = ["{},{}".format('"' + n.replace('"', '""') + '"', t) for n, t in rows]
    table = "FILENAME,IDENTITY\n" + "\n".join(quoted) + "\n"
    (folder / "written_name_validation_v2.csv").write_text(table)
    return open_dataset(folder, "validation", Alphabet())


def evaluated(dataset: Dataset, *, reference: bool = True) -> Evaluation:
    rows = [
        Row(sample, text, confidence, True, texts if reference else None)
        for sample, (_, text, confidence, texts) in zip(dataset, ROWS, strict=True)
    ]
    pairs = [row.reference_pair for row in rows if row.reference is not None]
    return Evaluation(
        score([row.sample.text for row in rows], [row.text for row in rows]),
        {"label EMPTY": 2},
        ("x.png: damaged",),
        score(*zip(*pairs, strict=True)) if pairs else None,
        {"UNREADABLE": 1},
        tuple(rows),
    )


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / f"mine {HOSTILE[:4]}")


def test_summary_holds_what_its_description_promises(dataset: Dataset) -> None:
    summary = summarise(evaluated(dataset), dataset, {"the training labels": {"ANNA", "EMMA"}})
    assert (summary["split"], summary["n"], summary["exact"]) == ("validation", 4, 0.5)
    assert summary["cer"] == pytest.approx(4 / 13, abs=1e-6)
    assert (summary["insertions"], summary["deletions"]) == (1, 3)
    assert summary["dropped"] == {"label EMPTY": 2}
    assert summary["reliability"] == [
        {"low": 0.2, "high": 0.3, "n": 1, "confidence": 0.2, "accuracy": 0.0},
        {"low": 0.6, "high": 0.7, "n": 1, "confidence": 0.6, "accuracy": 1.0},
        {"low": 0.9, "high": 1.0, "n": 2, "confidence": 0.925, "accuracy": 0.5},
    ]
    assert summary["ece"] == pytest.approx((0.2 + 0.4 + 2 * 0.425) / 4)
    assert [point["coverage"] for point in summary["coverage"]] == [0.25, 0.5, 0.75, 1.0]
    assert summary["coverage_at"][0] == {"precision": 0.95, "coverage": 0.25, "threshold": 0.95}
    assert summary["aurc"] == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4, abs=1e-6)
    assert {"character": "A", "n": 3, "right": 2} in summary["characters"]
    assert {"truth": "", "read": "A", "count": 1} in summary["confusions"]
    # EMMA was read where the label lacks a letter; nothing where two texts are allowed.
    reference = summary["reference"]
    assert (reference["n"], reference["exact"], reference["dropped"]) == (
        3,
        pytest.approx(2 / 3, abs=1e-6),
        {"UNREADABLE": 1},
    )
    assert reference["coverage_at"][2]["coverage"] == pytest.approx(2 / 3, abs=1e-6)
    parts = {part["name"]: part for part in summary["slices"]}
    assert parts["name among the training labels"]["n"] == 1
    assert parts["name not among the training labels"]["reference"]["n"] == 2
    assert parts["200 pixels wide"]["exact"] == 0.5
    assert parts["label with small letters"]["exact"] == 0
    assert [(e["truth"], e["read"], e["edits"]) for e in summary["errors"]] == [
        ("EMM", "EMMA", 1),
        ("IDA", "", 3),
    ]
    assert summary["errors"][1]["reference"] == ["IDA", "IDO"]
    assert json.loads(json.dumps(summary)) == summary


class Checker(HTMLParser):
    """Collects what a page would fetch or run, and whether every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.names: list[str | None] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert tag not in ("script", "link", "iframe", "object")
        assert not [name for name in found if name.startswith("on")]
        if tag == "img":
            self.pictures.append(found)
        if tag == "svg":
            self.names.append(found.get("aria-label") or found.get("aria-hidden"))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("path", "rect", "line", "circle", "polyline")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("reference", [True, False])
def test_page_stands_by_itself_and_runs_nothing(
    dataset: Dataset, tmp_path: Path, reference: bool
) -> None:
    summary = summarise(
        evaluated(dataset, reference=reference), dataset, {f"list {HOSTILE}": {"ANNA"}}
    )
    summary["errors"][0]["read"] = HOSTILE
    summary["empty_fields"] = {
        "pad": {"n": 4, "empty": 0.75, "empty_low": 0.3, "empty_high": 0.95, "no_ink": 0.25}
    }
    write_report(tmp_path / "a" / "b", summary, dataset)
    assert sorted(p.name for p in (tmp_path / "a" / "b").iterdir()) == [
        "report.html",
        "report.json",
    ]
    assert json.loads((tmp_path / "a" / "b" / "report.json").read_text()) == summary
    page = Checker()
    page.feed((tmp_path / "a" / "b" / "report.html").read_text())
    assert page.open == []
    assert page.names
    assert all(page.names)
    # Two errors, each among the surest and among the farthest.
    assert [picture["alt"] for picture in page.pictures] == [
        "Handwriting labelled EMM",
        "Handwriting labelled IDA",
        "Handwriting labelled IDA",
        "Handwriting labelled EMM",
    ]
    assert all((p["src"] or "").startswith("data:image/png;base64,") for p in page.pictures)
    told = "".join(page.texts)
    assert f"1{HOSTILE}.png" in told
    assert f"name among list {HOSTILE}" in told
    assert ("re-read labels" in told) == reference
    assert "75.0 %" in told


def test_page_without_an_error(dataset: Dataset, tmp_path: Path) -> None:
    rows = tuple(Row(sample, sample.text, 1.0, True, None) for sample in dataset)
    texts = [row.text for row in rows]
    result = Evaluation(score(texts, texts), {}, (), None, {}, rows)
    write_report(tmp_path / "r", summarise(result, dataset, {}), dataset)
    assert (tmp_path / "r" / "report.html").read_text().count("<p>None.</p>") == 2


def test_training_labels_of_the_same_folder_are_a_list(dataset: Dataset, tmp_path: Path) -> None:
    assert training_labels(dataset, Alphabet()) == {}
    folder = write_folder(tmp_path / "d", [(f"{i}.png", f"Name{'ab'[i % 2]}") for i in range(40)])
    validation = open_dataset(folder, "validation", Alphabet())
    expected = {"the training labels": {"NAMEA", "NAMEB"}}
    assert training_labels(validation, Alphabet()) == expected
    assert training_labels(open_dataset(folder, "train", Alphabet()), Alphabet()) == {}


def test_record_renews_metrics_and_card_and_nothing_else(
    dataset: Dataset, tiny_model: Path, tmp_path: Path
) -> None:
    import shutil

    model = shutil.copytree(tiny_model, tmp_path / "model")
    weights = (model / WEIGHTS).read_bytes()
    summary: dict[str, Any] = summarise(evaluated(dataset), dataset, {})
    record(model, summary, dataset)
    record(model, summary | {"split": "test", "empty_fields": {}}, dataset)
    metrics = json.loads((model / METRICS).read_text())
    assert metrics["runs"] == []
    assert list(metrics["evaluation"]) == [summary_name(dataset)]
    kept = metrics["evaluation"][summary_name(dataset)]
    assert kept["split"] == "test"
    assert summary.keys() - kept.keys() == {"errors", "failures"}
    assert metrics["empty_fields"] == {}
    assert "| 4 | 50.0% |" in (model / CARD).read_text()
    assert (model / WEIGHTS).read_bytes() == weights
    assert {p.name for p in model.iterdir()} == {p.name for p in tiny_model.iterdir()}
    (model / METRICS).write_text('{"evaluation": []}')
    with pytest.raises(ModelFolderError, match="not the one train"):
        record(model, summary, dataset)
    (model / WEIGHTS).write_bytes(b"other")
    with pytest.raises(ModelFolderError, match="sha256"):
        record(model, summary, dataset)

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers import write_folder

from hwr.alphabet import Alphabet
from hwr.data.dataset import Dataset, DatasetError, open_dataset
from hwr.evaluation.evaluate import evaluate, nearest, plain_hyphens, read_reference
from hwr.image import ImageError
from hwr.reading import Reading


@dataclass
class Fake:
    """A recognizer that knows the answer to each file name."""

    answers: dict[str, str]

    def read_many(self, paths, *, greedy, tta):  # type: ignore[no-untyped-def]
        for path in paths:
            if path.name not in self.answers:
                yield ImageError("damaged", "It is damaged.")
            else:
                yield Reading(self.answers[path.name], 0.5, (), (), (), False, (), 1.0)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    rows = [("a.png", "ANNA"), ("b.png", "J - LUC"), ("c.png", "EMPTY"), ("d.png", "TOM")]
    rows += [("e.png", "UNREADABLE"), ("f.png", "IDA"), ("!g.png", "EVA")]
    folder = write_folder(tmp_path / "d", rows)
    table = (folder / "labels.csv").read_text()
    (folder / "written_name_test_v2.csv").write_text(table)
    (folder / "test_v2").mkdir()
    (folder / "images").rename(folder / "test_v2" / "test")
    return open_dataset(folder, "test", Alphabet())


ANSWERS = {"a.png": "ANNA", "b.png": "J-LUC", "c.png": "OLGA", "d.png": "TIM", "e.png": "X"}


def test_scores_against_labels_and_re_read_labels(dataset: Dataset, tmp_path: Path) -> None:
    reference = tmp_path / "gold.csv"
    reference.write_text(
        "FILENAME,GOLD\na.png,ANNA\nb.png,J-LUC\nc.png,OLGA\nd.png,TOM|TIM\n"
        "e.png,UNREADABLE\nf.png,IDA\n"
    )
    result = evaluate(Fake(ANSWERS), dataset, read_reference(reference))  # type: ignore[arg-type]
    # Raw labels: ANNA right, J - LUC against J-LUC wrong by two, TOM against TIM wrong by one.
    assert (result.score.n, result.score.exact) == (3, pytest.approx(1 / 3))
    assert result.score.cer == pytest.approx(3 / 14)
    assert result.dropped == {
        "label EMPTY": 1, "label UNREADABLE": 1, "missing image": 1, "unreadable file": 1,
    }  # fmt: skip
    assert result.failures == ("f.png: It is damaged.",)
    # Re-read: the EMPTY picture holds a name, TIM is allowed, hyphens are folded.
    assert result.reference is not None
    assert (result.reference.n, result.reference.exact) == (4, 1.0)
    assert result.reference_dropped == {"UNREADABLE": 1}
    # A reader that is never wrong: ANNA right, J-LUC right with hyphens folded, TOM right.
    assert result.ceiling is not None
    assert (result.ceiling.n, result.ceiling.exact) == (3, 1.0)
    values = result.to_dict()
    assert values["n"] == 3
    assert values["reference"]["exact"] == 1.0


def test_what_no_reader_can_exceed(dataset: Dataset) -> None:
    reference = {"a.png": ("ANNE",), "d.png": ("TOM", "TIM"), "e.png": ("UNREADABLE",)}
    ceiling = evaluate(Fake(ANSWERS), dataset, reference).ceiling  # type: ignore[arg-type]
    assert ceiling is not None
    assert (ceiling.n, ceiling.exact, ceiling.cer) == (2, 0.5, pytest.approx(1 / 7))
    assert evaluate(Fake(ANSWERS), dataset).ceiling is None  # type: ignore[arg-type]


def test_reference_of_other_pictures_is_refused_before_reading(dataset: Dataset) -> None:
    with pytest.raises(DatasetError, match="name no picture of the test split"):
        evaluate(Fake({}), dataset, {"other.png": ("ANNA",)})  # type: ignore[arg-type]


def test_reference_that_names_nobody_gives_no_score(dataset: Dataset) -> None:
    result = evaluate(Fake(ANSWERS), dataset, {"a.png": ("EMPTY",)})  # type: ignore[arg-type]
    assert result.reference is None
    assert result.reference_dropped == {"EMPTY": 1}


def test_short_rows_of_a_reference_file_are_empty(tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("FILENAME,GOLD\na.png\n")
    assert read_reference(tmp_path / "g.csv") == {"a.png": ("",)}


def test_nothing_to_evaluate_is_an_error(dataset: Dataset) -> None:
    with pytest.raises(DatasetError, match="no picture to evaluate"):
        evaluate(Fake({}), dataset)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "plain"),
    [("KHADIM - SOPHANE", "KHADIM-SOPHANE"), ("A--B", "A-B"), ("A- B C", "A-B C"), ("A B", "A B")],
)
def test_hyphens_are_folded(text: str, plain: str) -> None:
    assert plain_hyphens(text) == plain


def test_nearest_truth_counts() -> None:
    assert nearest(("TOM", "TIM", "TAMARA"), "TIMM") == "TIM"


@pytest.mark.parametrize(
    ("content", "message"), [(None, "There is no file"), ("A,B\n", "FILENAME and GOLD")]
)
def test_bad_reference_file(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "g.csv").write_text(content)
    with pytest.raises(DatasetError, match=message):
        read_reference(tmp_path / "g.csv")

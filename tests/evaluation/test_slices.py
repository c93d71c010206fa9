from __future__ import annotations

from pathlib import Path

from hwr.alphabet import fold
from hwr.data.dataset import Sample
from hwr.evaluation.slices import make_slices


def samples(*labels: str) -> list[Sample]:
    return [
        Sample(number, "validation", Path(f"{number}.png"), fold(label), label)
        for number, label in enumerate(labels)
    ]


def members(parts: list, group: str) -> dict[str, tuple[int, ...]]:
    return {part.name: part.members for part in parts if part.group == group}


def test_a_split_is_divided_by_lists_width_length_case_and_marks() -> None:
    rows = samples("ANNA", "Jean-Luc", "DE LA TOUR", "O'NEIL", "ANNA")
    parts = make_slices(rows, [284, 324, 284, 300, 284], {"the training labels": {"ANNA", "EVA"}})
    assert members(parts, "the training labels") == {
        "name among the training labels": (0, 4),
        "name not among the training labels": (1, 2, 3),
    }
    assert members(parts, "length") == {
        "1 to 4 characters": (0, 4),
        "5 to 6 characters": (3,),
        "7 to 8 characters": (1,),
        "9 to 12 characters": (2,),
    }
    assert members(parts, "case") == {
        "label in capitals": (0, 2, 3, 4),
        "label with small letters": (1,),
    }
    assert members(parts, "mark in the name") == {
        "with a space": (2,),
        "with a hyphen": (1,),
        "with an apostrophe": (3,),
    }


def test_widths_that_many_pictures_share_are_classes_of_their_own() -> None:
    widths = [284] * 30 + [388] * 20 + [300]
    parts = make_slices(samples(*["ANNA"] * 51), widths, {})
    assert members(parts, "width of the picture") == {
        "284 pixels wide": tuple(range(30)),
        "388 pixels wide": tuple(range(30, 50)),
        "of another width": (50,),
    }


def test_other_widths_fall_into_quarters() -> None:
    parts = make_slices(samples(*["ANNA"] * 100), list(range(101, 201)), {})
    assert members(parts, "width of the picture") == {
        "up to 125 pixels wide": tuple(range(25)),
        "126 to 150 pixels wide": tuple(range(25, 50)),
        "151 to 175 pixels wide": tuple(range(50, 75)),
        "wider than 175 pixels": tuple(range(75, 100)),
    }


def test_a_group_of_one_part_says_nothing() -> None:
    assert make_slices(samples("ANNA", "EMMA"), [284, 284], {"a list": set()}) == []


def test_a_very_long_name_has_a_slice() -> None:
    parts = make_slices(samples("A", "B" * 2000), [10, 10], {})
    assert members(parts, "length") == {"1 to 4 characters": (0,), "13 characters or more": (1,)}

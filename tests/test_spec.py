from __future__ import annotations

import json

import pytest

from hwr.alphabet import Alphabet
from hwr.spec import Spec


def test_spec_survives_json_with_its_space() -> None:
    spec = Spec(alphabet=Alphabet("AB "), height=32, units=7)
    assert Spec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    "change",
    [{"height": 36}, {"width_step": 6}, {"max_width": 100}, {"filters": (1, 2)}, {"layers": 1}],
)
def test_impossible_shapes_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Received"):
        Spec(**change)  # type: ignore[arg-type]


def test_unknown_and_missing_fields_are_named() -> None:
    values = Spec().to_dict()
    del values["units"]
    values["colour"] = 3
    with pytest.raises(ValueError, match=r"missing \['units'\], unknown \['colour'\]"):
        Spec.from_dict(values)


def test_only_facts_of_the_picture_change_the_preparation_key() -> None:
    assert Spec(units=99).preparation_key == Spec().preparation_key
    assert Spec(height=48).preparation_key != Spec().preparation_key

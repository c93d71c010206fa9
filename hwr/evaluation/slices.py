"""Slices: parts of a split that may be read better or worse than the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

import numpy as np

from hwr.data.dataset import Sample

#: Lengths of names at which a new slice begins.
LENGTHS = (1, 5, 7, 9, 13)

#: A width that this share of the pictures has is a template of its own.
TEMPLATE_SHARE = 0.05


#: Names with one of these are a slice, names without it are not.
MARKS = {" ": "with a space", "-": "with a hyphen", "'": "with an apostrophe"}


@dataclass(frozen=True)
class Slice:
    """A part of a split.

    Attributes:
        group: what the split was divided by.
        name: which part, in words that stand for themselves.
        members: positions of its samples.
    """

    group: str
    name: str
    members: tuple[int, ...]


def make_slices(
    samples: Sequence[Sample],
    widths: Sequence[int],
    lists: Mapping[str, Collection[str]],
) -> list[Slice]:
    """Return the parts of a split in which there is a picture.

    A group of one part says nothing that the whole does not say, and is left out.

    Args:
        samples: of the split, with usable labels.
        widths: of their pictures, in pixels.
        lists: folded names by what the list is called ("the training labels").
    """
    texts = [sample.text for sample in samples]
    parts: list[Slice] = []
    for title, names in lists.items():
        known = frozenset(names)
        labels = (f"name among {title}", f"name not among {title}")
        parts += _divide(title, labels, [labels[text not in known] for text in texts])
    classes = _width_classes(widths)
    order = dict.fromkeys(classes.values())
    parts += _divide("width of the picture", order, [classes[width] for width in widths])
    spans = {
        low: f"{low} to {high - 1} characters" if high else f"{low} characters or more"
        for low, high in zip_longest(LENGTHS, LENGTHS[1:])
    }
    lengths = [max(low for low in LENGTHS if low <= len(text)) for text in texts]
    parts += _divide("length", spans.values(), [spans[low] for low in lengths])
    cases = ("label in capitals", "label with small letters")
    small = [sample.label != sample.label.upper() for sample in samples]
    parts += _divide("case", cases, [cases[is_small] for is_small in small])
    for mark, name in MARKS.items():
        parts += _divide(
            "mark in the name", (name,), [name if mark in text else "" for text in texts]
        )
    return parts


def _divide(group: str, order: Iterable[str], names: Sequence[str]) -> list[Slice]:
    """Return the slices of a group in `order`, given the slice that each sample is in."""
    if len(set(names)) < 2:
        return []
    members = {name: [n for n, other in enumerate(names) if other == name] for name in order}
    return [Slice(group, name, tuple(part)) for name, part in members.items() if part]


def _width_classes(widths: Sequence[int]) -> dict[int, str]:
    """Return the class of each width: templates by name and the rest, or else quartiles."""
    counts = Counter(widths)
    templates = {w for w, count in counts.items() if count >= TEMPLATE_SHARE * len(widths)}
    if sum(counts[w] for w in templates) > len(widths) / 2:
        names = {w: f"{w} pixels wide" for w in sorted(templates)}
        return names | {w: "of another width" for w in sorted(counts) if w not in templates}
    bounds = [int(b) for b in np.quantile(list(widths), (0.25, 0.5, 0.75), method="lower")]
    spans = [f"up to {bounds[0]} pixels wide"]
    spans += [f"{low + 1} to {high} pixels wide" for low, high in pairwise(bounds)]
    spans.append(f"wider than {bounds[-1]} pixels")
    return {w: spans[sum(w > bound for bound in bounds)] for w in sorted(counts)}

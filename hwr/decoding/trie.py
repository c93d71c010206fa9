"""The trie of a lexicon: CTC scores of many texts that share their beginnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwr.alphabet import BLANK
from hwr.arrays import Doubles, Floats
from hwr.decoding.ctc import log_softmax

#: Prefixes that the beam keeps.
WIDTH = 200


@dataclass(frozen=True, eq=False)
class Trie:
    """The prefixes of sorted texts, as arrays over nodes in breadth-first order.

    Node 0 is the empty prefix. Children of a node lie side by side.

    Attributes:
        parent, letter: of each node; the root's are 0.
        first, count: the children of each node.
        text: number of the text that ends in each node, or -1.
        deep: how many nodes there are of up to each depth, the root's being 0.
    """

    parent: NDArray[np.intp]
    letter: NDArray[np.intp]
    first: NDArray[np.intp]
    count: NDArray[np.intp]
    text: NDArray[np.intp]
    deep: NDArray[np.intp]

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]]) -> Trie:
        """Return the trie of distinct texts of class ids, none of them empty."""
        lengths = np.array([len(ids) for ids in texts])
        table = np.zeros((len(texts), int(lengths.max())), np.intp)
        for row, ids in enumerate(texts):
            table[row, : len(ids)] = ids
        order = np.lexsort(table.T[::-1])
        table, lengths = table[order], lengths[order]
        parents, letters = [np.zeros(1, np.intp)], [np.zeros(1, np.intp)]
        ends = np.zeros(len(texts), np.intp)
        node = np.zeros(len(texts), np.intp)  # of each text's prefix, level by level
        differs = np.zeros(len(texts), bool)
        differs[0] = True
        deep = [1]
        for depth in range(table.shape[1]):
            column = table[:, depth]
            differs[1:] |= column[1:] != column[:-1]
            longer = lengths > depth
            new = differs & longer
            number = deep[-1] + np.cumsum(new) - 1
            parents.append(node[new])
            letters.append(column[new])
            node = np.where(longer, number, node)
            ends[lengths == depth + 1] = node[lengths == depth + 1]
            deep.append(deep[-1] + int(new.sum()))
        parent, letter = np.concatenate(parents), np.concatenate(letters)
        text = np.full(deep[-1], -1)
        text[ends] = order
        count = np.bincount(parent[1:], minlength=deep[-1])
        first = 1 + np.concatenate([[0], np.cumsum(count)[:-1]])
        return cls(parent, letter, first, count, text, np.array(deep))

    def forward(self, logits: Floats) -> Doubles:
        """Return the probability of each text, the sum over all of its paths.

        The forward algorithm over the nodes, which texts with a common beginning share.
        Probabilities below 1e-300 times that of the likeliest path count as 0.
        """
        scores = log_softmax(logits)
        peaks = scores.max(axis=1)
        rows = np.exp(scores - peaks[:, None])
        in_blank, in_letter = np.zeros(len(self.parent)), np.zeros(len(self.parent))
        in_blank[0] = 1.0
        parent, letter = self.parent[1:], self.letter[1:]
        # A letter equal to the one before it needs a blank between them.
        repeats = np.flatnonzero(letter == self.letter[parent])
        before_repeats = parent[repeats]
        total, entered = np.empty(len(self.parent)), np.empty(len(parent))
        emitted = np.empty(len(parent))
        for step, row in enumerate(rows):
            # After n steps no path is deeper than n letters.
            end = int(self.deep[min(step + 1, len(self.deep) - 1)])
            n = end - 1
            some = np.searchsorted(repeats, n)
            np.add(in_blank[:end], in_letter[:end], out=total[:end])
            np.take(total, parent[:n], out=entered[:n], mode="clip")
            entered[repeats[:some]] = in_blank[before_repeats[:some]]
            np.take(row, letter[:n], out=emitted[:n], mode="clip")
            inner = in_letter[1:end]
            np.add(inner, entered[:n], out=inner)
            np.multiply(inner, emitted[:n], out=inner)
            np.multiply(total[:end], row[BLANK], out=in_blank[:end])
        ends = np.flatnonzero(self.text >= 0)
        chances = np.zeros(len(ends))
        chances[self.text[ends]] = (in_blank + in_letter)[ends]
        return np.asarray(chances * np.exp(peaks.sum()))

    def beam(self, logits: Floats, count: int, width: int = WIDTH) -> NDArray[np.intp]:
        """Return the numbers of the likeliest texts, at most `count`, best first.

        Prefix beam search along the trie; what it finds is to be scored exactly.
        """
        nodes = np.zeros(1, np.intp)
        in_blank, in_letter = np.ones(1), np.zeros(1)
        # Where a node stands in the next beam.
        place = np.full(len(self.parent), -1)
        for row in np.exp(log_softmax(logits)):
            total = in_blank + in_letter
            counts = self.count[nodes]
            owner = np.repeat(np.arange(len(nodes)), counts)
            offset = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
            child = self.first[nodes][owner] + offset
            letter = self.letter[child]
            last = self.letter[nodes]
            entered = np.where(letter == last[owner], in_blank[owner], total[owner]) * row[letter]
            stay_letter = in_letter * row[last]
            # A child may be in the beam already.
            place[nodes] = np.arange(len(nodes))
            at = place[child]
            met = at >= 0
            stay_letter[at[met]] += entered[met]
            fresh = ~met
            place[nodes] = -1
            nodes = np.concatenate([nodes, child[fresh]])
            in_letter = np.concatenate([stay_letter, entered[fresh]])
            in_blank = np.concatenate([total * row[BLANK], np.zeros(int(fresh.sum()))])
            weight = in_blank + in_letter
            if len(nodes) > width:
                best = np.argpartition(weight, len(weight) - width)[len(weight) - width :]
                nodes, in_blank, in_letter = nodes[best], in_blank[best], in_letter[best]
                weight = weight[best]
            if not weight.max() > 0:  # saturated logits may rule out every text
                return np.zeros(0, np.intp)
            scale = 1 / weight.max()
            in_blank, in_letter = in_blank * scale, in_letter * scale
        whole = np.flatnonzero(self.text[nodes] >= 0)
        weight = (in_blank + in_letter)[whole]
        ranked = whole[np.argsort(-weight, kind="stable")[:count]]
        return np.asarray(self.text[nodes[ranked]])

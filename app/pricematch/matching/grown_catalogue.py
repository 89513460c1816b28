"""A judged catalogue that has changed since: postings came, and postings went.

What came is judged against all that was there when it came, what went has no say any more, and everything else keeps
its probability. Once in a while the whole is judged anew, which takes a while: until then the weights of words, and how
crowded the surroundings of the older postings are, stay those of before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.catalogue.features import Features
from pricematch.matching.added import Added, Newcomers
from pricematch.matching.probability_graph import FirstPairs, some_rows
from pricematch.pairs.graph_features import agreement
from pricematch.pairs.model import JudgedCatalogue, JudgedPairs, PairModel
from pricematch.pairs.reference import Reference
from pricematch.pairs.retrievers import ParsedFeatures
from pricematch.pairs.side import Side
from pricematch.stages import stage

Pairs: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Lines and rows, [m] each."""


@dataclass(frozen=True, eq=False)
class GrownCatalogue:
    """Postings in rows, of which some are gone. Immutable, safe to use from several threads.

    Attributes:
        judged: the first n rows, as they were judged together.
        added: the rows behind them.
        alive: bool [span], which rows are still there.
    """

    judged: JudgedCatalogue
    added: Added
    alive: NDArray[np.bool_]

    @classmethod
    def of(cls, judged: JudgedCatalogue) -> "GrownCatalogue":
        """A catalogue as it was judged."""
        reference, nothing = judged.reference, np.empty(0, np.int32)
        side, _, _ = reference.describe(ParsedFeatures.of(reference.nobody()))
        return cls(
            judged, Added(side, FirstPairs(nothing, nothing, np.empty(0)), np.empty(0)), np.ones(len(judged), bool)
        )

    def __len__(self) -> int:
        """How many postings are there."""
        return int(self.alive.sum())

    @property
    def span(self) -> int:
        """Rows, those included whose posting is gone."""
        return len(self.alive)

    @property
    def model(self) -> PairModel:
        """What judges."""
        return self.judged.model

    @property
    def reference(self) -> Reference:
        """What it judges by."""
        return self.judged.reference

    @property
    def changes(self) -> int:
        """How many postings came or went since all were judged together."""
        return len(self.added) + int((~self.alive).sum())

    @cached_property
    def pairs(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
        """All pairs of postings that are there, each once: both ends int32 [p], and probabilities float64 [p]."""
        lines = np.concatenate([self.judged.lines, self.added.first.lines])
        rows = np.concatenate([self.judged.rows, self.added.first.rows])
        probabilities = np.concatenate([self.judged.probabilities, self.added.probabilities])
        there = self.alive[lines] & self.alive[rows]
        return lines[there], rows[there], probabilities[there]

    def of_row(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The candidates of a row that are there, and their probabilities, in no order."""
        first = self.added.first
        ahead, behind = first.lines == row, first.rows == row
        others = [first.rows[ahead], first.lines[behind]]
        probabilities = [self.added.probabilities[ahead], self.added.probabilities[behind]]
        if row < len(self.judged):
            old, of_old = self.judged.of(row)
            others.append(old)
            probabilities.append(of_old)
        found, said = np.concatenate(others), np.concatenate(probabilities)
        there = self.alive[found]
        return found[there], said[there]

    def features(self, row: int, others: NDArray[np.integer]) -> NDArray[np.float32]:
        """`PairModel.features` of the pairs of a row and some of its candidates, in the order given."""
        lines = np.full(len(others), row)
        evidence = self._evidence(lines, others)
        first = self.model.first.predict(evidence)
        return np.concatenate([evidence, _agreement(self._graph, self.alive, lines, others, first)], axis=1)

    def newcomers(self, postings: Features) -> Newcomers:
        """Judge postings that are not there."""
        reference, n = self.reference, len(self.judged)
        with stage("search"):
            parsed = ParsedFeatures.of(postings)
            side, with_old, old = reference.describe(parsed, self.alive[:n])
            side, lines, rows = reference.together(side)
            side, others, with_added, added = reference.beside(side, self.added.side, self.alive[n:])
        with stage("score"):
            pairs, first = self._scored(side, (with_old, old), (with_added, added), (lines, rows))
        return Newcomers(parsed.titles, side, others, pairs, first)

    def _scored(self, side: Side, old: Pairs, added: Pairs, own: Pairs) -> tuple[JudgedPairs, NDArray[np.float64]]:
        """Pairs of newcomers with the judged rows, with those behind them and with each other; first probabilities."""
        reference, n, behind = self.reference, len(self.judged), np.int32(self.span)
        (with_old, old_rows), (with_added, added_rows), (lines, rows) = old, added, own
        evidence = np.concatenate(
            [
                reference.evidence(side, with_old, old_rows),
                reference.evidence(side, with_added, added_rows, self.added.side),
                reference.evidence(side, lines, rows, side),
            ]
        )
        ones = np.concatenate([with_old, with_added, lines]) + behind
        ends = np.concatenate([old_rows, added_rows + np.int32(n), rows + behind])
        first = self.model.first.predict(evidence)
        alive = np.concatenate([self.alive, np.ones(len(side.images), bool)])
        graph = [*self._graph, FirstPairs(ones, ends, first).matrix(len(alive))]
        features = np.concatenate([evidence, _agreement(graph, alive, ones, ends, first)], axis=1)
        return JudgedPairs(ones, ends, features, self.model.judge(features)), first

    def with_newcomers(self, found: Newcomers) -> "GrownCatalogue":
        """With postings that were judged against it behind the last row."""
        first, pairs = self.added.first, found.pairs
        added = Added(
            self.reference.joined(found.others, found.side),
            FirstPairs(
                np.concatenate([first.lines, pairs.lines]),
                np.concatenate([first.rows, pairs.rows]),
                np.concatenate([first.probabilities, found.first]),
            ),
            np.concatenate([self.added.probabilities, pairs.probabilities]),
        )
        return replace(self, added=added, alive=np.concatenate([self.alive, np.ones(len(found), bool)]))

    def without(self, rows: NDArray[np.integer]) -> "GrownCatalogue":
        """Without the postings of some rows."""
        alive = self.alive.copy()
        alive[rows] = False
        return replace(self, alive=alive)

    @cached_property
    def _graph(self) -> list[csr_array]:
        """First probabilities: of the pairs that were judged together, and of those that came later."""
        return [self.judged.graph.matrix, self.added.first.matrix(self.span)]

    def _evidence(self, lines: NDArray[np.integer], rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """What the signals say of pairs of rows."""
        n, reference, added = len(self.judged), self.reference, self.added.side
        ones, others = np.maximum(lines, rows), np.minimum(lines, rows)
        found = np.empty((len(lines), len(reference.features)), np.float32)
        old, both = ones < n, others >= n
        between = ~old & ~both
        found[old] = reference.evidence(reference.side, ones[old], others[old])
        found[between] = reference.evidence(added, ones[between] - n, others[between])
        found[both] = reference.evidence(added, ones[both] - n, others[both] - n, added)
        return found


def _agreement(
    graph: Sequence[csr_array],
    alive: NDArray[np.bool_],
    lines: NDArray[np.integer],
    rows: NDArray[np.integer],
    first: NDArray[np.float64],
) -> NDArray[np.float32]:
    """What the neighbours of both ends of pairs say, float32 [p, `AGREEMENT`]; see `some_rows`."""
    wanted = np.unique(np.concatenate([lines, rows]))
    known = some_rows(graph, alive, wanted)
    return agreement(known, known, np.searchsorted(wanted, lines), np.searchsorted(wanted, rows), first)

"""The match index: postings with the probabilities of their candidate pairs, as an immutable base and a delta.

The base was scored together. What came later, the delta, is scored against all that was there when it came; what went
no longer takes part; everything else keeps its probability. Once in a while all is scored anew, which takes a while:
until then the weights of words, and the neighbours of the base's postings, stay those of before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.catalogue.features import Features
from pricematch.pairs.graph_features import GRAPH_FEATURES, ProbabilityRows, graph_features, kept_probabilities
from pricematch.pairs.model import PairModel, ScoredPairs, first_scores, second_scores
from pricematch.pairs.neighbours import Neighbourhoods
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.profiles import Profiles
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.progress import Progress, silent
from pricematch.search.candidates import ranges
from pricematch.stages import stage
from pricematch.titles.normalise import ParsedTitle


@dataclass(frozen=True, eq=False)
class ScoredFeatures:
    """The features of m pairs, and what the pair model makes of them.

    Attributes:
        values: float32 [m, f], `PairModel.feature_names`.
        first: float64 [m], scores of the model's first stage.
        probabilities: float64 [m].
    """

    values: NDArray[np.float32]
    first: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    def select(self, pairs: NDArray[np.integer]) -> "ScoredFeatures":
        """Those of some pairs, in the order given."""
        return ScoredFeatures(self.values[pairs], self.first[pairs], self.probabilities[pairs])

    def with_feature(
        self, model: PairModel, name: str, values: NDArray[np.float32]
    ) -> tuple["ScoredFeatures", NDArray[np.bool_]]:
        """The same with other values [m] of a pair feature, and of which pairs it is another one, bool [m].

        These pairs are scored anew; what neighbours say of them stays.
        """
        column = model.feature_names.index(name)
        before = self.values[:, column]
        changed = np.asarray((before != values) & ~(np.isnan(before) & np.isnan(values)), np.bool_)
        if not changed.any():
            return self, changed
        every, first, probabilities = self.values.copy(), self.first.copy(), self.probabilities.copy()
        every[changed, column] = values[changed]
        count = every.shape[1] - len(GRAPH_FEATURES)
        first[changed] = model.first.predict(every[changed, :count])
        probabilities[changed] = model.predict_proba(every[changed])
        return ScoredFeatures(every, first, probabilities), changed

    def contributions(self, model: PairModel) -> NDArray[np.float64]:
        """What each feature adds to the log odds of each pair, see `PairModel.contributions`."""
        return model.contributions(self.values, self.first, self.probabilities)


@dataclass(frozen=True, eq=False)
class QueryPairs:
    """The candidate pairs of k queries: with the index's postings, and with each other.

    Attributes:
        pairs: left ends are queries; an end below the index's span is its row, from there on a query's position.
        features: of the pairs.
        titles: k, of the queries.
    """

    pairs: ScoredPairs
    features: ScoredFeatures
    titles: Sequence[ParsedTitle]


@dataclass(frozen=True, eq=False)
class MatchIndex:
    """Postings in rows, some of which are gone. Immutable, safe to use from several threads.

    Attributes:
        model: what scores pairs.
        extractor: the first n rows.
        base: the candidate pairs among them.
        delta: profiles of the rows behind them, which know each other and the base.
        added: the candidate pairs of the delta, with the base and among itself.
        alive: bool [span], which rows are still there.
    """

    model: PairModel
    extractor: PairFeatureExtractor
    base: ScoredPairs
    delta: Profiles
    added: ScoredPairs
    alive: NDArray[np.bool_]

    @classmethod
    def build(
        cls,
        features: Features | ParsedFeatures,
        model: PairModel,
        progress: Progress = silent,
        scored: ScoredPairs | None = None,
        found: Neighbourhoods | None = None,
        copies: NDArray[np.integer] | None = None,
        shrunk: Callable[[PairFeatureExtractor], PairModel] | None = None,
        taught: Callable[[PairModel, PairFeatureExtractor, NDArray[np.float64]], PairModel] | None = None,
    ) -> "MatchIndex":
        """An index of postings that are scored together.

        Args:
            features: of n postings, parsed where their titles are already.
            model: what scores them.
            progress: called with what is being done.
            scored: their candidate pairs, where the same model has scored the same features before.
            found: what was found among the same features before; with both, hardly any time is needed.
            copies: [n], see `PairFeatureExtractor`.
            shrunk: gives the model that scores them, once they have features; None: the one given.
            taught: gives that one with another second scorer, once the candidate pairs have first scores, float64 [m].
        """
        progress("Comparing postings", 0, 1)
        extractor = PairFeatureExtractor(features, model.signals, found, copies, scaled=model.scaled)
        progress("Comparing postings", 1, 1)
        model = model if shrunk is None else shrunk(extractor)
        if scored is None:
            first = first_scores(extractor, model, progress)
            model = model if taught is None else taught(model, extractor, first)
            scored = second_scores(extractor, model, first, progress)
        return cls(model, extractor, scored, extractor.nothing(), ScoredPairs.none(), np.ones(len(features), np.bool_))

    def __len__(self) -> int:
        """How many postings are there."""
        return int(self.alive.sum())

    @property
    def span(self) -> int:
        """Rows, those included whose posting is gone."""
        return len(self.alive)

    @property
    def changes(self) -> int:
        """How many postings came or went since all were scored together."""
        return len(self.delta) + int((~self.alive).sum())

    @property
    def pairs(self) -> ScoredPairs:
        """All candidate pairs of postings that are there."""
        every = self.base.joined(self.added)
        return every.select(self.alive[every.left] & self.alive[every.right])

    def candidates_of(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The candidates of a row that are there, int32 [k], and their probabilities, float64 [k], in no order."""
        (old, of_old), (new, of_new) = self.base.of(row), self.added.of(row)
        found, probabilities = np.concatenate([old, new]), np.concatenate([of_old, of_new])
        there = self.alive[found]
        return found[there], probabilities[there]

    def features_of(self, row: int, others: NDArray[np.integer]) -> ScoredFeatures:
        """The features of the pairs of a row and some of its candidates."""
        left, right = np.maximum(row, others), np.minimum(row, others)
        found = self.pair_features(left, right)
        first = self.model.first.predict(found)
        graph = _graph_features([self.base, self.added], self.alive, left, right, first)
        every = np.concatenate([found, graph], axis=1)
        return ScoredFeatures(every, first, self.model.predict_proba(every))

    def pair_features(self, one: NDArray[np.integer], other: NDArray[np.integer]) -> NDArray[np.float32]:
        """`PairFeatureExtractor.features`, float32 [m, names], of candidate pairs by the rows [m] of both ends."""
        n, extractor = len(self.extractor), self.extractor
        left, right = np.maximum(one, other), np.minimum(one, other)
        found = np.empty((len(left), len(extractor.names)), np.float32)
        base, delta = left < n, right >= n
        across = ~base & ~delta
        found[base] = extractor.features(extractor.own, left[base], right[base])
        found[delta] = extractor.features(self.delta, left[delta] - n, right[delta] - n)
        found[across] = extractor.features(self.delta, left[across] - n, right[across], extractor.own)
        return found

    def query(self, features: Features) -> QueryPairs:
        """Score postings that are not there, together, as if they were."""
        return self._scored(features)[0]

    def with_added(self, features: Features) -> "MatchIndex":
        """The index with more postings behind the last row."""
        found, profiles, delta = self._scored(features)
        return replace(
            self,
            delta=self.extractor.joined(delta, profiles),
            added=self.added.joined(found.pairs),
            alive=np.concatenate([self.alive, np.ones(len(features), np.bool_)]),
        )

    def without(self, rows: NDArray[np.integer]) -> "MatchIndex":
        """The index without the postings of some rows."""
        alive = self.alive.copy()
        alive[rows] = False
        return replace(self, alive=alive)

    def _scored(self, features: Features) -> tuple[QueryPairs, Profiles, Profiles]:
        """New postings scored, their profiles, and the delta's once it knows them."""
        extractor, n, span = self.extractor, len(self.extractor), np.int32(self.span)
        with stage("search"):
            parsed = ParsedFeatures.of(features)
            new, with_base, base = extractor.profiles(parsed, self.alive[:n])
            new, one, other = extractor.among(new)
            new, delta, with_delta, added = extractor.between(new, self.delta, self.alive[n:])
        with stage("score"):
            parts = [
                extractor.features(new, with_base, base, extractor.own),
                extractor.features(new, with_delta, added, self.delta),
                extractor.features(new, one, other),
            ]
            left = np.concatenate([with_base, with_delta, one]) + span
            right = np.concatenate([base, added + np.int32(n), other + span])
            pair_features = np.concatenate(parts)
            first = self.model.first.predict(pair_features)
            own = ScoredPairs(left, right, first, first)
            alive = np.concatenate([self.alive, np.ones(len(features), np.bool_)])
            graph = _graph_features([self.base, self.added], alive, left, right, first, own)
            every = np.concatenate([pair_features, graph], axis=1)
            scored = ScoredFeatures(every, first, self.model.predict_proba(every))
        return QueryPairs(replace(own, probabilities=scored.probabilities), scored, parsed.titles), new, delta


def _graph_features(
    pairs: Sequence[ScoredPairs],
    alive: NDArray[np.bool_],
    left: NDArray[np.integer],
    right: NDArray[np.integer],
    first: NDArray[np.float64],
    own: ScoredPairs | None = None,
) -> NDArray[np.float32]:
    """Graph features of pairs, from the rows of their ends only.

    Args:
        pairs: among which each pair is, but for those of `own`. Row i is the same posting in all.
        alive: bool [span]; postings that are gone are nobody's neighbours.
        left: [m], rows of one end of each pair.
        right: [m], of the other end.
        first: float64 [m].
        own: these very pairs, where they are none of `pairs`.
    """
    wanted = np.unique(np.concatenate([left, right]))
    places = np.searchsorted(wanted, left), np.searchsorted(wanted, right)
    parts = [_entries(it.matrix, wanted) for it in pairs]
    if own is not None:
        values = kept_probabilities(first)
        parts += [(places[0], own.right, values), (places[1], own.left, values)]
    lines, columns, values = (np.concatenate(some) for some in zip(*parts, strict=True))
    kept = alive[columns] & (values > 0)
    lines, columns, values = lines[kept], columns[kept], values[kept]
    order = np.argsort(lines * len(alive) + columns, kind="stable")  # which merges ascending runs in linear time
    starts = np.searchsorted(lines[order], np.arange(len(wanted) + 1))
    shape = len(wanted), len(alive)
    matrix = csr_array((values[order], columns[order].astype(np.int32), starts.astype(np.int32)), shape=shape)
    return graph_features(ProbabilityRows.of(matrix), *places, first)


def _entries(
    matrix: csr_array, rows: NDArray[np.integer]
) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32]]:
    """Of the entries of some ascending rows, those that the matrix has: which row it is of, its column, its value."""
    there = rows[: np.searchsorted(rows, matrix.shape[0])]
    begins = matrix.indptr[there]
    places, lines = ranges(begins, matrix.indptr[there + 1] - begins)
    return lines, matrix.indices[places], matrix.data[places]

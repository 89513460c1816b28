"""The match index: postings with the probabilities of their candidate pairs, as an immutable base and a delta.

The base was scored together. What came later, the delta, is scored against all that was there when it came; what went
no longer takes part; everything else keeps its probability. Once in a while all is scored anew, which takes a while:
until then the weights of words, and the neighbours of the base's postings, stay those of before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.matching.graph_rows import pair_graph_features, probability_rows
from pricematch.matching.scored_features import ScoredFeatures
from pricematch.pairs.graph_features import graph_features, kept_probabilities
from pricematch.pairs.model import PairModel, ScoredPairs, first_scores, second_scores
from pricematch.pairs.neighbours import Neighbourhoods
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.profiles import Profiles
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.progress import Progress, silent
from pricematch.stages import stage
from pricematch.titles.normalise import ParsedTitle


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
        extractor = PairFeatureExtractor(
            features, model.signals, found, copies, scaled=model.scaled, fields=model.fields
        )
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
        """The features of the pairs of a row and some others: its candidates, and such as might be one more of them."""
        left, right = np.maximum(row, others), np.minimum(row, others)
        found = self.pair_features(left, right)
        first = self.model.first.predict(found)
        lacking = ~np.isin(others, self.candidates_of(row)[0])
        graph = pair_graph_features([self.base, self.added], self.alive, left, right, first, lacking=lacking)
        every = np.concatenate([found, graph], axis=1)
        return ScoredFeatures(every, first, self.model.predict_proba(every))

    def more_of(self, row: int, allowed: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """What a row that has candidates which are not allowed gets in their place, ascending, and the probabilities.

        These are candidates that it would have if only the allowed rows were there. Each pair is scored in the whole
        index, as if it were one candidate pair more; so its probability does not depend on what is allowed.

        Args:
            row: of the index.
            allowed: bool [span], of those that are there.
        """
        known = self.candidates_of(row)[0]
        if allowed[known].all():
            return np.empty(0, np.intp), np.empty(0)
        others, n = allowed.copy(), len(self.extractor)
        others[row] = False
        own, place = (self.extractor.own, row) if row < n else (self.delta, row - n)
        found = np.setdiff1d(self.extractor.nearest_among(own, place, self.delta, others), known)
        return found, self.features_of(row, found).probabilities

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

    def query_among(self, features: Features, allowed: NDArray[np.bool_]) -> QueryPairs:
        """Score one posting that is not there, as `query` does, and behind its candidates more of those allowed.

        Where a candidate is not allowed, those follow that it would have if only the allowed rows were there, each
        scored as if it were one candidate more, see `more_of`.

        Args:
            features: of the posting.
            allowed: bool [span], of those that are there.
        """
        found, new, _ = self._scored(features)
        known = found.pairs.right
        if allowed[known].all():
            return found
        with stage("search"):
            rows = np.setdiff1d(self.extractor.nearest_among(new, 0, self.delta, allowed), known)
        return self._with_more(found, new, rows.astype(np.int32))

    def query_with(self, features: Features, row: int) -> QueryPairs:
        """Score one posting that is not there, as `query` does, with a row as if it were one of its candidates."""
        found, new, _ = self._scored(features)
        return self._with_more(found, new, np.setdiff1d(np.array([row], np.int32), found.pairs.right))

    def _with_more(self, found: QueryPairs, new: Profiles, rows: NDArray[np.int32]) -> QueryPairs:
        """The pairs of one query, and behind them those with more rows, ascending, each as if it were one more."""
        known, span, n = found.pairs.right, np.int32(self.span), len(self.extractor)
        with stage("score"):
            extractor, (base, later) = self.extractor, np.split(rows, [np.searchsorted(rows, n)])
            query, scores = np.zeros(len(rows), np.intp), found.pairs.first
            pair_features = np.concatenate(
                [
                    extractor.features(new, query[: len(base)], base, extractor.own),
                    extractor.features(new, query[len(base) :], later - n, self.delta),
                ]
            )
            first = self.model.first.predict(pair_features)
            wanted, alive = np.append(rows, span), np.append(self.alive, np.True_)
            its = query + len(rows)
            own = np.full(len(known), len(rows)), known, kept_probabilities(scores)
            around = probability_rows([self.base, self.added], alive, wanted, [own])
            graph = graph_features(around, its, np.arange(len(rows)), first, np.ones(len(rows), np.bool_))
            every = np.concatenate([pair_features, graph], axis=1)
            more = ScoredFeatures(every, first, self.model.predict_proba(every))
            pairs = ScoredPairs(np.full(len(rows), span, np.int32), rows, first, more.probabilities)
        return QueryPairs(found.pairs.joined(pairs), found.features.joined(more), found.titles)

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
            graph = pair_graph_features([self.base, self.added], alive, left, right, first, own)
            every = np.concatenate([pair_features, graph], axis=1)
            scored = ScoredFeatures(every, first, self.model.predict_proba(every))
        return QueryPairs(replace(own, probabilities=scored.probabilities), scored, parsed.titles), new, delta

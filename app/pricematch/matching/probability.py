"""The search by probability over a match index: matches of queries and of stored postings, and clusters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.postings import Catalogue
from pricematch.clustering.average_linkage import CohesiveClusters, cohesive_clusters
from pricematch.errors import SignalNeeded, TargetUnknown
from pricematch.matching.index import MatchIndex
from pricematch.pairs.explanation import Explainer, Explanation
from pricematch.pairs.model import ScoredPairs
from pricematch.pairs.thresholds import F1, DecisionRule, SizeThresholds, Target, Thresholds
from pricematch.search.candidates import NOISE
from pricematch.stages import stage
from pricematch.titles.normalise import ParsedTitle, parse_title, parse_titles

LEAST_MEAN = 0.01
"""The lowest threshold: below, all postings hang together, and take minutes to do so."""
_KEPT_RESULTS = 4


class ProbabilityClusters:
    """Clusters at any threshold from `LEAST_MEAN` on.

    The last four results for the whole catalogue are kept, so that their pages are cut from one computation.
    Safe to use from several threads: those that come while it is computed wait for it.

    Args:
        index: of the postings.
        catalogue: the postings. Their ids break ties, so that their order does not matter. Among new postings the keys
            of their images do: equal ones are the same image, and it does not matter which of them is which.
        feedback: people's decisions on pairs, which overrule probabilities.
    """

    def __init__(self, index: MatchIndex, catalogue: Catalogue, feedback: Feedback = NO_FEEDBACK) -> None:
        self._index, self._catalogue, self._feedback = index, catalogue, feedback
        self._ranks = np.argsort(np.argsort(catalogue.ids_of(range(catalogue.span))))
        self._lock = Lock()
        self._all = lru_cache(_KEPT_RESULTS)(lambda threshold: self.among(catalogue.by_id, threshold))

    def all(self, threshold: float) -> CohesiveClusters:
        """The clusters of the whole catalogue, in the order of its ids; above 1 nothing belongs together."""
        with self._lock:
            return self._all(threshold)

    def among(self, rows: NDArray[np.intp], threshold: float, new: Features | None = None) -> CohesiveClusters:
        """The clusters of some postings of the catalogue, and of new ones.

        Args:
            rows: of the catalogue, each once.
            threshold: as for `all`.
            new: features of m new postings; None where there are none.

        Returns:
            Labels in the order of the rows, those of new postings behind them.
        """
        span, count = self._index.span, 0 if new is None else len(new)
        places = np.concatenate([rows, span + np.arange(count)])
        place = np.full(span + count, NOISE, np.int32)
        place[places] = np.arange(len(places), dtype=np.int32)
        pairs, ranks = self._index.pairs, self._ranks[rows]
        if new is not None:
            pairs = pairs.joined(self._index.query(new).pairs)
            ranks = np.concatenate([ranks, span + np.argsort(np.argsort(new.images))])
        left, right, probabilities = _within(place, pairs)
        decisions = _decisions(self._feedback, self._catalogue, place)
        left, right, probabilities, decided = _overruled(left, right, probabilities, decisions)
        return cohesive_clusters(left, right, probabilities, ranks, threshold, decided)


def _within(
    place: NDArray[np.int32], pairs: ScoredPairs
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """The pairs of which both ends have a place among what is clustered, by their places, and their probabilities."""
    left, right = place[pairs.left], place[pairs.right]
    within = (left != NOISE) & (right != NOISE)
    return left[within], right[within], pairs.probabilities[within]


def _decisions(feedback: Feedback, catalogue: Catalogue, place: NDArray[np.int32]) -> dict[tuple[int, int], bool]:
    """What was decided on pairs of postings that have a place: whether they are the same."""
    found = {}
    for one, other, decision in feedback:
        ends = sorted(int(place[row]) for row in catalogue.located([one, other]).values())
        if len(ends) == 2 and ends[0] != NOISE:
            found[ends[0], ends[1]] = decision == "same"
    return found


def _keys(left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.int64]:
    """Equal for the same two ends, whichever comes first."""
    return np.minimum(left, right).astype(np.int64) << 32 | np.maximum(left, right)


def _overruled(
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    probabilities: NDArray[np.float64],
    decisions: Mapping[tuple[int, int], bool],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64], NDArray[np.int8]]:
    """Pairs, their probabilities, and what was decided on them, see `average_linkage`; decided ones may be new."""
    if not decisions:
        return left, right, probabilities, np.zeros(len(left), np.int8)
    decided = np.array(list(decisions), np.int32)
    free = ~np.isin(_keys(left, right), _keys(decided[:, 0], decided[:, 1]))
    same = np.array(list(decisions.values()), np.bool_)
    return (
        np.concatenate([left[free], decided[:, 0]]),
        np.concatenate([right[free], decided[:, 1]]),
        np.concatenate([probabilities[free], same.astype(np.float64)]),
        np.concatenate([np.zeros(int(free.sum()), np.int8), np.where(same, 1, -1).astype(np.int8)]),
    )


_OF_IMAGES, _OF_TITLES = {"hash", "image"}, {"title"}


@dataclass(frozen=True, eq=False)
class RankedMatches:
    """The matches of one posting: decided ones, then the most probable, equally probable ones by their ids.

    Attributes:
        title: of the posting.
        row: of the posting; −1 for a query.
        rows: int32 [m], of its matches.
        probabilities: float64 [m].
        features: float32 [m, f], `PairModel.feature_names`; None where they are computed from the rows.
        decided: how many of the matches, the first ones, are the same by feedback.
    """

    title: ParsedTitle
    row: int
    rows: NDArray[np.int32]
    probabilities: NDArray[np.float64]
    features: NDArray[np.float32] | None = None
    decided: int = 0


@dataclass(frozen=True, eq=False)
class ProbabilitySearch:
    """A catalogue with a match index over it. Immutable, safe to use from several threads.

    Attributes:
        label: name and version of the trained matcher, `matcher/1`.
        catalogue: the postings.
        index: of them, in the same rows.
        thresholds: the matcher's.
        feedback: people's decisions on pairs of postings, which overrule probabilities.
    """

    label: str
    catalogue: Catalogue
    index: MatchIndex
    thresholds: SizeThresholds
    feedback: Feedback = NO_FEEDBACK

    @property
    def signals(self) -> Sequence[str]:
        """What the pair model compares."""
        return self.index.model.signals

    @property
    def dimensions(self) -> Mapping[str, int]:
        """Length of the embeddings it compares, by retriever."""
        return self.index.extractor.dimensions

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of the trained matcher."""
        name, _, version = self.label.partition("/")
        return {name: version}

    @cached_property
    def clusters(self) -> ProbabilityClusters:
        """The clusters of the catalogue."""
        return ProbabilityClusters(self.index, self.catalogue, self.feedback)

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self.index.model.feature_names, self.index.extractor.word_counts)

    def changed(self, catalogue: Catalogue, added: Features) -> "ProbabilitySearch":
        """The search of a changed catalogue, whose new rows have these features."""
        index = self.index.without(np.flatnonzero(~catalogue.alive[: self.index.span]))
        return replace(self, catalogue=catalogue, index=index.with_added(added) if len(added) else index)

    def rule(self, target: Target | None, min_probability: float | None) -> DecisionRule:
        """The decision rule: a probability, or the thresholds of a target (F1 where none is named) at this size.

        Raises:
            TargetUnknown: the matcher has none for that target.
        """
        if min_probability is not None:
            return DecisionRule(None, Thresholds(min_probability, min_probability))
        try:
            return DecisionRule(target or F1, self.thresholds.at(target or F1, max(1, len(self.index))))
        except ValueError as error:
            raise TargetUnknown(str(error)) from error

    def check_signals(self, *, image: bool = False, title: bool = False) -> None:
        """Raise SignalNeeded where the pair model compares nothing of what is sent: an image, a title, or both."""
        if not ((_OF_IMAGES if image else set()) | (_OF_TITLES if title else set())) & set(self.signals):
            raise SignalNeeded(f"the matcher compares by {' and '.join(self.signals)}: send what it needs")

    def matches_of(self, row: int, rule: DecisionRule) -> RankedMatches:
        """The matches of a stored posting; those that are the same by feedback come first."""
        feedback = self.feedback.of(self.catalogue[row].posting_id)
        decided = self.catalogue.located(sorted(feedback))
        same = np.array([other for posting_id, other in decided.items() if feedback[posting_id] == "same"], np.int32)
        rows, probabilities = self.index.candidates_of(row)
        free = ~np.isin(rows, list(decided.values()))
        rows, probabilities = rows[free], probabilities[free]
        order = self._order(rows, probabilities, rule, fallback=not len(same))
        return RankedMatches(
            parse_title(self.catalogue[row].title),
            row,
            np.concatenate([same, rows[order]]),
            np.concatenate([np.ones(len(same)), probabilities[order]]),
            decided=len(same),
        )

    def pair(self, row: int, other: int) -> RankedMatches:
        """A pair of stored postings as if it matched; its probability is 0 where it is no candidate."""
        candidates, probabilities = self.index.candidates_of(row)
        found = probabilities[candidates == other]
        title = parse_title(self.catalogue[row].title)
        return RankedMatches(title, row, np.array([other], np.int32), found if len(found) else np.zeros(1))

    def matches(self, features: Features, rule: DecisionRule) -> RankedMatches:
        """The matches of one posting that is not stored.

        Raises:
            SignalNeeded: it has nothing that the pair model compares.
        """
        image = features.hashes.known.any() or any(vectors.any() for vectors in features.embeddings.values())
        self.check_signals(image=bool(image), title=any(features.titles))
        found = self.index.query(features)
        rows, probabilities = found.pairs.right, found.pairs.probabilities
        order = self._order(rows, probabilities, rule)
        return RankedMatches(found.titles[0], -1, rows[order], probabilities[order], found.features[order])

    def explain(self, found: RankedMatches, kept: NDArray[np.intp]) -> list[Explanation]:
        """Why the matches at some positions are matches; costs about a millisecond each."""
        with stage("score"):
            rows = found.rows[kept]
            titles = parse_titles([posting.title for posting in self.catalogue.select(rows)])
            features = self.index.features_of(found.row, rows) if found.features is None else found.features[kept]
            return self._explainer.explain(features, self.index.model.contributions(features), found.title, titles)

    def _order(
        self, rows: NDArray[np.int32], probabilities: NDArray[np.float64], rule: DecisionRule, *, fallback: bool = True
    ) -> NDArray[np.intp]:
        """Which candidates match, the most probable first, equal ones by their ids, whatever rows they got."""
        near = np.flatnonzero(probabilities >= rule.thresholds.fallback)
        posting_ids = np.array(self.catalogue.ids_of(rows[near]), np.str_)
        order = near[np.lexsort((posting_ids, -probabilities[near]))]
        return order[: rule.count(probabilities[order], fallback=fallback)]

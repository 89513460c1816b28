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
from pricematch.matching.index import MatchIndex, QueryPairs
from pricematch.matching.nodes import Nodes, ScoredNodes, node_keys, spread
from pricematch.pairs.explanation import Explainer, Explanation
from pricematch.pairs.model import PairModel, ScoredPairs
from pricematch.pairs.retrievers import ParsedFeatures
from pricematch.pairs.thresholds import F1, DecisionRule, SizeThresholds, Target, Thresholds
from pricematch.progress import Progress, silent
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
        search: of the postings. Their ids break ties, so that their order does not matter. Among new postings the keys
            of their images do: equal ones are the same image, and it does not matter which of them is which.
    """

    def __init__(self, search: "ProbabilitySearch") -> None:
        self._search, catalogue = search, search.catalogue
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
        search, count = self._search, 0 if new is None else len(new)
        place = np.full(search.catalogue.span, NOISE, np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        decisions = _decisions(search.feedback, search.catalogue, place)
        nodes, items = search.nodes, np.arange(len(rows) + count)
        node = np.concatenate([nodes.of_row[rows], len(nodes) + np.arange(count)])
        if threshold <= 1:  # above, nothing is the same for sure
            items = _items(node, nodes, decisions)
        pairs, ranks = search.index.pairs, np.concatenate([self._ranks[rows], len(self._ranks) + np.arange(count)])
        if new is not None:
            ranks[len(rows) :] = len(self._ranks) + np.argsort(np.argsort(new.images))
            pairs = pairs.joined(search.query(new).pairs)
        item_node, item_rank = np.empty(items.max(initial=-1) + 1, np.intp), np.full(items.max(initial=-1) + 1, -1)
        item_node[items] = node
        np.maximum.at(item_rank, items, ranks)
        left, right, probabilities = spread(item_node, pairs, nodes)
        of_items = {(int(items[one]), int(items[other])): same for (one, other), same in decisions.items()}
        left, right, probabilities, decided = _overruled(left, right, probabilities, of_items)
        return cohesive_clusters(left, right, probabilities, item_rank, threshold, decided, items)


def _items(node: NDArray[np.integer], nodes: Nodes, decisions: Mapping[tuple[int, int], bool]) -> NDArray[np.intp]:
    """The item of each of n postings: those of a node are one, but for those that were decided on."""
    alone = node >= len(nodes)
    alone[~alone] = ~nodes.same(node[~alone])
    alone[list({end for ends in decisions for end in ends})] = True
    own = np.where(alone, node.max(initial=0) + 1 + np.arange(len(node)), node)
    return np.unique(own, return_inverse=True)[1].astype(np.intp)


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
        image: its image key, 0 where it has none.
        rows: int32 [m], of its matches.
        probabilities: float64 [m].
        features: float32 [m, f], `PairModel.feature_names`; None where they are computed from the rows.
        decided: how many of the matches, the first ones, are the same by feedback.
    """

    title: ParsedTitle
    row: int
    image: int
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
        index: of the nodes that they are of.
        nodes: which posting is of which.
        images: uint64 [span], image keys of the rows, 0 where there is none that says anything.
        thresholds: the matcher's.
        changes: how many postings came or went, or got another node, since all were scored together.
        feedback: people's decisions on pairs of postings, which overrule probabilities.
    """

    label: str
    catalogue: Catalogue
    index: MatchIndex
    nodes: Nodes
    images: NDArray[np.uint64]
    thresholds: SizeThresholds
    changes: int = 0
    feedback: Feedback = NO_FEEDBACK

    @classmethod
    def build(
        cls,
        label: str,
        catalogue: Catalogue,
        features: Features | ParsedFeatures,
        model: PairModel,
        thresholds: SizeThresholds,
        progress: Progress = silent,
        scored: ScoredNodes | None = None,
    ) -> "ProbabilitySearch":
        """The search of a catalogue whose first n rows, alive or not, are scored together; others are to be `placed`.

        The other arguments are those of `MatchIndex.build`; `scored` is what was found of the same rows before.
        """
        parsed = ParsedFeatures.of(features) if isinstance(features, Features) else features
        rows = np.arange(len(parsed))
        nodes, first = Nodes.of(node_keys(parsed, model.signals) if scored is None else scored.keys)
        alive = catalogue.alive[: len(parsed)]
        standing = nodes.standing(alive, rows)  # embeddings are known of those that are there
        chosen = parsed.select(np.where(standing < 0, first, standing))
        pairs, found = (None, None) if scored is None else (scored.pairs, scored.found)
        index = MatchIndex.build(chosen, model, progress, pairs, found, nodes.copies)
        index = replace(index, alive=standing >= 0)
        gone = int((~alive).sum())
        return cls(label, catalogue, index, nodes, parsed.features.images, thresholds, gone)

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

    @property
    def scored(self) -> ScoredNodes:
        """What was found when all were scored together; of a search that has not changed since."""
        return ScoredNodes(self.nodes.keys[self.nodes.of_row], self.index.extractor.found, self.index.base)

    @property
    def pairs(self) -> ScoredPairs:
        """The candidate pairs of all postings by their rows, those of equal ones among them."""
        rows = self.catalogue.rows
        left, right, probabilities = spread(self.nodes.of_row[rows], self.index.pairs, self.nodes)
        left, right = rows[left].astype(np.int32), rows[right].astype(np.int32)
        return ScoredPairs(left, right, probabilities, probabilities)

    @cached_property
    def clusters(self) -> ProbabilityClusters:
        """The clusters of the catalogue."""
        return ProbabilityClusters(self)

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self.index.model.feature_names, self.index.extractor.word_counts)

    def placed(self, catalogue: Catalogue, rows: NDArray[np.integer], features: Features) -> "ProbabilitySearch":
        """The search of a changed catalogue.

        Args:
            catalogue: the changed one.
            rows: [k], new ones, the first of them that are not placed yet, and such as have other features now.
            features: k, of these rows.
        """
        before, alive = len(self.nodes.of_row), catalogue.alive
        gone = self.catalogue.alive[:before] & ~alive[:before]
        parsed = ParsedFeatures.of(features)
        nodes, fresh = self.nodes.placed(rows, node_keys(parsed, self.signals), self.index.alive)
        there = nodes.alive(alive[: len(nodes.of_row)])
        index = replace(self.index, alive=there[: self.index.span])
        if len(fresh):
            index = index.with_added(features.select(fresh))
        images = np.zeros(len(nodes.of_row), np.uint64)
        images[:before] = self.images
        images[rows] = features.images
        return replace(
            self,
            catalogue=catalogue,
            index=replace(index, alive=there),
            nodes=nodes,
            images=images,
            changes=self.changes + len(rows) + int(gone.sum()),
        )

    def rule(self, target: Target | None, min_probability: float | None) -> DecisionRule:
        """The decision rule: a probability, or the thresholds of a target (F1 where none is named) at this size.

        Raises:
            TargetUnknown: the matcher has none for that target.
        """
        if min_probability is not None:
            return DecisionRule(None, Thresholds(min_probability, min_probability))
        try:
            return DecisionRule(target or F1, self.thresholds.at(target or F1, max(1, len(self.catalogue))))
        except ValueError as error:
            raise TargetUnknown(str(error)) from error

    def check_signals(self, *, image: bool = False, title: bool = False) -> None:
        """Raise SignalNeeded where the pair model compares nothing of what is sent: an image, a title, or both."""
        if not ((_OF_IMAGES if image else set()) | (_OF_TITLES if title else set())) & set(self.signals):
            raise SignalNeeded(f"the matcher compares by {' and '.join(self.signals)}: send what it needs")

    def query(self, features: Features) -> QueryPairs:
        """Score postings that are not there, see `MatchIndex.query`; those equal to a node are the same for sure."""
        found, span = self.index.query(features), self.index.span
        keys = np.concatenate([self.nodes.keys, node_keys(ParsedFeatures(features, found.titles), self.signals)])
        left, right = keys[found.pairs.left], keys[found.pairs.right]
        equal = (left == right) & (left != 0) & (found.pairs.left >= span)
        probabilities = np.where(equal, 1.0, found.pairs.probabilities)
        return replace(found, pairs=replace(found.pairs, probabilities=probabilities))

    def matches_of(self, row: int, rule: DecisionRule) -> RankedMatches:
        """The matches of a stored posting; those that are the same by feedback come first."""
        feedback = self.feedback.of(self.catalogue[row].posting_id)
        decided = self.catalogue.located(sorted(feedback))
        same = np.array([other for posting_id, other in decided.items() if feedback[posting_id] == "same"], np.int32)
        rows, probabilities = self._candidates_of(row)
        free = ~np.isin(rows, [row, *decided.values()])
        rows, probabilities = rows[free], probabilities[free]
        order = self._order(rows, probabilities, rule, fallback=not len(same))
        return RankedMatches(
            parse_title(self.catalogue[row].title),
            row,
            int(self.images[row]),
            np.concatenate([same, rows[order]]),
            np.concatenate([np.ones(len(same)), probabilities[order]]),
            decided=len(same),
        )

    def pair(self, row: int, other: int) -> RankedMatches:
        """A pair of stored postings as if it matched; its probability is 0 where it is no candidate."""
        candidates, probabilities = self._candidates_of(row)
        found = probabilities[candidates == other]
        title, image = parse_title(self.catalogue[row].title), int(self.images[row])
        return RankedMatches(title, row, image, np.array([other], np.int32), found if len(found) else np.zeros(1))

    def matches(self, features: Features, rule: DecisionRule) -> RankedMatches:
        """The matches of one posting that is not stored.

        Raises:
            SignalNeeded: it has nothing that the pair model compares.
        """
        image = features.hashes.known.any() or any(vectors.any() for vectors in features.embeddings.values())
        self.check_signals(image=bool(image), title=any(features.titles))
        found = self.query(features)
        rows, place = self.nodes.rows_of(found.pairs.right, self.catalogue.alive)
        probabilities = found.pairs.probabilities[place]
        order = self._order(rows, probabilities, rule)
        every = found.features[place[order]]
        return RankedMatches(found.titles[0], -1, int(features.images[0]), rows[order], probabilities[order], every)

    def explain(self, found: RankedMatches, kept: NDArray[np.intp]) -> list[Explanation]:
        """Why the matches at some positions are matches; costs about a millisecond each."""
        with stage("score"):
            rows, of_row = found.rows[kept], self.nodes.of_row
            titles = parse_titles([posting.title for posting in self.catalogue.select(rows)])
            if found.features is None:
                features = self.index.features_of(int(of_row[found.row]), of_row[rows])
            else:
                features = found.features[kept]
            contributions = self.index.model.contributions(features)
            # features are of nodes, and images of one node may differ in their bytes
            column = self.index.model.feature_names.index("same_image")
            same = np.where(self.images[rows] == 0, np.nan, self.images[rows] == np.uint64(found.image))
            features[:, column] = np.nan if found.image == 0 else same
            return self._explainer.explain(features, contributions, found.title, titles)

    def _candidates_of(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The rows of a posting's candidates and of those equal to it, itself among them, and their probabilities."""
        node = int(self.nodes.of_row[row])
        candidates, probabilities = self.index.candidates_of(node)
        found, place = self.nodes.rows_of(np.append(candidates, node), self.catalogue.alive)
        return found, np.append(probabilities, 1.0)[place]

    def _order(
        self, rows: NDArray[np.int32], probabilities: NDArray[np.float64], rule: DecisionRule, *, fallback: bool = True
    ) -> NDArray[np.intp]:
        """Which candidates match, the most probable first, equal ones by their ids, whatever rows they got."""
        near = np.flatnonzero(probabilities >= rule.thresholds.fallback)
        posting_ids = np.array(self.catalogue.ids_of(rows[near]), np.str_)
        order = near[np.lexsort((posting_ids, -probabilities[near]))]
        return order[: rule.count(probabilities[order], fallback=fallback)]

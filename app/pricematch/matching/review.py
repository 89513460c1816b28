"""Pairs of postings for a person to decide: those whose feedback would teach most."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.probability_clusters import LEAST_MEAN
from pricematch.matching.ranked_matches import explain, match_pair
from pricematch.matching.review_strata import Strata, ascending
from pricematch.pairs.explanation import Explanation, family_of
from pricematch.pairs.thresholds import DecisionRule
from pricematch.pairs.title_sentences import FACTS

_LEAST = 1e-6
_DECIMALS = 9
"""Places of log odds that count, so that what differs by the order of a sum alone is equal."""
_EQUALLY_NEAR = 1e-3
"""Log odds: pairs that are nearer than that to the threshold are equally near."""
_WEIGHED, _LOOKED_AT, _OF_ONE_CLUSTER = 256, 4096, 4
"""Pairs near the threshold whose signals are compared; of how many; and how many of them touch one cluster."""
_IMAGE, _TITLE = {"image", "hash", "colours"}, {"title", "facts", *FACTS}


@dataclass(frozen=True)
class Unsure:
    """A pair that the matcher is not sure of.

    Attributes:
        first, second: posting_ids, first < second.
        probability: that both are the same product.
        explanation: why.
    """

    first: str
    second: str
    probability: float
    explanation: Explanation


def review(
    search: ProbabilitySearch, rule: DecisionRule, limit: int, allowed: NDArray[np.bool_] | None = None
) -> list[Unsure]:
    """The undecided pairs to ask a person about, in turn one near the threshold and one from all over the log odds.

    Pairs near the threshold teach where it should be, see `_near`: uncertainty sampling (Lewis and Gale, A Sequential
    Algorithm for Training Text Classifiers, 1994). They say little of how sure the matcher may be elsewhere; pairs
    spread over the log odds teach that, see `Strata`. After an even number of decisions one near the threshold comes
    first, after an odd number one of the others, so that who asks for one pair at a time gets both.

    The postings of a cluster at the threshold raise the same question again and again, so a pair is passed over where
    one has been taken from either posting's cluster. The result depends neither on the order of pairs nor on that of
    rows; with a lower limit it is a beginning of this one. Time grows with the pairs, by a few passes over them.

    Args:
        search: over the catalogue.
        rule: whose threshold of a match is meant.
        limit: pairs, at most.
        allowed: bool [span], rows that are alive, of which both postings of a pair must be; None: all.

    Returns:
        What would teach most first; less than the limit where each cluster has been asked about.
    """
    threshold = min(max(rule.thresholds.match, LEAST_MEAN), 1.0)
    there = search.catalogue.alive if allowed is None else search.catalogue.alive & allowed
    pairs, covered = _Pairs.of(search, threshold, there), set[int]()

    def free(place: int) -> bool:
        return covered.isdisjoint(pairs.clusters_of(place))

    near = filter(free, _near(search, pairs, threshold))
    strata = Strata(pairs.log_odds, pairs.first, pairs.second, pairs.decided)
    orders = (lambda: next(near, None), lambda: strata.next(free))
    found = list[Unsure]()
    for turn in range(len(search.feedback), len(search.feedback) + limit):
        places = (orders[(turn + more) % 2]() for more in (0, 1))  # where one has no more, the other goes on
        place = next((it for it in places if it is not None), None)
        if place is None:
            break
        strata.count(place)
        covered.update(pairs.clusters_of(place))
        found.append(_unsure(search, pairs, place))
    return found


@dataclass(frozen=True, eq=False)
class _Pairs:
    """The candidate pairs of nodes of which both have postings among some, each by the first one by id of either.

    Attributes:
        one, other: int32 [m], the nodes.
        first, second: intp [m], the ranks of both postings by id, first < second.
        probabilities: float64 [m].
        log_odds: float64 [m], theirs, to the places that count.
        decided: bool [m], where a person decided on these postings, or on copies of them.
        clusters: intp [n], by rank, the cluster of each posting at the threshold; one of its own for a posting alone.
    """

    one: NDArray[np.int32]
    other: NDArray[np.int32]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    log_odds: NDArray[np.float64]
    decided: NDArray[np.bool_]
    clusters: NDArray[np.intp]

    @classmethod
    def of(cls, search: ProbabilitySearch, threshold: float, there: NDArray[np.bool_]) -> "_Pairs":
        pairs, catalogue = search.index.pairs, search.catalogue
        ranks = np.full(catalogue.span + 1, -1, np.intp)  # the last is nobody's
        ranks[catalogue.by_id] = np.arange(len(catalogue))
        of_node = ranks[search.nodes.standing(there, catalogue.by_id)]
        pairs = pairs.select((of_node[pairs.left] >= 0) & (of_node[pairs.right] >= 0))
        one, other = of_node[pairs.left], of_node[pairs.right]
        first, second = np.minimum(one, other), np.maximum(one, other)
        decided = _decided(search, of_node, first, second)
        labels = search.clusters.all(threshold).assignment.labels
        clusters = np.where(labels < 0, labels.max(initial=-1) + 1 + np.arange(len(labels)), labels)
        known = pairs.probabilities
        return cls(pairs.left, pairs.right, first, second, known, _log_odds(known), decided, clusters)

    def clusters_of(self, place: int) -> tuple[int, int]:
        """The clusters of both ends of a pair."""
        return int(self.clusters[self.first[place]]), int(self.clusters[self.second[place]])


def _log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(probabilities, _LEAST, 1 - _LEAST)
    return np.asarray(np.round(np.log(inside / (1 - inside)), _DECIMALS), np.float64)


def _decided(
    search: ProbabilitySearch, of_node: NDArray[np.intp], first: NDArray[np.intp], second: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Which pairs of postings, by rank, have feedback; `of_node` is the rank of the posting that stands for a node."""
    ends = [[*search.catalogue.located([one, other]).values()] for one, other, _ in search.feedback]
    rows = np.array([rows for rows in ends if len(rows) == 2], np.intp).reshape(-1, 2)
    known = np.sort(of_node[search.nodes.of_row[rows]], axis=1)
    touched = np.zeros(len(search.catalogue), np.bool_)
    touched[known] = True
    places = np.flatnonzero(touched[first] & touched[second])
    found, span = np.zeros(len(first), np.bool_), len(search.catalogue)
    found[places] = np.isin(first[places] * span + second[places], known[:, 0] * span + known[:, 1])
    return found


def _near(search: ProbabilitySearch, pairs: _Pairs, threshold: float) -> Iterator[int]:
    """The places of undecided pairs by ascending d / √(n / 2 · (1 + c)): whose decision is least sure and changes most.

    d is how far the log odds are from the threshold's, `_EQUALLY_NEAR` at least. n is how many postings a decision
    joins or parts: those of both clusters, or of the one that holds both ends. c is by how much signals disagree, see
    `_disagreement`, of the first `_WEIGHED` pairs without it; of others it is 0. d is divided, not lessened, since a
    pair far from the threshold that is chosen for being odd misleads about all that are as probable.
    """
    sizes, (one, other) = np.bincount(pairs.clusters), (pairs.clusters[ends] for ends in (pairs.first, pairs.second))
    joined = sizes[one] + np.where(one == other, 0, sizes[other])
    away = np.maximum(np.abs(pairs.log_odds - _log_odds(np.array(threshold))), _EQUALLY_NEAR)
    keys = np.round(away / np.sqrt(joined / 2), _DECIMALS)
    places = np.flatnonzero(~pairs.decided)
    order = ascending(keys[places], pairs.first, pairs.second, places)
    looked_at = np.array(list(islice(order, _LOOKED_AT)), np.intp)
    weighed, keys = _shortlist(pairs, looked_at), keys[looked_at]
    keys[weighed] /= np.sqrt(1 + _disagreement(search, pairs, looked_at[weighed]))
    return chain(ascending(np.round(keys, _DECIMALS), pairs.first, pairs.second, looked_at), order)


def _shortlist(pairs: _Pairs, places: NDArray[np.intp]) -> list[int]:
    """Which of some places are the first `_WEIGHED`, of each cluster `_OF_ONE_CLUSTER` at most."""
    counts, found = Counter[int](), list[int]()
    for position, place in enumerate(places.tolist()):
        ends = set(pairs.clusters_of(place))
        if len(found) < _WEIGHED and all(counts[cluster] < _OF_ONE_CLUSTER for cluster in ends):
            found.append(position)
            counts.update(ends)
    return found


def _disagreement(search: ProbabilitySearch, pairs: _Pairs, places: NDArray[np.intp]) -> NDArray[np.float64]:
    """The lesser of what image and title add to the log odds where they disagree, float64 [k]; 0 where they agree.

    One is for the pair then, one against. Each adds what its pair features do
    (`Scorer.contributions`); facts are the title's.
    """
    model = search.index.model
    features = search.index.pair_features(pairs.one[places], pairs.other[places])
    families = [family_of(name) for name in model.feature_names[: features.shape[1]]]
    added = (model.evidence or model.first).contributions(features)
    image, title = (added[:, [it in of for it in families]].sum(axis=1) for of in (_IMAGE, _TITLE))
    return np.where(image * title < 0, np.minimum(np.abs(image), np.abs(title)), 0.0)


def _unsure(search: ProbabilitySearch, pairs: _Pairs, place: int) -> Unsure:
    left, right = (int(search.catalogue.by_id[ends[place]]) for ends in (pairs.first, pairs.second))
    [explanation] = explain(search, match_pair(search, left, right), np.array([0]))
    first, second = search.catalogue.ids_of([left, right])
    return Unsure(first, second, float(pairs.probabilities[place]), explanation)

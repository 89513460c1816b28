"""Compares two postings, stored or not: how probable it is that they are the same product, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, Features, Wanted
from pricematch.catalogue.image_arrays import same_image
from pricematch.catalogue.layers import Layered
from pricematch.catalogue.records import Decision as Verdict
from pricematch.errors import SignalNeeded
from pricematch.matching.image_pairs import Pair, nearest_pair
from pricematch.matching.index import QueryPairs
from pricematch.matching.matcher import Matcher
from pricematch.matching.nodes import node_keys
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.queries import Decision, Evidence, Options, Query
from pricematch.matching.scored_features import ScoredFeatures
from pricematch.matching.similarity import SimilaritySearch
from pricematch.pairs.explanation import Explanation, MatchType
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.titles.normalise import parse_shown_title

Item: TypeAlias = Query | str
"""A posting that is not stored, or the id of one that is."""
Side: TypeAlias = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is known of two postings.

    Attributes:
        decision: the rule that decides whether they match.
        probability: that both are the same product; None where nothing that the pair model compares is known of both,
            and without a pair model, as are
        match_type: how they are the same, if they are, and
        evidence: what the probability rests on.
        similarity: cosine of the images' embeddings; None where one has none that is evidence.
        verdict: what a person decided on them; the probability is 1 or 0 then.
        no_evidence: sides whose image is a stock image or of one colour, all of them where there are several.
        image_pair: see `Match`, of the left and the right posting.
    """

    decision: Decision
    probability: float | None
    match_type: MatchType | None
    evidence: Evidence | None
    similarity: float | None
    verdict: Verdict | None
    no_evidence: Sequence[Side]
    image_pair: Pair | None = None

    @property
    def is_match(self) -> bool | None:
        """Whether they match by the rule; None where nothing is known that could decide."""
        value = self.probability if self.decision.by == "probability" else self.similarity
        return None if value is None else value >= self.decision.threshold


def wanted_to_compare(matcher: Matcher, options: Options) -> Wanted:
    """Features of an image that `compare` takes; to be asked before images are encoded.

    Raises:
        RequestUnanswerable: there is no model or encoder that could do this.
    """
    compared = matcher.compared(options)
    keys = {*matcher.retrieved.values(), *([] if compared is None else [compared.encoder.key])}
    matcher.decision(options)
    return Wanted(frozenset(keys), phash=True)


def compare(matcher: Matcher, left: Item, right: Item, options: Options) -> Comparison:
    """Compare two postings, each as if it was in the catalogue; nothing changes.

    The probability is that of the pair among the others of the catalogue, as if it was one candidate pair more where it
    is none. Of two postings that are not stored the right one is compared with a catalogue that has the left one.

    Args:
        matcher: over the catalogue.
        left: one posting; an image has the features that `Matcher.wanted` names.
        right: the other one.
        options: the threshold, and the encoder whose similarity is given.

    Raises:
        PostingNotFound: none has the id.
        RequestUnanswerable: there is no model or encoder that could do this.
    """
    items: tuple[Item, Item] = (left, right)
    compared = matcher.compared(options)
    embeddings = [None if compared is None else _embeddings(matcher, it, compared) for it in items]
    similarity = _similarity(*embeddings)
    used = [compared.encoder.key] if compared is not None and similarity is not None else []
    verdict = None
    if isinstance(left, str) and isinstance(right, str):
        verdict = matcher.feedback.of(left).get(right)
    sides: list[tuple[Side, Item]] = [("left", left), ("right", right)]
    probability, why = None, None
    if matcher.probability is not None:
        probability, why = _probability(matcher, matcher.probability, left, right)
    elif similarity is None:
        raise SignalNeeded("without a matcher images are compared, expected one on both sides")
    if verdict is not None and matcher.probability is not None:
        probability = float(verdict == "same")
    return Comparison(
        matcher.decision(options, used),
        probability,
        None if why is None else why.match_type,
        None if why is None else Evidence(why.signals, why.reasons),
        similarity,
        verdict,
        [side for side, item in sides if _lacks_evidence(matcher, item)],
        _nearest(matcher, items, options),
    )


def _probability(
    matcher: Matcher, search: ProbabilitySearch, left: Item, right: Item
) -> tuple[float | None, Explanation | None]:
    """The probability of a pair, and why; None where nothing is known of both."""
    one, other = (_image_keys(matcher, search, it) for it in (left, right))
    scored = _scored(matcher, search, left, right)
    model, same = search.index.model, same_image(one, np.zeros(1, np.intp), other)
    # features are of nodes, and images of one node may differ in their bytes
    exact, changed = scored.with_feature(model, "same_image", same)
    titles = [parse_shown_title(_title(matcher, it)) for it in (left, right)]
    [why] = search.explainer.explain(exact.values, exact.contributions(model), titles[0], titles[1:])
    if not why.signals:
        return None, None
    sure = scored.probabilities[0] == 1
    return float(scored.probabilities[0] if sure or not changed[0] else exact.probabilities[0]), why


def _scored(matcher: Matcher, search: ProbabilitySearch, left: Item, right: Item) -> ScoredFeatures:
    """The features of a pair, and its probability."""
    if isinstance(right, Query):
        other, query = left, right
    elif isinstance(left, Query):
        other, query = right, left
    else:
        nodes = search.nodes.of_row[[matcher.catalogue.row(left), matcher.catalogue.row(right)]]
        return _of_nodes(search, int(nodes[0]), int(nodes[1]))
    index = search.index
    if isinstance(other, str):
        node = int(search.nodes.of_row[matcher.catalogue.row(other)])
        key = int(search.nodes.keys[node])
    else:
        new = matcher.features_of(other)
        key = _key(search, new)
        equal = np.flatnonzero((search.nodes.keys == key) & index.alive & (key != 0))
        node = int(equal[0]) if len(equal) else index.span
        index = index if len(equal) else index.with_added(new)
    features = matcher.features_of(query)
    return _of_query(index.query_with(features, node), node, equal=key == _key(search, features) != 0)


def _of_nodes(search: ProbabilitySearch, node: int, other: int) -> ScoredFeatures:
    """A pair of stored nodes; a candidate pair keeps the probability that it was scored with."""
    found = search.index.features_of(node, np.array([other]))
    candidates, probabilities = search.index.candidates_of(node)
    known = probabilities[candidates == other]
    if node == other and search.nodes.same(np.array([node]))[0]:
        known = np.ones(1)
    return found if not len(known) else ScoredFeatures(found.values, found.first, known)


def _of_query(found: QueryPairs, node: int, *, equal: bool) -> ScoredFeatures:
    """The pair of a query and a node."""
    pair = found.features.select(np.flatnonzero(found.pairs.right == node))
    return ScoredFeatures(pair.values, pair.first, np.ones(1)) if equal else pair


def _similarity(one: Embeddings | None, other: Embeddings | None) -> float | None:
    """The highest cosine of two images of both; None where one has none."""
    if one is None or other is None:
        return None
    left, right = (it[it.any(axis=1)].astype(np.float64) for it in (one, other))
    return float(np.clip(max(ours @ theirs for ours in left for theirs in right), -1, 1))


def _nearest(matcher: Matcher, items: tuple[Item, Item], options: Options) -> Pair | None:
    """Which images of both are the nearest, see `Match.image_pair`."""
    one, other = (matcher.shown(it) if isinstance(it, str) else matcher.images_of(it).shown for it in items)
    return nearest_pair(one, other, matcher.nearest_by(options))


def _key(search: ProbabilitySearch, features: Features) -> int:
    return int(node_keys(ParsedFeatures.of(features), search.signals, search.index.model.fields)[0])


def _title(matcher: Matcher, item: Item) -> str:
    return matcher.catalogue.posting(item).title if isinstance(item, str) else item.title


def _image_keys(matcher: Matcher, search: ProbabilitySearch, item: Item) -> Layered[NDArray[np.uint64]]:
    """The image keys of one posting, 0 where an image says nothing."""
    if isinstance(item, str):
        return search.images.select(np.array([matcher.catalogue.row(item)]))
    return matcher.features_of(item).image_keys


def _embeddings(matcher: Matcher, item: Item, search: SimilaritySearch) -> Embeddings | None:
    """The embeddings [images, d] of a posting; None where it has none of an image that is evidence."""
    if _lacks_evidence(matcher, item):
        return None
    return search.embedding(item) if isinstance(item, str) else matcher.images_of(item).embeddings(search)


def _lacks_evidence(matcher: Matcher, item: Item) -> bool:
    """Whether it shows images, and none is evidence."""
    if isinstance(item, str):
        row = matcher.catalogue.row(item)
        return bool(matcher.stock.marked[row] | matcher.stock.one_colour[row])
    return matcher.images_of(item).silent

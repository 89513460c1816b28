"""The candidate pairs that a pair model is trained on: samples of the catalogue, and their pairs with features."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.catalogue.fields import Field
from pricematch.evaluation.splits import each_its_own, whole_groups
from pricematch.pairs.graph_features import GRAPH_FEATURES, ProbabilityRows, graph_features, probability_matrix
from pricematch.pairs.pair_features import PairFeatureExtractor

LEAST = 150
"""Postings of the smallest part."""
_MOST_REPEATS = 3
_LACKING = 0.2


@dataclass(frozen=True, eq=False)
class Sample:
    """One catalogue to train on.

    Attributes:
        rows: intp [n], which postings of the whole catalogue are in it, ascending.
        postings: their features.
        whole: whether all features are kept; False where some titles and images were removed.
    """

    rows: NDArray[np.intp]
    postings: Features
    whole: bool


def samples(postings: Features, groups: NDArray[np.intp], signals: tuple[str, ...], seed: int) -> Iterator[Sample]:
    """The whole catalogue; random halves, quarters and so on of whole groups; a half that lacks titles and images.

    The last one has postings that lack something: a fifth of them has no title and a fifth no image, where the signals
    include both, and another fifth nothing in evidence fields, where there are some; else trees would take what a query
    lacks for something. `groups` [n] number the label groups; postings without one share a negative number.
    """
    yield Sample(np.arange(len(postings)), postings, whole=True)
    each = each_its_own(groups)
    size, repeats = len(postings) // 2, 1
    while size >= LEAST:
        for repeat in range(repeats):
            rows = whole_groups(each, size, seed + 1000 * repeats + repeat)
            yield Sample(rows, postings.select(rows), whole=True)
        size, repeats = size // 2, min(2 * repeats, _MOST_REPEATS)
    several = "title" in signals and len(signals) > 1
    if several or postings.evidence is not None:
        rows = whole_groups(each, max(LEAST, len(postings) // 2), seed + 1)
        order = np.random.default_rng(seed).permutation(len(rows))
        cut = int(_LACKING * len(rows))
        part = postings.select(rows).without_evidence(order[2 * cut : 3 * cut])
        if several:
            part = part.without_titles(order[:cut]).without_images(order[cut : 2 * cut])
        yield Sample(rows, part, whole=False)


NOT_TRAINED = -1
"""The fold of postings that no model is trained on."""
_BLOCK = 128 * 1024


@dataclass(frozen=True, eq=False)
class SamplePairs:
    """The candidate pairs of a sample.

    Attributes:
        sample: the catalogue.
        left, right: int32 [m], the ends of each unordered pair, as rows of the sample.
        features: float32 [m, f + `GRAPH_FEATURES`]; the last columns are filled by `add_graph_features`.
        pair_features: f, how many there are before.
        truth: bool [m], whether both are of one label group.
        known: bool [m], whether that is known: both have a label group.
        fold_of: int8 [n], the fold of each posting, `NOT_TRAINED` for one whose label group is not trained on.
        folds: int8 [m, 2], that of both ends.
        first_scores, second_scores: float64 [m], held-out scores of the models without and with graph features.
    """

    sample: Sample
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    features: NDArray[np.float32]
    pair_features: int
    truth: NDArray[np.bool_]
    known: NDArray[np.bool_]
    fold_of: NDArray[np.int8]
    folds: NDArray[np.int8]
    first_scores: NDArray[np.float64] = field(init=False)
    second_scores: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "first_scores", np.zeros(len(self.left)))
        object.__setattr__(self, "second_scores", np.zeros(len(self.left)))

    def __len__(self) -> int:
        return len(self.left)

    @property
    def fields(self) -> tuple[Field, ...]:
        """Evidence fields whose features are among the pair features."""
        return self.sample.postings.evidence_fields

    @property
    def weights(self) -> NDArray[np.float32]:
        """How many of a pair's ends are trained on, float32 [m]: in how many candidate lists of such postings it is.

        0 where it is not known whether both are of one label group.
        """
        return np.asarray((self.folds != NOT_TRAINED).sum(axis=1) * self.known, np.float32)

    @property
    def trainable(self) -> NDArray[np.bool_]:
        """Which pairs a model may be fitted on, bool [m]: those with both ends trained on.

        No other posting may occur in any such pair, or held-out scores would be of postings that the model has seen.
        """
        return np.asarray((self.folds != NOT_TRAINED).all(axis=1), np.bool_)

    def outside(self, fold: int | None) -> NDArray[np.bool_]:
        """Which pairs have no end in a fold, bool [m]; all of them where none is named."""
        if fold is None:
            return np.ones(len(self), bool)
        return np.asarray((self.folds != fold).all(axis=1), np.bool_)

    @property
    def has_held_out(self) -> bool:
        """Whether trained postings are left whichever fold is left out."""
        return len(np.unique(self.fold_of[self.fold_of != NOT_TRAINED])) > 1

    def negative_weight(self, seen: NDArray[np.bool_], without: int | None = None) -> float:
        """Weight of the wrong pairs `seen`: all wrong candidates of the trained postings outside a fold, by those seen.

        With this weight scores are those of the whole catalogue. Pairs of unknown truth count as wrong, since most
        candidates are.
        """
        queries = self.folds != NOT_TRAINED
        if without is not None:
            queries &= self.folds != without
        ends = queries.sum(axis=1) * ~self.truth
        among = ends[seen].sum()
        return float(ends.sum() / among) if among else 1.0

    def add_graph_features(self) -> None:
        """Fill in the graph features, from the first scores."""
        matrix = probability_matrix(self.left, self.right, self.first_scores, len(self.sample.rows))
        graph = ProbabilityRows.of(matrix)
        for start in range(0, len(self), _BLOCK):
            piece = slice(start, start + _BLOCK)
            self.features[piece, self.pair_features :] = graph_features(
                graph, self.left[piece], self.right[piece], self.first_scores[piece]
            )


def sample_pairs(
    sample: Sample, signals: tuple[str, ...], groups: NDArray[np.intp], fold_of: NDArray[np.int8]
) -> SamplePairs:
    """The candidate pairs of a sample and their pair features.

    Groups (negative where there is none) and folds (`NOT_TRAINED` where a posting is not trained on) are those of all
    postings of the whole catalogue.
    """
    extractor = PairFeatureExtractor(sample.postings, signals, fields=sample.postings.evidence_fields)
    left, right = extractor.candidates
    count = len(extractor.names)
    features = np.empty((len(left), count + len(GRAPH_FEATURES)), np.float32)
    for start in range(0, len(left), _BLOCK):
        piece = slice(start, start + _BLOCK)
        features[piece, :count] = extractor.features(extractor.own, left[piece], right[piece])
    group, own = groups[sample.rows], fold_of[sample.rows].astype(np.int8)
    ends = np.column_stack([group[left], group[right]])
    folds = np.column_stack([own[left], own[right]])
    # a posting without a label group may belong to any
    known = np.asarray((ends >= 0).all(axis=1), np.bool_)
    return SamplePairs(sample, left, right, features, count, known & (ends[:, 0] == ends[:, 1]), known, own, folds)

"""The judged pairs of one sample, as the learner sees them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pricematch.learning.samples import Sample
from pricematch.pairs.graph_features import GRAPH_FEATURES, ProbabilityRows, graph_features, probability_matrix
from pricematch.pairs.pair_features import PairFeatureExtractor

NOT_TRAINED = -1
"""The fold of postings that no model is trained on."""
_BLOCK = 128 * 1024


@dataclass(frozen=True, eq=False)
class Part:
    """All candidate pairs of a sample.

    Attributes:
        sample: the catalogue.
        lines, rows: int32 [m], its unordered pairs.
        features: float32 [m, f + `GRAPH_FEATURES`]; the last columns are filled by `add_graph_features`.
        pair_features: f, how many there are before.
        truth: bool [m], whether both are of one label group.
        known: bool [m], whether that is known: both have a label group.
        fold_of: int8 [n], the fold of each posting, `NOT_TRAINED` for one whose label group is not trained on.
        folds: int8 [m, 2], that of both ends.
        first, second: float64 [m], held-out scores, once there are any.
    """

    sample: Sample
    lines: NDArray[np.int32]
    rows: NDArray[np.int32]
    features: NDArray[np.float32]
    pair_features: int
    truth: NDArray[np.bool_]
    known: NDArray[np.bool_]
    fold_of: NDArray[np.int8]
    folds: NDArray[np.int8]
    first: NDArray[np.float64] = field(init=False)
    second: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", np.zeros(len(self.lines)))
        object.__setattr__(self, "second", np.zeros(len(self.lines)))

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def weights(self) -> NDArray[np.float32]:
        """How many of a pair's ends are trained on, float32 [m]: as often as such a posting asks, it is a candidate.

        0 where it is not known whether it is a right one.
        """
        return np.asarray((self.folds != NOT_TRAINED).sum(axis=1) * self.known, np.float32)

    @property
    def learned(self) -> NDArray[np.bool_]:
        """Which pairs may be learned from, bool [m]: those with both ends trained on.

        Models must not have seen the others in any pair, or they are judged on postings they know.
        """
        return np.asarray((self.folds != NOT_TRAINED).all(axis=1), np.bool_)

    def outside(self, fold: int | None) -> NDArray[np.bool_]:
        """Which pairs have no end in a fold, bool [m]; all of them where none is named."""
        if fold is None:
            return np.ones(len(self), bool)
        return np.asarray((self.folds != fold).all(axis=1), np.bool_)

    @property
    def judges(self) -> bool:
        """Whether there are postings to judge whichever fold is left out."""
        return len(np.unique(self.fold_of[self.fold_of != NOT_TRAINED])) > 1

    def missing(self, seen: NDArray[np.bool_], without: int | None = None) -> float:
        """How many times as many wrong candidates the trained postings outside a fold have as are in the pairs `seen`.

        By this the wrong ones seen count more, so that scores are those of the whole catalogue. What is not known
        counts as wrong, since most candidates are.
        """
        asks = self.folds != NOT_TRAINED
        if without is not None:
            asks &= self.folds != without
        ends = asks.sum(axis=1) * ~self.truth
        among = ends[seen].sum()
        return float(ends.sum() / among) if among else 1.0

    def add_graph_features(self) -> None:
        """Fill in the graph features, from the first scores."""
        matrix = probability_matrix(self.lines, self.rows, self.first, len(self.sample.rows))
        graph = ProbabilityRows.of(matrix)
        for start in range(0, len(self), _BLOCK):
            piece = slice(start, start + _BLOCK)
            self.features[piece, self.pair_features :] = graph_features(
                graph, self.lines[piece], self.rows[piece], self.first[piece]
            )


def part_of(sample: Sample, signals: tuple[str, ...], groups: NDArray[np.intp], fold_of: NDArray[np.int8]) -> Part:
    """The candidate pairs of a sample and their pair features.

    Args:
        sample: n postings of the whole catalogue.
        signals: names of the signals.
        groups: the number of each posting's label group, of the whole catalogue; negative where there is none.
        fold_of: the fold of each, `NOT_TRAINED` where it is not trained on.
    """
    extractor = PairFeatureExtractor(sample.postings, signals)
    lines, rows = extractor.candidates
    count = len(extractor.names)
    features = np.empty((len(lines), count + len(GRAPH_FEATURES)), np.float32)
    for start in range(0, len(lines), _BLOCK):
        piece = slice(start, start + _BLOCK)
        features[piece, :count] = extractor.features(extractor.own, lines[piece], rows[piece])
    group, own = groups[sample.rows], fold_of[sample.rows].astype(np.int8)
    ends = np.column_stack([group[lines], group[rows]])
    folds = np.column_stack([own[lines], own[rows]])
    # of a posting without a label group nobody knows whether it belongs to another's
    known = np.asarray((ends >= 0).all(axis=1), np.bool_)
    return Part(sample, lines, rows, features, count, known & (ends[:, 0] == ends[:, 1]), known, own, folds)

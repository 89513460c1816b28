"""The pair model, and the candidate pairs of a catalogue scored by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from pricematch.catalogue.fields import Field
from pricematch.pairs.bounds import EQUAL, Bounds
from pricematch.pairs.calibration import Calibration, log_odds
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES, ProbabilityRows, graph_features, probability_matrix
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.progress import Progress

_BLOCK = 128 * 1024


class Scorer(Protocol):
    """Scores pairs by their features. Safe to call from several threads."""

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores in 0…1, float64 [m], of features [m, f]; higher is surer."""
        ...

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to the log odds of each pair, float64 [m, f]."""
        ...


class Learner(Protocol):
    """Learns a scorer from pairs whose truth is known."""

    def fit(
        self,
        features: NDArray[np.float32],
        truth: NDArray[np.bool_],
        weights: NDArray[np.float32],
        names: Sequence[str],
    ) -> Scorer:
        """A scorer of features [m, f] of these names, learned from their truth [m] and weights [m]."""
        ...


@dataclass(frozen=True, eq=False)
class PairModel:
    """Both scorers and the calibration.

    Attributes:
        signals: what it needs to know of postings.
        first: of the pair features.
        second: of the pair features, and of the graph features behind them.
        calibration: from the second's scores to probabilities.
        scaled: whether the pair features include `pricematch.pairs.feature_names.SCALED`, where images are a signal.
        evidence: of the pair features, what these say in the second's sum; None where it is what the first says.
        fields: evidence fields whose features are among the pair features.
    """

    signals: tuple[str, ...]
    first: Scorer
    second: Scorer
    calibration: Calibration
    scaled: bool = True
    evidence: Scorer | None = None
    fields: tuple[Field, ...] = ()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the f features of a pair: pair features, then graph features."""
        return (*pair_feature_names(self.signals, scaled=self.scaled, fields=self.fields), *GRAPH_FEATURES)

    @cached_property
    def bounds(self) -> Bounds:
        """What bounds calibrated scores."""
        return Bounds(self.feature_names)

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities float64 [m], between 0 and 1, of features [m, f]."""
        return self.bounds(self._calibrated(features), features)

    def contributions(
        self, features: NDArray[np.float32], first: NDArray[np.float64], probabilities: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What each feature adds to the log odds of each pair, float64 [m, f].

        Pair features add what they add to the score of `evidence`. By how much the calibrated score differs from that
        is added by the neighbours, and stands under `first`, the other graph features being 0: the second scorer sees
        the pair features again in all that the neighbours say, so its own account would name the neighbours alone.
        From pairs that the bounds lift neighbours take nothing. What bounds add stands under the equal images or titles
        that they lift a pair for; what they take, under the size of the catalogue, which is no reason. A row's sum is
        the log odds of the pair's probability, less those of the average pair of `evidence`.

        Args:
            features: [m, f].
            first: [m], the first scorer's scores of their pair features.
            probabilities: [m], what `predict_proba` makes of them.
        """
        names, count = self.feature_names, features.shape[1] - len(GRAPH_FEATURES)
        found = np.zeros(features.shape)
        evidence = self.evidence or self.first
        found[:, :count] = evidence.contributions(features[:, :count])
        own = log_odds(first if self.evidence is None else self.evidence.predict(features[:, :count]))
        kinds = self.bounds.kinds(features)
        neighbours = log_odds(self._calibrated(features)) - own
        neighbours[kinds >= EQUAL] = np.maximum(neighbours[kinds >= EQUAL], 0)
        bounded = log_odds(probabilities) - own - neighbours
        columns = np.full(len(features), names.index("catalogue_size"))
        lifted = (kinds >= EQUAL) & (bounded > 0)
        columns[lifted] = names.index("same_image")
        if "same_title" in names:
            by_title = lifted & self.bounds.without_images(features)
            columns[by_title] = names.index("same_title")
        found[np.arange(len(features)), columns] += bounded
        found[:, count + GRAPH_FEATURES.index("first")] = neighbours
        return found

    def _calibrated(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return self.calibration(self.second.predict(features))


@dataclass(frozen=True, eq=False)
class ScoredPairs:
    """Unordered pairs of postings, each once, with their probabilities. Immutable.

    Attributes:
        left, right: int32 [m], rows of both ends.
        first: float64 [m], scores of the model's first stage, 0…1.
        probabilities: float64 [m], that both are the same product, 0…1.
    """

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    first: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    @classmethod
    def none(cls) -> "ScoredPairs":
        """No pairs."""
        return cls(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0), np.empty(0))

    def __len__(self) -> int:
        return len(self.left)

    def select(self, chosen: NDArray[np.bool_]) -> "ScoredPairs":
        """Some of the pairs, bool [m]."""
        return ScoredPairs(self.left[chosen], self.right[chosen], self.first[chosen], self.probabilities[chosen])

    def joined(self, more: "ScoredPairs") -> "ScoredPairs":
        """These pairs, and more behind them."""
        return ScoredPairs(
            np.concatenate([self.left, more.left]),
            np.concatenate([self.right, more.right]),
            np.concatenate([self.first, more.first]),
            np.concatenate([self.probabilities, more.probabilities]),
        )

    def of(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The other ends of a row's pairs, int32 [k], and their probabilities, float64 [k], in no order."""
        places = self._places
        if row >= places.shape[0]:
            return np.empty(0, np.int32), np.empty(0)
        found = slice(places.indptr[row], places.indptr[row + 1])
        return places.indices[found], self.probabilities[places.data[found]]

    @cached_property
    def matrix(self) -> csr_array:
        """First-stage scores as `probability_matrix`, for rows up to the highest end."""
        return probability_matrix(self.left, self.right, self.first, self._span)

    @cached_property
    def _places(self) -> csr_array:
        """Which pair each two rows are, in both directions."""
        every = np.arange(len(self), dtype=np.int32)
        ends = np.concatenate([self.left, self.right]), np.concatenate([self.right, self.left])
        return csr_array(coo_array((np.concatenate([every, every]), ends), shape=(self._span, self._span)))

    @property
    def _span(self) -> int:
        return int(max(self.left.max(initial=-1), self.right.max(initial=-1))) + 1


def first_scores(extractor: PairFeatureExtractor, model: PairModel, progress: Progress) -> NDArray[np.float64]:
    """First scores of all candidate pairs of a catalogue, float64 [m], in the order of their candidates.

    Args:
        extractor: of the catalogue.
        model: of the same signals.
        progress: gets how many blocks of pairs are scored, each by both stages.
    """
    left, right = extractor.candidates
    first, pieces = np.empty(len(left)), _pieces(len(left))
    for done, piece in enumerate(pieces, start=1):
        first[piece] = model.first.predict(extractor.features(extractor.own, left[piece], right[piece]))
        progress("Scoring pairs", done, 2 * len(pieces))
    return first


def second_scores(
    extractor: PairFeatureExtractor, model: PairModel, first: NDArray[np.float64], progress: Progress
) -> ScoredPairs:
    """All candidate pairs of a catalogue, in that order, by their first scores. Other arguments as `first_scores`."""
    left, right = extractor.candidates
    probabilities, pieces = np.empty(len(left)), _pieces(len(left))
    tell = partial(progress, "Scoring pairs")
    rows = ProbabilityRows.of(probability_matrix(left, right, first, len(extractor)))
    for done, piece in enumerate(pieces, start=len(pieces) + 1):
        ends = left[piece], right[piece]
        features = [extractor.features(extractor.own, *ends), graph_features(rows, *ends, first[piece])]
        probabilities[piece] = model.predict_proba(np.concatenate(features, axis=1))
        tell(done, 2 * len(pieces))
    return ScoredPairs(left, right, first, probabilities)


def _pieces(count: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, count, _BLOCK)]

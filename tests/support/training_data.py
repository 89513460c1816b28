"""A drawn data, and learners so small that what they learn can be told by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.learning.fit import TrainingData
from tests.support.labelled import groups_of, labelled_postings


def drawn_training_data(count: int = 240, seed: int = 0, trained: float = 1.0) -> TrainingData:
    """A labelled catalogue; a share of its groups, the first ones, may be learned from."""
    postings = labelled_postings(count, seed)
    numbers = np.unique(groups_of(postings), return_inverse=True)[1].astype(np.intp)
    features = Features.of([posting.title for posting in postings], [posting.image_phash for posting in postings])
    return TrainingData(features, ("hash", "title"), numbers, numbers < trained * (numbers.max() + 1))


@dataclass(frozen=True, eq=False)
class Mean:
    """Implements `pair_model.Scorer`: the share of right pairs among those of nearly the same similarity of hashes."""

    column: int
    shares: NDArray[np.float64]

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return self.shares[bins(features[:, self.column])]

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.zeros(features.shape)


def bins(similarities: NDArray[np.float32]) -> NDArray[np.intp]:
    return (np.nan_to_num(similarities) * 32).astype(np.intp).clip(0, 32)


@dataclass(frozen=True)
class MeanLearner:
    """Implements `pair_model.Learner`; keeps what it was given."""

    given: list[tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]] = field(default_factory=list)

    def fit(
        self,
        features: NDArray[np.float32],
        truth: NDArray[np.bool_],
        weights: NDArray[np.float32],
        names: Sequence[str],
    ) -> Mean:
        self.given.append((features, truth, weights))
        column = list(names).index("hash_similarity")
        places = bins(features[:, column])
        right, every = np.bincount(places, weights * truth, 33), np.bincount(places, weights, 33)
        return Mean(column, (right + 0.5) / (every + 1.0))

"""A tiny matcher: its probability is the similarity of hashes, words or images, whichever is highest."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import NO_EMBEDDINGS, Embeddings, Features
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.matching.index import MatchIndex
from pricematch.matching.probability import ProbabilitySearch
from pricematch.pairs.calibration import PLATT, Calibration
from pricematch.pairs.model import PairModel
from pricematch.pairs.pair_features import pair_feature_names
from pricematch.pairs.thresholds import F1, SizeThresholds, Target, Thresholds

RETRIEVERS = {"hash": "hash", "title": "words", "image": "image"}
"""By signal, the retriever whose similarity counts."""
THRESHOLDS = SizeThresholds((1,), {F1: [Thresholds(0.9, 0.5)], Target(0.95): [Thresholds(0.99, 0.99)]})


class HighestSimilarity:
    """Implements `pairs.model.Scorer`; missing features count 0."""

    def __init__(self, signals: Sequence[str]) -> None:
        names = pair_feature_names(signals)
        self._columns = [names.index(f"{RETRIEVERS[signal]}_similarity") for signal in signals]

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        known = np.nan_to_num(features[:, self._columns].astype(np.float64), nan=0.0)
        highest: NDArray[np.float64] = known.max(axis=1, initial=0)
        return highest.clip(0, 1)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        found = np.zeros(features.shape)
        found[:, self._columns] = np.nan_to_num(features[:, self._columns], nan=0.0)
        return found


def tiny_model(signals: Sequence[str]) -> PairModel:
    """A pair model whose probability is the highest similarity."""
    scorer = HighestSimilarity(signals)
    return PairModel(tuple(signals), scorer, scorer, Calibration(PLATT, (0.0,), (0.0,), 1.0))


def scored_search(
    postings: Sequence[Posting],
    signals: Sequence[str] = ("hash", "title"),
    embeddings: Mapping[str, Embeddings] = NO_EMBEDDINGS,
    thresholds: SizeThresholds = THRESHOLDS,
) -> ProbabilitySearch:
    """A search by probability over some postings: hashes, titles, and embeddings [n, d] by retriever."""
    features = Features.of(
        [posting.title for posting in postings], [posting.image_phash for posting in postings], embeddings
    )
    index = MatchIndex.build(features, tiny_model(signals))
    return ProbabilitySearch("matcher/1", Catalogue(postings), index, thresholds)


def hashed(*bits: int | None) -> list[Posting]:
    """Postings `p0`, `p1` … whose hashes have that many of their 64 bits set, from the lowest on; None: no hash."""
    return [
        Posting(f"p{row}", None, image_phash=None if count is None else f"{(1 << count) - 1:016x}")
        for row, count in enumerate(bits)
    ]

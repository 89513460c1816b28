"""The pair model: what a probability is made of."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.pairs.calibration import PLATT, Calibration
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.model import PairModel, ScoredPairs, first_scores, second_scores
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.progress import Progress, silent
from tests.support.catalogues import drawn

MEAN = -1.25


class Weighted:
    """A scorer that adds features up: the log odds are their weighted sum and a constant."""

    def __init__(self, weights: NDArray[np.float64]) -> None:
        self._weights = weights

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        odds: NDArray[np.float64] = 1 / (1 + np.exp(-(self.contributions(features).sum(axis=1) + MEAN)))
        return odds

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return features * self._weights


def test_contributions_sum_to_the_log_odds() -> None:
    """Pair features add what the first scorer says, `first` what the neighbours change."""
    rng = np.random.default_rng(0)
    names = pair_feature_names(("hash",))
    first = Weighted(rng.normal(size=len(names)))
    second = Weighted(rng.normal(size=len(names) + len(GRAPH_FEATURES)) / 4)
    model = PairModel(("hash",), first, second, Calibration(PLATT, (0.0,), (0.5,), 2.0))
    features = rng.random((5, len(model.feature_names))).astype(np.float32)

    scores, probability = first.predict(features[:, : len(names)]), model.calibration(second.predict(features))
    found = model.contributions(features, scores, probability)

    place = model.feature_names.index("first")
    assert np.array_equal(found[:, : len(names)], first.contributions(features[:, : len(names)]))
    assert not found[:, place + 1 :].any()
    assert np.allclose(found.sum(axis=1) + MEAN, np.log(probability / (1 - probability)))


def test_no_pairs_have_no_contributions() -> None:
    """Of nothing the shape is still that of the features."""
    names = pair_feature_names(("hash",))
    scorer, other = Weighted(np.zeros(len(names))), Weighted(np.zeros(len(names) + len(GRAPH_FEATURES)))
    model = PairModel(("hash",), scorer, other, Calibration(PLATT, (0.0,), (0.0,), 1.0))
    empty = np.empty((0, len(model.feature_names)), np.float32)
    assert model.contributions(empty, np.empty(0), np.empty(0)).shape == empty.shape


SIGNALS = ("hash", "title")
EXTRACTOR = PairFeatureExtractor(drawn(80, lacking=0.1), SIGNALS)


class Weighs:
    """Implements `model.Scorer`: the mean of some features."""

    def __init__(self, *names: str) -> None:
        self._columns = [(*pair_feature_names(SIGNALS), *GRAPH_FEATURES).index(name) for name in names]

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        means: NDArray[np.float64] = np.nan_to_num(features[:, self._columns].astype(np.float64)).mean(axis=1)
        return means.clip(0, 1)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.zeros(features.shape)


MODEL = PairModel(
    SIGNALS,
    Weighs("hash_similarity", "words_similarity"),
    Weighs("first", "cosine", "words_similarity"),
    Calibration(PLATT, (0.0,), (0.5,), 2.0),
)


def scored_pairs(extractor: PairFeatureExtractor, progress: Progress = silent) -> ScoredPairs:
    """All candidates, by both stages."""
    return second_scores(extractor, MODEL, first_scores(extractor, MODEL, progress), progress)


@pytest.fixture(scope="module")
def scored() -> ScoredPairs:
    return scored_pairs(EXTRACTOR)


def test_pairs_of_a_row_are_all_with_it(scored: ScoredPairs) -> None:
    """With the other end and the probability of each; a row behind the last has none."""
    for row in range(len(EXTRACTOR)):
        expected = sorted(
            (int(right if left == row else left), p)
            for left, right, p in zip(scored.left, scored.right, scored.probabilities, strict=True)
            if row in (left, right)
        )
        others, probabilities = scored.of(row)
        assert sorted(zip(others.tolist(), probabilities.tolist(), strict=True)) == expected
    assert [len(part) for part in scored.of(len(EXTRACTOR))] == [0, 0]


def test_the_second_stage_sees_first_scores_of_neighbours(scored: ScoredPairs) -> None:
    """Its cosine is that of rows of the dense matrix of first scores."""
    features = EXTRACTOR.features(EXTRACTOR.own, scored.left, scored.right)
    first = MODEL.first.predict(features)
    np.testing.assert_array_equal(scored.first, first)
    whole = np.eye(len(EXTRACTOR))
    whole[scored.left, scored.right] = whole[scored.right, scored.left] = np.where(first < 0.02, 0, first)
    length = np.linalg.norm(whole, axis=1)
    cosine = (whole @ whole / np.outer(length, length))[scored.left, scored.right]
    graph = np.full((len(first), len(GRAPH_FEATURES)), np.nan, np.float32)
    graph[:, GRAPH_FEATURES.index("first")], graph[:, GRAPH_FEATURES.index("cosine")] = first, cosine
    expected = MODEL.predict_proba(np.concatenate([features, graph], axis=1))
    np.testing.assert_allclose(scored.probabilities, expected, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_tiny_catalogues_have_one_pair_at_most(count: int) -> None:
    """No posting, one or two are no special case."""
    scored = scored_pairs(PairFeatureExtractor(drawn(count, lacking=0), SIGNALS))
    assert len(scored) <= (count == 2)
    assert [len(scored.of(row)[0]) for row in range(count)] in ([], [0], [1, 1], [0, 0])


def test_progress_counts_blocks_of_both_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block is told of twice, in ascending order."""
    monkeypatch.setattr("pricematch.pairs.model._BLOCK", 500)
    told = list[tuple[int, int]]()
    scored = scored_pairs(EXTRACTOR, lambda _, done, total: told.append((done, total)))
    blocks = -(-len(scored) // 500)
    assert blocks > 1
    assert told == [(done, 2 * blocks) for done in range(1, 2 * blocks + 1)]

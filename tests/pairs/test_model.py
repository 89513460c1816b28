"""A judged catalogue, against looking at every pair."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.pairs.calibration import PLATT, Calibration
from pricematch.pairs.graph_features import AGREEMENT
from pricematch.pairs.model import JudgedCatalogue, PairModel
from pricematch.pairs.reference import Reference, feature_names
from tests.support.drawn import drawn

SIGNALS = ("hash", "title")
POSTINGS = drawn(80, lacking=0.1)


class Weighs:
    """Implements `pair_model.Scorer`: similarity of hashes, more where neighbours agree."""

    def __init__(self, *names: str) -> None:
        self._columns = [(*feature_names(SIGNALS), *AGREEMENT).index(name) for name in names]

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


@pytest.fixture(scope="module")
def judged() -> JudgedCatalogue:
    return JudgedCatalogue(Reference(POSTINGS, SIGNALS), MODEL)


def test_candidates_of_a_row_are_its_pairs_by_falling_probability(judged: JudgedCatalogue) -> None:
    for row in range(len(judged)):
        expected = sorted(
            (-p, int(second if first == row else first))
            for first, second, p in zip(judged.lines, judged.rows, judged.probabilities, strict=True)
            if row in (first, second)
        )
        others, probabilities = judged.of(row)
        assert others.tolist() == [other for _, other in expected]
        assert probabilities.tolist() == [-p for p, _ in expected]


def test_the_second_scorer_sees_what_the_first_says_of_neighbours(judged: JudgedCatalogue) -> None:
    evidence = judged.reference.evidence(judged.reference.side, judged.lines, judged.rows)
    first = MODEL.first.predict(evidence)
    np.testing.assert_array_equal(judged.judgements.first, first)
    whole = np.eye(len(judged))
    whole[judged.lines, judged.rows] = whole[judged.rows, judged.lines] = np.where(first < 0.02, 0, first)
    length = np.linalg.norm(whole, axis=1)
    cosine = (whole @ whole / np.outer(length, length))[judged.lines, judged.rows]
    agreeing = np.full((len(first), len(AGREEMENT)), np.nan, np.float32)
    agreeing[:, AGREEMENT.index("first")], agreeing[:, AGREEMENT.index("cosine")] = first, cosine
    expected = MODEL.judge(np.concatenate([evidence, agreeing], axis=1))
    np.testing.assert_allclose(judged.probabilities, expected, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_next_to_no_catalogue_is_judged(count: int) -> None:
    judged = JudgedCatalogue(Reference(drawn(count, lacking=0), SIGNALS), MODEL)
    assert len(judged) == count
    assert [len(judged.of(row)[0]) for row in range(count)] in ([], [0], [1, 1], [0, 0])


def test_blocks_of_pairs_are_counted_while_they_are_judged_and_not_if_they_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pricematch.pairs.model._BLOCK", 500)
    reference, told = Reference(POSTINGS, SIGNALS), list[tuple[int, int]]()
    judged = JudgedCatalogue(reference, MODEL, told=lambda done, total: told.append((done, total)))
    blocks = -(-len(judged.lines) // 500)
    assert blocks > 1
    assert told == [(done, 2 * blocks) for done in range(1, 2 * blocks + 1)]
    told.clear()
    kept = JudgedCatalogue(reference, MODEL, judged.judgements, lambda done, total: told.append((done, total)))
    assert told == []
    np.testing.assert_array_equal(kept.probabilities, judged.probabilities)

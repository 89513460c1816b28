"""A judged catalogue, against looking at every pair."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.matching.calibration import PLATT, Calibration
from app.matching.evidence.agreement import AGREEMENT
from app.matching.evidence.reference import Reference, feature_names
from app.matching.pair_model import JudgedCatalogue, PairModel
from tests.matching.evidence.drawn import drawn
from tests.matching.judged import tiny_model

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
    for row in (0, 17, 79):
        others, probabilities = judged.of(row)
        order = np.random.default_rng(0).permutation(len(others))[:5]
        found = judged.between(row, others[order])
        assert found.probabilities.tolist() == probabilities[order].tolist()
        for first, second, other in zip(found.lines, found.rows, others[order], strict=True):
            assert {int(first), int(second)} == {row, int(other)}
        assert found.features.shape == (len(order), len(MODEL.features))
        np.testing.assert_allclose(MODEL.calibration(MODEL.second.predict(found.features)), found.probabilities)
        first_scores = found.features[:, MODEL.features.index("first")]
        np.testing.assert_allclose(first_scores, MODEL.first.predict(found.features), atol=1e-6)


def test_a_new_posting_has_the_probabilities_it_has_as_one_of_the_catalogue() -> None:
    postings = drawn(200, seed=3, lacking=0)
    newest = len(postings) - 1
    by_hash = tiny_model(("hash",))
    stored = JudgedCatalogue(Reference(postings.select(np.arange(newest)), ("hash",)), by_hash)
    whole = JudgedCatalogue(Reference(postings, ("hash",)), by_hash)
    _, pairs = stored.new(postings.select(np.array([newest])))
    held = dict(zip(*(it.tolist() for it in whole.of(newest)), strict=True))
    assert len(pairs.rows) > 0
    for row, probability in zip(pairs.rows.tolist(), pairs.probabilities.tolist(), strict=True):
        assert held[row] == pytest.approx(probability)


def test_a_posting_of_the_catalogue_asked_as_new_finds_itself_and_its_neighbours(judged: JudgedCatalogue) -> None:
    _, pairs = judged.new(POSTINGS)
    for line in range(len(judged)):
        own = pairs.lines == line
        asked = dict(zip(pairs.rows[own].tolist(), pairs.probabilities[own].tolist(), strict=True))
        if not asked:
            continue
        assert max(asked.values()) - asked[line] < 0.05
        others, probabilities = judged.of(line)
        common = [(asked[other], p) for other, p in zip(others.tolist(), probabilities, strict=True) if other in asked]
        assert np.mean([abs(one - other) for one, other in common] or [0]) < 0.1  # itself agrees with each of them


def test_pairs_of_new_postings_come_line_by_line(judged: JudgedCatalogue) -> None:
    _, pairs = judged.new(drawn(9, seed=8))
    keys = pairs.lines.astype(np.int64) * len(judged) + pairs.rows
    assert (np.diff(keys) > 0).all()
    assert ((pairs.probabilities > 0) & (pairs.probabilities < 1)).all()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_next_to_no_catalogue_is_judged_and_asked(count: int) -> None:
    judged = JudgedCatalogue(Reference(drawn(count, lacking=0), SIGNALS), MODEL)
    assert len(judged) == count
    assert [len(judged.of(row)[0]) for row in range(count)] in ([], [0], [1, 1], [0, 0])
    _, pairs = judged.new(drawn(3, seed=2, lacking=0))
    assert len(pairs.rows) == len(pairs.probabilities) <= 3 * count


def test_blocks_of_pairs_are_counted_while_they_are_judged_and_not_if_they_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.matching.pair_model._BLOCK", 500)
    reference, told = Reference(POSTINGS, SIGNALS), list[tuple[int, int]]()
    judged = JudgedCatalogue(reference, MODEL, told=lambda done, total: told.append((done, total)))
    blocks = -(-len(judged.lines) // 500)
    assert blocks > 1
    assert told == [(done, 2 * blocks) for done in range(1, 2 * blocks + 1)]
    told.clear()
    kept = JudgedCatalogue(reference, MODEL, judged.judgements, lambda done, total: told.append((done, total)))
    assert told == []
    np.testing.assert_array_equal(kept.probabilities, judged.probabilities)

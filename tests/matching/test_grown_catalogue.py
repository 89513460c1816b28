"""A judged catalogue that changes, against one that is judged anew."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.matching.added import Newcomers
from app.matching.evidence.agreement import AGREEMENT
from app.matching.evidence.carried import Carried, carried
from app.matching.evidence.reference import Reference, feature_names
from app.matching.grown_catalogue import GrownCatalogue
from app.matching.pair_model import JudgedCatalogue, PairModel
from tests.matching.evidence.drawn import drawn
from tests.matching.judged import tiny_model

HASH = ("hash",)
POSTINGS = drawn(200, seed=3, lacking=0)
MODEL = tiny_model(HASH)


class SeesNeighbours:
    """Implements `pair_model.Scorer`: half of it is what the first scorer says, half how far neighbours agree."""

    def __init__(self, signals: Sequence[str]) -> None:
        names = (*feature_names(signals), *AGREEMENT)
        self._columns = [names.index(name) for name in ("first", "jaccard")]

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        means: NDArray[np.float64] = features[:, self._columns].astype(np.float64).mean(axis=1)
        return means

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.zeros(features.shape)

    @classmethod
    def model(cls, signals: Sequence[str]) -> PairModel:
        """A model whose probability is that."""
        return replace(tiny_model(signals), second=cls(signals))


def judged(count: int) -> JudgedCatalogue:
    """The first postings as a catalogue."""
    return JudgedCatalogue(Reference(POSTINGS.select(np.arange(count)), HASH), MODEL)


def new_pairs(stored: JudgedCatalogue, postings: Carried) -> Newcomers:
    """Postings judged against a catalogue that has not changed."""
    return GrownCatalogue.of(stored).newcomers(postings)


def told(found: Newcomers) -> dict[tuple[int, int], float]:
    """The probability of each pair, by its ends, the lower first."""
    ends = zip(found.pairs.lines.tolist(), found.pairs.rows.tolist(), strict=True)
    pairs = [(min(pair), max(pair)) for pair in ends]
    assert len(set(pairs)) == len(pairs)
    return dict(zip(pairs, found.pairs.probabilities.tolist(), strict=True))


def test_one_alone_is_judged_as_where_it_is_asked_for_its_matches() -> None:
    stored, newest = judged(190), POSTINGS.select(np.array([195]))
    found = told(new_pairs(stored, newest))
    _, alone = stored.new(newest)
    assert len(found) > 10
    assert found == pytest.approx(
        dict(zip([(row, 190) for row in alone.rows.tolist()], alone.probabilities.tolist(), strict=True)), abs=1e-9
    )


@pytest.mark.parametrize("signals", [("hash",), ("image",), ("hash", "image")])
def test_several_have_the_probabilities_they_have_as_postings_of_the_catalogue(signals: tuple[str, ...]) -> None:
    # few enough that whoever a stored posting proposes is proposed by the new one too
    model = SeesNeighbours.model(signals)
    stored, whole = (
        JudgedCatalogue(Reference(POSTINGS.select(np.arange(count)), signals), model) for count in (30, 45)
    )
    found = told(new_pairs(stored, POSTINGS.select(np.arange(30, 45))))
    ends = zip(whole.lines.tolist(), whole.rows.tolist(), strict=True)
    held = {
        pair: probability for pair, probability in zip(ends, whole.probabilities.tolist(), strict=True) if pair[1] >= 30
    }
    assert found.keys() == held.keys()
    assert found == pytest.approx(held, abs=1e-5)


def test_the_order_of_the_batch_does_not_matter() -> None:
    stored, order = judged(190), np.random.default_rng(0).permutation(10)
    expected = told(new_pairs(stored, POSTINGS.select(np.arange(190, 200))))
    shuffled = told(new_pairs(stored, POSTINGS.select(190 + order)))
    place = [*range(190), *(190 + order).tolist()]
    found = {(min(ends), max(ends)): p for pair, p in shuffled.items() for ends in [[place[end] for end in pair]]}
    assert found == pytest.approx(expected, abs=1e-9)


def test_two_that_only_a_third_new_one_connects_have_a_path_between_them() -> None:
    stored = JudgedCatalogue(Reference(carried(["kopi"], ["f" * 16]), HASH), MODEL)
    one, third, other = 0, 0x7, 0x3F  # three bits from each other, six from end to end
    new = carried([""] * 3, [f"{value:016x}" for value in (one, third, other)])
    found = new_pairs(stored, new).pairs
    ends = [(1, 2), (1, 3), (2, 3)]  # behind the one that is stored, which is far from all of them
    assert list(zip(found.lines.tolist(), found.rows.tolist(), strict=True)) == ends
    paths = found.features[:, MODEL.features.index("paths")]
    near, far = 61 / 64, 58 / 64
    assert paths.tolist() == pytest.approx([near * far, near * near, near * far], abs=1e-5)


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("new", [0, 1, 2])
def test_next_to_nothing_is_judged(count: int, new: int) -> None:
    found = new_pairs(judged(count), drawn(new, seed=2, lacking=0))
    assert len(found) == new
    assert len(told(found)) <= new * count + max(0, new - 1)
    assert all(first < second < count + new and second >= count for first, second in told(found))

"""A match index that changes, against one of the same postings scored together."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.matching.index import MatchIndex, QueryPairs
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES, ProbabilityRows, graph_features, probability_matrix
from pricematch.pairs.model import PairModel
from pricematch.pairs.retriever import ParsedFeatures
from tests.support.catalogues import drawn
from tests.support.matchers import tiny_model

pytestmark = pytest.mark.slow

HASH = ("hash",)
POSTINGS = drawn(200, seed=3, lacking=0)
MODEL = tiny_model(HASH)
COMBINATIONS = [
    (*hashes, *titles, *images)
    for hashes in ((), ("hash",))
    for titles in ((), ("title",))
    for images in ((), ("image",))
    if hashes or titles or images
]
OF_IMAGES = [("hash",), ("image",), ("hash", "image")]
"""Signals whose similarities do not depend on the rest of the catalogue; those of titles weigh words by it."""


class SeesNeighbours:
    """Implements `model.Scorer`: half of it is what the first scorer says, half how far neighbours agree."""

    def __init__(self, signals: Sequence[str]) -> None:
        names = (*pair_feature_names(signals), *GRAPH_FEATURES)
        self._columns = [names.index(name) for name in ("first", "jaccard")]

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        means: NDArray[np.float64] = features[:, self._columns].astype(np.float64).mean(axis=1)
        return means.clip(0, 1)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.zeros(features.shape)

    @classmethod
    def model(cls, signals: Sequence[str]) -> PairModel:
        """A model whose probability is that."""
        return replace(tiny_model(signals), second=cls(signals))


def built(rows: Sequence[int], signals: Sequence[str] = HASH, model: PairModel | None = None) -> MatchIndex:
    """Some of the postings scored together, by a model that sees neighbours unless another is given."""
    return MatchIndex.build(POSTINGS.select(np.array(rows, np.intp)), model or SeesNeighbours.model(signals))


def grown(sizes: Sequence[int], signals: Sequence[str] = HASH) -> MatchIndex:
    """The first postings: so many scored together, then so many that were added, and so on."""
    index, first = built(range(sizes[0]), signals), sizes[0]
    for size in sizes[1:]:
        index = index.with_added(POSTINGS.select(np.arange(first, first + size)))
        first += size
    return index


def probabilities(found: QueryPairs) -> dict[tuple[int, int], float]:
    """The probability of each pair, by its ends, the lower first."""
    ends = zip(found.pairs.left.tolist(), found.pairs.right.tolist(), strict=True)
    pairs = [(min(pair), max(pair)) for pair in ends]
    assert len(set(pairs)) == len(pairs)
    return dict(zip(pairs, found.pairs.probabilities.tolist(), strict=True))


def ends_of(index: MatchIndex) -> set[tuple[int, int]]:
    """Its pairs, the lower end first."""
    pairs = index.pairs
    ends = [(min(pair), max(pair)) for pair in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)]
    assert len(set(ends)) == len(ends)
    return set(ends)


def features_of(index: MatchIndex, pair: tuple[int, int]) -> dict[str, float]:
    """The features of a pair by name."""
    values = index.features_of(pair[0], np.array([pair[1]])).values[0].tolist()
    return dict(zip(index.model.feature_names, values, strict=True))


def same(one: QueryPairs, other: QueryPairs, behind: int = 0, shift: int = 0) -> None:
    """Compare two results bit by bit; ends from `behind` on are `shift` further behind in the first."""
    np.testing.assert_array_equal(one.pairs.left, other.pairs.left + shift)
    np.testing.assert_array_equal(one.pairs.right, other.pairs.right + np.where(other.pairs.right >= behind, shift, 0))
    np.testing.assert_array_equal(one.features.values, other.features.values)
    np.testing.assert_array_equal(one.pairs.probabilities, other.pairs.probabilities)
    np.testing.assert_array_equal(one.pairs.first, other.pairs.first)


# --- queries -----------------------------------------------------------------------------------------------------


def test_one_query_equals_the_steps_done_by_hand() -> None:
    """Profile, pair features, first stage, graph features of the whole matrix, second stage."""
    index, newest = built(range(190), model=MODEL), POSTINGS.select(np.array([195]))
    found = index.query(newest)
    profiles, left, right = index.extractor.profiles(ParsedFeatures.of(newest))
    features = index.extractor.features(profiles, left, right, index.extractor.own)
    first = MODEL.first.predict(features)
    base = index.base
    matrix = probability_matrix(
        np.concatenate([base.left, left + 190]),
        np.concatenate([base.right, right]),
        np.concatenate([base.first, first]),
        191,
    )
    graph = graph_features(ProbabilityRows.of(matrix), left + 190, right, first)
    features = np.concatenate([features, graph], axis=1)
    assert len(right) > 10
    assert (found.pairs.left.tolist(), found.pairs.right.tolist()) == ([190] * len(right), right.tolist())
    np.testing.assert_allclose(found.features.values, features, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.pairs.probabilities, MODEL.predict_proba(features), atol=1e-9)


@pytest.mark.parametrize("signals", OF_IMAGES)
def test_queries_score_like_postings_of_the_catalogue(signals: tuple[str, ...]) -> None:
    """Few enough that whoever a stored posting proposes is proposed by the query too."""
    index, whole = built(range(30), signals), built(range(45), signals).base
    found = probabilities(index.query(POSTINGS.select(np.arange(30, 45))))
    ends = zip(whole.left.tolist(), whole.right.tolist(), strict=True)
    expected = {pair: p for pair, p in zip(ends, whole.probabilities.tolist(), strict=True) if pair[1] >= 30}
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, abs=1e-5)


def test_order_of_queries_does_not_matter() -> None:
    """Each pair has the same probability wherever its ends stand in the batch."""
    index, order = built(range(190), model=MODEL), np.random.default_rng(0).permutation(10)
    expected = probabilities(index.query(POSTINGS.select(np.arange(190, 200))))
    shuffled = probabilities(index.query(POSTINGS.select(190 + order)))
    place = [*range(190), *(190 + order).tolist()]
    found = {(min(ends), max(ends)): p for pair, p in shuffled.items() for ends in [[place[end] for end in pair]]}
    assert found == pytest.approx(expected, abs=1e-9)


def test_paths_lead_over_other_queries() -> None:
    """Two queries that only a third one connects have a path between them."""
    index = MatchIndex.build(Features.of(["kopi"], ["f" * 16]), MODEL)
    one, third, other = 0, 0x7, 0x3F  # three bits from each other, six from end to end
    found = index.query(Features.of([""] * 3, [f"{value:016x}" for value in (one, third, other)]))
    ends = [(1, 2), (1, 3), (2, 3)]  # behind the one that is stored, which is far from all of them
    assert list(zip(found.pairs.left.tolist(), found.pairs.right.tolist(), strict=True)) == ends
    paths = found.features.values[:, MODEL.feature_names.index("paths")]
    near, far = 61 / 64, 58 / 64
    assert paths.tolist() == pytest.approx([near * far, near * near, near * far], abs=1e-5)


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("new", [0, 1, 2])
def test_tiny_catalogues_answer_tiny_queries(count: int, new: int) -> None:
    """No posting, one, or two of either kind are no special case."""
    found = probabilities(built(range(count), model=MODEL).query(drawn(new, seed=2, lacking=0)))
    assert len(found) <= new * count + max(0, new - 1)
    assert all(first < second < count + new and second >= count for first, second in found)


def test_pairs_with_the_base_are_ascending() -> None:
    """First by query, then by row; probabilities are never 0 or 1."""
    index = built(range(80), model=MODEL)
    pairs = index.query(drawn(9, seed=8)).pairs
    base = pairs.right < len(index)
    keys = pairs.left[base].astype(np.int64) * len(index) + pairs.right[base]
    assert (np.diff(keys) > 0).all()
    assert ((pairs.probabilities > 0) & (pairs.probabilities < 1)).all()


def test_a_stored_posting_as_query_finds_itself() -> None:
    """Itself is as likely as the best, and its neighbours about as likely as in the catalogue."""
    postings, signals = drawn(80, lacking=0.1), ("hash", "title")
    index = MatchIndex.build(postings, SeesNeighbours.model(signals))
    for row in range(len(index)):
        pairs = index.query(postings.select(np.array([row]))).pairs
        found = dict(zip(pairs.right.tolist(), pairs.probabilities.tolist(), strict=True))
        if not found:
            continue
        assert max(found.values()) - found[row] < 0.05
        others, expected = index.candidates_of(row)
        common = [(found[other], p) for other, p in zip(others.tolist(), expected, strict=True) if other in found]
        assert np.mean([abs(one - other) for one, other in common] or [0]) < 0.1  # itself agrees with each of them


# --- an index that changes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("signals", OF_IMAGES)
@pytest.mark.parametrize("sizes", [(0, 40), (0, *[1] * 40), (25, 15), (25, *[1] * 15), (25, 7, 1, 7), (0, 1, 9, 30)])
def test_added_postings_have_the_candidates_of_a_rebuild(sizes: tuple[int, ...], signals: tuple[str, ...]) -> None:
    """Whatever lumps they come in; graph features are those of a rebuild too, and pair features of what was added."""
    index, whole, base = grown(sizes, signals), built(range(40), signals), sizes[0]
    assert ends_of(index) == ends_of(whole)  # few enough that whoever is near enough is a candidate
    for pair in list(ends_of(whole))[::7]:
        one, other = features_of(index, pair), features_of(whole, pair)
        compared = one if pair[0] >= base else GRAPH_FEATURES
        assert {name: one[name] for name in compared} == pytest.approx(
            {name: other[name] for name in compared}, abs=1e-5, nan_ok=True
        )


@pytest.mark.parametrize("signals", OF_IMAGES)
def test_the_last_added_has_the_probabilities_of_a_rebuild(signals: tuple[str, ...]) -> None:
    """Those before it do not know it yet, so they differ a little."""
    index, whole = grown((20, *[1] * 19, 1), signals), built(range(40), signals)
    for row, last in ((39, True), (38, False)):
        expected = dict(zip(*(it.tolist() for it in whole.candidates_of(row)), strict=True))
        found = dict(zip(*(it.tolist() for it in index.candidates_of(row)), strict=True))
        assert found.keys() == expected.keys()
        assert found == pytest.approx(expected, abs=1e-5 if last else 0.2)


def test_added_postings_find_all_candidates_of_a_rebuild() -> None:
    """Also where there are more neighbours than the top k."""
    signals = ("image",)
    index, whole = grown((60, *[10] * 6), signals), built(range(120), signals)
    late = {pair for pair in ends_of(whole) if pair[0] >= 60}
    assert late < {pair for pair in ends_of(index) if pair[0] >= 60}
    assert len(late) < 60 * 59 / 2


@pytest.mark.parametrize("signals", COMBINATIONS)
def test_features_of_a_pair_are_those_it_was_scored_by(signals: tuple[str, ...]) -> None:
    """In the base, between base and delta, and within the delta."""
    index = built(range(60), signals)
    pairs = index.pairs
    for row in (0, 30, 59):
        others, expected = index.candidates_of(row)
        features = index.features_of(row, others).values
        assert features.shape == (len(others), len(index.model.feature_names))
        np.testing.assert_allclose(index.model.predict_proba(features), expected, atol=1e-6)
        own = (pairs.left == row) | (pairs.right == row)
        assert sorted(expected.tolist()) == sorted(pairs.probabilities[own].tolist())
    newest = POSTINGS.select(np.array([60]))
    one = index.query(newest)
    found = index.with_added(newest).features_of(60, one.pairs.right)
    np.testing.assert_allclose(found.values, one.features.values, rtol=1e-5, atol=1e-5)
    more = POSTINGS.select(np.array([61, 62]))
    two = index.query(more)
    between = two.pairs.right == 60
    if between.any():
        found = index.with_added(more).features_of(61, np.array([60]))
        np.testing.assert_allclose(found.values, two.features.values[between], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sizes", [(40,), (25, 15), (25, *[1] * 15), (0, 20, 20)])
def test_removed_postings_take_no_part(sizes: tuple[int, ...]) -> None:
    """They are nobody's candidates, and neither neighbours nor paths count them."""
    gone = np.random.default_rng(1).permutation(40)[:18]
    left = np.setdiff1d(np.arange(40), gone).tolist()
    index, whole = grown(sizes).without(gone), built(left)
    assert (len(index), index.span, len(index.alive)) == (22, 40, 40)
    assert index.changes == 40 - sizes[0] + 18
    place = {row: position for position, row in enumerate(left)} | {40 + new: 22 + new for new in range(3)}
    assert {(place[one], place[other]) for one, other in ends_of(index)} == ends_of(whole)
    for row in left:
        others = {place[other] for other in index.candidates_of(row)[0].tolist()}
        assert others == set(whole.candidates_of(place[row])[0].tolist())
    new = POSTINGS.select(np.array([45, 46, left[0]]))
    found, expected = index.query(new), whole.query(new)
    renumbered = {tuple(sorted((place[one], place[other]))): p for (one, other), p in probabilities(found).items()}
    assert renumbered == pytest.approx(probabilities(expected), abs=1e-6)
    names = index.model.feature_names
    compared = [names.index(name) for name in ("catalogue_size", "hash_similarity", *GRAPH_FEATURES)]
    order = np.lexsort((np.array([place[row] for row in found.pairs.right.tolist()]), found.pairs.left))
    other = np.lexsort((expected.pairs.right, expected.pairs.left))
    np.testing.assert_allclose(
        found.features.values[order][:, compared], expected.features.values[other][:, compared], atol=1e-5
    )


def test_removed_postings_do_not_count_as_repeats() -> None:
    """Equal hashes and titles are counted among what is there, base and delta alike."""
    signals = ("hash", "title")
    alike = Features.of(["kopi susu"] * 6, ["0" * 16] * 6)
    index = MatchIndex.build(alike.select(np.arange(3)), tiny_model(signals)).with_added(alike.select(np.arange(3, 6)))
    for gone, left in (((), 6), ((0,), 5), ((0, 4), 4), ((3, 4, 5), 3), ((0, 1, 2), 3), (range(6), 0)):
        found = index.without(np.array(gone, np.intp)).query(alike.select(np.array([0])))
        values = dict(zip(index.model.feature_names, found.features.values.T.tolist(), strict=True))
        assert found.pairs.right.tolist() == [row for row in range(6) if row not in gone]
        assert values["catalogue_size"] == pytest.approx([np.log(left + 1)] * left)
        for name in ("hash_repeats_low", "hash_repeats_high", "title_repeats_low", "title_repeats_high"):
            assert values[name] == [left + 1] * left


def test_a_path_over_a_removed_posting_is_gone() -> None:
    """For queries, and for pairs that are stored."""
    one, between, other = (Features.of([""], [f"{value:016x}"]) for value in (0, 0x7, 0x3F))
    index = MatchIndex.build(one, MODEL).with_added(between)
    paths = MODEL.feature_names.index("paths")
    assert index.query(other).features.values[:, paths].tolist() == pytest.approx([61 * 61 / 64**2, 61 * 58 / 64**2])
    assert index.without(np.array([1])).query(other).features.values[:, paths].tolist() == [0]
    index = index.with_added(other)
    assert features_of(index, (0, 2))["paths"] == pytest.approx(61 * 61 / 64**2)
    assert features_of(index.without(np.array([1])), (0, 2))["paths"] == 0


@pytest.mark.parametrize("signals", COMBINATIONS)
def test_adding_and_removing_all_changes_no_query(signals: tuple[str, ...]) -> None:
    """Where all that was added is gone again, queries get to the bit what they got before."""
    index, new = built(range(30), signals), POSTINGS.select(np.arange(50, 54))
    changed = index
    for rows in ([30, 31, 32], [33], [34, 35]):
        changed = changed.with_added(POSTINGS.select(np.array(rows)))
    same(changed.without(np.arange(30, 36)).query(new), index.query(new), behind=30, shift=6)


@pytest.mark.parametrize("signals", COMBINATIONS)
def test_an_index_never_changes(signals: tuple[str, ...]) -> None:
    """Whatever is made of it, its own answers stay."""
    new, index = POSTINGS.select(np.array([60, 61])), built(range(20), signals)
    seen = []
    for step in range(6):
        others, expected = index.candidates_of(3)
        seen.append((index, index.query(new), index.pairs, others, expected, index.features_of(3, others).values))
        index = index.with_added(POSTINGS.select(np.arange(20 + 3 * step, 23 + 3 * step)))
        index = index.without(np.array([10 + step, 21 + 3 * step]))
        index.with_added(new)  # which nobody keeps
    for earlier, found, pairs, others, expected, features in seen:
        same(earlier.query(new), found)
        np.testing.assert_array_equal(earlier.pairs.left, pairs.left)
        np.testing.assert_array_equal(earlier.pairs.right, pairs.right)
        np.testing.assert_array_equal(earlier.pairs.probabilities, pairs.probabilities)
        for one, other in zip(earlier.candidates_of(3), (others, expected), strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(earlier.features_of(3, others).values, features)


@pytest.mark.parametrize("signals", COMBINATIONS)
def test_an_index_grows_from_nothing(signals: tuple[str, ...]) -> None:
    """Empty batches and single postings included, and it can be emptied again."""
    index, count = built([], signals), 0
    for size in (0, 1, 1, 0, 2, 3):
        index, count = index.with_added(POSTINGS.select(np.arange(count, count + size))), count + size
        assert (len(index), index.span, index.changes) == (count, count, count)
        assert all(0 <= one < other < count for one, other in ends_of(index))
        for row in range(count):
            others, found = index.candidates_of(row)
            assert len(set(others.tolist()) - {row}) == len(others) == len(found)
            assert ((found >= 0) & (found <= 1)).all()
            assert index.features_of(row, others).values.shape == (len(others), len(index.model.feature_names))
    if "title" not in signals:
        assert ends_of(index) == ends_of(built(range(count), signals))
    emptied = index.without(np.arange(count))
    assert (len(emptied), len(emptied.pairs), len(emptied.query(drawn(1)).pairs)) == (0, 0, 0)


def test_pairs_scored_before_are_not_scored_again() -> None:
    """An index of stored pairs has the same base, and tells of no blocks of pairs."""
    index, told = built(range(60), model=MODEL), list[str]()
    postings = POSTINGS.select(np.arange(60))
    again = MatchIndex.build(postings, MODEL, lambda what, *_: told.append(what), index.base)
    assert set(told) == {"Comparing postings"}
    same(again.query(POSTINGS.select(np.array([70]))), index.query(POSTINGS.select(np.array([70]))))

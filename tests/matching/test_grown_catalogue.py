"""A judged catalogue that changes, against one that is judged anew."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.matching.added import Newcomers
from pricematch.matching.grown_catalogue import GrownCatalogue
from pricematch.pairs.graph_features import AGREEMENT, agreement, probability_rows
from pricematch.pairs.model import JudgedCatalogue, PairModel
from pricematch.pairs.reference import Reference, feature_names
from pricematch.pairs.retrievers import ParsedFeatures
from tests.support.drawn import drawn
from tests.support.judged import tiny_model

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
        return means.clip(0, 1)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.zeros(features.shape)

    @classmethod
    def model(cls, signals: Sequence[str]) -> PairModel:
        """A model whose probability is that."""
        return replace(tiny_model(signals), second=cls(signals))


def judged(count: int) -> JudgedCatalogue:
    """The first postings as a catalogue."""
    return JudgedCatalogue(Reference(POSTINGS.select(np.arange(count)), HASH), MODEL)


def new_pairs(stored: JudgedCatalogue, postings: Features) -> Newcomers:
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
    found = new_pairs(stored, newest)
    side, lines, rows = stored.reference.describe(ParsedFeatures.of(newest))
    evidence = stored.reference.evidence(side, lines, rows)
    first = MODEL.first.predict(evidence)
    asked = probability_rows(lines, rows, first, (1, 190))
    features = np.concatenate([evidence, agreement(asked, stored.graph, lines, rows, first)], axis=1)
    assert len(told(found)) > 10
    assert (found.pairs.lines.tolist(), found.pairs.rows.tolist()) == ([190] * len(rows), rows.tolist())
    np.testing.assert_allclose(found.pairs.features, features, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.pairs.probabilities, MODEL.judge(features), atol=1e-9)


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
    stored = JudgedCatalogue(Reference(Features.of(["kopi"], ["f" * 16]), HASH), MODEL)
    one, third, other = 0, 0x7, 0x3F  # three bits from each other, six from end to end
    new = Features.of([""] * 3, [f"{value:016x}" for value in (one, third, other)])
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


def test_pairs_with_the_catalogue_come_line_by_line() -> None:
    stored, new = judged(80), drawn(9, seed=8)
    pairs = new_pairs(stored, new).pairs
    old = pairs.rows < len(stored)
    keys = pairs.lines[old].astype(np.int64) * len(stored) + pairs.rows[old]
    assert (np.diff(keys) > 0).all()
    assert ((pairs.probabilities > 0) & (pairs.probabilities < 1)).all()


def test_a_posting_of_the_catalogue_asked_as_new_finds_itself_and_its_neighbours() -> None:
    postings = drawn(80, lacking=0.1)
    signals = ("hash", "title")
    stored = JudgedCatalogue(Reference(postings, signals), SeesNeighbours.model(signals))
    for line in range(len(stored)):
        pairs = new_pairs(stored, postings.select(np.array([line]))).pairs
        asked = dict(zip(pairs.rows.tolist(), pairs.probabilities.tolist(), strict=True))
        if not asked:
            continue
        assert max(asked.values()) - asked[line] < 0.05
        others, probabilities = stored.of(line)
        common = [(asked[other], p) for other, p in zip(others.tolist(), probabilities, strict=True) if other in asked]
        assert np.mean([abs(one - other) for one, other in common] or [0]) < 0.1  # itself agrees with each of them


# --- catalogues that grow and shrink -----------------------------------------------------------------------------

COMBINATIONS = [
    (*hashes, *titles, *images)
    for hashes in ((), ("hash",))
    for titles in ((), ("title",))
    for images in ((), ("image",))
    if hashes or titles or images
]
OF_PICTURES = [("hash",), ("image",), ("hash", "image")]
"""Signals whose similarities do not depend on the rest of the catalogue; those of titles weigh words by it."""


def base(count: int, signals: Sequence[str] = HASH) -> GrownCatalogue:
    """The first postings, judged together; what neighbours say counts."""
    postings = POSTINGS.select(np.arange(count))
    return GrownCatalogue.of(JudgedCatalogue(Reference(postings, signals), SeesNeighbours.model(signals)))


def grown(sizes: Sequence[int], signals: Sequence[str] = HASH) -> GrownCatalogue:
    """The first postings: so many judged together, then so many that came, and so on."""
    found, first = base(sizes[0], signals), sizes[0]
    for size in sizes[1:]:
        found = found.with_newcomers(found.newcomers(POSTINGS.select(np.arange(first, first + size))))
        first += size
    return found


def anew(rows: Sequence[int], signals: Sequence[str] = HASH) -> GrownCatalogue:
    """Some of the postings judged together."""
    postings = POSTINGS.select(np.array(rows, np.intp))
    return GrownCatalogue.of(JudgedCatalogue(Reference(postings, signals), SeesNeighbours.model(signals)))


def ends_of(found: GrownCatalogue) -> set[tuple[int, int]]:
    """Its pairs, the lower end first."""
    lines, rows, _ = found.pairs
    ends = [(min(pair), max(pair)) for pair in zip(lines.tolist(), rows.tolist(), strict=True)]
    assert len(set(ends)) == len(ends)
    return set(ends)


def features_of(found: GrownCatalogue, pair: tuple[int, int]) -> dict[str, float]:
    """By name."""
    return dict(zip(found.model.features, found.features(pair[0], np.array([pair[1]]))[0].tolist(), strict=True))


def same(one: Newcomers, other: Newcomers, behind: int = 0, shift: int = 0) -> None:
    """Compare two answers bit by bit; ends from `behind` on are `shift` further behind in the first."""
    np.testing.assert_array_equal(one.pairs.lines, other.pairs.lines + shift)
    np.testing.assert_array_equal(one.pairs.rows, other.pairs.rows + np.where(other.pairs.rows >= behind, shift, 0))
    np.testing.assert_array_equal(one.pairs.features, other.pairs.features)
    np.testing.assert_array_equal(one.pairs.probabilities, other.pairs.probabilities)
    np.testing.assert_array_equal(one.first, other.first)


@pytest.mark.parametrize("signals", OF_PICTURES)
@pytest.mark.parametrize("sizes", [(0, 40), (0, *[1] * 40), (25, 15), (25, *[1] * 15), (25, 7, 1, 7), (0, 1, 9, 30)])
def test_postings_that_came_in_whatever_lumps_have_the_pairs_of_a_catalogue_judged_anew(
    sizes: tuple[int, ...], signals: tuple[str, ...]
) -> None:
    # few enough that whoever is near enough is a candidate
    found, whole, old = grown(sizes, signals), anew(range(40), signals), sizes[0]
    assert ends_of(found) == ends_of(whole)
    for pair in list(ends_of(whole))[::7]:
        one, other = features_of(found, pair), features_of(whole, pair)
        # neighbours have the say they would have; those that came later also stand where they would
        compared = one if pair[0] >= old else AGREEMENT
        assert {name: one[name] for name in compared} == pytest.approx(
            {name: other[name] for name in compared}, abs=1e-5, nan_ok=True
        )


@pytest.mark.parametrize("signals", OF_PICTURES)
def test_the_last_that_came_has_the_probabilities_it_has_where_all_are_judged_anew(signals: tuple[str, ...]) -> None:
    found, whole = grown((20, *[1] * 19, 1), signals), anew(range(40), signals)
    for row, last in ((39, True), (38, False)):
        expected = dict(zip(*(it.tolist() for it in whole.of_row(row)), strict=True))
        told_now = dict(zip(*(it.tolist() for it in found.of_row(row)), strict=True))
        assert told_now.keys() == expected.keys()
        assert told_now == pytest.approx(expected, abs=1e-5 if last else 0.2)


def test_among_more_than_are_proposed_those_that_came_find_whom_they_find_judged_anew() -> None:
    signals = ("image",)
    found, whole = grown((60, *[10] * 6), signals), anew(range(120), signals)
    late = {pair for pair in ends_of(whole) if pair[0] >= 60}
    assert late < {pair for pair in ends_of(found) if pair[0] >= 60}
    assert len(late) < 60 * 59 / 2


@pytest.mark.parametrize("signals", COMBINATIONS)
def test_features_of_pairs_where_nothing_else_changed_are_those_of_a_fresh_judgement(signals: tuple[str, ...]) -> None:
    stored = base(60, signals)
    [lines, rows, probabilities] = stored.pairs
    for row in (0, 30, 59):
        others, said = stored.of_row(row)
        features = stored.features(row, others)
        assert features.shape == (len(others), len(stored.model.features))
        np.testing.assert_allclose(stored.model.judge(features), said, atol=1e-6)
        own = (lines == row) | (rows == row)
        assert sorted(said.tolist()) == sorted(probabilities[own].tolist())
    newcomer = stored.newcomers(POSTINGS.select(np.array([60])))
    more = stored.with_newcomers(newcomer)
    np.testing.assert_allclose(more.features(60, newcomer.pairs.rows), newcomer.pairs.features, rtol=1e-5, atol=1e-5)
    two = stored.newcomers(POSTINGS.select(np.array([61, 62])))
    between = two.pairs.rows == 60
    if between.any():
        both = stored.with_newcomers(two).features(61, np.array([60]))
        np.testing.assert_allclose(both, two.pairs.features[between], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sizes", [(40,), (25, 15), (25, *[1] * 15), (0, 20, 20)])
def test_who_is_gone_is_nobodys_candidate_and_has_no_say(sizes: tuple[int, ...]) -> None:
    gone = np.random.default_rng(1).permutation(40)[:18]
    left = np.setdiff1d(np.arange(40), gone).tolist()
    found, whole = grown(sizes).without(gone), anew(left)
    assert (len(found), found.span, len(found.alive)) == (22, 40, 40)
    assert found.changes == 40 - sizes[0] + 18
    place = {row: position for position, row in enumerate(left)} | {40 + new: 22 + new for new in range(3)}
    assert {(place[one], place[other]) for one, other in ends_of(found)} == ends_of(whole)
    for row in left:
        assert {place[other] for other in found.of_row(row)[0].tolist()} == set(whole.of_row(place[row])[0].tolist())
    new = POSTINGS.select(np.array([45, 46, left[0]]))
    asked, expected = found.newcomers(new), whole.newcomers(new)
    held = told(expected)
    answer = {tuple(sorted((place[one], place[other]))): value for (one, other), value in told(asked).items()}
    assert answer == pytest.approx(held, abs=1e-6)
    compared = [found.model.features.index(name) for name in ("catalogue_size", "hash_similarity", *AGREEMENT)]
    order = np.lexsort((np.array([place[row] for row in asked.pairs.rows.tolist()]), asked.pairs.lines))
    other = np.lexsort((expected.pairs.rows, expected.pairs.lines))
    np.testing.assert_allclose(
        asked.pairs.features[order][:, compared], expected.pairs.features[other][:, compared], atol=1e-5
    )


def test_who_is_gone_is_not_counted_among_those_with_the_same_hash_and_title() -> None:
    signals = ("hash", "title")
    alike = Features.of(["kopi susu"] * 6, ["0" * 16] * 6)
    stored = GrownCatalogue.of(JudgedCatalogue(Reference(alike.select(np.arange(3)), signals), tiny_model(signals)))
    more = stored.with_newcomers(stored.newcomers(alike.select(np.arange(3, 6))))
    for gone, left in (((), 6), ((0,), 5), ((0, 4), 4), ((3, 4, 5), 3), ((0, 1, 2), 3), (range(6), 0)):
        found = more.without(np.array(gone, np.intp)).newcomers(alike.select(np.array([0]))).pairs
        told_of = dict(zip(more.model.features, found.features.T.tolist(), strict=True))
        assert found.rows.tolist() == [row for row in range(6) if row not in gone]
        assert told_of["catalogue_size"] == pytest.approx([np.log(left + 1)] * left)
        for name in ("hash_repeats_low", "hash_repeats_high", "title_repeats_low", "title_repeats_high"):
            assert told_of[name] == [left + 1] * left


def test_a_path_over_a_posting_is_gone_with_it() -> None:
    one, between, other = (Features.of([""], [f"{value:016x}"]) for value in (0, 0x7, 0x3F))
    found = GrownCatalogue.of(JudgedCatalogue(Reference(one, HASH), MODEL))
    found = found.with_newcomers(found.newcomers(between))
    paths = MODEL.features.index("paths")
    assert found.newcomers(other).pairs.features[:, paths].tolist() == pytest.approx([61 * 61 / 64**2, 61 * 58 / 64**2])
    assert found.without(np.array([1])).newcomers(other).pairs.features[:, paths].tolist() == [0]
    found = found.with_newcomers(found.newcomers(other))
    assert features_of(found, (0, 2))["paths"] == pytest.approx(61 * 61 / 64**2)
    assert features_of(found.without(np.array([1])), (0, 2))["paths"] == 0


@pytest.mark.parametrize("signals", COMBINATIONS)
def test_where_all_that_came_are_gone_again_new_ones_get_to_the_bit_what_they_got_before(
    signals: tuple[str, ...],
) -> None:
    stored, new = base(30, signals), POSTINGS.select(np.arange(50, 54))
    found = stored
    for rows in ([30, 31, 32], [33], [34, 35]):
        found = found.with_newcomers(found.newcomers(POSTINGS.select(np.array(rows))))
    same(found.without(np.arange(30, 36)).newcomers(new), stored.newcomers(new), behind=30, shift=6)


@pytest.mark.parametrize("signals", COMBINATIONS)
def test_a_catalogue_stays_as_it_was_whatever_comes_of_it(signals: tuple[str, ...]) -> None:
    new, found = POSTINGS.select(np.array([60, 61])), base(20, signals)
    kept = []
    for step in range(6):
        others, said = found.of_row(3)
        kept.append((found, found.newcomers(new), found.pairs, others, said, found.features(3, others)))
        found = found.with_newcomers(found.newcomers(POSTINGS.select(np.arange(20 + 3 * step, 23 + 3 * step))))
        found = found.without(np.array([10 + step, 21 + 3 * step]))
        found.with_newcomers(found.newcomers(new))  # which nobody keeps
    for earlier, answer, pairs, others, said, features in kept:
        same(earlier.newcomers(new), answer)
        again = replace(earlier)  # that has nothing at hand
        for one, other in zip(again.pairs, pairs, strict=True):
            np.testing.assert_array_equal(one, other)
        for one, other in zip(again.of_row(3), (others, said), strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(again.features(3, others), features)


@pytest.mark.parametrize("signals", COMBINATIONS)
def test_a_catalogue_grows_from_nothing(signals: tuple[str, ...]) -> None:
    found, count = base(0, signals), 0
    for size in (0, 1, 1, 0, 2, 3):
        newcomers = found.newcomers(POSTINGS.select(np.arange(count, count + size)))
        found, count = found.with_newcomers(newcomers), count + size
        assert (len(found), found.span, found.changes) == (count, count, count)
        assert all(0 <= one < other < count for one, other in ends_of(found))
        for row in range(count):
            others, probabilities = found.of_row(row)
            assert len(set(others.tolist()) - {row}) == len(others) == len(probabilities)
            assert ((probabilities >= 0) & (probabilities <= 1)).all()
            assert found.features(row, others).shape == (len(others), len(found.model.features))
    if "title" not in signals:
        assert ends_of(found) == ends_of(anew(range(count), signals))
    emptied = found.without(np.arange(count))
    assert (len(emptied), emptied.pairs[0].tolist(), len(emptied.newcomers(drawn(1)).pairs.rows)) == (0, [], 0)

"""Curves against lists made and scored anew at every threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.evaluation.curves import Curve, Curves, pick_thresholds
from pricematch.evaluation.metrics import number_groups, scores
from pricematch.evaluation.signals import Pairs, pairs_of
from pricematch.search.candidates import Candidates, Lists
from tests.support.catalogues import groups_of, hash_lists, labelled_postings, naive_means, naive_scores, proposed_pairs

POSTINGS = labelled_postings(40)
GROUPS = groups_of(POSTINGS)
NUMBERS = number_groups(GROUPS)
PAIRS = proposed_pairs(POSTINGS)
CURVES = Curves(PAIRS, NUMBERS)
EVERYONE = np.ones(len(POSTINGS), bool)


def naive_lists(pairs: Pairs, thresholds: dict[str, float]) -> list[set[int]]:
    """Each posting and the rows that a signal finds similar enough, one pair after another."""
    lists = [{row} for row in range(pairs.postings)]
    for place, (line, row) in enumerate(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)):
        if any(pairs.similarities[signal][place] >= threshold for signal, threshold in thresholds.items()):
            lists[line].add(row)
    return lists


def assert_curve(curve: Curve, means: list[tuple[float, float, float]]) -> None:
    """The curve's three means are these, place by place."""
    f1, precision, recall = zip(*means, strict=True)
    np.testing.assert_allclose(curve.f1, f1, atol=1e-12)
    np.testing.assert_allclose(curve.precision, precision, atol=1e-12)
    np.testing.assert_allclose(curve.recall, recall, atol=1e-12)


@pytest.mark.parametrize("signal", ["hash", "title"])
def test_it_is_the_mean_score_at_every_similarity_that_occurs(signal: str) -> None:
    curve = CURVES.of(signal, EVERYONE)
    found = PAIRS.similarities[signal]
    assert curve.similarities.tolist() == [np.inf, *sorted(set(found[found > -np.inf].tolist()), reverse=True)]
    assert len(curve) == len(curve.similarities)
    assert_curve(curve, [naive_means(naive_lists(PAIRS, {signal: t}), GROUPS) for t in curve.similarities])


@pytest.mark.parametrize(
    ("signal", "others"), [("hash", {"title": 0.5}), ("title", {"hash": 0.9}), ("title", {"hash": np.inf})]
)
def test_matches_of_other_signals_are_in_the_lists_before(signal: str, others: dict[str, float]) -> None:
    curve = CURVES.of(signal, EVERYONE, others)
    joining = (PAIRS.similarities[signal] > -np.inf) & ~PAIRS.accepted(others)
    found = PAIRS.similarities[signal][joining]
    assert curve.similarities.tolist() == [np.inf, *sorted(set(found.tolist()), reverse=True)]
    assert_curve(curve, [naive_means(naive_lists(PAIRS, others | {signal: t}), GROUPS) for t in curve.similarities])


@pytest.mark.parametrize("others", [{}, {"hash": 0.9}])
def test_means_are_over_the_postings_requested_while_all_are_candidates(others: dict[str, float]) -> None:
    queries = NUMBERS % 3 == 0
    curve = CURVES.of("title", queries, others)
    for place, threshold in enumerate(curve.similarities):
        every = naive_scores(naive_lists(PAIRS, others | {"title": threshold}), GROUPS)
        chosen = np.array(every)[queries].mean(axis=0)
        np.testing.assert_allclose((curve.f1[place], curve.precision[place], curve.recall[place]), chosen, atol=1e-12)


def test_it_agrees_with_hamming_distances_counted_directly() -> None:
    curve = CURVES.of("hash", EVERYONE).at(1 - np.arange(17) / 64)
    assert_curve(curve, [naive_means(hash_lists(POSTINGS, bits), GROUPS) for bits in range(17)])


def test_a_curve_at_a_threshold_holds_the_pairs_that_reach_it() -> None:
    curve = Curve(np.array([np.inf, 0.9, 0.5]), np.array([0.1, 0.2, 0.3]), np.zeros(3), np.ones(3))
    queries = np.array([np.inf, 0.95, 0.9, 0.7, 0.5, -1.0])
    found = curve.at(queries)
    assert found.f1.tolist() == [0.1, 0.1, 0.2, 0.2, 0.3, 0.3]
    assert found.similarities is queries


def test_the_best_place_has_the_highest_f1() -> None:
    rounded = 0.7 + 1e-15
    curve = Curve(np.array([np.inf, 0.9, 0.5, 0.1]), np.array([0.1, 0.7, rounded, 0.3]), np.zeros(4), np.ones(4))
    assert curve.best() == 1
    assert curve.around(0) == (np.inf, 0.9)
    assert curve.around(1) == (0.9, 0.5)
    assert curve.around(3) == (0.1, 0.1)


@given(st.lists(st.floats(-1, 1), max_size=40), st.integers(4, 20))
def test_a_sample_has_both_ends_and_no_more_places_than_requested(values: list[float], count: int) -> None:
    similarities = np.array([np.inf, *sorted(set(values), reverse=True)])
    curve = Curve(
        similarities, np.arange(len(similarities)) / 100, np.zeros(len(similarities)), np.ones(len(similarities))
    )
    sample = curve.sample(count)
    assert len(sample) <= count
    assert (np.diff(sample.similarities) < 0).all()
    if values:
        assert (sample.similarities[0], sample.similarities[-1]) == (max(values), min(values))
        assert sample.f1[-1] == curve.f1[-1]
    else:
        assert len(sample) == 0


def test_a_list_of_fifty_takes_no_more() -> None:
    rows = np.arange(1, 50, dtype=np.int32)
    first = Candidates(np.full((99, 49), -1, np.int32), np.full((99, 49), -np.inf))
    second = Candidates(first.rows.copy(), first.similarities.copy())
    first.rows[0, :30], first.similarities[0, :30] = rows[:30], 0.9
    second.rows[0], second.similarities[0] = rows + 49, np.linspace(0.9, 0.1, 49)
    groups = np.array([0] * 79 + [1] * 20)
    curves = Curves(pairs_of({"first": first, "second": second}, 99), groups)
    queries = np.arange(99) == 0
    curve = curves.of("second", queries, {"first": 0.5})
    assert len(curve) == 1 + 50 - 31
    lists = [[0, *range(1, 31), *range(50, 50 + joined)] for joined in range(20)]
    for place, answer in enumerate(lists):
        starts = np.array([0, len(answer), *range(len(answer) + 1, len(answer) + 99)])
        scored = scores(Lists(starts, np.array([*answer, *range(1, 99)], np.int32)), groups)
        assert curve.f1[place] == pytest.approx(scored.f1[0])


def test_nothing_proposed_leaves_each_posting_alone() -> None:
    none = Candidates(np.full((3, 2), -1, np.int32), np.full((3, 2), -np.inf))
    curve = Curves(pairs_of({"hash": none}, 3), np.array([0, 0, 1])).of("hash", np.ones(3, bool))
    assert curve.similarities.tolist() == [np.inf]
    assert curve.f1.tolist() == pytest.approx([(2 / 3 + 2 / 3 + 1) / 3])
    assert curve.best() == 0


def curves_of(count: int, seed: int) -> Curves:
    postings = labelled_postings(count, seed)
    return Curves(proposed_pairs(postings), number_groups(groups_of(postings)))


@pytest.mark.parametrize("signal", ["hash", "title"])
def test_one_signal_gets_the_threshold_of_the_highest_f1(signal: str) -> None:
    curves = curves_of(60, 0)
    everyone = np.ones(60, bool)
    picked = pick_thresholds(curves, [signal], everyone)
    assert list(picked) == [signal]
    best = curves.of(signal, everyone).f1.max()
    assert scores(curves.pairs.lists(picked), curves.groups).mean_f1 == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("order", [("hash", "title"), ("title", "hash")])
def test_no_change_of_one_of_several_thresholds_gains_anything(seed: int, order: tuple[str, str]) -> None:
    curves, everyone = curves_of(50, seed), np.ones(50, bool)
    picked = pick_thresholds(curves, order, everyone)
    reached = scores(curves.pairs.lists(picked), curves.groups).mean_f1
    for signal in order:
        similarities = curves.pairs.similarities[signal]
        for other in (np.inf, *np.unique(similarities[similarities > -np.inf])):
            changed = picked | {signal: other}
            assert scores(curves.pairs.lists(changed), curves.groups).mean_f1 <= reached + 1e-12


def test_two_signals_together_are_at_least_as_good_as_each_alone() -> None:
    for seed in range(5):
        curves, everyone = curves_of(50, seed), np.ones(50, bool)
        choices = [["hash"], ["title"], ["hash", "title"]]
        hashes, titles, both = (
            scores(curves.pairs.lists(pick_thresholds(curves, choice, everyone)), curves.groups).mean_f1
            for choice in choices
        )
        assert both >= max(hashes, titles) - 1e-12


def test_only_the_queries_that_are_requested_decide() -> None:
    curves = curves_of(60, 0)
    queries = curves.groups % 2 == 0
    picked = pick_thresholds(curves, ["title"], queries)
    reached = scores(curves.pairs.lists(picked), curves.groups).of(queries).mean_f1
    assert reached == pytest.approx(curves.of("title", queries).f1.max(), abs=1e-12)


def test_cosine_thresholds_lie_halfway_hash_thresholds_are_whole() -> None:
    """Halfway between two cosines; at a whole number of bits."""
    similarities = np.array([[0.75, 0.25], [0.75, 0.25], [0.25, 0.25]])
    candidates = Candidates(np.array([[1, 2], [0, 2], [0, 1]], np.int32), similarities)
    curves = Curves(pairs_of({"hash": candidates, "title": candidates}, 3), np.array([0, 0, 1]))
    everyone = np.ones(3, bool)
    assert pick_thresholds(curves, ["title"], everyone) == {"title": 0.5}
    assert pick_thresholds(curves, ["hash"], everyone) == {"hash": 0.75}


def test_a_signal_that_only_does_harm_takes_nothing() -> None:
    wrong = Candidates(np.array([[1], [0]], np.int32), np.ones((2, 1)))
    curves = Curves(pairs_of({"title": wrong}, 2), np.array([0, 1]))
    assert pick_thresholds(curves, ["title"], np.ones(2, bool)) == {"title": np.inf}

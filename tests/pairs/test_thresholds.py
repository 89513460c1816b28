"""Thresholds by catalogue size: between sizes, as JSON, and the lists they make."""

import json
from math import exp, inf, log, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.pairs.thresholds import F1, TARGETS, SizeThresholds, Target, Thresholds
from pricematch.search.candidates import Candidates

P90, P99 = Target(0.9), Target(0.99)
KEPT = SizeThresholds(
    (1_000, 4_000, 16_000),
    {
        F1: (Thresholds(0.1, 0.05), Thresholds(0.2, 0.1), Thresholds(0.5, 0.5)),
        P99: (Thresholds(0.5, 0.5), Thresholds(0.875, 0.875), Thresholds(inf, inf)),
    },
)


@pytest.mark.parametrize(
    "text", ["f1", "precision:0.90", "precision:0.95", "precision:0.99", "precision:0.995", "precision:0.00001"]
)
def test_a_target_is_written_as_it_is_read(text: str) -> None:
    assert str(Target.parse(text)) == text


def test_a_precision_is_the_same_with_fewer_digits() -> None:
    assert Target.parse("precision:0.9") == Target(0.9) == TARGETS[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "F1",
        "f1:",
        "f1:0.5",
        "precision",
        "precision:",
        "precision:1",
        "precision:nan",
        "recall:0.9",
        "precision:٠.٩٥",
        "precision:0.9_5",
        "precision:9e-1",
        "precision:0.",
        "precision: 0.9",
        "precision:.0",
    ],
)
def test_what_names_no_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected f1, or a precision such as"):
        Target.parse(text)


@pytest.mark.parametrize("precision", [0, 1, 1.5, nan])
def test_no_precision_is_certain_or_nothing(precision: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 1"):
        Target(precision)


def test_known_sizes_have_their_own_thresholds_and_beyond_them_nothing_changes() -> None:
    for size, expected in zip(KEPT.sizes, KEPT.thresholds[F1], strict=True):
        assert KEPT.at(F1, size) == expected
    assert KEPT.at(F1, 1) == KEPT.at(F1, 1_000)
    assert KEPT.at(F1, 10**9) == KEPT.at(F1, 16_000)


def test_between_sizes_thresholds_are_linear_in_the_logarithm_of_the_size() -> None:
    assert KEPT.at(F1, round(sqrt(1_000 * 4_000))).match == pytest.approx(0.15)
    size = round(exp(0.75 * log(4_000) + 0.25 * log(16_000)))
    between = KEPT.at(F1, size)
    assert between.match == pytest.approx(0.75 * 0.2 + 0.25 * 0.5, abs=1e-4)
    assert between.fallback == pytest.approx(0.75 * 0.1 + 0.25 * 0.5, abs=1e-4)


def test_a_precision_not_reached_is_not_promised_between() -> None:
    assert KEPT.at(P99, 4_000).match == 0.875
    assert KEPT.at(P99, 4_001).match == inf
    assert KEPT.at(P99, 2_000).match == pytest.approx(0.6875)


@given(st.integers(1, 10**6), st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=3))
def test_a_posting_left_alone_never_needs_more_than_a_match(size: int, values: list[tuple[float, float]]) -> None:
    points = [Thresholds(max(pair), min(pair)) for pair in values]
    found = SizeThresholds((10, 1_000, 30_000), {F1: points}).at(F1, size)
    assert 0 <= found.fallback <= found.match <= 1


@pytest.mark.parametrize(("picked", "used"), [(0.0, 0.05), (0.3, 0.3), (1.0, 0.99), (inf, inf)])
def test_no_threshold_takes_everything_or_refuses_identical_pairs(picked: float, used: float) -> None:
    assert SizeThresholds((1,), {F1: [Thresholds(picked, picked)]}).at(F1, 10) == Thresholds(used, used)


def test_thresholds_of_unbounded_probabilities_are_mapped() -> None:
    """As the probabilities are that they are compared with."""
    earlier = SizeThresholds((1,), {F1: [Thresholds(1.0, 0.9875)], Target(0.9): [Thresholds(inf, inf)]}, bounded=False)
    found = earlier.at(F1, 10)
    assert [found.match, found.fallback] == pytest.approx([0.985, 0.98])
    assert earlier.at(Target(0.9), 10) == Thresholds(inf, inf)
    assert SizeThresholds.from_description(earlier.describe(), bounded=False) == earlier


def test_an_unknown_target_is_refused_with_the_known() -> None:
    with pytest.raises(ValueError, match=r"no thresholds for precision:0.90; there are some for f1, precision:0.99"):
        KEPT.at(P90, 1_000)
    with pytest.raises(ValueError, match="at least one posting, got 0"):
        KEPT.at(F1, 0)


def test_thresholds_survive_json() -> None:
    text = json.dumps(KEPT.describe(), allow_nan=False)
    again = SizeThresholds.from_description(json.loads(text))
    assert again.describe() == KEPT.describe()
    for size in (10, 1_500, 4_000, 9_000, 10**6):
        assert [again.at(target, size) for target in (F1, P99)] == [KEPT.at(target, size) for target in (F1, P99)]


def test_nothing_that_is_no_description_is_taken_for_one() -> None:
    fine = {"match": 0.5, "alone": 0.25}
    for description, reason in (
        (None, "a list of catalogue sizes"),
        ([], "sizes from 1 on"),
        ([1], "a list of catalogue sizes"),
        ([{"postings": 1.5, "thresholds": {"f1": fine}}], "a list of catalogue sizes"),
        ([{"postings": True, "thresholds": {"f1": fine}}], "a list of catalogue sizes"),
        ([{"postings": 0, "thresholds": {"f1": fine}}], "sizes from 1 on"),
        ([{"postings": 9, "thresholds": {"f1": fine}}] * 2, "ascending"),
        ([{"postings": 9, "thresholds": {}}], "f1 among them"),
        ([{"postings": 9, "thresholds": {"f2": fine}}], "expected f1, or a precision"),
        ([{"postings": 9, "thresholds": {"precision:0.9": fine}}], "f1 among them"),
        ([{"postings": 9, "thresholds": {"f1": 0.5}}], "match and alone"),
        ([{"postings": 9, "thresholds": {"f1": {"match": 0.5}}}], "match and alone"),
        ([{"postings": 9, "thresholds": {"f1": {"match": 1.5, "alone": 0}}}], "probabilities, or null"),
        ([{"postings": 9, "thresholds": {"f1": {"match": nan, "alone": 0}}}], "probabilities, or null"),
        ([{"postings": 9, "thresholds": {"f1": {"match": True, "alone": 0}}}], "probabilities, or null"),
        ([{"postings": 9, "thresholds": {"f1": {"match": 0.5, "alone": 0.6}}}], "alone at most match"),
        ([{"postings": 9, "thresholds": {"f1": {"match": 0.5, "alone": None}}}], "alone at most match"),
        (
            [
                {"postings": 8, "thresholds": {"f1": fine}},
                {"postings": 9, "thresholds": {"f1": fine, "precision:0.90": fine}},
            ],
            "the same targets",
        ),
    ):
        with pytest.raises(ValueError, match=reason):
            SizeThresholds.from_description(description)


def test_thresholds_that_are_no_probabilities_or_too_few_are_refused() -> None:
    with pytest.raises(ValueError, match="expected probabilities as thresholds for f1"):
        SizeThresholds((1,), {F1: [Thresholds(1.5, 0.5)]})
    with pytest.raises(ValueError, match="expected 2 thresholds for f1, got 1"):
        SizeThresholds((1, 2), {F1: [Thresholds(0.5, 0.5)]})


def test_a_posting_without_match_takes_its_best_candidate() -> None:
    """One that has a match takes no more."""
    rows = np.array([[1, 2], [0, 2], [3, 0], [2, -1], [-1, -1]], np.int32)
    similarities = np.array([[0.9, 0.4], [0.4, 0.4], [0.3, 0.2], [0.1, -np.inf], [-np.inf, -np.inf]])
    lists = Thresholds(0.5, 0.25).lists(Candidates(rows, similarities))
    assert [lists[row].tolist() for row in range(5)] == [[0, 1], [1, 0], [2, 3], [3], [4]]
    nobody = Thresholds(inf, inf).lists(Candidates(rows, similarities))
    assert [nobody[row].tolist() for row in range(5)] == [[0], [1], [2], [3], [4]]


def test_a_catalogue_without_candidates_is_answered_with_itself() -> None:
    none = Candidates(np.empty((2, 0), np.int32), np.empty((2, 0)))
    assert [Thresholds(0.5, 0.1).lists(none)[row].tolist() for row in range(2)] == [[0], [1]]


def test_thresholds_move_towards_others_in_log_odds() -> None:
    one, other = Thresholds(0.5, 0.2), Thresholds(0.9, 0.9)
    assert one.moved(other, 0).match == pytest.approx(0.5)
    assert one.moved(other, 1).fallback == pytest.approx(0.9)
    assert one.moved(other, 0.5).match == pytest.approx(0.75)


def test_a_threshold_that_takes_nothing_counts_where_it_is_nearer() -> None:
    one, other = Thresholds(0.5, 0.5), Thresholds(np.inf, np.inf)
    assert one.moved(other, 0.4) == one
    assert one.moved(other, 0.6) == other

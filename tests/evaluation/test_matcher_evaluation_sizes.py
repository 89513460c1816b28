"""A matcher's answers in sub-catalogues against counting them one by one."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.evaluation.matcher_evaluation import MatchedSize, MatcherCase, sized_part, smaller
from pricematch.evaluation.metrics import number_groups
from pricematch.evaluation.splits import whole_groups
from pricematch.matching.index import MatchIndex
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.thresholds import F1, SizeThresholds, Target, Thresholds
from tests.support.catalogues import features_of, groups_of, labelled_postings
from tests.support.matchers import tiny_model

POSTINGS = labelled_postings(90)
GROUPS = number_groups(groups_of(POSTINGS))
FEATURES = features_of(POSTINGS)
EVALUATED = GROUPS % 2 == 0
ROWS = np.flatnonzero(GROUPS % 3 > 0)
SURE = Target(0.9)
STORED = SizeThresholds(
    (len(ROWS), len(POSTINGS)),
    {F1: [Thresholds(0.6, 0.4), Thresholds(0.8, 0.8)], SURE: [Thresholds(0.7, 0.7), Thresholds(0.95, 0.95)]},
)
MODEL = tiny_model(["hash", "title"])
CASE = MatcherCase(FEATURES, GROUPS, EVALUATED, MODEL, STORED)


def answers(postings: ParsedFeatures, thresholds: Thresholds) -> list[list[int]]:
    """Of each posting, the others it is answered with."""
    index = MatchIndex.build(postings, MODEL)
    found = []
    for row in range(len(postings)):
        others, probabilities = index.candidates_of(row)
        order = np.lexsort((others, -probabilities))
        others, probabilities = others[order], probabilities[order]
        taken = [int(other) for other, p in zip(others, probabilities, strict=True) if p >= thresholds.match]
        if not taken and len(others) and probabilities[0] >= thresholds.fallback:
            taken = [int(others[0])]
        found.append(taken)
    return found


def mean_f1(found: list[list[int]], groups: NDArray[np.intp], evaluated: NDArray[np.bool_]) -> float:
    scored = []
    for row in np.flatnonzero(evaluated):
        members, listed = set(np.flatnonzero(groups == groups[row]).tolist()), {int(row), *found[row]}
        scored.append(2 * len(members & listed) / (len(members) + len(listed)))
    return float(np.mean(scored))


@pytest.fixture(scope="module")
def point() -> MatchedSize:
    return sized_part(CASE, ROWS)


def test_f1_is_that_of_the_sub_catalogue_alone(point: MatchedSize) -> None:
    """At its own thresholds and at those of the whole catalogue."""
    assert (point.postings, point.evaluated) == (len(ROWS), EVALUATED[ROWS].sum())
    assert point.threshold == 0.6
    for value, thresholds in ((point.f1, STORED.at(F1, len(ROWS))), (point.f1_fixed, STORED.at(F1, len(POSTINGS)))):
        found = answers(FEATURES.select(ROWS), thresholds)
        assert value == pytest.approx(mean_f1(found, GROUPS[ROWS], EVALUATED[ROWS]))
    assert point.f1 != point.f1_fixed


def test_of_a_precision_the_answered_pairs_are_counted_at_both_thresholds(point: MatchedSize) -> None:
    assert list(point.targets) == [SURE]
    groups, evaluated = GROUPS[ROWS], EVALUATED[ROWS]
    for pairs, size in ((point.targets[SURE].stored, len(ROWS)), (point.targets[SURE].fixed, len(POSTINGS))):
        found = answers(FEATURES.select(ROWS), STORED.at(SURE, size))
        right = [groups[row] == groups[other] for row in np.flatnonzero(evaluated) for other in found[row]]
        assert (pairs.answered, pairs.right) == (len(right), sum(right))
    assert point.targets[SURE].threshold == 0.7
    assert point.targets[SURE].stored.recall > point.targets[SURE].fixed.recall


@pytest.mark.parametrize(("size", "draws"), [(10, 4), (20, 2), (40, 1), (60, 1), (5, 5)])
def test_small_catalogues_are_drawn_several_times_and_counted_together(size: int, draws: int) -> None:
    found = smaller(CASE, size, 7)
    parts = [whole_groups(GROUPS, size, 7 + draw) for draw in range(draws)]
    points = [sized_part(CASE, rows) for rows in parts if EVALUATED[rows].any()]
    assert found is not None
    assert found.draws == len(points)
    assert found.postings == round(np.mean([point.postings for point in points]))
    assert found.evaluated == sum(point.evaluated for point in points)
    for name in ("f1", "f1_fixed"):
        total = sum(getattr(point, name) * point.evaluated for point in points)
        assert getattr(found, name) == pytest.approx(total / found.evaluated)
    for name in ("right", "answered", "expected"):
        for way in ("stored", "fixed"):
            counted = [getattr(getattr(point.targets[SURE], way), name) for point in points]
            assert getattr(getattr(found.targets[SURE], way), name) == sum(counted)
    assert found.targets[SURE].threshold == points[0].targets[SURE].threshold


def test_draws_in_which_nothing_is_evaluated_do_not_count() -> None:
    evaluated = np.isin(GROUPS, GROUPS[whole_groups(GROUPS, 10, 7)[:1]])
    found = smaller(replace(CASE, evaluated=evaluated), 10, 7)
    holding = [evaluated[whole_groups(GROUPS, 10, 7 + draw)].any() for draw in range(4)]
    assert found is not None
    assert found.draws == sum(holding) < 4
    absent = np.isin(GROUPS, np.concatenate([GROUPS[whole_groups(GROUPS, 10, 7 + draw)] for draw in range(4)]))
    assert smaller(replace(CASE, evaluated=np.isin(GROUPS, GROUPS[~absent][:1])), 10, 7) is None

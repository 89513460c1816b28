"""A matcher evaluated on few label groups of a catalogue."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.evaluation.matcher_evaluation import MatcherCase, MatcherEvaluation, evaluate_matcher
from pricematch.evaluation.metrics import bootstrap_interval, number_groups
from pricematch.evaluation.signal_evaluation import sizes_below
from pricematch.evaluation.splits import whole_groups
from tests.support.catalogues import features_of, groups_of, labelled_postings
from tests.support.matchers import THRESHOLDS, tiny_model

POSTINGS = labelled_postings(140)
GROUPS = number_groups(groups_of(POSTINGS))
FEATURES = features_of(POSTINGS)
[SMALL] = sizes_below(len(POSTINGS))
IN_PART = np.isin(np.arange(len(POSTINGS)), whole_groups(GROUPS, SMALL, 0))


def evaluate(evaluated: NDArray[np.bool_]) -> MatcherEvaluation:
    model = tiny_model(["hash", "title"])
    return evaluate_matcher(MatcherCase(FEATURES, GROUPS, evaluated, model, THRESHOLDS), 0, lambda *_: None)


def test_a_sub_catalogue_in_which_nothing_is_evaluated_is_left_out() -> None:
    [group, *_] = GROUPS[~IN_PART]
    outside = np.isin(GROUPS, group)
    [whole] = evaluate(outside).by_catalogue_size
    assert (whole.postings, whole.evaluated) == (len(POSTINGS), outside.sum())


def test_one_in_which_something_is_evaluated_is_kept() -> None:
    [group, *_] = GROUPS[IN_PART]
    inside = np.isin(GROUPS, group)
    part, whole = evaluate(inside).by_catalogue_size
    assert (part.postings, part.evaluated) == (IN_PART.sum(), inside.sum())
    assert (whole.postings, whole.evaluated) == (len(POSTINGS), inside.sum())


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_interval_is_of_the_evaluated_groups_alone(count: int) -> None:
    evaluated = np.isin(GROUPS, GROUPS.max() - 3 * np.arange(count))
    found = evaluate(evaluated)
    assert found.interval == bootstrap_interval(
        found.scores.f1, np.unique(GROUPS[evaluated], return_inverse=True)[1], 0
    )
    assert 0 < found.interval[0] <= found.scores.mean_f1 <= found.interval[1] <= 1

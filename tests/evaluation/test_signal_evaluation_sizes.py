"""F1 on sub-catalogues."""

import numpy as np
import pytest

from pricematch.evaluation.curves import Curves, pick_thresholds
from pricematch.evaluation.metrics import number_groups, scores
from pricematch.evaluation.signal_evaluation import by_catalogue_size, sizes_below
from pricematch.evaluation.splits import whole_groups
from tests.support.catalogues import features_of, groups_of, labelled_postings, proposed_pairs


@pytest.mark.parametrize(
    ("postings", "sizes"),
    [
        (60, []),
        (133, []),
        (134, [100]),
        (2000, [100, 200, 400, 800]),
        (2001, [1000]),
        (34250, [1000, 2000, 4000, 8000, 16000]),
    ],
)
def test_sizes_double_up_to_three_quarters_of_the_catalogue(postings: int, sizes: list[int]) -> None:
    assert sizes_below(postings) == sizes


def test_each_sub_catalogue_is_evaluated_alone() -> None:
    postings = labelled_postings(270)
    groups, features = number_groups(groups_of(postings)), features_of(postings)
    curves = Curves(proposed_pairs(postings), groups)
    thresholds = pick_thresholds(curves, ["hash", "title"], np.ones(270, bool))
    reported: list[tuple[str, int, int]] = []
    points = by_catalogue_size(features, curves, thresholds, 3, lambda *step: reported.append(step))
    assert [step[1:] for step in reported] == [(1, 2), (2, 2)]
    for point, size in zip(points, (100, 200, 270), strict=True):
        part = [postings[row] for row in whole_groups(groups, size, 3)]
        assert (point.postings, point.groups) == (len(part), len(set(groups_of(part))))
        numbers = number_groups(groups_of(part))
        pairs = proposed_pairs(part)
        best = pick_thresholds(Curves(pairs, numbers), ["hash", "title"], np.ones(len(part), bool))
        assert point.thresholds == pytest.approx(best)
        assert point.f1 == pytest.approx(scores(pairs.lists(best), numbers).mean_f1)
        assert point.f1_at_thresholds == pytest.approx(scores(pairs.lists(thresholds), numbers).mean_f1)
    assert points[-1].f1 == points[-1].f1_at_thresholds

"""An evaluation as a whole."""

import numpy as np
import pytest

from pricematch.evaluation.breakdown import best_groups, by_group_size, surest_mistakes, worst_groups
from pricematch.evaluation.metrics import number_groups
from pricematch.evaluation.signal_evaluation import Evaluation, evaluate
from tests.support.catalogues import features_of, groups_of, labelled_postings, naive_means

POSTINGS = labelled_postings(120)
GROUPS = number_groups(groups_of(POSTINGS))


def evaluated(*names: str, seed: int = 0) -> Evaluation:
    return evaluate(features_of(POSTINGS), names, GROUPS, 5, seed, lambda *_: None)


def test_every_signal_is_measured_alone_and_all_of_them_together() -> None:
    found, hashes = evaluated("hash", "title"), evaluated("hash")
    assert list(found.alone) == list(found.curves) == list(found.curves_together) == ["hash", "title"]
    assert found.alone["hash"].thresholds == hashes.together.thresholds
    np.testing.assert_array_equal(found.alone["hash"].scores.f1, hashes.together.scores.f1)
    assert list(found.together.thresholds) == ["hash", "title"]
    assert found.group_count == len(set(groups_of(POSTINGS)))


def test_one_signal_together_is_that_signal() -> None:
    found = evaluated("title")
    assert found.together is found.alone["title"]
    np.testing.assert_array_equal(found.curves["title"].f1, found.curves_together["title"].f1)


def test_curves_together_hold_the_other_signals_at_their_thresholds() -> None:
    found = evaluated("hash", "title")
    lists = found.pairs.lists({"title": found.together.thresholds["title"]})
    assert found.curves_together["hash"].f1[0] == pytest.approx(
        naive_means([lists[row].tolist() for row in range(120)], groups_of(POSTINGS))[0]
    )


def test_the_breakdown_is_of_held_out_scores() -> None:
    found = evaluated("hash", "title")
    scored, thresholds = found.together.scores, found.together.thresholds
    assert found.by_group_size == by_group_size(scored, GROUPS)
    assert [group.group for group in found.worst] == [group.group for group in worst_groups(scored, GROUPS, 10)]
    assert [group.group for group in found.best] == [group.group for group in best_groups(scored, GROUPS, 10)]
    assert found.mistakes == surest_mistakes(found.pairs, thresholds, GROUPS, 10)
    assert [point.postings for point in found.by_catalogue_size][-1] == 120


def test_the_same_seed_finds_the_same() -> None:
    first, again, other = (evaluated("hash", "title", seed=seed) for seed in (1, 1, 2))
    assert first.together.interval == again.together.interval != other.together.interval
    assert first.together.folds == again.together.folds != other.together.folds
    assert first.by_catalogue_size == again.by_catalogue_size


def test_fewer_groups_than_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="as many label groups as folds"):
        evaluate(features_of(POSTINGS[:3]), ["hash", "title"], np.zeros(3, np.intp), 2, 0, lambda *_: None)

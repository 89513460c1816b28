"""Thresholds against all there are."""

import numpy as np
import pytest

from pricematch.evaluation.curves import Curves
from pricematch.evaluation.held_out import scores_at
from pricematch.evaluation.metrics import number_groups
from pricematch.evaluation.pairs import pairs_of
from pricematch.evaluation.thresholds import pick_thresholds
from pricematch.search.candidates import Candidates
from tests.support.labelled import groups_of, labelled_postings, proposed_pairs


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
    assert scores_at(curves.pairs, picked, curves.groups).mean_f1 == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("order", [("hash", "title"), ("title", "hash")])
def test_no_change_of_one_of_several_thresholds_gains_anything(seed: int, order: tuple[str, str]) -> None:
    curves, everyone = curves_of(50, seed), np.ones(50, bool)
    picked = pick_thresholds(curves, order, everyone)
    reached = scores_at(curves.pairs, picked, curves.groups).mean_f1
    for signal in order:
        similarities = curves.pairs.similarities[signal]
        for other in (np.inf, *np.unique(similarities[similarities > -np.inf])):
            changed = picked | {signal: other}
            assert scores_at(curves.pairs, changed, curves.groups).mean_f1 <= reached + 1e-12


def test_two_signals_together_are_at_least_as_good_as_each_alone() -> None:
    for seed in range(5):
        curves, everyone = curves_of(50, seed), np.ones(50, bool)
        choices = [["hash"], ["title"], ["hash", "title"]]
        hashes, titles, both = (
            scores_at(curves.pairs, pick_thresholds(curves, choice, everyone), curves.groups).mean_f1
            for choice in choices
        )
        assert both >= max(hashes, titles) - 1e-12


def test_only_the_queries_that_are_asked_decide() -> None:
    curves = curves_of(60, 0)
    asked = curves.groups % 2 == 0
    picked = pick_thresholds(curves, ["title"], asked)
    reached = scores_at(curves.pairs, picked, curves.groups).of(asked).mean_f1
    assert reached == pytest.approx(curves.of("title", asked).f1.max(), abs=1e-12)


def test_a_cosine_threshold_lies_in_the_middle_and_a_hash_threshold_is_a_whole_distance() -> None:
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

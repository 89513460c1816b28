"""Picked thresholds against lists made and scored anew at every pair of thresholds."""

from math import inf

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.evaluation.metrics import scores
from pricematch.learning.thresholds import FLAT, ScoredCatalogue, pick, scored_catalogue
from pricematch.pairs.thresholds import F1, TARGETS, Target, Thresholds


def catalogue(count: int, seed: int = 0, largest: int = 6, query_share: float = 1.0) -> ScoredCatalogue:
    """Groups of 1 to `largest` postings, all pairs proposed, right ones with a higher probability on average."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(count), rng.integers(1, largest + 1, count))[:count].astype(np.intp)
    lines, rows = np.nonzero(~np.eye(count, dtype=bool))
    noise = rng.normal(0, 1.2, (count, count))
    z = np.where(groups[lines] == groups[rows], 1.0, -3.0) + (noise + noise.T)[lines, rows] / 2
    evaluated = (rng.random(groups.max() + 1) < query_share)[groups]
    return scored_catalogue(lines, rows, np.round(1 / (1 + np.exp(-z)), 2), groups, evaluated | (groups == 0))


def naive_f1(thing: ScoredCatalogue, match: float, alone: float) -> float:
    """Mean F1 of evaluated postings, one list after another."""
    found = []
    for line in np.flatnonzero(thing.queries):
        proposed = [
            (float(s), int(row))
            for s, row in zip(thing.candidates.similarities[line], thing.candidates.rows[line], strict=True)
            if row >= 0
        ]
        answer = {row for s, row in proposed if s >= match}
        if not answer and proposed and proposed[0][0] >= alone:
            answer = {proposed[0][1]}
        group = set(np.flatnonzero(thing.groups == thing.groups[line]).tolist())
        answer.add(int(line))
        found.append(2 * len(answer & group) / (len(answer) + len(group)))
    return float(np.mean(found))


def naive_precision(thing: ScoredCatalogue, match: float) -> float:
    """The share of right rows among all answered to evaluated postings; nan if there are none."""
    right = [
        thing.groups[row] == thing.groups[line]
        for line in np.flatnonzero(thing.queries)
        for s, row in zip(thing.candidates.similarities[line], thing.candidates.rows[line], strict=True)
        if s >= match
    ]
    return float(np.mean(right)) if right else np.nan


def levels(*catalogues: ScoredCatalogue) -> list[float]:
    every = np.concatenate([thing.candidates.similarities[thing.queries].ravel() for thing in catalogues])
    return [inf, *np.unique(every[every > -np.inf])[::-1].tolist()]


@pytest.mark.parametrize("query_share", [1.0, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_no_thresholds_are_better_beyond_the_flat_range(seed: int, query_share: float) -> None:
    thing = catalogue(24, seed, query_share=query_share)
    picked = pick([thing])[F1]
    values = levels(thing)
    every = {(t, a): naive_f1(thing, t, a) for t in values[::3] for a in values[::3] if a <= t}
    joint = pick_without_doubt(thing, picked.match)
    assert joint >= max(every.values()) - FLAT - 1e-12


def pick_without_doubt(thing: ScoredCatalogue, match: float) -> float:
    """The best mean F1 there is at one threshold, whatever its error."""
    return max(naive_f1(thing, match, alone) for alone in [match, *(a for a in levels(thing) if a <= match)])


@pytest.mark.parametrize("seed", range(3))
def test_picked_thresholds_score_as_when_picked(seed: int) -> None:
    thing = catalogue(40, seed)
    picked = pick([thing])[F1]
    lists = picked.lists(thing.candidates)
    scored = scores(lists, thing.groups).of(thing.queries).mean_f1
    assert scored == pytest.approx(naive_f1(thing, picked.match, picked.fallback))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("target", TARGETS[1:])
def test_a_precision_has_the_lowest_threshold_that_keeps_it(seed: int, target: Target) -> None:
    thing = catalogue(24, seed, query_share=0.7)
    picked = pick([thing], [target])
    kept = [t for t in levels(thing)[1:] if naive_precision(thing, t) >= (target.precision or 0)]
    assert list(picked) == [target]
    found = picked[target]
    assert found.fallback == found.match
    if not kept:
        assert found.match == inf
        return
    assert found.match <= kept[-1]
    assert naive_precision(thing, found.match) == naive_precision(thing, kept[-1])


def test_a_precision_over_several_catalogues_is_that_of_all_their_answers() -> None:
    things = [catalogue(20, 0), catalogue(30, 1)]
    match = pick(things)[Target(0.9)].match
    answers = [
        thing.groups[row] == thing.groups[line]
        for thing in things
        for line, row in zip(*np.nonzero(thing.candidates.similarities >= match), strict=True)
        for row in [thing.candidates.rows[line, row]]
    ]
    assert np.mean(answers) >= 0.9


def test_several_catalogues_are_evaluated_by_their_mean_curve() -> None:
    things = [catalogue(20, 3), catalogue(24, 4)]
    picked = pick(things)[F1]
    values = levels(*things)[::4]
    every = max(np.mean([naive_f1(thing, t, a) for thing in things]) for t in values for a in values if a <= t)
    alones = [picked.match, *(a for a in levels(*things) if a <= picked.match)]
    reached = max(np.mean([naive_f1(thing, picked.match, a) for thing in things]) for a in alones)
    assert reached >= every - FLAT - 1e-12


def pairs_catalogue(pairs: list[tuple[int, int, float]], groups: list[int]) -> ScoredCatalogue:
    """Both directions of some pairs; every posting is evaluated."""
    a, b, p = (np.array(column) for column in zip(*pairs, strict=True))
    numbers: NDArray[np.intp] = np.array(groups, np.intp)
    ends = np.concatenate([a, b]), np.concatenate([b, a])
    return scored_catalogue(*ends, np.concatenate([p, p]), numbers, np.ones(len(groups), bool))


def test_of_thresholds_equally_good_the_middle_is_taken() -> None:
    # above 0.75 some have their right match only as the best candidate of who has none otherwise: as good up to 1
    found = pick([pairs_catalogue([(0, 1, 0.875), (2, 3, 0.75), (1, 2, 0.25)], [0, 0, 1, 1])])
    assert found[F1] == Thresholds((1 + 0.25) / 2, (1 + 0.25) / 2)
    assert found[Target(0.99)] == Thresholds(0.5, 0.5)


def test_where_all_are_alone_nobody_gets_an_answer() -> None:
    groups = list(range(40))
    thing = pairs_catalogue([(row, row + 1, 0.5 + row / 100) for row in range(39)], groups)
    assert set(pick([thing]).values()) == {Thresholds(inf, inf)}


def shy_and_loud(shy: int, right: bool = True, loud: int = 40) -> ScoredCatalogue:
    """Groups of two: the shy have one candidate, of 0.3; the loud one of 0.9 and ten wrong ones of 0.4."""
    pairs = [(2 * k, 2 * k + 1, 0.9) for k in range(loud)]
    pairs += [(row, (row + 2 * step) % (2 * loud), 0.4) for row in range(2 * loud) for step in range(1, 6)]
    beside = 1 if right else 2
    pairs += [(row, row + beside, 0.3) for row in range(2 * loud, 2 * (loud + shy), 2 * beside)]
    pairs += [] if right else [(row + 1, row + 3, 0.3) for row in range(2 * loud, 2 * (loud + shy), 4)]
    return pairs_catalogue(pairs, np.repeat(np.arange(loud + shy), 2).tolist())


@pytest.mark.parametrize(("probability", "threshold"), [(0.0001, 0.05), (0.9999, 0.99)])
def test_no_threshold_takes_everything_or_refuses_identical_pairs(probability: float, threshold: float) -> None:
    """Though all pairs are right that are that little probable, or only those that are that sure."""
    groups = np.repeat(np.arange(20), 2).tolist()
    wrong = [(row, (row + 2) % 40, 0.999 * probability) for row in range(0, 40, 2)]
    pairs = [(row, row + 1, probability) for row in range(0, 40, 2)] + wrong
    assert pick([pairs_catalogue(pairs, groups)])[Target(0.99)] == Thresholds(threshold, threshold)


def test_lone_postings_take_their_best_candidate() -> None:
    thing = shy_and_loud(10)
    picked = pick([thing])[F1]
    assert 0.4 < picked.match <= 0.9
    assert picked.fallback <= 0.3
    assert naive_f1(thing, picked.match, picked.fallback) == 1.0


def test_a_gain_that_luck_could_explain_lowers_nothing() -> None:
    picked = pick([shy_and_loud(2)])[F1]
    assert 0.4 < picked.fallback == picked.match <= 0.9


def test_postings_left_alone_stay_so_where_it_would_harm() -> None:
    picked = pick([shy_and_loud(10, right=False)])[F1]
    assert 0.4 < picked.fallback == picked.match <= 0.9


def test_only_a_fallback_threshold_is_picked() -> None:
    """Where only best candidates are right, no other threshold is."""
    # forty postings in pairs; each has its own other half and a stranger, all equally probable, the half first
    halves = [(row, row ^ 1) for row in range(40)]
    strangers = [(row, 40 + row) for row in range(40)]
    lines, rows = np.array(halves + strangers).T
    groups = np.array([row // 2 if row < 40 else row for row in range(80)], np.intp)
    thing = scored_catalogue(lines, rows, np.full(80, 0.5), groups, np.arange(80) < 40)
    picked = pick([thing])[F1]
    assert picked.match == inf
    assert picked.fallback <= 0.5
    assert naive_f1(thing, picked.match, picked.fallback) == 1.0


def test_a_catalogue_without_candidates_has_no_threshold() -> None:
    nothing: NDArray[np.intp] = np.empty(0, np.intp)
    thing = scored_catalogue(nothing, nothing, np.empty(0), np.array([0, 0, 1]), np.ones(3, bool))
    assert set(pick([thing]).values()) == {Thresholds(inf, inf)}


def test_what_does_not_fit_is_refused() -> None:
    one = np.array([0]), np.array([1])
    with pytest.raises(ValueError, match="expected at least one query"):
        scored_catalogue(*one, np.array([0.5]), np.array([0, 0]), np.zeros(2, bool))
    with pytest.raises(ValueError, match="probabilities from 0 to 1"):
        scored_catalogue(*one, np.array([1.5]), np.array([0, 0]), np.ones(2, bool))

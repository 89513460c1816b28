"""Calibration on held-out scores."""

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.evaluation.reliability import brier_score, expected_calibration_error
from pricematch.learning.calibration import calibrate, fit_calibration, tempered_weights
from pricematch.learning.cross_fitting import FOLDS
from pricematch.learning.samples import NOT_TRAINED, Sample, SamplePairs, sample_pairs
from pricematch.pairs.calibration import ISOTONIC, PLATT, Calibration, log_odds
from tests.support.matchers import drawn_training_data

Drawn = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64], NDArray[np.intp]]


def drawn(true: Calibration, count: int = 20_000, seed: int = 0) -> Drawn:
    """Scores, truths that have the probability that a calibration says, weights and five folds."""
    rng = np.random.default_rng(seed)
    raw = rng.beta(0.5, 1.5, count)
    return raw, rng.random(count) < true(raw), rng.uniform(0.5, 2, count), rng.integers(5, size=count)


LINE = Calibration(PLATT, (0.0,), (0.5,), 0.7)
BENT = Calibration(ISOTONIC, (-4.0, -1.0, 0.0, 0.5, 3.0), (-2.0, -1.9, -1.8, 1.5, 1.6), 0.01)


def test_it_finds_the_line_that_the_truth_was_drawn_by() -> None:
    found, _ = fit_calibration(*drawn(LINE))
    assert found.method == PLATT
    assert found.slope == pytest.approx(0.7, abs=0.05)
    assert found.log_odds[0] == pytest.approx(0.5, abs=0.05)


def test_platts_line_leaves_no_gradient_of_its_log_loss() -> None:
    raw, truth, weights, folds = drawn(LINE, 500)
    found, briers = fit_calibration(raw, truth, weights, np.zeros_like(folds))
    assert briers == {}
    weights /= weights.mean()
    right, wrong = weights[truth].sum(), weights[~truth].sum()
    targets = np.where(truth, (right + 1) / (right + 2), 1 / (wrong + 2))
    errors = weights * (found(raw) - targets)
    assert abs(errors.sum()) / 500 < 1e-4
    assert abs((errors * log_odds(raw)).sum()) / 500 < 1e-4


def test_what_no_line_fits_is_fitted_by_steps() -> None:
    data = drawn(BENT)
    found, briers = fit_calibration(*data)
    assert found.method == ISOTONIC
    assert briers[ISOTONIC] < briers[PLATT]
    fresh, truth, weights, _ = drawn(BENT, seed=1)
    assert expected_calibration_error(found(fresh), truth, weights) < 0.015
    assert brier_score(found(fresh), truth, weights) == pytest.approx(
        brier_score(BENT(fresh), truth, weights), abs=0.002
    )


def test_the_scores_reported_are_those_of_pairs_left_out() -> None:
    raw, truth, weights, folds = drawn(BENT, 2_000)
    _, briers = fit_calibration(raw, truth, weights, folds)
    held_out = np.empty(len(raw))
    for fold in range(5):
        kept = folds != fold
        line, _ = fit_calibration(raw[kept], truth[kept], weights[kept], np.zeros(kept.sum(), np.intp))
        held_out[~kept] = line(raw[~kept])
    assert briers[PLATT] == pytest.approx(brier_score(held_out, truth, weights), abs=1e-4)


def test_steps_agree_with_pooling_neighbours_that_fall() -> None:
    raw, truth, weights, folds = drawn(BENT, 3_000)
    found, _ = fit_calibration(raw, truth, weights, folds)
    assert found.method == ISOTONIC
    pooled = naive_isotonic(raw, truth, weights)
    assert np.average(np.abs(found(raw) - pooled), weights=weights) < 0.02
    assert len(found.raw) < 100


def naive_isotonic(
    raw: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pool adjacent violators, one pair after another."""
    blocks: list[list[float]] = []
    order = np.argsort(raw)
    for place in order:
        blocks.append([float(truth[place]), float(weights[place]), 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (a, v, m), (b, w, n) = blocks[-2:]
            blocks[-2:] = [[(a * v + b * w) / (v + w), v + w, m + n]]
    values = np.empty(len(raw))
    values[order] = np.repeat([block[0] for block in blocks], [int(block[2]) for block in blocks])
    return values


@pytest.mark.parametrize("truths", [[True] * 40, [False] * 40, [True, False] * 20])
@pytest.mark.parametrize("falling", [False, True])
def test_useless_or_misleading_scores_keep_their_order(truths: list[bool], falling: bool) -> None:
    raw = np.linspace(0, 1, 40)
    truth = np.sort(np.array(truths))[::-1] if falling else np.array(truths)
    found, _ = fit_calibration(raw, truth, np.ones(40), np.arange(40) % 4)
    answers = found(raw)
    assert (np.diff(answers) > 0).all()
    assert ((answers > 0) & (answers < 1)).all()


def test_scores_that_separate_perfectly_are_not_believed_to_be_certain() -> None:
    raw = np.repeat([0.2, 0.8], 20)
    for folds in (np.zeros(40, np.intp), np.arange(40) % 4):
        found, _ = fit_calibration(raw, raw > 0.5, np.ones(40), folds)
        low, high = found(np.array([0.2, 0.8]))
        assert 0.01 < low < 0.1
        assert 0.9 < high < 0.99


def test_a_pair_without_weight_changes_nothing() -> None:
    raw, truth, weights, folds = drawn(LINE, 300)
    weights[:100] = 0
    expected, briers = fit_calibration(raw[100:], truth[100:], weights[100:], folds[100:])
    for scale in (1, 7):
        found, scored = fit_calibration(raw, truth, scale * weights, folds)
        np.testing.assert_allclose(found(raw), expected(raw), atol=1e-6)
        assert scored == pytest.approx(briers, abs=1e-6)


def test_each_evaluated_end_weighs_by_the_root_of_the_matches_expected() -> None:
    pairs = [(0, 1, 0.9), (0, 2, 0.6), (1, 2, 0.3), (2, 3, 0.1)]
    first, second, raw = (np.array(column) for column in zip(*pairs, strict=True))
    evaluated = np.array([True, True, False, False])
    expected = [1 + sum(p for a, b, p in pairs if row in {a, b}) for row in range(4)]
    naive = [sum(evaluated[row] / expected[row] ** 0.5 for row in (a, b)) for a, b, _ in pairs]
    np.testing.assert_allclose(tempered_weights(first, second, raw, evaluated), naive)


@pytest.mark.parametrize(
    ("raw", "weights", "folds", "reason"),
    [
        ([0.5, 2], [1, 1], [0, 1], "raw scores from 0 to 1"),
        ([0.5, 0.5], [0, 0], [0, 1], "pairs that have some"),
        ([0.5, 0.5], [1, -1], [0, 1], "weights of 0 or more"),
        ([0.5, 0.5], [1, np.inf], [0, 1], "weights of 0 or more"),
        ([0.5, 0.5], [1, 1], [0, -1], "folds from 0, got -1"),
        ([0.5], [1, 1], [0, 1], "as many of each"),
    ],
)
def test_what_does_not_fit_is_refused(raw: list[float], weights: list[float], folds: list[int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        fit_calibration(np.array(raw), np.array([True, False]), np.array(weights), np.array(folds))


DATA = drawn_training_data(200, trained=0.7)
GROUPS = np.where(DATA.groups == DATA.groups.max(), -1, DATA.groups)
RAW = np.linspace(0, 1, 21)


@pytest.fixture(scope="module")
def part() -> SamplePairs:
    """A catalogue of which 0.7 of the groups are trained on, the last postings without a group."""
    sample = Sample(np.arange(200), DATA.postings, whole=True)
    found = sample_pairs(sample, DATA.signals, GROUPS, DATA.folds(0))
    found.second_scores[:] = np.nan_to_num(found.features[:, 1], nan=0.1).clip(0, 1).astype(np.float64) ** 4
    return found


def naive(part: SamplePairs, without: int | None) -> Calibration:
    """Fitted on the pairs of known truth that have no end in a fold, wrong ones weighing for those that are missing."""
    tempered = tempered_weights(part.left, part.right, part.second_scores, part.fold_of != NOT_TRAINED)
    kept = [pair for pair in np.flatnonzero(part.known).tolist() if without not in part.folds[pair].tolist()]

    def query_ends(pairs: Iterable[int]) -> int:
        """How often trained postings outside the fold ask for the wrong ones of some pairs."""
        ends = (part.folds[pair].tolist() for pair in pairs if not part.truth[pair])
        return sum(fold not in (NOT_TRAINED, without) for pair in ends for fold in pair)

    scale = query_ends(range(len(part))) / query_ends(kept)
    weights = np.array([tempered[pair] * (1 if part.truth[pair] else scale) for pair in kept])
    folds = np.array([max(0, *part.folds[pair].tolist()) for pair in kept])
    return fit_calibration(part.second_scores[kept], part.truth[kept], weights, folds)[0]


@pytest.mark.parametrize("without", [None, *range(FOLDS)])
def test_it_is_fitted_on_pairs_outside_the_fold(part: SamplePairs, without: int | None) -> None:
    found, _ = calibrate([part], without)
    np.testing.assert_allclose(found(RAW), naive(part, without)(RAW), atol=1e-6)


@pytest.mark.parametrize("fold", range(FOLDS))
def test_a_wrong_pair_across_two_folds_is_left_out_with_either(part: SamplePairs, fold: int) -> None:
    across = part.trainable & (part.folds[:, 0] != part.folds[:, 1])
    least, most = part.folds.min(axis=1), part.folds.max(axis=1)
    for low, high in itertools.combinations(range(FOLDS), 2):
        pairs = across & (least == low) & (most == high)
        assert pairs.any()
        assert (part.outside(fold)[pairs] == (fold not in {low, high})).all()


def test_the_pairs_of_all_parts_count(part: SamplePairs) -> None:
    half = Sample(np.arange(0, 200, 2), DATA.postings.select(np.arange(0, 200, 2)), whole=True)
    other = sample_pairs(half, DATA.signals, GROUPS, DATA.folds(0))
    other.second_scores[:] = 0.5
    assert np.abs(calibrate([part, other])[0](RAW) - calibrate([part])[0](RAW)).max() > 1e-3

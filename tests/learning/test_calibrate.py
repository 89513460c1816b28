"""The calibration of a lesson, against a fit on pairs chosen and weighed one by one."""

import itertools
from collections.abc import Iterable

import numpy as np
import pytest

from pricematch.learning.calibrate import calibrate
from pricematch.learning.calibration import fit_calibration, tempered_weights
from pricematch.learning.cross_fit import FOLDS
from pricematch.learning.part import NOT_TRAINED, Part, part_of
from pricematch.learning.samples import Sample
from pricematch.pairs.calibration import Calibration
from tests.support.lesson import drawn_lesson

LESSON = drawn_lesson(200, trained=0.7)
GROUPS = np.where(LESSON.groups == LESSON.groups.max(), -1, LESSON.groups)
RAW = np.linspace(0, 1, 21)


@pytest.fixture(scope="module")
def part() -> Part:
    """A catalogue of which 0.7 of the groups are trained on, the last postings without a group."""
    sample = Sample(np.arange(200), LESSON.postings, whole=True)
    found = part_of(sample, LESSON.signals, GROUPS, LESSON.folds(0))
    found.second[:] = np.nan_to_num(found.features[:, 1], nan=0.1).clip(0, 1).astype(np.float64) ** 4
    return found


def naive(part: Part, without: int | None) -> Calibration:
    """Fitted on the pairs of known truth that have no end in a fold, wrong ones weighing for those that are missing."""
    tempered = tempered_weights(part.lines, part.rows, part.second, part.fold_of != NOT_TRAINED)
    kept = [pair for pair in np.flatnonzero(part.known).tolist() if without not in part.folds[pair].tolist()]

    def asked(pairs: Iterable[int]) -> int:
        """How often trained postings outside the fold ask for the wrong ones of some pairs."""
        ends = (part.folds[pair].tolist() for pair in pairs if not part.truth[pair])
        return sum(fold not in (NOT_TRAINED, without) for pair in ends for fold in pair)

    scale = asked(range(len(part))) / asked(kept)
    weights = np.array([tempered[pair] * (1 if part.truth[pair] else scale) for pair in kept])
    folds = np.array([max(0, *part.folds[pair].tolist()) for pair in kept])
    return fit_calibration(part.second[kept], part.truth[kept], weights, folds)[0]


@pytest.mark.parametrize("without", [None, *range(FOLDS)])
def test_it_is_fitted_on_the_pairs_that_have_no_end_in_the_fold_left_out(part: Part, without: int | None) -> None:
    found, _ = calibrate([part], without)
    np.testing.assert_allclose(found(RAW), naive(part, without)(RAW), atol=1e-6)


@pytest.mark.parametrize("fold", range(FOLDS))
def test_a_wrong_pair_across_two_folds_is_left_out_with_either(part: Part, fold: int) -> None:
    across = part.learned & (part.folds[:, 0] != part.folds[:, 1])
    least, most = part.folds.min(axis=1), part.folds.max(axis=1)
    for low, high in itertools.combinations(range(FOLDS), 2):
        pairs = across & (least == low) & (most == high)
        assert pairs.any()
        assert (part.outside(fold)[pairs] == (fold not in {low, high})).all()


def test_the_pairs_of_all_parts_count(part: Part) -> None:
    half = Sample(np.arange(0, 200, 2), LESSON.postings.select(np.arange(0, 200, 2)), whole=True)
    other = part_of(half, LESSON.signals, GROUPS, LESSON.folds(0))
    other.second[:] = 0.5
    assert np.abs(calibrate([part, other])[0](RAW) - calibrate([part])[0](RAW)).max() > 1e-3

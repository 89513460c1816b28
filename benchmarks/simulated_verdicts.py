"""A person who answers what a review asks about, by the label groups: what do verdicts teach?

Pairs are asked about ten at a time, as `GET /review` does, and the matcher is moved by all verdicts there are before
the next ten. Figures are of the probabilities of all candidate pairs and of the stored threshold; verdicts overrule
nothing in them, so that they say what was learned, not what was told. Used by `other_shops.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.records import FeedbackChange
from pricematch.evaluation.matcher_evaluation import candidates_of
from pricematch.evaluation.metrics import scores
from pricematch.evaluation.reliability import LIKELY, expected_calibration_error
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.review import review

BATCH = 10
SURE = 0.9
Moved: TypeAlias = Callable[[ProbabilitySearch, Feedback], ProbabilitySearch]
"""From a search without feedback, and feedback: the search that has both, with the probabilities that this teaches."""


@dataclass(frozen=True)
class Figures:
    """How good a matcher is.

    Attributes:
        verdicts: that it was moved by.
        f1: mean F1 at the stored threshold.
        calibration_error: of the candidate pairs of probability `LIKELY` and more.
        right: share right of those of probability `SURE` and more; 1.0 where there are none.
        sure: how many these are.
    """

    verdicts: int
    f1: float
    calibration_error: float
    right: float
    sure: int


def simulate(
    search: ProbabilitySearch, groups: NDArray[np.intp], moved: Moved, counts: Sequence[int]
) -> Iterator[Figures]:
    """The figures after so many verdicts each, ascending; after fewer where a review has no more pairs.

    Args:
        search: without feedback.
        groups: [n], the label group of each row.
        moved: gives the search after feedback.
        counts: of verdicts.
    """
    feedback, now = NO_FEEDBACK, search
    for count in counts:
        while len(feedback) < count:
            asked = review(now, now.rule(None, None), min(BATCH, count - len(feedback)))
            if not asked:
                break
            ends = [(search.catalogue.row(it.first), search.catalogue.row(it.second)) for it in asked]
            feedback = feedback.changed(
                FeedbackChange(it.first, it.second, 1, "same" if groups[one] == groups[other] else "different")
                for it, (one, other) in zip(asked, ends, strict=True)
            )
            now = moved(search, feedback)
        yield figures(now, groups, len(feedback))


def figures(search: ProbabilitySearch, groups: NDArray[np.intp], verdicts: int) -> Figures:
    """The figures of a search as it is."""
    pairs, thresholds = search.pairs, search.rule(None, None).thresholds
    truth = groups[pairs.left] == groups[pairs.right]
    likely, sure = pairs.probabilities >= LIKELY, pairs.probabilities >= SURE
    error = expected_calibration_error(pairs.probabilities[likely], truth[likely], np.ones(int(likely.sum())))
    f1 = scores(thresholds.lists(candidates_of(pairs, len(groups))), groups).mean_f1
    return Figures(verdicts, f1, error, float(truth[sure].mean()) if sure.any() else 1.0, int(sure.sum()))

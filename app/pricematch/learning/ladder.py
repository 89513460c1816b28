"""Fits a matcher that begins at the default one, of as much capacity as its label groups are sure to bear.

The rungs: the default as it is; its dozen weights moved; trees on top of its log odds. Trees are taken only where they
are better on label groups held out, by most of a standard error where groups are few, since luck says more of those
than a thousand leaves, and by less the more there are.
"""

from dataclasses import replace
from itertools import count

import numpy as np

from pricematch.evaluation.curves import ROUNDING
from pricematch.evaluation.splits import each_its_own
from pricematch.learning.comparison import DEFAULT, compared, default_f1, mean_gain, signal_f1
from pricematch.learning.fit import STEPS, FittedMatcher, TrainingData, fit_rung, training_parts
from pricematch.learning.rungs import Moved, OnTop, Prior, Rung
from pricematch.learning.samples import NOT_TRAINED
from pricematch.pairs.home import Home
from pricematch.pairs.offset_model import OffsetLearner
from pricematch.pairs.thresholds import Target, Thresholds
from pricematch.progress import Progress

_GROUPS_KNOWN = 50.0
"""As how many label groups the default's thresholds and probabilities count, beside those that are labelled."""


def fit_on_prior(
    data: TrainingData, learner: OffsetLearner, prior: Prior, seed: int, progress: Progress
) -> FittedMatcher:
    """Fit a matcher that begins at the default, and compare it with the default and each signal.

    Args:
        data: features and label groups.
        learner: of the trees.
        prior: the default matcher.
        seed: of everything drawn.
        progress: called with what is being done.

    Raises:
        ValueError: as `pricematch.learning.fit.fit_matcher`.
    """
    parts = training_parts(data, seed, progress)
    whole = parts[0]
    trained = whole.fold_of != NOT_TRAINED
    numbers = data.groups[trained]
    share = len(np.unique(numbers)) / (len(np.unique(numbers)) + _GROUPS_KNOWN)
    others = {DEFAULT: default_f1(whole, prior, data.signals, each_its_own(data.groups))}
    others |= signal_f1(data.postings, data.signals, data.groups, whole.fold_of)

    def settle(target: Target, picked: Thresholds, size: int) -> Thresholds:
        return prior.thresholds.at(target, size).moved(picked, share)

    done = count()

    def fitted(rung: Rung, trust: float) -> FittedMatcher:
        def step() -> None:
            progress("Learning", next(done), 2 * STEPS - 1)

        return fit_rung(rung, parts, data, seed, step, settle, trust)

    moved = Moved(prior.model)
    chosen, trees = fitted(moved, share), fitted(OnTop(moved, learner), 1.0)
    gain, error = mean_gain(trees.f1, chosen.f1, numbers)
    if gain > (1 - share) * error + ROUNDING:
        chosen = trees
    home = Home.of(whole.features, prior.model, data.signals)
    return replace(chosen, comparison=compared(chosen.f1, others, numbers), home=home)

"""Fits a matcher that begins at the default one, of as much capacity as its label groups are sure to bear.

The rungs: the default as it is; its dozen weights moved; trees on top of its log odds. Trees are taken only where they
are better on label groups held out, by most of a standard error where groups are few, since luck says more of those
than a thousand leaves, and by less the more there are.
"""

from dataclasses import replace
from itertools import count as counter

import numpy as np

from pricematch.catalogue.fields import Field
from pricematch.evaluation.curves import ROUNDING
from pricematch.evaluation.splits import each_its_own
from pricematch.learning.comparison import DEFAULT, compared, default_f1, mean_gain, signal_f1
from pricematch.learning.fit import STEPS, FittedMatcher, TrainingData, fit_rung, training_parts
from pricematch.learning.held_out import Settle
from pricematch.learning.rungs import Moved, OnTop, Prior
from pricematch.learning.samples import NOT_TRAINED
from pricematch.matching.nodes import Nodes, node_keys
from pricematch.pairs.home import Home
from pricematch.pairs.model import PairModel
from pricematch.pairs.offset_model import MovedScorer, OffsetLearner, narrowed
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.thresholds import Target, Thresholds
from pricematch.progress import Progress

_GROUPS_KNOWN, _GROUPS_SETTLED = 50.0, 200.0
"""As how many label groups the default's thresholds count beside those that are labelled: where trees were learned, and
where its weights were moved."""


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
    count = len(np.unique(numbers))
    share = count / (count + _GROUPS_KNOWN)
    others = {DEFAULT: default_f1(whole, prior, data.signals, each_its_own(data.groups))}
    others |= signal_f1(data.postings, data.signals, data.groups, whole.fold_of)

    done = counter()

    def step() -> None:
        progress("Learning", next(done), 2 * STEPS - 1)

    def settled(known: float) -> Settle:
        def settle(target: Target, picked: Thresholds, size: int) -> Thresholds:
            return prior.thresholds.at(target, size).moved(picked, count / (count + known))

        return settle

    moved = Moved(prior.model)
    chosen = fit_rung(moved, parts, data, seed, step, settled(_GROUPS_SETTLED), trust=0.0)
    trees = fit_rung(OnTop(moved, learner), parts, data, seed, step, settled(_GROUPS_KNOWN))
    gain, error = mean_gain(trees.f1, chosen.f1, numbers)
    surer = gain > (1 - share) * error + ROUNDING
    chosen = trees if surer else replace(chosen, model=_without_fields(chosen.model))
    return replace(
        chosen, comparison=compared(chosen.f1, others, numbers), home=_home(data, prior, chosen.model.fields)
    )


def _without_fields(moved: PairModel) -> PairModel:
    """The same pair model of moved weights, which take nothing of evidence fields, where none is compared."""
    first, second = moved.first, moved.second
    if not (moved.fields and isinstance(first, MovedScorer) and isinstance(second, MovedScorer)):
        return moved
    return narrowed(replace(moved, first=first.scorer, second=second.scorer), moved.signals)


def _home(data: TrainingData, prior: Prior, fields: tuple[Field, ...]) -> Home | None:
    """That of a catalogue as it is where it is searched, equal postings being one; None without candidate pairs."""
    postings = ParsedFeatures.of(data.postings)
    nodes, first = Nodes.of(node_keys(postings, data.signals, fields))
    extractor = PairFeatureExtractor(postings.select(first), data.signals, copies=nodes.copies)
    return Home.of(extractor, prior.model) if len(extractor.candidates[0]) else None

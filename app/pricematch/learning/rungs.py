"""How a scorer is learned from pairs, by how much there is to learn from: weights of the default moved, or trees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pricematch.learning.regression import BOUNDS, SPREADS, fit_weights
from pricematch.learning.samples import NOT_TRAINED, SamplePairs
from pricematch.pairs.calibration import log_odds
from pricematch.pairs.default_model import EvidenceScorer, terms
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.model import Learner, PairModel, Scorer
from pricematch.pairs.offset_model import MovedScorer, OffsetLearner, OffsetScorer, regressions
from pricematch.pairs.thresholds import SizeThresholds

_NEGATIVES = 0.2
"""Share of many wrong pairs that trees are fitted on, each with weight five; with all of them they are no better."""
_ENOUGH = 200_000
"""Up to about so many wrong pairs all are used: on a catalogue of hundreds of postings trees are better."""
PAIRS_COUNT = 0.3
"""As how many independent ones a pair counts: those of one group, and of parts of one catalogue, say the same."""
OPEN = 0.1
"""First score by the default from which on a pair teaches the weights. Of the many below nearly all are wrong, as the
default says; with them the weights would go where they are told apart best, which nobody asks about."""


class Rung(Protocol):
    """One way to learn a scorer."""

    def scorer(
        self, parts: Sequence[SamplePairs], names: Sequence[str], seed: int, without: int | None = None
    ) -> Scorer:
        """A scorer learned from the pairs of all parts that have no end in the fold `without`.

        Args:
            parts: candidate pairs of samples.
            names: of the first features of theirs, which it takes.
            seed: chooses among wrong pairs.
            without: a fold; None: leave none out.
        """
        ...


@dataclass(frozen=True)
class Prior:
    """What is known before any label is seen: the default matcher.

    Attributes:
        model: its pair model.
        thresholds: of its probabilities.
    """

    model: PairModel
    thresholds: SizeThresholds


@dataclass(frozen=True)
class Anew:
    """Implements `Rung`: what a learner learns where nothing is known beforehand."""

    learner: Learner

    def scorer(
        self, parts: Sequence[SamplePairs], names: Sequence[str], seed: int, without: int | None = None
    ) -> Scorer:
        """See `Rung`."""
        return self.learner.fit(*_pairs(parts, len(names), seed, without), names)


@dataclass(frozen=True)
class Moved:
    """Implements `Rung`: the default's first regression, its weights moved; the second stays.

    Pairs of whole samples teach whose first score by the default is `OPEN` at least. A pair of a trained posting and
    one without a label group counts as wrong, as most candidates are: so few numbers cannot remember a posting.
    """

    default: PairModel

    def scorer(
        self,
        parts: Sequence[SamplePairs],
        names: Sequence[str],
        seed: int,  # noqa: ARG002 - nothing is drawn
        without: int | None = None,
    ) -> MovedScorer:
        """See `Rung`."""
        evidence, agreement = regressions(self.default)
        if names[-1] in GRAPH_FEATURES:
            return MovedScorer(agreement, names)
        before = MovedScorer(evidence, names)
        told, truth, counts = [], [], []
        for part in (it for it in parts if it.sample.whole):
            ends = (part.folds != NOT_TRAINED).sum(axis=1) * part.outside(without)
            seen = np.flatnonzero(ends)
            features = part.features[seen, : len(names)]
            kept = before.predict(features) >= OPEN
            told.append(terms(before.widened(features[kept])))
            truth.append(part.truth[seen[kept]])
            counts.append(ends[seen[kept]] * (PAIRS_COUNT / 2))
        given = np.concatenate(told), np.concatenate(truth), np.concatenate(counts)
        return MovedScorer(EvidenceScorer(fit_weights(*given, evidence.weights, SPREADS, BOUNDS).tolist()), names)


@dataclass(frozen=True)
class OnTop:
    """Implements `Rung`: what a learner adds to the log odds of the moved default."""

    moved: Moved
    learner: OffsetLearner

    def scorer(
        self, parts: Sequence[SamplePairs], names: Sequence[str], seed: int, without: int | None = None
    ) -> OffsetScorer:
        """See `Rung`."""
        offset = self.moved.scorer(parts, names, seed, without)
        features, truth, weights = _pairs(parts, len(names), seed, without)
        start = log_odds(offset.predict(features))
        return OffsetScorer(offset, self.learner.fit_on(start, features, truth, weights, names))


def _pairs(
    parts: Sequence[SamplePairs], columns: int, seed: int, without: int | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
    """Features, truth and weights of the pairs of all parts with both ends trained on, none in a fold."""
    random = np.random.default_rng(seed)
    masks = [part.trainable & part.outside(without) for part in parts]
    wrong_pairs = sum(int((seen & ~part.truth).sum()) for part, seen in zip(parts, masks, strict=True))
    share = max(_NEGATIVES, min(1.0, _ENOUGH / max(1, wrong_pairs)))
    features, truth, weights = [], [], []
    for part, seen in zip(parts, masks, strict=True):
        chosen = np.flatnonzero(seen & (part.truth | (random.random(len(part)) < share)))
        wrong = np.float32(part.negative_weight(seen, without) / share)
        features.append(part.features[chosen, :columns])
        truth.append(part.truth[chosen])
        weights.append(np.where(part.truth[chosen], np.float32(1), wrong))
    return np.concatenate(features), np.concatenate(truth), np.concatenate(weights)

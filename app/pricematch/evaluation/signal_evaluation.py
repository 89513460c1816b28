"""How well signals find the label groups of a catalogue.

Every posting is a query against the whole catalogue. Thresholds are picked on the queries of some label groups and
judged on those of the others, fold by fold: each posting is scored once, at thresholds that its group had no part in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.breakdown import (
    Mistake,
    ScoredGroup,
    SizeClass,
    best_groups,
    by_group_size,
    surest_mistakes,
    worst_groups,
)
from pricematch.evaluation.catalogue_sizes import SizePoint, by_catalogue_size
from pricematch.evaluation.curves import Curve, Curves
from pricematch.evaluation.held_out import Measured, measure
from pricematch.evaluation.pairs import Pairs, pairs_of
from pricematch.evaluation.signals import signal_candidates
from pricematch.evaluation.splits import split_groups
from pricematch.pairs.retrievers import ParsedFeatures
from pricematch.progress import Progress
from pricematch.search.candidates import Candidates

SHOWN = 10
"""Groups and mistakes that are named."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that is measured on a catalogue of n postings.

    Attributes:
        groups: intp [n], the number of each posting's label group.
        pairs: the candidates of all signals.
        alone: of every signal, by its name.
        together: of all of them; of a single signal the same.
        curves: of every signal alone, over all postings.
        curves_together: of every signal while the others stay at their thresholds of `together`.
        by_group_size, worst, best: from the held-out scores of `together`.
        mistakes: at the thresholds of `together`.
        by_catalogue_size: ascending, the whole catalogue last.
    """

    groups: NDArray[np.intp]
    pairs: Pairs
    alone: Mapping[str, Measured]
    together: Measured
    curves: Mapping[str, Curve]
    curves_together: Mapping[str, Curve]
    by_group_size: Sequence[SizeClass]
    worst: Sequence[ScoredGroup]
    best: Sequence[ScoredGroup]
    mistakes: Sequence[Mistake]
    by_catalogue_size: Sequence[SizePoint]

    @property
    def group_count(self) -> int:
        """How many label groups there are."""
        return len(np.unique(self.groups))


def evaluate(
    features: ParsedFeatures,
    signals: Sequence[str],
    groups: NDArray[np.intp],
    folds: int,
    seed: int,
    progress: Progress,
) -> Evaluation:
    """Measure signals, each alone and all together.

    Args:
        features: of n postings.
        signals: some of `SIGNALS`, at least one, each once.
        groups: [n], the number of each posting's label group, from 0, none left out.
        folds: at least 2, and at most as many as there are groups.
        seed: of the folds, the bootstrap and the sub-catalogues.
        progress: is told what is being done.

    Raises:
        ValueError: fewer groups than folds.
    """
    fold_of = split_groups(groups, folds, seed)
    curves = Curves(pairs_of(find_candidates(features, signals, progress), len(groups)), groups)
    names, measured = list(signals), []
    choices = [[name] for name in names] + ([names] if len(names) > 1 else [])
    for done, choice in enumerate(choices):
        progress("Picking thresholds", done, len(choices))
        measured.append(measure(curves, choice, fold_of, seed))
    progress("Picking thresholds", len(choices), len(choices))
    together, everyone = measured[-1], np.ones(len(groups), bool)
    thresholds, scored = together.thresholds, together.scores
    others = {name: {other: thresholds[other] for other in names if other != name} for name in names}
    return Evaluation(
        groups,
        curves.pairs,
        dict(zip(names, measured, strict=False)),
        together,
        {name: curves.of(name, everyone) for name in names},
        {name: curves.of(name, everyone, others[name]) for name in names},
        by_group_size(scored, groups),
        worst_groups(scored, groups, SHOWN),
        best_groups(scored, groups, SHOWN),
        surest_mistakes(curves.pairs, thresholds, groups, SHOWN),
        by_catalogue_size(features, curves, thresholds, seed, progress),
    )


def find_candidates(features: ParsedFeatures, signals: Sequence[str], progress: Progress) -> dict[str, Candidates]:
    """The candidates of n postings by each signal, by its name."""
    found = {}
    for done, signal in enumerate(signals):
        progress("Finding candidates", done, len(signals))
        found[signal] = signal_candidates(signal, features)
    progress("Finding candidates", len(signals), len(signals))
    return found

"""The cosine from which on a posting is a match, where nothing but similarity decides."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.curves import Curve, Curves
from pricematch.evaluation.pairs import pairs_of
from pricematch.evaluation.signals import CANDIDATES, IMAGE
from pricematch.evaluation.splits import each_its_own
from pricematch.search.neighbours import DenseIndex

LEAST_GROUPS = 2
"""Label groups with something to find, below which a threshold would say nothing of other groups."""
_DECIMALS = 6
"""A network's cosine of the same two pictures may be a millionth off in another batch: what is nearer is a tie."""


@dataclass(frozen=True)
class SimilarityThreshold:
    """A threshold, and what it was picked on.

    Attributes:
        threshold: a cosine, −1…1.
        mean_f1: of the judged postings' lists at this threshold, in 0…1.
        postings, groups: how many were judged, and of how many label groups.
        catalogue: how many postings were searched.
    """

    threshold: float
    mean_f1: float
    postings: int
    groups: int
    catalogue: int


def enough_groups(groups: NDArray[np.integer], judged: NDArray[np.bool_]) -> bool:
    """Whether a threshold can be picked: at least two label groups have two judged postings.

    Args:
        groups: [n], the number of each posting's label group, from 0; negative where it has none.
        judged: bool [n], whole label groups.
    """
    return int((np.bincount(groups[judged]) > 1).sum()) >= LEAST_GROUPS


def pick_similarity_threshold(
    embeddings: NDArray[np.float32],
    groups: NDArray[np.integer],
    judged: NDArray[np.bool_],
    told: Callable[[int], None],
) -> SimilarityThreshold | None:
    """The threshold at which the lists of the judged postings have the highest mean F1 (see `metrics.scores`).

    Every threshold there is is tried (see `curves`). It lies halfway between two similarities, 1 being above all, so
    that another catalogue's pairs do not fall on its edge. What takes nothing cannot be had where two pictures are
    equal; then the best of the others is taken.

    Args:
        embeddings: [n, d], of any length.
        groups: [n], the number of each posting's label group, from 0; negative where it has none, and then it is
            nobody's match.
        judged: bool [n], whole label groups.
        told: how many postings were compared with all others, after each block of them.

    Returns:
        None where there are too few groups, or an embedding has no direction, so that nothing can be searched.
    """
    directed = np.isfinite(embeddings).all(axis=1) & embeddings.any(axis=1)
    if not (enough_groups(groups, judged) and directed.all()):
        return None
    pairs = pairs_of({IMAGE: DenseIndex(embeddings).nearest_others(CANDIDATES, told)}, len(embeddings))
    pairs = replace(pairs, similarities={IMAGE: np.round(pairs.similarities[IMAGE], _DECIMALS)})
    threshold, mean_f1 = _best(Curves(pairs, each_its_own(groups)).of(IMAGE, judged))
    counts = int(judged.sum()), len(np.unique(groups[judged])), len(embeddings)
    return SimilarityThreshold(threshold, mean_f1, *counts)


def _best(curve: Curve) -> tuple[float, float]:
    """The threshold in −1…1 of the highest F1, the highest of several; and that F1."""
    if curve.similarities[1] >= 1:  # no cosine is above it
        curve = curve.at(curve.similarities[1:])
    taken = np.minimum(curve.similarities, 1)
    left = np.append(taken[1:], max(-1.0, taken[-1] - 10**-_DECIMALS))
    place = curve.best()
    return float(taken[place] + left[place]) / 2, round(float(curve.f1[place]), 9)

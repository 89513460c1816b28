"""How well clusters, and the pairs of postings they or lists answer, agree with the label groups."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.metrics import Scores, group_sizes, harmonic_mean, hits_of_lists, scores_of_counts
from pricematch.search.candidates import Lists


@dataclass(frozen=True)
class PairScores:
    """How well the answered pairs agree with the pairs of one group; large groups, which have most pairs, weigh most.

    Attributes:
        right: answered pairs of one group (tp).
        answered: all answered pairs (tp + fp).
        expected: all pairs of one group (tp + fn).
    """

    right: int
    answered: int
    expected: int

    def __add__(self, other: "PairScores") -> "PairScores":
        return PairScores(self.right + other.right, self.answered + other.answered, self.expected + other.expected)

    @property
    def precision(self) -> float:
        """The right share, tp / (tp + fp); 1.0 where no pair is answered, since none is wrong."""
        return self.right / self.answered if self.answered else 1.0

    @property
    def recall(self) -> float:
        """The share found, tp / (tp + fn); 1.0 where every posting is alone in its group, since none is missed."""
        return self.right / self.expected if self.expected else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0.0 if both are."""
        return harmonic_mean(self.precision, self.recall)


def pairwise_scores_of_lists(lists: Lists, groups: NDArray[np.integer], queries: NDArray[np.bool_]) -> PairScores:
    """The pairs of a query, bool [n], and another in its list: their precision, recall and F1 (micro-averaged).

    A pair in the lists of both postings counts in each. No posting pairs with itself.

    >>> lists = Lists(np.array([0, 2, 4, 5]), np.array([0, 2, 1, 0, 2]))
    >>> pairwise_scores_of_lists(lists, np.array([0, 0, 1]), np.array([True, True, True]))
    PairScores(right=1, answered=2, expected=2)
    """
    counts = hits_of_lists(lists, groups) - 1, lists.sizes() - 1, group_sizes(groups) - 1
    right, answered, expected = (int(count[queries].sum()) for count in counts)
    return PairScores(right, answered, expected)


def b_cubed_scores(labels: NDArray[np.integer], groups: NDArray[np.integer]) -> Scores:
    """Each posting's cluster, evaluated as its list: B-cubed precision and recall.

    Bagga, Baldwin: Entity-Based Cross-Document Coreferencing Using the Vector Space Model, 1998; Amigó, Gonzalo,
    Artiles, Verdejo: A Comparison of Extrinsic Clustering Evaluation Metrics, 2009. Precision of a posting is the share
    of its cluster that is of its group, recall the share of its group that is in its cluster, itself included; their
    means are B-cubed precision and recall, and `Scores.b_cubed_f1` is the harmonic mean of these two. `Scores.mean_f1`
    is the competition's figure of the partition instead.

    Args:
        labels: [n], the cluster of each posting; −1 is a posting alone.
        groups: [n], the number of each posting's label group, from 0.

    Returns:
        The scores of each posting; their means and F1 are 1.0 for no postings.

    >>> found = b_cubed_scores(np.array([0, 0, 0, -1]), np.array([0, 0, 1, 1]))
    >>> round(found.mean_precision, 4), found.mean_recall, round(found.b_cubed_f1, 4)
    (0.6667, 0.75, 0.7059)
    """
    parts, alone = labels.astype(np.intp), labels < 0
    parts[alone] = labels.max(initial=-1) + 1 + np.arange(alone.sum())
    both = np.unique(parts * (groups.max(initial=0) + 1) + groups, return_inverse=True)[1]
    return scores_of_counts(group_sizes(both), group_sizes(parts), group_sizes(groups))

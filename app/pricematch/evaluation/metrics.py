"""Metrics of lists, rankings, pairs and clusters: F1, precision, recall, recall@k, mAP@k, B-cubed; their intervals."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.search.candidates import Lists

RESAMPLES = 1000
CONFIDENCE = 0.95


def mean_f1_of_partition(label_groups: Sequence[Hashable], predicted: Sequence[Hashable]) -> float:
    """Mean F1 per posting of a partition, as in Kaggle's Shopee price-match competition.

    Every posting is answered with all postings of its own predicted part, itself included:
    F1 = tp / (tp + ½ (fp + fn)), averaged over the postings. Unlike the textbook's F1 of pairs, a posting that is
    alone in truth and in prediction scores 1, and every posting weighs the same whatever the size of its group.
    1.0 for no postings, since no answer is wrong.

    Raises:
        ValueError: the two differ in length.

    >>> mean_f1_of_partition(["a", "a", "b"], [0, 0, 1])
    1.0
    >>> round(mean_f1_of_partition(["a", "a", "b"], [0, 1, 2]), 4)  # two postings find themselves only
    0.7778
    """
    if len(label_groups) != len(predicted):
        raise ValueError(f"expected one prediction per posting, got {len(label_groups)} and {len(predicted)}")
    if not label_groups:
        return 1.0
    truth_sizes, part_sizes = Counter(label_groups), Counter(predicted)
    # tp + ½ (fp + fn) = ½ (size of the group + size of the part)
    overlaps = Counter(zip(label_groups, predicted, strict=True))
    total = sum(n * 2 * n / (truth_sizes[group] + part_sizes[part]) for (group, part), n in overlaps.items())
    return total / len(label_groups)


@dataclass(frozen=True, eq=False)
class Scores:
    """How well each posting's list answers its label group; every value is in [0, 1].

    Attributes:
        f1: float64 [n], tp / (tp + ½ (fp + fn)).
        precision: float64 [n], tp / (tp + fp).
        recall: float64 [n], tp / (tp + fn).
    """

    f1: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @property
    def mean_f1(self) -> float:
        """The competition's figure; 1.0 for no postings, since no answer is wrong."""
        return _mean(self.f1)

    @property
    def mean_precision(self) -> float:
        """1.0 for no postings."""
        return _mean(self.precision)

    @property
    def mean_recall(self) -> float:
        """1.0 for no postings."""
        return _mean(self.recall)

    @property
    def b_cubed_f1(self) -> float:
        """The harmonic mean of mean precision and mean recall; unlike `mean_f1`, taken after the means."""
        return _harmonic_mean(self.mean_precision, self.mean_recall)

    def of(self, postings: NDArray[np.integer] | NDArray[np.bool_]) -> "Scores":
        """Those of some postings: their rows, or a mask."""
        return Scores(self.f1[postings], self.precision[postings], self.recall[postings])


def number_groups(label_groups: Sequence[str | None]) -> NDArray[np.intp]:
    """Label groups as numbers from 0, in the order they first occur, intp [n]; −1 for none."""
    numbers: dict[str, int] = {}
    known = (-1 if group is None else numbers.setdefault(group, len(numbers)) for group in label_groups)
    return np.fromiter(known, np.intp, len(label_groups))


def scores(lists: Lists, groups: NDArray[np.integer]) -> Scores:
    """F1, precision and recall of each posting's list, as in Kaggle's Shopee price-match competition.

    The posting itself is in its list and in its group, so no list and no group is empty and every posting scores above
    0. Unlike the textbook's precision and recall of pairs, which large groups dominate, each posting weighs the same.
    The competition takes lists of 50 at most; members of a larger group that do not fit count as missed. `groups` [n]
    number the label groups from 0.

    >>> one = scores(Lists(np.array([0, 2, 4, 5]), np.array([0, 2, 0, 1, 2])), np.array([0, 0, 1]))
    >>> one.f1.tolist(), one.precision.tolist(), one.recall.tolist()
    ([0.5, 1.0, 1.0], [0.5, 1.0, 1.0], [0.5, 1.0, 1.0])
    """
    return scores_of_counts(_hits_of_lists(lists, groups), lists.sizes(), group_sizes(groups))


def scores_of_counts(hits: NDArray[np.integer], answered: NDArray[np.integer], expected: NDArray[np.integer]) -> Scores:
    """Scores from each list's right answers (tp), its length (tp + fp) and the size of its group (tp + fn)."""
    # tp + ½ (fp + fn) = ½ ((tp + fp) + (tp + fn))
    return Scores(2 * hits / (answered + expected), hits / answered, hits / expected)


def group_sizes(groups: NDArray[np.integer]) -> NDArray[np.intp]:
    """How many postings each posting's group has, itself included, [n].

    >>> group_sizes(np.array([0, 1, 0])).tolist()
    [2, 1, 2]
    """
    sizes: NDArray[np.intp] = np.bincount(groups)[groups]
    return sizes


def _hits_of_lists(lists: Lists, groups: NDArray[np.integer]) -> NDArray[np.intp]:
    """How many of each posting's list are of its group, itself included, [n]."""
    line = np.repeat(np.arange(len(groups)), lists.sizes())
    hits: NDArray[np.intp] = np.bincount(line[groups[lists.rows] == groups[line]], minlength=len(groups))
    return hits


def recall_at_k(
    candidates: NDArray[np.integer], groups: NDArray[np.integer], k: int, evaluated: NDArray[np.bool_] | None = None
) -> float:
    """The mean share of a posting's group that is among its first k candidates: recall@k = tp@k / (size − 1).

    The posting itself counts neither as candidate nor as member. Unlike recall@k in metric learning, where one right
    candidate among k is enough, all of the group have to be found; so where a group has more than k others, 1 is out of
    reach. Postings alone in their group have nothing to find and are left out.

    Args:
        candidates: [n, c], rows in the order they are proposed, −1 behind the last; none is the posting itself.
        groups: [n].
        k: at least 1; more than c is as good as c.
        evaluated: bool [n], the postings that the mean is over; all if absent.

    Returns:
        A value in [0, 1]; 1.0 if every posting is alone, since nothing was missed.

    >>> candidates, groups = np.array([[2, 1], [0, -1], [0, 1]]), np.array([0, 0, 1])
    >>> recall_at_k(candidates, groups, 1), recall_at_k(candidates, groups, 2)
    (0.5, 1.0)
    """
    right, others = _right_places(candidates, groups, k, evaluated)
    return _mean(right.sum(axis=1) / others)


def map_at_k(
    candidates: NDArray[np.integer], groups: NDArray[np.integer], k: int, evaluated: NDArray[np.bool_] | None = None
) -> float:
    """Mean average precision of the first k candidates: AP@k = Σ over right places i ≤ k of precision@i, / min(k, R).

    R is the number of the posting's group without itself. Unlike the textbook's, which divides by R, the best k
    candidates there can be score 1 for larger groups too. Postings alone in their group are left out. Arguments and
    range are those of `recall_at_k`.

    >>> candidates, groups = np.array([[2, 1], [0, -1], [0, 1]]), np.array([0, 0, 1])
    >>> map_at_k(candidates, groups, 1), map_at_k(candidates, groups, 2)
    (0.5, 0.75)
    """
    right, others = _right_places(candidates, groups, k, evaluated)
    precision = np.cumsum(right, axis=1) / np.arange(1, right.shape[1] + 1)
    return _mean((precision * right).sum(axis=1) / np.minimum(others, k))


def _right_places(
    candidates: NDArray[np.integer], groups: NDArray[np.integer], k: int, evaluated: NDArray[np.bool_] | None
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Of queries with something to find: which of the first k candidates are right, and how many there are to find."""
    others = group_sizes(groups) - 1
    queries = others > 0 if evaluated is None else (others > 0) & evaluated
    return right_candidates(candidates, groups)[queries, :k], others[queries]


def candidate_recall(found: float, groups: NDArray[np.integer], queries: NDArray[np.bool_]) -> float:
    """The share of the true pairs of queries, bool [n], that is among their candidates; 1.0 if there are none.

    `found` counts those, (a, b) and (b, a) as two.
    """
    true_pairs = int((group_sizes(groups) - 1)[queries].sum())
    return found / true_pairs if true_pairs else 1.0


def _harmonic_mean(precision: float, recall: float) -> float:
    """F1 of a precision and a recall in [0, 1]; 0.0 if both are."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def right_candidates(candidates: NDArray[np.integer], groups: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which candidates [n, c] are of their posting's group; the padding −1 is not."""
    right: NDArray[np.bool_] = (groups[candidates] == groups[:, np.newaxis]) & (candidates >= 0)
    return right


def _mean(values: NDArray[np.float64]) -> float:
    """The mean, or 1.0 of nothing."""
    return float(values.mean()) if len(values) else 1.0


def bootstrap_interval(values: NDArray[np.float64], groups: NDArray[np.integer], seed: int) -> tuple[float, float]:
    """The 95 % percentile interval of the mean of values [n] over postings, by a cluster bootstrap of 1,000 resamples.

    Label groups [n] are drawn whole and with replacement, as many as there are, because the postings of one product are
    not independent of each other (Davison, Hinkley: Bootstrap Methods and their Application, 1997, §3.8). The values
    themselves stay as they are: what another catalogue would do to them is not in it.
    """
    drawn_from = np.unique(groups, return_inverse=True)[1]  # a group without postings would be drawn for nothing
    sums, sizes = np.bincount(drawn_from, values), np.bincount(drawn_from)
    rng = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    for resample in range(RESAMPLES):
        drawn = rng.integers(len(sizes), size=len(sizes))
        means[resample] = sums[drawn].sum() / sizes[drawn].sum()
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


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
        return _harmonic_mean(self.precision, self.recall)


def pairwise_scores_of_lists(lists: Lists, groups: NDArray[np.integer], queries: NDArray[np.bool_]) -> PairScores:
    """The pairs of a query, bool [n], and another in its list: their precision, recall and F1 (micro-averaged).

    A pair in the lists of both postings counts in each. No posting pairs with itself.

    >>> lists = Lists(np.array([0, 2, 4, 5]), np.array([0, 2, 1, 0, 2]))
    >>> pairwise_scores_of_lists(lists, np.array([0, 0, 1]), np.array([True, True, True]))
    PairScores(right=1, answered=2, expected=2)
    """
    counts = _hits_of_lists(lists, groups) - 1, lists.sizes() - 1, group_sizes(groups) - 1
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

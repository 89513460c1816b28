"""How well predicted matches agree with the label groups."""

from collections import Counter
from collections.abc import Hashable, Sequence


def mean_f1_of_partition(label_groups: Sequence[Hashable], predicted: Sequence[Hashable]) -> float:
    """Mean F1 per posting of a partition, as in Kaggle's Shopee price-match competition.

    Every posting is answered with all postings of its own predicted part, itself included:
    F1 = tp / (tp + ½ (fp + fn)), averaged over the postings. Unlike the textbook's F1 of pairs, a posting that is
    alone in truth and in prediction scores 1, and every posting weighs the same whatever the size of its group.

    Args:
        label_groups: the true group of each of n postings.
        predicted: the predicted part of each of the same n postings.

    Returns:
        A value in [0, 1]; 1.0 for no postings, since no answer is wrong.

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

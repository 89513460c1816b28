"""Splits of label groups, so that nothing is judged on postings of a product it was tuned on."""

import numpy as np
from numpy.typing import NDArray


def split_groups(groups: NDArray[np.integer], folds: int, seed: int) -> NDArray[np.intp]:
    """Deal whole label groups out to folds: no group is in two, and the folds hold as many groups each, or one more.

    Args:
        groups: [n], the number of each posting's label group, from 0, none left out.
        folds: at least 1.
        seed: the same seed deals the same way.

    Returns:
        intp [n], the fold of each posting, from 0.

    Raises:
        ValueError: there are fewer groups than folds.
    """
    count = int(groups.max(initial=-1)) + 1
    if count < folds:
        raise ValueError(f"expected at least as many label groups as folds, got {count} and {folds}")
    fold_of_group = np.empty(count, np.intp)
    fold_of_group[np.random.default_rng(seed).permutation(count)] = np.arange(count) % folds
    folds_of: NDArray[np.intp] = fold_of_group[groups]
    return folds_of


def whole_groups(groups: NDArray[np.integer], size: int, seed: int) -> NDArray[np.intp]:
    """Rows of a random sub-catalogue: whole label groups, drawn one by one until the next would not fit.

    The first group is taken in any case. With the same seed, a smaller sub-catalogue is part of a larger one.

    Args:
        groups: [n], see `split_groups`.
        size: postings, at most.
        seed: of the order the groups are drawn in.

    Returns:
        intp, ascending.
    """
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    taken = max(1, int(np.searchsorted(np.cumsum(sizes[order]), size, side="right")))
    chosen = np.zeros(len(sizes), bool)
    chosen[order[:taken]] = True
    return np.flatnonzero(chosen[groups])

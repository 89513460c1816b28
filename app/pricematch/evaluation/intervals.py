"""How far a mean would vary if the products had been others."""

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
CONFIDENCE = 0.95


def bootstrap_interval(values: NDArray[np.float64], groups: NDArray[np.integer], seed: int) -> tuple[float, float]:
    """The 95 % percentile interval of the mean over postings, by a cluster bootstrap of 1,000 resamples.

    Label groups are drawn whole and with replacement, as many as there are, because the postings of one product are not
    independent of each other (Davison, Hinkley: Bootstrap Methods and their Application, 1997, §3.8). The values
    themselves stay as they are: what another catalogue would do to them is not in it.

    Args:
        values: [n], of each posting; at least one.
        groups: [n], the number of each posting's label group; any numbers, of which some may be missing.
        seed: of the resamples.

    Returns:
        The lower and upper end.
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

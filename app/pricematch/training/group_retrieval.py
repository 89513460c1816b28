"""How well held-out label groups are found again by their embeddings."""

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.evaluation.metrics import map_at_k

_LINES = 512


def held_out_map(embeddings: Embeddings, held_out: NDArray[np.intp], k: int) -> float:
    """mAP@k of the held-out rows among all rows; see `map_at_k`.

    Args:
        embeddings: [n, d].
        held_out: intp [n], the label group of each held-out row, −1 for the others, which are only in the way.
        k: at least 1.

    Returns:
        A value in [0, 1]; 1.0 if no held-out row has another of its group.
    """
    count = len(embeddings)
    asked = np.flatnonzero(held_out >= 0)
    candidates = np.full((count, min(k, count - 1)), -1)
    for first in range(0, len(asked), _LINES):
        lines = asked[first : first + _LINES]
        similarities = embeddings[lines] @ embeddings.T
        similarities[np.arange(len(lines)), lines] = -np.inf
        candidates[lines] = np.argsort(-similarities, axis=1, kind="stable")[:, : candidates.shape[1]]
    # rows that are not held out become groups of their own, which the mean leaves out
    alone = held_out.max(initial=-1) + 1 + np.arange(count)
    return map_at_k(candidates, np.where(held_out >= 0, held_out, alone), k)

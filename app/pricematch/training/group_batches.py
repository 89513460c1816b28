"""Batches of P groups with K rows each, so that every step sees what belongs together and what does not."""

import numpy as np
from numpy.typing import NDArray


def group_batches(
    groups: NDArray[np.integer], batch: int, per_group: int, seed: int, epoch: int
) -> list[NDArray[np.int64]]:
    """Every group once, `per_group` of its rows, in steps of batch // per_group groups.

    Args:
        groups: [n], the number of each row's label group; rows with −1 are left out.
        batch: rows a step, at most, but two groups in any case.
        per_group: rows of a group; a group with fewer gives some more than once, to be augmented differently.
        seed: of the order, with the epoch.
        epoch: another one gives another order.

    Returns:
        Rows of each step, the rows of a group together; a last group alone joins the step before.
    """
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(np.unique(groups[groups >= 0]))
    members = {group: np.flatnonzero(groups == group) for group in order.tolist()}
    picked = [_draw(members[group], per_group, rng) for group in order.tolist()]
    size = max(2, batch // per_group)
    steps = [picked[first : first + size] for first in range(0, len(picked), size)]
    if len(steps) > 1 and len(steps[-1]) == 1:
        steps[-2:] = [steps[-2] + steps[-1]]
    return [np.concatenate(step) for step in steps]


def _draw(rows: NDArray[np.intp], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` of the rows, each as often as any other, or once more or less."""
    rounds = [rng.permutation(rows) for _ in range(-(-count // len(rows)))]
    return np.concatenate(rounds)[:count].astype(np.int64)

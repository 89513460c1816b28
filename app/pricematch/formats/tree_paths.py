"""What each feature adds to the log odds of boosted trees, by the paths that pairs take through them.

On its way down, the mean of the leaves below changes at each split; the change is the split feature's (Saabas:
Interpreting random forests, 2014). TreeSHAP (Lundberg et al., 2020) averages over all orders of features instead, and
takes seventy times as long, five milliseconds a pair: too long to explain ten matches while somebody waits. Where
features interact, the split higher up gets less than its due. Of pairs judged by hash and title, the family of features
(see `pricematch.pairs.reasons`) that weighs most is the same by both for 99 of 100.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import lightgbm

_LEAF = -1


class TreePaths:
    """The trees of a booster of numeric features, as arrays of their nodes. Immutable.

    Args:
        booster: of one class; all of its splits compare with a threshold.
    """

    def __init__(self, booster: "lightgbm.Booster") -> None:
        nodes = _Nodes()
        described = booster.dump_model()
        self._roots = np.array([nodes.add(tree["tree_structure"]) for tree in described["tree_info"]], np.intp)
        self._features, self._thresholds = np.array(nodes.features, np.intp), np.array(nodes.thresholds)
        self._children = np.array(nodes.children, np.intp).reshape(-1, 2)
        self._nan_left, self._nan_is_zero = np.array(nodes.nan_left, bool), np.array(nodes.nan_is_zero, bool)
        self._values = np.array(nodes.values)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds, float64 [m, f], to the mean of all leaves (weighted by what they were grown of)."""
        count, width = features.shape
        found, line = np.zeros(count * width), np.arange(count)[:, np.newaxis]
        at = np.tile(self._roots, (count, 1))
        while (inner := self._features[at] != _LEAF).any():
            split = np.maximum(self._features[at], 0)
            below = np.where(inner, self._below(at, features[line, split].astype(np.float64)), at)
            change = (self._values[below] - self._values[at]).ravel()
            found += np.bincount((line * width + split).ravel(), change, len(found))
            at = below
        return found.reshape(count, width)

    def _below(self, at: NDArray[np.intp], values: NDArray[np.float64]) -> NDArray[np.intp]:
        """The children that values lead to; NaN goes its own way, or that of 0 where training saw none."""
        unknown = np.isnan(values)
        left = np.where(unknown, 0, values) <= self._thresholds[at]
        left = np.where(unknown & ~self._nan_is_zero[at], self._nan_left[at], left)
        found: NDArray[np.intp] = self._children[at, np.where(left, 0, 1)]
        return found


class _Nodes:
    """Nodes of trees one after the other, as `lightgbm.Booster.dump_model` describes them."""

    def __init__(self) -> None:
        self.features: list[int] = []
        self.thresholds: list[float] = []
        self.children: list[Sequence[int]] = []
        self.nan_left: list[bool] = []
        self.nan_is_zero: list[bool] = []
        self.values: list[float] = []

    def add(self, node: Mapping[str, Any]) -> int:
        """Add a node and all below it; returns its place."""
        place = len(self.features)
        leaf = "split_feature" not in node
        self.features.append(_LEAF if leaf else int(node["split_feature"]))
        self.thresholds.append(0.0 if leaf else float(node["threshold"]))
        self.nan_left.append(not leaf and bool(node["default_left"]))
        self.nan_is_zero.append(not leaf and node["missing_type"] != "NaN")
        self.values.append(_mean(node)[0])
        self.children.append((place, place))
        if not leaf:
            self.children[place] = (self.add(node["left_child"]), self.add(node["right_child"]))
        return place


def _mean(node: Mapping[str, Any]) -> tuple[float, float]:
    """The mean of the leaves below a node, and how many pairs they were grown of."""
    if "split_feature" not in node:
        return float(node["leaf_value"]), float(node.get("leaf_count", 1))
    (left, ours), (right, theirs) = _mean(node["left_child"]), _mean(node["right_child"])
    return (left * ours + right * theirs) / (ours + theirs), ours + theirs

"""Gradient-boosted trees by LightGBM (Ke et al., 2017), in its text format, which holds numbers and no code."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.errors import ArtefactError

# its threads wait for each other hundreds of times a second; spinning, they slow down tenfold on a busy machine
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import lightgbm

_LEAF = -1
ROUNDS = 130
_PARTS, _SMALLEST_LEAF = 20, 3
_PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": 24,
    "learning_rate": 0.06,
    "min_data_in_leaf": 150,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


class TreePaths:
    """The trees of a booster of numeric features, as arrays of their nodes, to explain predictions by. Immutable.

    On the way down a tree, the mean of the leaves below changes at each split; the change is the split feature's
    (Saabas: Interpreting random forests, 2014). TreeSHAP (Lundberg et al., 2020) averages over all orders of features
    instead, and takes seventy times as long, five milliseconds a pair: too long to explain ten matches while somebody
    waits. Where features interact, the split higher up gets less than its due. Of pairs scored by hash and title, the
    family of features (see `pricematch.pairs.reasons`) that weighs most is the same by both for 99 of 100.

    Args:
        booster: of one class; all of its splits compare with a threshold.
    """

    def __init__(self, booster: lightgbm.Booster) -> None:
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
        """Add a node and all below it, and return its index."""
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


class Trees:
    """Implements `pair_model.Scorer`.

    Args:
        booster: of one class.
        threads: how many at most.
    """

    def __init__(self, booster: lightgbm.Booster, threads: int) -> None:
        self._booster, self._threads = booster, threads

    @cached_property
    def paths(self) -> TreePaths:
        """Its trees as arrays, made when they are first used."""
        return TreePaths(self._booster)

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities float64 [m] of features [m, f]."""
        if not len(features):
            return np.empty(0)
        return np.asarray(self._booster.predict(features, num_threads=self._threads), np.float64)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to the log odds of each pair, float64 [m, f], see `TreePaths`."""
        return self.paths.contributions(features)

    def write(self, path: Path) -> None:
        """Write the trees as text."""
        path.write_text(self._booster.model_to_string(), encoding="utf-8")


class TreeLearner:
    """Implements `pair_model.Learner`; the same seed and pairs give the same trees.

    Args:
        seed: of the choice of features and pairs.
        threads: how many at most.
    """

    def __init__(self, seed: int, threads: int) -> None:
        self._seed, self._threads = seed, threads

    def fit(
        self,
        features: NDArray[np.float32],
        truth: NDArray[np.bool_],
        weights: NDArray[np.float32],
        names: Sequence[str],
    ) -> Trees:
        """Trees that tell true pairs from others; of few true pairs, trees with smaller leaves."""
        leaf = int(np.clip(truth.sum() // _PARTS, _SMALLEST_LEAF, _PARAMETERS["min_data_in_leaf"]))
        parameters = {**_PARAMETERS, "min_data_in_leaf": leaf, "seed": self._seed, "num_threads": self._threads}
        data = lightgbm.Dataset(features, truth, weight=weights, feature_name=list(names))
        return Trees(lightgbm.train(parameters, data, ROUNDS), self._threads)


def read_trees(path: Path, names: Sequence[str], threads: int) -> Trees:
    """Trees of a text file.

    LightGBM's parser ends the process on some damaged texts, so the file's digest is checked before, see
    `matcher_files.read_manifest`.

    Args:
        path: of the file.
        names: of the features that they must split by.
        threads: how many at most.

    Raises:
        ArtefactError: it holds no trees, or trees of other features.
    """
    try:
        booster = lightgbm.Booster(model_str=path.read_text(encoding="utf-8"))
        _check_features(booster, names)
        trees = Trees(booster, threads)
        _ = trees.paths  # now, so that what cannot be explained ends the start and no request
    except (lightgbm.basic.LightGBMError, OSError, ValueError, ArithmeticError, LookupError) as error:
        raise ArtefactError(f"{path} holds no trees ({error})") from error
    return trees


def _check_features(booster: lightgbm.Booster, names: Sequence[str]) -> None:
    """Raise ValueError for a booster of more classes than one, or of other features."""
    if booster.feature_name() != list(names) or booster.num_model_per_iteration() != 1:
        raise ValueError(f"expected trees over {len(names)} features of these signals, got others")

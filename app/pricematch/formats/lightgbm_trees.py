"""Gradient-boosted trees by LightGBM (Ke et al., 2017), in its text format, which holds numbers and no code."""

import os
import re
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.errors import ArtefactError

# its threads wait for each other hundreds of times a second; spinning, they slow down tenfold on a busy machine
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import lightgbm

_STARTED = time.monotonic()
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_AVERAGED = 60
"""Seconds over which the load average forgets all but 1/e of what was before."""
_FEW = 8192
"""Pairs that one thread scores sooner than several have divided them."""
_THREADS = re.compile(r"^\[num_threads: \d+\]$", re.MULTILINE)
_LEAF = -1
_NODE = np.dtype(
    [
        ("feature", np.intp),
        ("threshold", np.float64),
        ("children", np.intp, 2),
        ("nan_left", np.bool_),
        ("nan_is_zero", np.bool_),
        ("value", np.float64),
    ]
)
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


def idle_cores() -> int:
    """Cores that this process may use and others leave to it, at least 1: its share less the load average of others.

    Threads that share a core with others wait for each other at every split of a tree, which takes several times as
    long as one thread does. What this process adds to the load average itself is not counted.
    """
    cores = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        cores = min(cores, int(quota) / int(period))
    except (OSError, ValueError):
        pass  # not in a container, or one without a quota
    elapsed = max(time.monotonic() - _STARTED, 1e-3)
    own = min(time.process_time() / elapsed, cores) * (1 - exp(-elapsed / _AVERAGED))
    return max(1, round(cores - max(0.0, os.getloadavg()[0] - own)))


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
        rows: list[tuple[Any, ...]] = []
        roots = [_add(tree["tree_structure"], rows)[0] for tree in booster.dump_model()["tree_info"]]
        nodes = np.array(rows, _NODE)
        self._roots = np.array(roots, np.intp)
        self._features, self._thresholds, self._children, self._nan_left, self._nan_is_zero, self._values = (
            np.ascontiguousarray(nodes[name]) for name in _NODE.names or ()
        )

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


def _add(node: Mapping[str, Any], nodes: list[tuple[Any, ...]]) -> tuple[int, float, float]:
    """Add a node of `lightgbm.Booster.dump_model` and all below it, as rows of `_NODE`.

    Returns:
        Its place, the mean of the leaves below it, and how many pairs they were grown of.
    """
    place = len(nodes)
    nodes.append(())
    if "split_feature" not in node:
        mean = float(node["leaf_value"])
        nodes[place] = (_LEAF, 0.0, (place, place), False, False, mean)
        return place, mean, float(node.get("leaf_count", 1))
    left, left_mean, ours = _add(node["left_child"], nodes)
    right, right_mean, theirs = _add(node["right_child"], nodes)
    mean = (left_mean * ours + right_mean * theirs) / (ours + theirs)
    missing = bool(node["default_left"]), node["missing_type"] != "NaN"
    nodes[place] = (int(node["split_feature"]), float(node["threshold"]), (left, right), *missing, mean)
    return place, mean, ours + theirs


class Trees:
    """Implements `pair_model.Scorer`.

    Args:
        booster: of one class.
        threads: how many at most, and no more than there are idle cores.
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
        threads = 1 if len(features) < _FEW else min(self._threads, idle_cores())
        return np.asarray(self._booster.predict(features, num_threads=threads), np.float64)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to the log odds of each pair, float64 [m, f], see `TreePaths`."""
        return self.paths.contributions(features)

    def write(self, path: Path) -> None:
        """Write the trees as text; how many threads have grown them is no part of it."""
        text = re.sub(
            r"^\[num_threads: \d+\]$", "[num_threads: 0]", self._booster.model_to_string(), flags=re.MULTILINE
        )
        path.write_text(text, encoding="utf-8")


class TreeLearner:
    """Implements `pair_model.Learner`; the same seed and pairs give the same trees, in however many threads.

    Args:
        seed: of the choice of features and pairs.
        threads: how many at most, and no more than there are idle cores when a fit begins.
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
        """Trees that separate true pairs from others; of few true pairs, trees with smaller leaves."""
        leaf = int(np.clip(truth.sum() // _PARTS, _SMALLEST_LEAF, _PARAMETERS["min_data_in_leaf"]))
        threads = min(self._threads, idle_cores())
        parameters = {**_PARAMETERS, "min_data_in_leaf": leaf, "seed": self._seed, "num_threads": threads}
        data = lightgbm.Dataset(features, truth, weight=weights, feature_name=list(names))
        return Trees(lightgbm.train(parameters, data, ROUNDS), self._threads)


def read_trees(path: Path, names: Sequence[str], threads: int) -> Trees:
    """Trees of a text file, which split by the named features.

    LightGBM's parser ends the process on some damaged texts, so the file's digest is checked before, see
    `matcher_files.read_manifest`.

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

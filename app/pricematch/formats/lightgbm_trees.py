"""Gradient-boosted trees by LightGBM (Ke et al., 2017), in its text format, which holds numbers and no code."""

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.catalogue.evidence import direction
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
    """What each feature adds on the way to each leaf of a booster's trees, to explain predictions by. Immutable.

    On the way down a tree, the mean of the leaves below changes at each split; the change is the split feature's
    (Saabas: Interpreting random forests, 2014). TreeSHAP (Lundberg et al., 2020) averages over all orders of features
    instead, and takes five milliseconds a pair: too long to explain ten matches while somebody waits. Where features
    interact, the split higher up gets less than its due. Of pairs scored by hash and title, the family of features (see
    `pricematch.pairs.reasons`) that weighs most is the same by both for 99 of 100.

    Args:
        booster: of one class.
    """

    def __init__(self, booster: lightgbm.Booster) -> None:
        self._booster = booster
        found = [_below(tree["tree_structure"], booster.num_feature()) for tree in booster.dump_model()["tree_info"]]
        self._begins = np.cumsum([0, *(len(it.leaves) for it in found)])[:-1]
        self._added = np.concatenate([it.added[np.argsort(it.leaves)] for it in found])

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds, float64 [m, f], to the mean of all leaves (weighted by what they were grown of)."""
        if not len(features):
            return np.zeros(features.shape)
        leaves = np.asarray(self._booster.predict(features, pred_leaf=True, num_threads=1))
        places = leaves.reshape(len(features), -1).astype(np.int32) + self._begins.astype(np.int32)
        starts = np.arange(len(features) + 1, dtype=np.int32) * np.int32(places.shape[1])
        reached = csr_array((np.ones(places.size), places.ravel(), starts), shape=(len(features), len(self._added)))
        return np.asarray(reached @ self._added)


@dataclass(frozen=True)
class _Below:
    """The k leaves below a node of a tree.

    Attributes:
        leaves: their numbers.
        added: float64 [k, f], what each feature adds on the way to each.
        mean: of their values, weighted by what they were grown of.
        count: of what they were grown of.
    """

    leaves: list[int]
    added: NDArray[np.float64]
    mean: float
    count: float


def _below(node: Mapping[str, Any], features: int) -> _Below:
    """The leaves below a node of `lightgbm.Booster.dump_model`."""
    if "split_feature" not in node:
        value, count = float(node["leaf_value"]), float(node.get("leaf_count", 1))
        return _Below([int(node.get("leaf_index", 0))], np.zeros((1, features)), value, count)
    left, right = _below(node["left_child"], features), _below(node["right_child"], features)
    count = left.count + right.count
    mean = (left.mean * left.count + right.mean * right.count) / count
    for child in (left, right):
        child.added[:, node["split_feature"]] += child.mean - mean
    return _Below([*left.leaves, *right.leaves], np.concatenate([left.added, right.added]), mean, count)


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

    def added(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of the leaves that pairs reach, float64 [m]: what is added to the log odds of an offset."""
        if not len(features):
            return np.empty(0)
        threads = 1 if len(features) < _FEW else min(self._threads, idle_cores())
        return np.asarray(self._booster.predict(features, num_threads=threads, raw_score=True), np.float64)

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
        """Trees that separate true pairs from others; of few true pairs, trees with smaller leaves.

        Of features of evidence fields, as `pricematch.catalogue.evidence.direction` has it, more cannot make a pair
        less sure, or surer.
        """
        return self._trees(features, truth, weights, names, None)

    def fit_on(
        self,
        offset: NDArray[np.float64],
        features: NDArray[np.float32],
        truth: NDArray[np.bool_],
        weights: NDArray[np.float32],
        names: Sequence[str],
    ) -> Trees:
        """See `pairs.offset_model.OffsetLearner`."""
        return self._trees(features, truth, weights, names, offset)

    def _trees(
        self,
        features: NDArray[np.float32],
        truth: NDArray[np.bool_],
        weights: NDArray[np.float32],
        names: Sequence[str],
        offset: NDArray[np.float64] | None,
    ) -> Trees:
        leaf = int(np.clip(truth.sum() // _PARTS, _SMALLEST_LEAF, _PARAMETERS["min_data_in_leaf"]))
        threads = min(self._threads, idle_cores())
        parameters = {**_PARAMETERS, "min_data_in_leaf": leaf, "seed": self._seed, "num_threads": threads}
        if any(directions := [direction(name) for name in names]):
            parameters["monotone_constraints"] = directions
        data = lightgbm.Dataset(features, truth, weight=weights, init_score=offset, feature_name=list(names))
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

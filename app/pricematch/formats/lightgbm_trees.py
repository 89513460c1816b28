"""Gradient-boosted trees by LightGBM (Ke et al., 2017), kept as its text format, which holds numbers and no code."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.errors import ArtefactError
from pricematch.formats.tree_paths import TreePaths
from pricematch.formats.tree_text import checked_tree_text

# its threads wait for each other hundreds of times a second; spinning, they slow down tenfold on a busy machine
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import lightgbm

ROUNDS = 130
_PARTS, _SMALLEST_LEAF = 20, 3
PARAMETERS: dict[str, Any] = {
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
        """Its trees as arrays, made when they are first asked for."""
        return TreePaths(self._booster)

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities float64 [m] of features [m, f]."""
        if not len(features):
            return np.empty(0)
        return np.asarray(self._booster.predict(features, num_threads=self._threads), np.float64)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to the log odds, float64 [m, f]: the paths that pairs take, see `tree_paths`."""
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
        leaf = int(np.clip(truth.sum() // _PARTS, _SMALLEST_LEAF, PARAMETERS["min_data_in_leaf"]))
        parameters = {**PARAMETERS, "min_data_in_leaf": leaf, "seed": self._seed, "num_threads": self._threads}
        data = lightgbm.Dataset(features, truth, weight=weights, feature_name=list(names))
        return Trees(lightgbm.train(parameters, data, ROUNDS), self._threads)


def read_trees(path: Path, names: Sequence[str], threads: int) -> Trees:
    """Trees of a text file.

    Args:
        path: of the file, whose digest has been checked.
        names: of the features they must judge by.
        threads: how many at most.

    Raises:
        ArtefactError: it holds no trees, or trees of other features.
    """
    try:
        text = path.read_text(encoding="utf-8")
        trees = Trees(lightgbm.Booster(model_str=checked_tree_text(text, names)), threads)
        _ = trees.paths  # now, so that what cannot be explained ends the start and no request
    except (lightgbm.basic.LightGBMError, OSError, ValueError, ArithmeticError, LookupError) as error:
        raise ArtefactError(f"{path} holds no trees ({error})") from error
    return trees

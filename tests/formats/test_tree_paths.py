"""What features add along the paths through trees, against walking down each tree."""

from collections.abc import Mapping
from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.formats.tree_paths import TreePaths


def grown(features: NDArray[np.float32], truth: NDArray[np.bool_], rounds: int = 20) -> lightgbm.Booster:
    parameters = {"objective": "binary", "num_leaves": 7, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
    return lightgbm.train(parameters, lightgbm.Dataset(features, truth), rounds)


@pytest.fixture(scope="module")
def features() -> NDArray[np.float32]:
    """400 rows of 5 numbers; the second and third are lacking now and then, the last says nothing."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 5)).astype(np.float32)
    for column in (1, 2):
        values[rng.random(400) < 0.3, column] = np.nan
    return values


@pytest.fixture(scope="module")
def booster(features: NDArray[np.float32]) -> lightgbm.Booster:
    return grown(features, (features[:, 0] > 0) ^ (np.nan_to_num(features[:, 1], nan=1) > 0.5) | (features[:, 3] > 1))


def leaves(node: Mapping[str, Any]) -> list[tuple[float, int]]:
    if "split_feature" not in node:
        return [(node["leaf_value"], node["leaf_count"])]
    return leaves(node["left_child"]) + leaves(node["right_child"])


def mean(node: Mapping[str, Any]) -> float:
    below = leaves(node)
    return sum(value * count for value, count in below) / sum(count for _, count in below)


def walked(node: Mapping[str, Any], row: NDArray[np.float32]) -> dict[int, float]:
    """What each feature adds in one tree."""
    added: dict[int, float] = {}
    while "split_feature" in node:
        value = float(row[node["split_feature"]])
        if np.isnan(value):
            left = node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0
        else:
            left = value <= node["threshold"]
        child = node["left_child" if left else "right_child"]
        added[node["split_feature"]] = added.get(node["split_feature"], 0.0) + mean(child) - mean(node)
        node = child
    return added


def test_features_add_the_changes_of_the_mean_on_the_way_down(
    features: NDArray[np.float32], booster: lightgbm.Booster
) -> None:
    found = TreePaths(booster).contributions(features[:30])
    trees = booster.dump_model()["tree_info"]
    for row, line in zip(features[:30], found, strict=True):
        expected = np.zeros(5)
        for tree in trees:
            for feature, change in walked(tree["tree_structure"], row).items():
                expected[feature] += change
        assert np.allclose(line, expected)


def test_contributions_add_up_to_the_log_odds_less_those_of_the_average(
    features: NDArray[np.float32], booster: lightgbm.Booster
) -> None:
    average = sum(mean(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"])
    raw = np.asarray(booster.predict(features, raw_score=True))
    assert np.allclose(TreePaths(booster).contributions(features).sum(axis=1) + average, raw)


def test_what_was_never_lacking_in_training_counts_as_zero_where_it_is() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(200, 1)).astype(np.float32)
    booster = grown(values, values[:, 0] > -0.5, rounds=3)
    found = TreePaths(booster).contributions(np.array([[np.nan], [0]], np.float32))
    assert found[0] == found[1]
    assert found[0] > 0


def test_trees_of_one_leaf_add_nothing_and_no_rows_have_no_contributions(booster: lightgbm.Booster) -> None:
    same = np.ones((20, 2), np.float32)
    stumps = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(same, np.arange(20) % 2), 2)
    assert not TreePaths(stumps).contributions(same).any()
    assert TreePaths(booster).contributions(np.empty((0, 5), np.float32)).shape == (0, 5)


def test_where_features_add_up_what_weighs_most_is_what_treeshap_says_weighs_most(
    features: NDArray[np.float32],
) -> None:
    booster = grown(features, 2 * features[:, 0] + features[:, 3] > 0)
    shap = np.asarray(booster.predict(features, pred_contrib=True))[:, :-1]
    found = TreePaths(booster).contributions(features)
    assert np.mean(np.abs(shap).argmax(axis=1) == np.abs(found).argmax(axis=1)) > 0.8

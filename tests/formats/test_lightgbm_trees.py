"""Trees as text, and what features add along the paths through them, against walking down each tree."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.errors import ArtefactError
from pricematch.formats import lightgbm_trees
from pricematch.formats.lightgbm_trees import TreeLearner, TreePaths, Trees, idle_cores, read_trees

NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def features() -> NDArray[np.float32]:
    values = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)
    values[::7, 1] = np.nan
    return values


def grown(features: NDArray[np.float32], seed: int = 0) -> Trees:
    truth = features[:, 0] + np.nan_to_num(features[:, 1]) > 0
    return TreeLearner(seed, 1).fit(features, truth, np.ones(len(features), np.float32), NAMES)


@pytest.fixture(scope="module")
def trees(features: NDArray[np.float32]) -> Trees:
    return grown(features)


@pytest.fixture(scope="module")
def text(trees: Trees, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("trees") / "trees.txt"
    trees.write(path)
    return path.read_text(encoding="utf-8")


def test_trees_that_are_read_say_the_same_to_the_bit(
    trees: Trees, features: NDArray[np.float32], tmp_path: Path
) -> None:
    trees.write(tmp_path / "trees.txt")
    read = read_trees(tmp_path / "trees.txt", NAMES, 1)
    assert np.array_equal(read.predict(features), trees.predict(features))
    assert ((trees.predict(features) > 0.5) == (features[:, 0] + np.nan_to_num(features[:, 1]) > 0)).mean() > 0.9


def test_the_same_seed_grows_the_same_trees(trees: Trees, features: NDArray[np.float32]) -> None:
    assert np.array_equal(grown(features).predict(features), trees.predict(features))


def test_the_trees_do_not_depend_on_the_number_of_threads(
    features: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file of them is the same to the byte; fault F12."""
    truth, weights, texts = features[:, 0] > 0, np.ones(len(features), np.float32), []
    for cores in (1, 2, 4):
        monkeypatch.setattr(lightgbm_trees, "idle_cores", lambda cores=cores: cores)
        TreeLearner(0, 4).fit(features, truth, weights, NAMES).write(tmp_path / "trees.txt")
        texts.append((tmp_path / "trees.txt").read_bytes())
    assert texts[0] == texts[1] == texts[2]


@pytest.mark.parametrize(
    ("cores", "load", "quota", "idle"),
    [(8, 0.2, "max 100000", 8), (8, 5.1, "max 100000", 3), (2, 4.0, "max 100000", 1), (8, 0.0, "150000 100000", 2)],
)
def test_threads_leave_busy_cores_to_others(
    cores: int, load: float, quota: str, idle: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of the cores that affinity and the container's quota allow, the load average is taken off; fault F12."""
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    monkeypatch.setattr(lightgbm_trees, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr("time.process_time", lambda: 0.0)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    assert idle_cores() == idle


def test_trees_that_cannot_be_explained_are_refused_when_they_are_read(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("pricematch.formats.lightgbm_trees._below", fail)
    (tmp_path / "trees.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ArtefactError, match="division by zero"):
        read_trees(tmp_path / "trees.txt", NAMES, 1)


def test_nothing_is_evaluated_where_nothing_is_requested(trees: Trees) -> None:
    assert trees.predict(np.empty((0, 3), np.float32)).shape == (0,)


def test_pairs_that_are_all_right_grow_trees_that_are_read(features: NDArray[np.float32], tmp_path: Path) -> None:
    every = np.ones(len(features), bool)
    TreeLearner(0, 1).fit(features, every, every.astype(np.float32), NAMES).write(tmp_path / "trees.txt")
    assert (read_trees(tmp_path / "trees.txt", NAMES, 1).predict(features) > 0.99).all()


def test_trees_of_other_features_are_refused(trees: Trees, tmp_path: Path) -> None:
    trees.write(tmp_path / "trees.txt")
    with pytest.raises(ArtefactError, match="expected trees over 3 features of these signals, got others"):
        read_trees(tmp_path / "trees.txt", ("one", "two", "four"), 1)


@pytest.mark.parametrize("content", [b"", b"tree\n\n\n", b"\xff\xfe", b"tree\nversion=v4\n" * 5, b"\0"], ids=range(5))
def test_other_texts_are_refused(content: bytes, tmp_path: Path) -> None:
    """In one sentence that names the file."""
    path = tmp_path / "trees.txt"
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=f"^{re.escape(str(path))} holds no trees") as refused:
        read_trees(path, NAMES, 1)
    assert "\n" not in str(refused.value)


def test_trees_of_more_classes_are_refused(features: NDArray[np.float32], tmp_path: Path) -> None:
    """Their predictions would be one column a class."""
    data = lightgbm.Dataset(features, np.arange(len(features)) % 3, feature_name=list(NAMES))
    grown = lightgbm.train({"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1}, data, 2)
    Trees(grown, 1).write(tmp_path / "trees.txt")
    with pytest.raises(ArtefactError, match="expected trees over 3 features"):
        read_trees(tmp_path / "trees.txt", NAMES, 1)


def boosted(features: NDArray[np.float32], truth: NDArray[np.bool_], rounds: int = 20) -> lightgbm.Booster:
    parameters = {"objective": "binary", "num_leaves": 7, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
    return lightgbm.train(parameters, lightgbm.Dataset(features, truth), rounds)


@pytest.fixture(scope="module")
def gappy() -> NDArray[np.float32]:
    """400 rows of 5 numbers; the second and third are lacking now and then, the last says nothing."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 5)).astype(np.float32)
    for column in (1, 2):
        values[rng.random(400) < 0.3, column] = np.nan
    return values


@pytest.fixture(scope="module")
def booster(gappy: NDArray[np.float32]) -> lightgbm.Booster:
    return boosted(gappy, (gappy[:, 0] > 0) ^ (np.nan_to_num(gappy[:, 1], nan=1) > 0.5) | (gappy[:, 3] > 1))


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
    gappy: NDArray[np.float32], booster: lightgbm.Booster
) -> None:
    found = TreePaths(booster).contributions(gappy[:30])
    trees = booster.dump_model()["tree_info"]
    for row, line in zip(gappy[:30], found, strict=True):
        expected = np.zeros(5)
        for tree in trees:
            for feature, change in walked(tree["tree_structure"], row).items():
                expected[feature] += change
        assert np.allclose(line, expected)


def test_contributions_add_up_to_the_log_odds(gappy: NDArray[np.float32], booster: lightgbm.Booster) -> None:
    average = sum(mean(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"])
    raw = np.asarray(booster.predict(gappy, raw_score=True))
    assert np.allclose(TreePaths(booster).contributions(gappy).sum(axis=1) + average, raw)


def test_a_feature_never_missing_in_training_counts_zero() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(200, 1)).astype(np.float32)
    booster = boosted(values, values[:, 0] > -0.5, rounds=3)
    found = TreePaths(booster).contributions(np.array([[np.nan], [0]], np.float32))
    assert found[0] == found[1]
    assert found[0] > 0


def test_trees_of_one_leaf_add_nothing(booster: lightgbm.Booster) -> None:
    same = np.ones((20, 2), np.float32)
    stumps = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(same, np.arange(20) % 2), 2)
    assert not TreePaths(stumps).contributions(same).any()
    assert TreePaths(booster).contributions(np.empty((0, 5), np.float32)).shape == (0, 5)


def test_the_weightiest_feature_is_that_of_treeshap(
    gappy: NDArray[np.float32],
) -> None:
    booster = boosted(gappy, 2 * gappy[:, 0] + gappy[:, 3] > 0)
    shap = np.asarray(booster.predict(gappy, pred_contrib=True))[:, :-1]
    found = TreePaths(booster).contributions(gappy)
    assert np.mean(np.abs(shap).argmax(axis=1) == np.abs(found).argmax(axis=1)) > 0.8

"""Trees as text: what was written is what is read, and what is damaged is refused before it is parsed."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.errors import ArtefactError
from pricematch.formats.lightgbm_trees import TreeLearner, Trees, read_trees

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


def test_trees_that_cannot_be_explained_are_refused_when_they_are_read(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("pricematch.formats.tree_paths._Nodes.add", fail)
    (tmp_path / "trees.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ArtefactError, match="division by zero"):
        read_trees(tmp_path / "trees.txt", NAMES, 1)


def test_nothing_is_judged_where_nothing_is_asked(trees: Trees) -> None:
    assert trees.predict(np.empty((0, 3), np.float32)).shape == (0,)


def test_pairs_that_are_all_right_grow_trees_that_are_read(features: NDArray[np.float32], tmp_path: Path) -> None:
    every = np.ones(len(features), bool)
    TreeLearner(0, 1).fit(features, every, every.astype(np.float32), NAMES).write(tmp_path / "trees.txt")
    assert (read_trees(tmp_path / "trees.txt", NAMES, 1).predict(features) > 0.99).all()


def test_trees_of_other_features_are_refused(trees: Trees, tmp_path: Path) -> None:
    trees.write(tmp_path / "trees.txt")
    with pytest.raises(ArtefactError, match="expected trees over 3 features of these signals, got others"):
        read_trees(tmp_path / "trees.txt", ("one", "two", "four"), 1)


DAMAGE = {
    "nothing": (".*", ""),
    "another objective": ("objective=binary sigmoid:1", "objective=regression"),
    "more classes": ("num_class=1", "num_class=3"),
    "no tree an iteration": ("num_tree_per_iteration=1", "num_tree_per_iteration=0"),
    "another size": (r"tree_sizes=\d+", "tree_sizes=9999999"),
    "a huge size": (r"tree_sizes=\d+", "tree_sizes=1e300"),
    "no sizes": (r"tree_sizes=[^\n]*", "tree_sizes="),
    "half of it": (r"(?s)Tree=50\n.*", ""),
    "a loop": (r"left_child=\S+", "left_child=0"),
    "a child beyond": (r"right_child=\S+", "right_child=9"),
    "a feature beyond": (r"split_feature=\d", "split_feature=9"),
    "no number": (r"threshold=\S", "threshold=x"),
    "not finite": (r"leaf_value=\S{3}", "leaf_value=nan"),
    "no leaves": (r"num_leaves=\d", "num_leaves=-"),
    "categories": ("num_cat=0", "num_cat=7"),
    "linear": ("is_linear=0", "is_linear=1"),
    "another decision": (r"decision_type=\d", "decision_type=1"),
    "no end": ("end of trees", "end of tries"),
    "a whole number written as another": (r"left_child=\d", "left_child=1e0"),
    "a number with a line below": (r"leaf_value=-?\d", "leaf_value=1_0"),
    "a number behind a tab": (r"leaf_value=", "leaf_value=\t"),
    "another alphabet's digits": (r"leaf_count=\d", "leaf_count=٣"),
    "a threshold beyond all numbers": (r"threshold=\S+", "threshold=1e400"),
    "leaves of nothing": (r"leaf_count=\d+", "leaf_count=0"),
    "leaves of less than nothing": (r"leaf_count=\d+", "leaf_count=-5"),
    "a leaf that outweighs all": (r"leaf_value=\S+", "leaf_value=1e308"),
    "ranges of nothing": (r"feature_infos=\S+", "feature_infos=rubbish"),
    "another kind of trees": ("label_index=0", "label_index=0\naverage_output"),
    "more leaves than stack": (r"num_leaves=\d+", "num_leaves=257"),
    "another line in a tree": ("is_linear=0", "is_linear=0\nleaf_const=1"),
    "no text": ("tree\n", "tree\n\udcff"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_trees_are_refused_in_one_sentence(text: str, damage: str, tmp_path: Path) -> None:
    found, put = DAMAGE[damage]
    flags = re.DOTALL if damage == "nothing" else 0
    broken = re.sub(found, put.replace("\\", r"\\"), text, count=1, flags=flags)
    assert broken != text
    path = tmp_path / "trees.txt"
    path.write_bytes(broken.encode("utf-8", "surrogateescape"))
    with pytest.raises(ArtefactError, match=f"^{re.escape(str(path))} holds no trees") as refused:
        read_trees(path, NAMES, 1)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "behind", ["", "\n", "\nparameters:\n[boosting: gbdt]\n", "\nparameters:\nend of param", "\n" + 99 * "x"]
)
def test_what_stands_behind_the_trees_is_not_read(
    text: str, behind: str, trees: Trees, features: NDArray[np.float32], tmp_path: Path
) -> None:
    end = text.index("end of trees\n") + len("end of trees\n")
    (tmp_path / "trees.txt").write_text(text[:end] + behind, encoding="utf-8")
    read = read_trees(tmp_path / "trees.txt", NAMES, 1)
    np.testing.assert_array_equal(read.predict(features), trees.predict(features))


@pytest.mark.parametrize("seed", range(20))
def test_trees_with_bytes_turned_are_refused_or_read(text: str, seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    broken = bytearray(text.encode())
    last = text.index("end of trees")
    for place in rng.integers(0, last, 3):
        broken[place] = int(rng.choice(list(b"0123456789.-e =\n")))
    (tmp_path / "trees.txt").write_bytes(bytes(broken))
    try:
        trees = read_trees(tmp_path / "trees.txt", NAMES, 1)
    except ArtefactError:
        return
    assert np.isfinite(trees.predict(np.zeros((5, 3), np.float32))).all()

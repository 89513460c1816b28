"""What must be true of a text of LightGBM's before its parser may read it: on damaged ones that ends the process."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_HEAD = {
    "version": "v4",
    "num_class": "1",
    "num_tree_per_iteration": "1",
    "label_index": "0",
    "objective": "binary sigmoid:1",
}
"""Lines that every model of right and wrong pairs begins with."""
_OF_SPLITS = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
_OF_NODES = ("internal_value", "internal_weight", "internal_count")
_WHOLE = ("split_feature", "decision_type", "left_child", "right_child")
_MOST_LEAVES = 2**16


def check_tree_text(text: str, names: Sequence[str]) -> None:
    """Check a model of one class over features of these names.

    Raises:
        ValueError: it is damaged, or another kind of model; the message says where.
    """
    head, _, rest = text.partition("\n\n")
    lines = _lines(head.split("\n")[1:])
    if wrong := next((key for key, value in _HEAD.items() if lines.get(key) != value), None):
        raise ValueError(f"expected {wrong}={_HEAD[wrong]}, got {lines.get(wrong)}")
    if lines.get("max_feature_idx") != str(len(names) - 1) or lines.get("feature_names") != " ".join(names):
        raise ValueError(f"expected trees over {len(names)} features of these signals, got others")
    if len(lines.get("feature_infos", "").split(" ")) != len(names):
        raise ValueError("expected as many feature_infos as features")
    # sizes are those of UTF-8; what is checked here is ASCII, or no size fits
    sizes = _numbers("tree_sizes", lines.get("tree_sizes", ""))
    if not len(sizes) or not ((sizes == sizes.round()) & (sizes > 0) & (sizes <= len(rest))).all():
        raise ValueError("expected the sizes of trees in tree_sizes")
    ends = np.concatenate([[0], np.cumsum(sizes.astype(np.int64))]).tolist()
    if not rest.isascii() or not rest[ends[-1] :].startswith("end of trees\n"):
        raise ValueError("expected the end of trees where tree_sizes says it is")
    for number, (start, end) in enumerate(pairwise(ends)):
        try:
            _check_tree(rest[start:end], number, len(names))
        except ValueError as error:
            raise ValueError(f"tree {number}: {error}") from error


def _check_tree(text: str, number: int, features: int) -> None:
    lines = _lines(text.rstrip("\n").split("\n"))
    if (lines.get("Tree"), lines.get("num_cat"), lines.get("is_linear")) != (str(number), "0", "0"):
        raise ValueError("expected a tree without categories and linear models")
    leaves = lines.get("num_leaves", "")
    if not (leaves.isdecimal() and 1 <= len(leaves) <= 5 and 1 <= int(leaves) <= _MOST_LEAVES):
        raise ValueError(f"expected a number of leaves, got {leaves[:20]!r}")
    splits = int(leaves) - 1
    values = {key: _numbers(key, lines.get(key, "")) for key in (*_OF_SPLITS, *_OF_NODES, "leaf_value", "shrinkage")}
    for key, found in values.items():
        expected = {"leaf_value": splits + 1, "shrinkage": 1}.get(key, splits)
        if len(found) != expected:
            raise ValueError(f"expected {expected} of {key}, got {len(found)}")
    for key in ("leaf_weight", "leaf_count"):
        if splits and len(_numbers(key, lines.get(key, ""))) != splits + 1:
            raise ValueError(f"expected {splits + 1} of {key}")
    _check_nodes(values, splits, features)


def _check_nodes(values: Mapping[str, NDArray[np.float64]], splits: int, features: int) -> None:
    if any((values[key] != values[key].round()).any() for key in _WHOLE):
        raise ValueError("expected whole numbers of features, decisions and children")
    if not ((values["split_feature"] >= 0) & (values["split_feature"] < features)).all():
        raise ValueError("expected features that there are")
    if not np.isin(values["decision_type"], (0, 2, 4, 6, 8, 10)).all():
        raise ValueError("expected decisions by numbers")
    children = np.concatenate([values["left_child"], values["right_child"]])
    # every leaf and every split but the first is the child of one earlier split: so it is a tree, without a loop
    expected = np.concatenate([np.arange(1, splits), -1 - np.arange(splits + 1)]) if splits else np.empty(0)
    later = (children < 0) | (children > np.tile(np.arange(splits), 2))
    if not later.all() or not np.array_equal(np.sort(children), np.sort(expected)):
        raise ValueError("expected children that make a tree")


def _lines(lines: Sequence[str]) -> dict[str, str]:
    """`key=value` lines."""
    found = dict(line.partition("=")[::2] for line in lines)
    if len(found) != len(lines):
        raise ValueError("expected each line once")
    return found


def _numbers(key: str, text: str) -> NDArray[np.float64]:
    """Numbers with blanks between; a split between what is and what is lacking has a threshold that is no number."""
    try:
        found = np.array([float(number) for number in text.split(" ")] if text else [], np.float64)
    except ValueError as error:
        raise ValueError(f"expected numbers in {key}") from error
    if key != "threshold" and not np.isfinite(found).all():
        raise ValueError(f"expected finite numbers in {key}")
    return found

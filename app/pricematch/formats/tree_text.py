"""What must be true of a text of LightGBM's before its parser may read it: on damaged ones that ends the process."""

import re
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
_TOLD = ("max_feature_idx", "feature_names", "feature_infos", "tree_sizes")
_OF_SPLITS = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
_OF_NODES = ("internal_value", "internal_weight", "internal_count")
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_OF_TREES = ("Tree", "num_leaves", "num_cat", "is_linear", "shrinkage")
_WHOLE = {"split_feature", "decision_type", "left_child", "right_child", "leaf_count", "internal_count", "tree_sizes"}
_MOST_LEAVES = 2**8
"""Of one tree, ten times what is trained: one that goes down thousands of splits takes more stack than there is."""
_MOST_LOG_ODDS = 100
"""That one leaf can add: probabilities within 1e-43 of 0 or 1."""
_END = "end of trees\n"
_NUMBER = r"-?[0-9]{1,25}(?:\.[0-9]{1,40})?(?:e[+-][0-9]{1,3})?"
_NUMBERS = re.compile(rf"{_NUMBER}(?: {_NUMBER})*")
_WHOLE_NUMBERS = re.compile(r"-?[0-9]{1,9}(?: -?[0-9]{1,9})*")
_ANY = rf"(?:{_NUMBER}|-?inf|nan)"
_THRESHOLDS = re.compile(rf"{_ANY}(?: {_ANY})*")
"""Splits between what is and what is lacking have thresholds that are no number, or endless."""
_RANGE = re.compile(rf"none|\[{_ANY}:{_ANY}\]")


def checked_tree_text(text: str, names: Sequence[str]) -> str:
    """The trees of a model of one class over features of these names, without what stands behind them.

    Numbers are read strictly: Python takes `1e0`, `1_0` and blanks for numbers, LightGBM for others.

    Raises:
        ValueError: it is damaged, or another kind of model; the message says where.
    """
    head, _, rest = text.partition("\n\n")
    first, *described = head.split("\n")
    lines = _lines(described)
    if first != "tree" or set(lines) != {*_HEAD, *_TOLD}:
        raise ValueError("expected the head of a model of trees")
    if wrong := next((key for key, value in _HEAD.items() if lines[key] != value), None):
        raise ValueError(f"expected {wrong}={_HEAD[wrong]}, got {lines[wrong]}")
    if lines["max_feature_idx"] != str(len(names) - 1) or lines["feature_names"] != " ".join(names):
        raise ValueError(f"expected trees over {len(names)} features of these signals, got others")
    ranges = lines["feature_infos"].split(" ")
    if len(ranges) != len(names) or not all(map(_RANGE.fullmatch, ranges)):
        raise ValueError("expected the range of each feature in feature_infos")
    # sizes are those of UTF-8; what is checked here is ASCII, or no size fits
    sizes = _numbers("tree_sizes", lines["tree_sizes"])
    if not len(sizes) or not ((sizes > 0) & (sizes <= len(rest))).all():
        raise ValueError("expected the sizes of trees in tree_sizes")
    ends = np.concatenate([[0], np.cumsum(sizes.astype(np.int64))]).tolist()
    if not rest.isascii() or not rest[ends[-1] :].startswith(_END):
        raise ValueError("expected the end of trees where tree_sizes says it is")
    for number, (start, end) in enumerate(pairwise(ends)):
        try:
            _check_tree(rest[start:end], number, len(names))
        except ValueError as error:
            raise ValueError(f"tree {number}: {error}") from error
    return f"{head}\n\n{rest[: ends[-1]]}{_END}"


def _check_tree(text: str, number: int, features: int) -> None:
    lines = _lines(text.rstrip("\n").split("\n"))
    if set(lines) != {*_OF_TREES, *_OF_SPLITS, *_OF_NODES, *_OF_LEAVES}:
        raise ValueError("expected the lines of a tree, no others")
    if (lines["Tree"], lines["num_cat"], lines["is_linear"]) != (str(number), "0", "0"):
        raise ValueError("expected a tree without categories and linear models")
    leaves = lines["num_leaves"]
    if not (leaves.isdecimal() and 1 <= len(leaves) <= 3 and 1 <= int(leaves) <= _MOST_LEAVES):
        raise ValueError(f"expected a number of leaves, got {leaves[:20]!r}")
    splits = int(leaves) - 1
    values = {key: _numbers(key, lines[key]) for key in (*_OF_SPLITS, *_OF_NODES, *_OF_LEAVES, "shrinkage")}
    for key, found in values.items():
        expected = splits + 1 if key in _OF_LEAVES else 1 if key == "shrinkage" else splits
        if len(found) != expected and not (splits == 0 and key in {"leaf_weight", "leaf_count"}):
            raise ValueError(f"expected {expected} of {key}, got {len(found)}")
    if not (np.abs(values["leaf_value"]) <= _MOST_LOG_ODDS).all():
        raise ValueError(f"expected leaf_value of at most {_MOST_LOG_ODDS}")
    if splits and not (values["leaf_count"] >= 1).all():
        raise ValueError("expected leaf_count of at least 1")
    _check_nodes(values, splits, features)


def _check_nodes(values: Mapping[str, NDArray[np.float64]], splits: int, features: int) -> None:
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
    """Numbers with blanks between."""
    kind = _THRESHOLDS if key == "threshold" else _WHOLE_NUMBERS if key in _WHOLE else _NUMBERS
    if text and not kind.fullmatch(text):
        raise ValueError(f"expected {'whole ' if key in _WHOLE else ''}numbers in {key}")
    numbers = text.split(" ") if text else []
    found = np.array(numbers, np.float64)
    if np.isinf(found).sum() > sum(number.endswith("inf") for number in numbers):
        raise ValueError(f"expected smaller numbers in {key}")
    return found

"""Picked similarity thresholds against lists made and scored anew at every similarity."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.evaluation.curves import (
    SimilarityThreshold,
    enough_groups,
    pick_similarity_threshold,
)
from tests.support.vectors import clustered, duplicated, naive_best, naive_f1, scattered

COUNT = 30


def labels_of(embeddings: Embeddings, seed: int) -> list[str | None]:
    """Rows near the same of a few directions share a label, but for some that have another, or none."""
    rng = np.random.default_rng(seed)
    nearest = (embeddings @ embeddings[: len(embeddings) // 3].T).argmax(axis=1)
    drawn = rng.random(len(embeddings))
    others = rng.integers(0, 4, len(embeddings))
    labels = np.where(drawn < 0.8, nearest, 100 + others).tolist()
    return [None if part > 0.9 else f"group {label}" for label, part in zip(labels, drawn, strict=True)]


def pick(
    embeddings: NDArray[np.float32],
    labels: Sequence[str | None],
    evaluated: Sequence[str],
    reported: Callable[[int], None] = lambda _: None,
) -> SimilarityThreshold | None:
    numbers = {label: number for number, label in enumerate(sorted({label for label in labels if label}))}
    groups = np.array([numbers.get(label or "", -1) for label in labels])
    return pick_similarity_threshold(embeddings, groups, np.array([label in evaluated for label in labels]), reported)


def known(labels: Sequence[str | None]) -> list[str]:
    """The labels, the most frequent first."""
    return [label for label, _ in Counter(label for label in labels if label is not None).most_common()]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", [clustered, duplicated, scattered])
@pytest.mark.parametrize("every", [1, 2])
def test_no_other_threshold_scores_higher_and_it_scores_what_it_says(
    make: Callable[..., Embeddings], seed: int, every: int
) -> None:
    embeddings = make(COUNT, seed=seed)
    labels = labels_of(embeddings, seed)
    evaluated = known(labels)[::every]
    picked = pick(3 * embeddings, labels, evaluated)
    assert picked is not None
    assert -1 <= picked.threshold <= 1
    assert naive_f1(embeddings, labels, evaluated, picked.threshold) == pytest.approx(picked.mean_f1, abs=1e-9)
    assert picked.mean_f1 == pytest.approx(naive_best(embeddings, labels, evaluated), abs=1e-9)
    postings = sum(label in evaluated for label in labels)
    assert (picked.postings, picked.groups, picked.catalogue) == (postings, len(evaluated), COUNT)


def test_it_lies_halfway_to_the_next() -> None:
    angles = np.radians([0, 10, 90, 100, 45])
    embeddings = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    picked = pick(embeddings, ["a", "a", "b", "b", "c"], ["a", "b", "c"])
    assert picked is not None
    assert picked.mean_f1 == 1
    assert picked.threshold == pytest.approx((np.cos(np.radians(10)) + np.cos(np.radians(35))) / 2, abs=1e-6)


def test_who_has_no_group_is_in_the_way_and_not_evaluated() -> None:
    angles = np.radians([0, 20, 90, 110, 5])
    embeddings = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    picked = pick(embeddings, ["a", "a", "b", "b", None], ["a", "b"])
    assert picked is not None
    # the two of a find the fifth as well: F1 4/5; it finds both, and nobody asks it
    assert (picked.postings, picked.groups, picked.catalogue) == (4, 2, 5)
    assert picked.mean_f1 == pytest.approx((0.8 + 0.8 + 1 + 1) / 4)


def wrong_neighbours() -> Embeddings:
    """Two groups of two, each of whose members is next to one of the other and far from its own."""
    angles = np.radians([0, 90, 8, 98])
    return np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)


def test_where_every_match_does_harm_the_threshold_is_above_all_similarities() -> None:
    embeddings = np.vstack([np.eye(3), -np.eye(3)]).astype(np.float32)
    labels = ["x", "y", "z", "x", "y", "z"]
    picked = pick(embeddings, labels, ["x", "y", "z"])
    assert picked is not None
    # the other of one's group is opposite, behind four that are at a cosine of 0
    assert picked.threshold == (1 + 0) / 2
    assert picked.mean_f1 == pytest.approx(2 / 3)
    assert naive_best(embeddings, labels, ["x", "y", "z"]) == pytest.approx(2 / 3)


def test_where_equal_images_show_different_products_no_threshold_excludes_them() -> None:
    embeddings = wrong_neighbours()[[0, 1, 0, 1]]
    picked = pick(embeddings, ["a", "a", "b", "b"], ["a", "b"])
    assert picked is not None
    # each finds its copy, F1 2/4, or all four, F1 4/6
    assert picked.mean_f1 == pytest.approx(4 / 6)
    assert -1 <= picked.threshold < 0
    assert picked.threshold == pytest.approx(0, abs=1e-6)


def test_the_lowest_threshold_is_minus_1() -> None:
    embeddings = np.array([[1, 0], [-1, 0], [1, 0], [-1, 0]], np.float32)
    picked = pick(embeddings, ["a", "a", "b", "b"], ["a", "b"])
    assert picked is not None
    assert picked.threshold == -1


def test_cosines_within_rounding_are_taken_together() -> None:
    angles = np.array([0, 1e-5, 2, 2 + 3e-5])
    embeddings = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    picked = pick(embeddings, ["a", "a", "b", "c"], ["a", "b", "c"])
    assert picked is None  # one group of two is not enough
    picked = pick(np.vstack([embeddings, -embeddings[:2]]), ["a", "a", "b", "c", "d", "d"], ["a", "b", "c", "d"])
    assert picked is not None
    assert picked.threshold < 0.9999


@pytest.mark.parametrize(
    ("labels", "evaluated"),
    [
        ([None] * 4, []),
        (["a", "a", "b", None], ["a", "b"]),
        (["a", "a", "b", "b"], ["a"]),
        (["a", "b", "c", "d"], ["a", "b", "c", "d"]),
    ],
)
def test_fewer_than_two_evaluated_groups_with_two_postings_have_no_threshold(
    labels: list[str | None], evaluated: list[str]
) -> None:
    def never(_: int) -> None:
        raise AssertionError("compared")

    assert pick(wrong_neighbours(), labels, evaluated, never) is None


def test_two_groups_of_two_are_enough() -> None:
    groups = np.array([0, 0, 1, 1, -1])
    assert enough_groups(groups, groups >= 0)
    assert not enough_groups(groups, groups == 0)


@pytest.mark.parametrize("bad", [0, np.nan, np.inf])
def test_embeddings_without_a_direction_have_no_threshold(bad: float) -> None:
    embeddings = wrong_neighbours()
    embeddings[1] = bad
    assert pick(embeddings, ["a", "a", "b", "b"], ["a", "b"]) is None


def test_it_reports_how_many_are_compared() -> None:
    reported: list[int] = []
    pick(wrong_neighbours(), ["a", "a", "b", "b"], ["a", "b"], reported.append)
    assert reported == [4]

"""Label groups of a training: parts, batches, held-out mAP, and the postings that pick its threshold."""

import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.catalogue.features import unit_rows
from pricematch.catalogue.postings import Posting
from pricematch.evaluation.curves import SimilarityThreshold
from pricematch.evaluation.splits import training_groups
from pricematch.formats.manifest import PickedOn
from pricematch.training.label_groups import (
    choose_groups,
    described,
    group_batches,
    held_out_map,
    label_of_image,
    threshold_postings,
)


def posting(number: int, image: str | None, group: str | None) -> Posting:
    return Posting(f"p{number}", image, "a title", label_group=group)


def test_an_image_has_the_label_of_its_postings_if_they_agree() -> None:
    rows = [("a", "1"), ("b", "1"), ("b", "2"), ("c", None), ("d", None), ("d", "3"), ("e", "4"), ("e", "4")]
    postings = [posting(number, *row) for number, row in enumerate(rows)]
    assert label_of_image(postings) == {"a": "1", "d": "3", "e": "4"}


@given(st.lists(st.sampled_from("abcdefgh "), max_size=20), st.floats(0, 1), st.floats(0, 0.9), st.integers(0, 3))
def test_a_share_of_the_training_share_is_held_out(
    found: list[str], share: float, validation_share: float, seed: int
) -> None:
    names = [f"{number}.png" for number in range(len(found))]
    labels = {name: label for name, label in zip(names, found, strict=True) if label != " "}
    groups = choose_groups(names, labels, share, validation_share, seed)
    chosen = dict(zip(labels, training_groups(list(labels.values()), share, seed).tolist(), strict=True))
    taken = [chosen.get(name, False) for name in names]
    assert ((groups.learnt >= 0) | (groups.held_out >= 0)).tolist() == taken
    assert not ((groups.learnt >= 0) & (groups.held_out >= 0)).any()
    learnt, held = ({found[row] for row in np.flatnonzero(part >= 0)} for part in (groups.learnt, groups.held_out))
    assert not learnt & held
    assert groups.learnt_labels == learnt
    assert groups.teach == (len(learnt) >= 2)
    for part in (groups.learnt, groups.held_out):
        rows = np.flatnonzero(part >= 0)
        assert all((part[a] == part[b]) == (found[a] == found[b]) for a in rows for b in rows)
    digests = sorted(hashlib.blake2b(label.encode(), digest_size=8).hexdigest() for label in learnt | held)
    assert groups.record.groups == tuple(digests)
    assert (groups.record.share, groups.record.seed) == (share, seed)


NAMES = ["a.png", "b.png", "c.png"]
POSTINGS = [
    Posting("p0", "b.png", label_group="1"),
    Posting("p1", "a.png", label_group="1"),
    Posting("p2", None, label_group="1"),
    Posting("p3", "b.png", label_group="2"),
    Posting("p4", "bad.png", label_group="2"),
    Posting("p5", "c.png"),
    Posting("p6", "c.png", label_group="2"),
]


def test_postings_without_a_good_image_are_left_out() -> None:
    """Those that share an image are not."""
    evaluated = threshold_postings(POSTINGS, NAMES)
    assert evaluated.images.tolist() == [1, 0, 1, 2, 2]  # p0, p1, p3, p5, p6
    assert evaluated.groups.tolist() == [0, 0, 1, -1, 1]
    assert evaluated.queries.tolist() == [True, True, True, False, True]


def test_groups_that_were_learnt_from_are_searched_and_not_evaluated() -> None:
    evaluated = threshold_postings(POSTINGS, NAMES, {"1"})
    assert evaluated.groups.tolist() == [0, 0, 1, -1, 1]
    assert evaluated.queries.tolist() == [False, False, True, False, True]


def test_without_postings_nothing_is_evaluated() -> None:
    assert threshold_postings([], NAMES).threshold("cae", lambda: np.ones((3, 2), np.float32), lambda *_: None) is None


@pytest.mark.parametrize("learnt", [{"1"}, {"1", "2"}])
def test_nothing_is_embedded_where_too_few_groups_are_evaluated(learnt: set[str]) -> None:
    def never() -> NDArray[np.float32]:
        raise AssertionError("embedded")

    assert threshold_postings(POSTINGS, NAMES, learnt).threshold("cae", never, lambda *_: None) is None


def test_each_posting_is_searched_by_the_output_of_its_image() -> None:
    reported: list[tuple[str, int, int]] = []
    outputs = np.array([[1, 0], [2, 0.2], [0, 5]], np.float32)
    picked = threshold_postings(POSTINGS, NAMES).threshold("cae", lambda: outputs, lambda *step: reported.append(step))
    assert picked is not None
    assert (picked.postings, picked.groups, picked.catalogue) == (4, 2, 5)
    assert reported == [("Picking the threshold of cae", 5, 5)]


def test_the_manifest_has_the_threshold_and_its_origin() -> None:
    fields = described(SimilarityThreshold(0.75, 0.5, postings=4, groups=2, catalogue=5))
    picked_on = PickedOn(postings=4, groups=2, catalogue=5, mean_f1=0.5)
    assert fields == {"threshold": 0.75, "threshold_picked_on": picked_on}
    assert described(None) == {"threshold": None, "threshold_picked_on": None}


BATCHED = st.lists(st.integers(-1, 6), min_size=2, max_size=40).map(np.array)


@given(BATCHED, st.integers(1, 30), st.integers(2, 4), st.integers(0, 3))
def test_every_group_is_in_one_step(groups: NDArray[np.intp], batch: int, per_group: int, epoch: int) -> None:
    batches = group_batches(groups, batch, per_group, 0, epoch)
    rows = np.concatenate(batches) if batches else np.empty(0, int)
    assert Counter(groups[rows].tolist()) == {group: per_group for group in groups.tolist() if group >= 0}
    for found in batches:
        together = groups[found].reshape(-1, per_group)
        assert (together == together[:, :1]).all()
    known = len(set(groups.tolist()) - {-1})
    sizes = [len(found) // per_group for found in batches]
    most = max(2, batch // per_group)
    assert all(2 <= size <= most + 1 for size in sizes) or known < 2
    assert sizes == [] or set(sizes[:-1]) <= {most}


@given(BATCHED, st.integers(2, 5))
def test_rows_of_a_group_are_drawn_evenly(groups: NDArray[np.intp], per_group: int) -> None:
    """As often as each other, or once more."""
    for found in group_batches(groups, 8, per_group, 0, 0):
        for group in np.unique(groups[found]):
            counts = [int((found == row).sum()) for row in np.flatnonzero(groups == group)]
            assert max(counts) - min(counts) <= 1


def test_seed_and_epoch_draw_the_batches() -> None:
    groups = np.arange(60) // 3
    first, again, epoch, seed = (
        np.concatenate(group_batches(groups, 16, 4, *drawn)).tolist() for drawn in ((0, 0), (0, 0), (0, 1), (1, 0))
    )
    assert first == again
    assert len({tuple(each) for each in (first, epoch, seed)}) == 3


@given(st.lists(st.integers(-1, 3), min_size=2, max_size=12), st.integers(1, 4), st.integers(0, 5))
def test_held_out_map_follows_the_definition(held: list[int], k: int, seed: int) -> None:
    embeddings = unit_rows(np.random.default_rng(seed).normal(size=(len(held), 3)), 3)
    precisions = []
    for row, group in enumerate(held):
        others = [other for other in range(len(held)) if other != row]
        members = [other for other in others if held[other] == group]
        if group < 0 or not members:
            continue
        order = sorted(others, key=lambda other: (-float(embeddings[row] @ embeddings[other]), other))[:k]
        places = [place for place, other in enumerate(order, start=1) if other in members]
        found = sum(number / place for number, place in enumerate(places, start=1))
        precisions.append(found / min(k, len(members)))
    expected = float(np.mean(precisions)) if precisions else 1.0
    assert held_out_map(embeddings, np.array(held), k) == pytest.approx(expected)


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings = unit_rows(np.random.default_rng(0).normal(size=(30, 4)), 4)
    held = np.arange(30) % 7 - 1
    whole = held_out_map(embeddings, held, 5)
    monkeypatch.setattr("pricematch.training.label_groups._BLOCK", 4)
    assert held_out_map(embeddings, held, 5) == whole

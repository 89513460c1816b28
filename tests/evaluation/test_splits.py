"""Splits of label groups."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.postings import Posting
from pricematch.evaluation.metrics import number_groups
from pricematch.evaluation.splits import (
    digest_postings,
    group_digest,
    seen_postings,
    split_groups,
    training_groups,
    whole_groups,
)
from pricematch.formats.manifest import TrainedOn

GROUPS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40).map(number_groups)


@given(GROUPS, st.integers(1, 8), st.integers(0, 3))
def test_every_group_is_in_one_fold(groups: np.ndarray[tuple[int], np.dtype[np.intp]], folds: int, seed: int) -> None:
    count = len(set(groups.tolist()))
    if count < folds:
        with pytest.raises(ValueError, match=f"as many label groups as folds, got {count} and {folds}"):
            split_groups(groups, folds, seed)
        return
    fold_of = split_groups(groups, folds, seed)
    assert fold_of.shape == groups.shape
    folds_of_group = {group: {fold_of[row] for row in np.flatnonzero(groups == group)} for group in groups.tolist()}
    assert all(len(found) == 1 for found in folds_of_group.values())
    sizes = [sum(found == {fold} for found in folds_of_group.values()) for fold in range(folds)]
    assert sum(sizes) == count
    assert max(sizes) - min(sizes) <= 1


def test_the_seed_deals_the_groups() -> None:
    groups = np.arange(40)
    first, again, other = (split_groups(groups, 5, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other


@given(GROUPS, st.integers(0, 45), st.integers(0, 3))
def test_a_sub_catalogue_holds_whole_groups_and_no_more_than_fit(
    groups: np.ndarray[tuple[int], np.dtype[np.intp]], size: int, seed: int
) -> None:
    rows = whole_groups(groups, size, seed)
    taken = set(groups[rows].tolist())
    assert rows.tolist() == [row for row, group in enumerate(groups.tolist()) if group in taken]
    assert len(rows) <= size or len(taken) == 1
    assert set(rows.tolist()) <= set(whole_groups(groups, size + 5, seed).tolist())
    assert whole_groups(groups, len(groups), seed).tolist() == list(range(len(groups)))


def test_the_seed_draws_the_sub_catalogue() -> None:
    groups = np.arange(40)
    first, again, other = (whole_groups(groups, 20, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other


LABELS = st.lists(st.text("abcä0", max_size=3), max_size=30)


@given(LABELS, st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**64 - 1))
def test_a_training_group_depends_on_label_seed_and_share(
    labels: list[str], share: float, larger: float, seed: int
) -> None:
    """And on nothing else."""
    share, larger = sorted((share, larger))
    chosen = training_groups(labels, share, seed)
    alone = [bool(training_groups([label], share, seed)[0]) for label in labels]
    assert chosen.dtype == np.bool_
    assert chosen.tolist() == alone
    assert not (chosen & ~training_groups(labels, larger, seed)).any()
    assert training_groups(labels, 1, seed).all()
    assert not training_groups(labels, 0, seed).any()


def test_a_group_with_a_digest_below_the_share_is_trained_on() -> None:
    """Its keyed digest, as a fraction."""
    digest = hashlib.blake2b(b"jas hujan", digest_size=8, key=(7).to_bytes(8, "little")).digest()
    fraction = int.from_bytes(digest, "big") / 2**64
    assert training_groups(["jas hujan"], fraction + 1e-9, 7).tolist() == [True]
    assert training_groups(["jas hujan"], fraction - 1e-9, 7).tolist() == [False]


def test_about_the_share_of_groups_is_trained_on() -> None:
    """Another seed takes other groups."""
    labels = [str(number) for number in range(10_000)]
    first, other = training_groups(labels, 0.3, 0), training_groups(labels, 0.3, 1)
    deviations = 4 * (0.3 * 0.7 / len(labels)) ** 0.5
    assert abs(first.mean() - 0.3) < deviations
    assert abs(first[other].mean() - 0.3) < 2 * deviations


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="expected a share from 0 to 1"):
        training_groups(["a"], share, 0)


def test_a_record_names_groups_by_digest() -> None:
    assert group_digest("jas hujan") == hashlib.blake2b(b"jas hujan", digest_size=8).hexdigest()
    assert len(group_digest("ä")) == 16


TRAINED = [Posting("p1", "1.png", "jas hujan", "0" * 16, "a"), Posting("p2", None, "kopi susu", None, "b")]
RECORD = TrainedOn(
    share=1, seed=0, groups=tuple(map(group_digest, "ab")), postings=digest_postings([*TRAINED, Posting("p3", "3.png")])
)


@pytest.mark.parametrize(
    ("posting", "seen"),
    [
        (TRAINED[0], True),
        (Posting("p1", "9.png", "jas hujan"), True),
        (Posting("renamed", "9.png", "jas hujan", "0" * 16), True),
        (Posting("p1", "1.png", "another title", "0" * 16), True),
        (Posting("p1", "1.png", "another title", "f" * 16), False),
        (Posting("p2", "1.png", "", "0" * 16), False),
        (Posting("another", None, "kopi susu"), False),
        (Posting("p3", "3.png"), True),
        (Posting("p3", "4.png"), False),
    ],
)
def test_a_trained_group_is_known_by_its_postings(posting: Posting, seen: bool) -> None:
    """Whatever it is called: two of id, title and hash are those of a posting that was trained on; fault F11."""
    others = [Posting("x", None, "teh"), Posting("y", None, "teh")]
    assert seen_postings(RECORD, ["new name", "a", "new name"], [posting, *others]).tolist() == [seen, False, seen]


def test_postings_without_a_label_are_of_no_trained_group() -> None:
    assert seen_postings(RECORD, [None, None], TRAINED).tolist() == [False, False]


def test_a_record_without_postings_knows_groups_by_name() -> None:
    """As versions wrote it that kept names only; fault F11."""
    record = RECORD.model_copy(update={"postings": None})
    postings = [Posting(name, None) for name in "xyz"]
    assert seen_postings(record, ["a", "c", None], postings).tolist() == [True, False, False]

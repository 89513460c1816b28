"""Which pictures are trained on."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.postings import Posting
from pricematch.evaluation.splits import training_groups
from pricematch.training.label_groups import choose_groups, label_of_picture


def posting(number: int, image: str | None, group: str | None) -> Posting:
    return Posting(f"p{number}", image, "a title", label_group=group)


def test_a_picture_has_the_label_of_its_postings_if_they_agree() -> None:
    rows = [("a", "1"), ("b", "1"), ("b", "2"), ("c", None), ("d", None), ("d", "3"), ("e", "4"), ("e", "4")]
    postings = [posting(number, *row) for number, row in enumerate(rows)]
    assert label_of_picture(postings) == {"a": "1", "d": "3", "e": "4"}


@given(st.lists(st.sampled_from("abcdefgh "), max_size=20), st.floats(0, 1), st.floats(0, 0.9), st.integers(0, 3))
def test_the_share_is_trained_on_and_a_share_of_it_held_out(
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

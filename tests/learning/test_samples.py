"""The catalogues that are learned from: whole groups, of falling sizes, and one that lacks things."""

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.evaluation.splits import each_its_own
from pricematch.learning.samples import LEAST, samples

COUNT = 2_300
GROUPS = np.random.default_rng(0).integers(-1, 700, COUNT).astype(np.intp)
POSTINGS = Features.of([f"kopi {row}" for row in range(COUNT)], [f"{row:016x}" for row in range(COUNT)])


def test_sizes_halve_and_smaller_ones_are_drawn_more_often() -> None:
    found = [len(sample.rows) for sample in samples(POSTINGS, GROUPS, ("hash", "title"), 0)]
    for size, expected in zip(found, [2_300, 1_150, *[575] * 2, *[287] * 3, 1_150], strict=True):
        assert 0 <= expected - size < np.bincount(each_its_own(GROUPS)).max()


def test_a_sample_holds_whole_groups_and_carries_what_they_carry() -> None:
    for sample in samples(POSTINGS, GROUPS, ("hash", "title"), 0):
        known = GROUPS[sample.rows][GROUPS[sample.rows] >= 0]
        assert set(np.flatnonzero(np.isin(GROUPS, known))) <= set(sample.rows.tolist())
        assert (np.diff(sample.rows) > 0).all()
        if sample.whole:
            assert sample.postings.titles == [POSTINGS.titles[row] for row in sample.rows]
            assert sample.postings.hashes.known.all()


def test_of_the_last_a_fifth_lacks_titles_and_another_fifth_images() -> None:
    *_, last = samples(POSTINGS, GROUPS, ("hash", "title"), 0)
    untitled = np.array([not title for title in last.postings.titles])
    pictureless = ~last.postings.hashes.known
    assert not last.whole
    assert untitled.sum() == pictureless.sum() == int(0.2 * len(last.rows))
    assert not (untitled & pictureless).any()


@pytest.mark.parametrize("signals", [("hash",), ("title",), ("hash", "image")])
def test_nothing_is_taken_where_nothing_would_be_left(signals: tuple[str, ...]) -> None:
    assert all(sample.whole for sample in samples(POSTINGS, GROUPS, signals, 0))


def test_a_small_catalogue_has_no_parts() -> None:
    few = 2 * LEAST - 2
    found = list(samples(POSTINGS.select(np.arange(few)), GROUPS[:few], ("title",), 0))
    assert [len(sample.rows) for sample in found] == [few]


def test_the_same_seed_draws_the_same_and_another_another() -> None:
    one, same, other = ([list(it.rows) for it in samples(POSTINGS, GROUPS, ("hash",), seed)] for seed in (0, 0, 1))
    assert one == same
    assert one[1] != other[1]

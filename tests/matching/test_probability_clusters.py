"""Clusters of stored postings and new images by the probabilities of a trained matcher."""

from dataclasses import replace

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.catalogue.feedback import NO_FEEDBACK
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import FeedbackChange
from pricematch.errors import ImageCorrupt, ImageError, PostingNotFound
from pricematch.matching.clusters import Clusters, cluster_by_probability
from pricematch.matching.probability import ProbabilitySearch
from tests.support.scored import hashed, scored_search

POSTINGS = [*hashed(0, 30, 1, 31, 60, None)]
"""By pairs of equal hashes save a bit: p0 and p2, p1 and p3; p4 is alone, and p5 has no hash."""


def search_of(postings: list[Posting]) -> ProbabilitySearch:
    return scored_search(postings, ["hash"])


def with_images(
    postings: list[Posting],
    posting_ids: list[str],
    bits: list[int],
    threshold: float = 0.9,
    errors: list[ImageError | None] | None = None,
) -> Clusters:
    """Cluster postings and images; those that are good have that many bits set in their hashes (see `hashed`)."""
    digests = [bytes([count + 1]) * 32 for count in bits]
    images = Features.of([""] * len(bits), [posting.image_phash for posting in hashed(*bits)], images=digests)
    told = errors if errors is not None else [None] * len(bits)
    return cluster_by_probability(search_of(postings), posting_ids, threshold, images, told)


def named(batch: Clusters, bits: list[int]) -> set[frozenset[str]]:
    """The postings and images of each cluster, images by the bits of their hashes."""
    items = [batch.items(0, len(batch))[place] for place in range(len(batch))]
    names = [item.posting_id or f"{bits[item.image or 0]} bits" for item in items]
    return {frozenset(names[place] for place in members) for members in batch.members}


def listed(batch: Clusters) -> list[set[str]]:
    """The postings of each cluster."""
    return [{str(batch[int(place)].posting_id) for place in members} for members in batch.members]


def test_likely_postings_share_a_cluster() -> None:
    """Others are alone."""
    batch = cluster_by_probability(search_of(POSTINGS), "all", 0.9)
    assert listed(batch) == [{"p0", "p2"}, {"p1", "p3"}]
    assert batch.labels.tolist() == [0, 1, 0, 1, -1, -1]
    assert batch.cohesion is not None
    assert batch.cohesion.tolist() == pytest.approx([63 / 64, 63 / 64])


def test_some_postings_are_clustered_among_each_other() -> None:
    """An id given twice counts once, and an unknown one has a problem."""
    batch = cluster_by_probability(search_of(POSTINGS), ["p3", "nobody", "p0", "p1", "p3"], 0.9)
    assert [item.posting_id for item in batch.items(0, 9)] == ["p3", "nobody", "p0", "p1"]
    assert [item.cluster for item in batch.items(0, 9)] == [0, None, None, 0]
    assert isinstance(batch[1].problem, PostingNotFound)


def test_all_ids_are_clustered_like_the_catalogue() -> None:
    """With the same cohesion."""
    search = search_of(POSTINGS)
    whole = cluster_by_probability(search, "all", 0.9)
    batch = cluster_by_probability(search, search.catalogue.posting_ids, 0.9)
    assert listed(whole) == listed(batch)
    np.testing.assert_array_equal(whole.cohesion, batch.cohesion)


@pytest.mark.parametrize("seed", range(5))
def test_order_of_the_catalogue_does_not_matter(seed: int) -> None:
    """Ids break ties."""
    postings = hashed(*np.random.default_rng(9).integers(0, 64, 40).tolist())
    shuffled = [postings[row] for row in np.random.default_rng(seed).permutation(40)]
    expected = listed(cluster_by_probability(search_of(postings), "all", 0.95))
    found = listed(cluster_by_probability(search_of(shuffled), "all", 0.95))
    assert len(expected) > 2
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))


def test_a_chain_does_not_hold_together() -> None:
    """Neighbours are alike, the next but one are not."""
    chain = hashed(*range(0, 64, 4))
    batch = cluster_by_probability(search_of(chain), "all", 0.9)
    assert max(map(len, batch.members)) == 2  # neighbours are alike to 60 / 64, the next but one to 56 / 64 < 0.9


def test_no_cluster_above_one() -> None:
    """No probability reaches such a threshold."""
    batch = cluster_by_probability(search_of(POSTINGS), "all", float("inf"))
    assert (listed(batch), set(batch.labels.tolist())) == ([], {-1})


def test_decided_pairs_count_as_sure_in_cohesion() -> None:
    """A verdict is a probability of 1."""
    search = scored_search(hashed(0, 2, 4), ["hash"])  # 62 / 64 next to each other, 60 / 64 at the ends
    said = NO_FEEDBACK.changed([FeedbackChange("p0", "p1", 1, "same")])
    [before] = search.clusters.all(0.9).cohesion
    [after] = replace(search, verdicts=said).clusters.all(0.9).cohesion
    assert before == pytest.approx((62 + 62 + 60) / 64 / 3)
    assert after == pytest.approx((64 + 62 + 60) / 64 / 3)


@pytest.mark.parametrize("threshold", [0.9, float("inf")])
def test_same_wins_over_different(threshold: float) -> None:
    """Where verdicts contradict each other."""
    search = scored_search(hashed(0, 30, 60), ["hash"])
    changes = [FeedbackChange("p0", "p1", 1, "same"), FeedbackChange("p1", "p2", 2, "same")]
    said = NO_FEEDBACK.changed([*changes, FeedbackChange("p0", "p2", 3, "different")])
    decided = replace(search, verdicts=said)
    assert listed(cluster_by_probability(decided, "all", threshold)) == [{"p0", "p1", "p2"}]
    assert decided.clusters.all(threshold).cohesion.tolist() == pytest.approx([2 / 3])


def test_the_last_four_answers_are_kept() -> None:
    """So that pages are cut from one computation."""
    clusters = search_of(POSTINGS).clusters
    first = clusters.all(0.9)
    assert clusters.all(0.9) is first
    for threshold in (0.1, 0.2, 0.3, 0.4):
        clusters.all(threshold)
    assert clusters.all(0.9) is not first


# --- with images -----------------------------------------------------------------------------------------------


def test_images_join_postings_and_each_other() -> None:
    """Each is an item behind the postings."""
    batch = with_images(POSTINGS, ["p0", "p4"], [2, 45, 46, 20])
    assert [(item.posting_id, item.image, item.cluster) for item in batch.items(0, 9)] == [
        ("p0", None, 0),
        ("p4", None, None),
        (None, 0, 0),
        (None, 1, 1),
        (None, 2, 1),
        (None, 3, None),
    ]
    assert batch.cohesion is not None
    assert batch.cohesion.tolist() == pytest.approx([62 / 64, 63 / 64])


def test_other_postings_take_no_part() -> None:
    """Those that are not of the batch."""
    assert with_images(POSTINGS, ["p1"], [0]).members == []
    assert with_images(POSTINGS, [], [0, 30]).members == []


def test_all_postings_and_images_cluster_together() -> None:
    """Images join what they are near to."""
    ids = [posting.posting_id for posting in POSTINGS]
    assert named(with_images(POSTINGS, ids, [2, 62]), [2, 62]) == {
        frozenset({"p0", "p2", "2 bits"}),
        frozenset({"p1", "p3"}),
        frozenset({"p4", "62 bits"}),
    }


def test_no_images_change_nothing() -> None:
    """An empty list of images is none."""
    ids = [posting.posting_id for posting in POSTINGS]
    without = cluster_by_probability(search_of(POSTINGS), ids, 0.9)
    batch = with_images(POSTINGS, ids, [])
    assert batch.items(0, 9) == without.items(0, 9)
    np.testing.assert_array_equal(batch.cohesion, without.cohesion)


def test_bad_items_have_a_problem() -> None:
    """The rest is clustered around them."""
    errors: list[ImageError | None] = [None, ImageCorrupt("bad"), None]
    batch = with_images(POSTINGS, ["nobody", "p1", "p0"], [29, 1], errors=errors)
    problems = [type(item.problem) for item in batch.items(0, 9)]
    assert problems == [PostingNotFound, type(None), type(None), type(None), ImageCorrupt, type(None)]
    assert [item.cluster for item in batch.items(0, 9)] == [None, 0, 1, 0, None, 1]
    assert [members.tolist() for members in batch.members] == [[1, 3], [2, 5]]


def test_the_same_image_twice_is_two_items() -> None:
    """Of one cluster."""
    batch = with_images(POSTINGS, [], [40, 40, 40])
    assert [item.cluster for item in batch.items(0, 9)] == [0, 0, 0]
    assert batch.cohesion is not None
    assert batch.cohesion.tolist() == pytest.approx([1], abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_order_of_the_batch_does_not_matter(seed: int) -> None:
    """Of postings, ids and images."""
    drawn, order = np.random.default_rng(9), np.random.default_rng(seed)
    postings, bits = hashed(*drawn.integers(0, 64, 40).tolist()), drawn.integers(0, 64, 12).tolist()
    ids = [posting.posting_id for posting in postings[:25]]
    expected = named(with_images(postings, ids, bits, 0.95), bits)
    assert any(len(cluster) > 2 for cluster in expected)
    shuffled, ids, bits = ([part[row] for row in order.permutation(len(part))] for part in (postings, ids, bits))
    assert named(with_images(shuffled, ids, bits, 0.95), bits) == expected


def test_no_image_in_a_cluster_above_one() -> None:
    """No probability reaches such a threshold."""
    batch = with_images(POSTINGS, ["p0"], [0, 0], threshold=float("inf"))
    assert (batch.members, set(batch.labels.tolist())) == ([], {-1})

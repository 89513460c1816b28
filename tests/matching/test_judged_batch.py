"""Clusters of stored postings and new pictures by the probabilities of a trained matcher."""

from dataclasses import replace

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import VerdictChange
from pricematch.catalogue.verdicts import NO_VERDICTS
from pricematch.errors import ImageCorrupt, ImageError, PostingNotFound
from pricematch.matching.cluster_batch import ClusteredBatch
from pricematch.matching.judged_batch import cluster_judged_batch, cluster_judged_catalogue
from pricematch.matching.judged_clusters import JudgedClusters
from tests.support.judged import hashed, tiny_judge

POSTINGS = [*hashed(0, 30, 1, 31, 60, None)]
"""By pairs of equal hashes save a bit: p0 and p2, p1 and p3; p4 is alone, and p5 has no hash."""


def clusters_of(postings: list[Posting]) -> JudgedClusters:
    return tiny_judge(postings, ["hash"]).clusters


def with_pictures(
    postings: list[Posting],
    posting_ids: list[str],
    bits: list[int],
    threshold: float = 0.9,
    errors: list[ImageError | None] | None = None,
) -> ClusteredBatch:
    """Cluster postings and pictures; those that are good have that many bits set in their hashes (see `hashed`)."""
    judge = tiny_judge(postings, ["hash"])
    digests = [bytes([count + 1]) * 32 for count in bits]
    pictures = Features.of([""] * len(bits), [posting.image_phash for posting in hashed(*bits)], images=digests)
    told = errors if errors is not None else [None] * len(bits)
    return cluster_judged_batch(judge.clusters, Catalogue(postings), posting_ids, threshold, pictures, told)


def named(batch: ClusteredBatch, bits: list[int]) -> set[frozenset[str]]:
    """The postings and pictures of each cluster, pictures by the bits of their hashes."""
    items = [batch.items(0, len(batch))[place] for place in range(len(batch))]
    names = [item.posting_id or f"{bits[item.image or 0]} bits" for item in items]
    return {frozenset(names[place] for place in members) for members in batch.members}


def listed(batch: ClusteredBatch) -> list[set[str]]:
    """The postings of each cluster."""
    return [{str(batch[int(place)].posting_id) for place in members} for members in batch.members]


def test_postings_that_are_likely_the_same_share_a_cluster_and_others_are_alone() -> None:
    batch = cluster_judged_catalogue(clusters_of(POSTINGS), Catalogue(POSTINGS), 0.9)
    assert listed(batch) == [{"p0", "p2"}, {"p1", "p3"}]
    assert batch.labels.tolist() == [0, 1, 0, 1, -1, -1]
    assert batch.cohesion is not None
    assert batch.cohesion.tolist() == pytest.approx([63 / 64, 63 / 64])


def test_some_postings_are_clustered_among_each_other_only() -> None:
    clusters, catalogue = clusters_of(POSTINGS), Catalogue(POSTINGS)
    batch = cluster_judged_batch(clusters, catalogue, ["p3", "nobody", "p0", "p1", "p3"], 0.9)
    assert [item.posting_id for item in batch.items(0, 9)] == ["p3", "nobody", "p0", "p1"]
    assert [item.cluster for item in batch.items(0, 9)] == [0, None, None, 0]
    assert isinstance(batch[1].problem, PostingNotFound)


def test_all_ids_give_what_the_catalogue_gives() -> None:
    clusters, catalogue = clusters_of(POSTINGS), Catalogue(POSTINGS)
    whole = cluster_judged_catalogue(clusters, catalogue, 0.9)
    batch = cluster_judged_batch(clusters, catalogue, catalogue.posting_ids, 0.9)
    assert listed(whole) == listed(batch)
    np.testing.assert_array_equal(whole.cohesion, batch.cohesion)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_catalogue_does_not_matter(seed: int) -> None:
    postings = hashed(*np.random.default_rng(9).integers(0, 64, 40).tolist())
    shuffled = [postings[row] for row in np.random.default_rng(seed).permutation(40)]
    expected = listed(cluster_judged_catalogue(clusters_of(postings), Catalogue(postings), 0.95))
    found = listed(cluster_judged_catalogue(clusters_of(shuffled), Catalogue(shuffled), 0.95))
    assert len(expected) > 2
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))


def test_a_chain_of_near_postings_does_not_hold_together() -> None:
    chain = hashed(*range(0, 64, 4))
    batch = cluster_judged_catalogue(clusters_of(chain), Catalogue(chain), 0.9)
    assert max(map(len, batch.members)) == 2  # neighbours are alike to 60 / 64, the next but one to 56 / 64 < 0.9


def test_above_one_nothing_belongs_together() -> None:
    batch = cluster_judged_catalogue(clusters_of(POSTINGS), Catalogue(POSTINGS), float("inf"))
    assert (listed(batch), set(batch.labels.tolist())) == ([], {-1})


def test_a_pair_that_somebody_decided_counts_as_sure_in_how_well_a_cluster_holds_together() -> None:
    judge = tiny_judge(hashed(0, 2, 4), ["hash"])  # 62 / 64 next to each other, 60 / 64 at the ends
    said = NO_VERDICTS.changed([VerdictChange("p0", "p1", 1, "same")])
    [before] = judge.clusters.all(0.9).cohesion
    [after] = replace(judge, verdicts=said).clusters.all(0.9).cohesion
    assert before == pytest.approx((62 + 62 + 60) / 64 / 3)
    assert after == pytest.approx((64 + 62 + 60) / 64 / 3)


@pytest.mark.parametrize("threshold", [0.9, float("inf")])
def test_where_people_contradict_each_other_those_who_are_the_same_are_together(threshold: float) -> None:
    judge = tiny_judge(hashed(0, 30, 60), ["hash"])
    changes = [VerdictChange("p0", "p1", 1, "same"), VerdictChange("p1", "p2", 2, "same")]
    said = NO_VERDICTS.changed([*changes, VerdictChange("p0", "p2", 3, "different")])
    clusters = replace(judge, verdicts=said).clusters
    assert listed(cluster_judged_catalogue(clusters, judge.catalogue, threshold)) == [{"p0", "p1", "p2"}]
    assert clusters.all(threshold).cohesion.tolist() == pytest.approx([2 / 3])


def test_answers_are_kept_for_their_pages_and_the_oldest_is_dropped() -> None:
    clusters = clusters_of(POSTINGS)
    first = clusters.all(0.9)
    assert clusters.all(0.9) is first
    for threshold in (0.1, 0.2, 0.3, 0.4):
        clusters.all(threshold)
    assert clusters.all(0.9) is not first


# --- with pictures -----------------------------------------------------------------------------------------------


def test_pictures_join_the_postings_that_they_show_and_each_other() -> None:
    batch = with_pictures(POSTINGS, ["p0", "p4"], [2, 45, 46, 20])
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


def test_postings_that_are_not_of_the_batch_take_no_part() -> None:
    assert with_pictures(POSTINGS, ["p1"], [0]).members == []
    assert with_pictures(POSTINGS, [], [0, 30]).members == []


def test_all_postings_and_pictures_are_clustered_together() -> None:
    ids = [posting.posting_id for posting in POSTINGS]
    assert named(with_pictures(POSTINGS, ids, [2, 62]), [2, 62]) == {
        frozenset({"p0", "p2", "2 bits"}),
        frozenset({"p1", "p3"}),
        frozenset({"p4", "62 bits"}),
    }


def test_no_pictures_change_nothing() -> None:
    ids = [posting.posting_id for posting in POSTINGS]
    judge = tiny_judge(POSTINGS, ["hash"])
    without = cluster_judged_batch(judge.clusters, Catalogue(POSTINGS), ids, 0.9)
    batch = with_pictures(POSTINGS, ids, [])
    assert batch.items(0, 9) == without.items(0, 9)
    np.testing.assert_array_equal(batch.cohesion, without.cohesion)


def test_bad_pictures_and_unknown_ids_are_items_with_a_problem_and_the_rest_is_clustered_around_them() -> None:
    errors: list[ImageError | None] = [None, ImageCorrupt("bad"), None]
    batch = with_pictures(POSTINGS, ["nobody", "p1", "p0"], [29, 1], errors=errors)
    problems = [type(item.problem) for item in batch.items(0, 9)]
    assert problems == [PostingNotFound, type(None), type(None), type(None), ImageCorrupt, type(None)]
    assert [item.cluster for item in batch.items(0, 9)] == [None, 0, 1, 0, None, 1]
    assert [members.tolist() for members in batch.members] == [[1, 3], [2, 5]]


def test_the_same_picture_twice_is_two_items_of_one_cluster() -> None:
    batch = with_pictures(POSTINGS, [], [40, 40, 40])
    assert [item.cluster for item in batch.items(0, 9)] == [0, 0, 0]
    assert batch.cohesion is not None
    assert batch.cohesion.tolist() == pytest.approx([1], abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_postings_and_pictures_does_not_matter(seed: int) -> None:
    drawn, order = np.random.default_rng(9), np.random.default_rng(seed)
    postings, bits = hashed(*drawn.integers(0, 64, 40).tolist()), drawn.integers(0, 64, 12).tolist()
    ids = [posting.posting_id for posting in postings[:25]]
    expected = named(with_pictures(postings, ids, bits, 0.95), bits)
    assert any(len(cluster) > 2 for cluster in expected)
    shuffled, ids, bits = ([part[row] for row in order.permutation(len(part))] for part in (postings, ids, bits))
    assert named(with_pictures(shuffled, ids, bits, 0.95), bits) == expected


def test_above_one_no_picture_belongs_anywhere() -> None:
    batch = with_pictures(POSTINGS, ["p0"], [0, 0], threshold=float("inf"))
    assert (batch.members, set(batch.labels.tolist())) == ([], {-1})

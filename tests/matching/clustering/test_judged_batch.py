"""Clusters of stored postings by the probabilities of a trained matcher."""

import numpy as np
import pytest

from app.errors import PostingNotFound
from app.matching.clustering.batch import ClusteredBatch
from app.matching.clustering.judged_batch import cluster_judged_batch, cluster_judged_catalogue
from app.matching.clustering.judged_clusters import JudgedClusters
from app.matching.postings import Catalogue, Posting
from tests.matching.judged import hashed, tiny_judge

POSTINGS = [*hashed(0, 30, 1, 31, 60, None)]
"""By pairs of equal hashes save a bit: p0 and p2, p1 and p3; p4 is alone, and p5 has no hash."""


def clusters_of(postings: list[Posting]) -> JudgedClusters:
    return tiny_judge(postings, ["hash"]).clusters


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


def test_answers_are_kept_for_their_pages_and_the_oldest_is_dropped() -> None:
    clusters = clusters_of(POSTINGS)
    first = clusters.all(0.9)
    assert clusters.all(0.9) is first
    for threshold in (0.1, 0.2, 0.3, 0.4):
        clusters.all(threshold)
    assert clusters.all(0.9) is not first

"""Clustering stored postings and new pictures together."""

import pytest

from app.errors import ImageCorrupt, PostingNotFound
from app.matching.clustering.assignment import Method
from app.matching.clustering.batch import ClusteredBatch, cluster_batch
from tests.fakes import picture, tiny_matcher

EPS = 0.05
"""Reds p0 and p1 are within it, greens p2 and p3 are, blue p4, black p5 and white p6 are alone."""


def run(
    posting_ids: list[str], images: list[bytes] | None = None, method: Method = "dbscan", min_samples: int = 2
) -> ClusteredBatch:
    return cluster_batch(tiny_matcher(), posting_ids, images or [], method, EPS, min_samples)


@pytest.mark.parametrize("method", ["dbscan", "nearest"])
def test_like_colours_share_a_cluster_and_a_lone_one_has_none(method: Method) -> None:
    batch = run(["p0", "p2", "p1", "p3", "p4"], method=method)
    assert [(item.posting_id, item.cluster) for item in batch.items] == [
        ("p0", 0),
        ("p2", 1),
        ("p1", 0),
        ("p3", 1),
        ("p4", None),
    ]
    assert [list(members) for members in batch.clusters] == [[0, 2], [1, 3]]


def test_a_picture_joins_the_postings_it_resembles() -> None:
    batch = run(["p0", "p4"], [picture("#0402fd"), picture("#fd0402")])
    assert [(item.posting_id, item.image, item.cluster) for item in batch.items] == [
        ("p0", None, 0),
        ("p4", None, 1),
        (None, 0, 1),
        (None, 1, 0),
    ]


def test_what_is_unknown_or_bad_gets_its_problem_and_the_rest_is_clustered_around_it() -> None:
    batch = run(["nobody", "p0", "p4"], [picture("red")[:60], picture("red")])
    assert [type(item.problem) for item in batch.items] == [
        PostingNotFound,
        type(None),
        type(None),
        ImageCorrupt,
        type(None),
    ]
    assert [item.cluster for item in batch.items] == [None, 0, None, None, 0]
    assert [list(members) for members in batch.clusters] == [[1, 4]]


def test_an_id_given_twice_counts_once() -> None:
    batch = run(["p4", "p4"])
    assert [(item.posting_id, item.cluster) for item in batch.items] == [("p4", None)]


def test_with_min_samples_one_everything_is_its_own_cluster_at_least() -> None:
    assert [item.cluster for item in run(["p4", "p5", "p6"], min_samples=1).items] == [0, 1, 2]


@pytest.mark.parametrize("method", ["dbscan", "nearest"])
def test_nothing_makes_no_items(method: Method) -> None:
    batch = run([], method=method)
    assert list(batch.items) == []
    assert list(batch.clusters) == []

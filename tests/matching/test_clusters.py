"""Clusters of stored postings and new images by similarity, or of a whole catalogue."""

import numpy as np
import pytest

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.clustering.assignment import METHODS, Method
from pricematch.errors import ImageCorrupt, ImageError, LimitExceeded, PostingNotFound
from pricematch.matching import clusters
from pricematch.matching.clusters import Clusters, SimilarityClustering, cluster_by_similarity
from pricematch.matching.similarity import SimilaritySearch
from tests.support.encoding import TinyEncoding
from tests.support.fakes import image_bytes, tiny_search
from tests.support.vectors import clustered

NO_EMBEDDINGS = np.empty((0, 4), np.float32)
EPS = 0.05
"""Reds p0 and p1 are within it, greens p2 and p3 are, blue p4, black p5 and white p6 are alone."""


def run(
    posting_ids: list[str], images: list[bytes] | None = None, method: Method = "dbscan", min_samples: int = 2
) -> Clusters:
    search = tiny_search()
    found = TinyEncoding().encode(images or [], Wanted(frozenset({search.encoder.key})))
    good = [it.embeddings[search.encoder.key] for it in found if isinstance(it, ImageFeatures)]
    embeddings = np.stack(good) if good else NO_EMBEDDINGS
    errors = [it if isinstance(it, ImageError) else None for it in found]
    how = SimilarityClustering(method, EPS, min_samples)
    return cluster_by_similarity(search, posting_ids, how, embeddings, errors)


def whole_catalogue(method: Method) -> Clusters:
    return cluster_by_similarity(tiny_search(), "all", SimilarityClustering(method, EPS, 2), NO_EMBEDDINGS)


def clusters_of(batch: Clusters) -> list[int | None]:
    return [item.cluster for item in batch.items(0, len(batch))]


@pytest.mark.parametrize("method", METHODS)
def test_similar_postings_share_a_cluster(method: Method) -> None:
    """In the order of the ids; a lone one has none."""
    batch = run(["p0", "p2", "p1", "p3", "p4"], method=method)
    assert [(item.posting_id, item.image) for item in batch.items(0, 9)] == [
        (f"p{row}", None) for row in (0, 2, 1, 3, 4)
    ]
    assert clusters_of(batch) == [0, 1, 0, 1, None]
    assert [members.tolist() for members in batch.members] == [[0, 2], [1, 3]]


def test_an_image_joins_the_postings_it_resembles() -> None:
    """It is an item behind the postings."""
    batch = run(["p0", "p4"], [image_bytes("#0402fd"), image_bytes("#fd0402")])
    assert [(item.posting_id, item.image, item.cluster) for item in batch.items(0, 9)] == [
        ("p0", None, 0),
        ("p4", None, 1),
        (None, 0, 1),
        (None, 1, 0),
    ]


def test_bad_items_have_a_problem() -> None:
    """The rest is clustered around them."""
    batch = run(["nobody", "p0", "p4"], [image_bytes("red")[:60], image_bytes("red")])
    problems = [type(item.problem) for item in batch.items(0, 9)]
    assert problems == [PostingNotFound, type(None), type(None), ImageCorrupt, type(None)]
    assert clusters_of(batch) == [None, 0, None, None, 0]
    assert [members.tolist() for members in batch.members] == [[1, 4]]


def test_an_id_given_twice_counts_once() -> None:
    """At its first place."""
    assert [item.posting_id for item in run(["p4", "p4"]).items(0, 9)] == ["p4"]


def test_min_samples_one_leaves_no_noise() -> None:
    """Every item is its own cluster at least."""
    assert clusters_of(run(["p4", "p5", "p6"], min_samples=1)) == [0, 1, 2]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_makes_no_items(method: Method) -> None:
    """And no clusters."""
    batch = run([], method=method)
    assert (batch.items(0, 9), batch.clusters(0, 9)) == ([], [])


@pytest.mark.parametrize("method", METHODS)
def test_all_ids_are_clustered_like_the_catalogue(method: Method) -> None:
    """By every method."""
    whole = whole_catalogue(method)
    listed = run([f"p{row}" for row in range(7)], method=method)
    assert whole.items(0, 99) == listed.items(0, 99)
    assert [members.tolist() for members in whole.members] == [members.tolist() for members in listed.members]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("page", [1, 2, 3, 7, 100])
def test_pages_hold_each_item_and_cluster_once(page: int, method: Method) -> None:
    """In order, however long pages are."""
    batch = whole_catalogue(method)
    firsts = range(0, 7, page)
    assert [item for first in firsts for item in batch.items(first, page)] == batch.items(0, 7)
    assert [number for first in firsts for number in batch.clusters(first, page)] == batch.clusters(0, 7) == [0, 1]
    assert (batch.items(7, page), batch.clusters(7, page)) == ([], [])


@pytest.mark.parametrize("method", METHODS)
def test_many_ids_are_cut_from_the_catalogue_graph(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same clusters as their own graph."""
    embeddings = clustered(80, dimension=4)
    catalogue = Catalogue([Posting(f"p{row}", None) for row in range(80)])
    ids = [f"p{row}" for row in np.random.default_rng(0).permutation(80)[:50]]
    new, errors = clustered(9, dimension=4, seed=3), [None] * 9
    how = SimilarityClustering(method, EPS, 2)
    found = []
    for few in (2000, 10):
        monkeypatch.setattr(clusters, "_FEW", few)
        search = SimilaritySearch.of(tiny_search().encoder, catalogue, embeddings)
        found.append(cluster_by_similarity(search, ids, how, new, errors))
    assert max(map(len, found[0].members)) > 2
    assert found[0].items(0, 99) == found[1].items(0, 99)
    assert [rows.tolist() for rows in found[0].members] == [rows.tolist() for rows in found[1].members]


def test_more_pairs_than_the_limit_are_refused() -> None:
    """Of the whole catalogue, and of a few postings."""
    for posting_ids, most in (("all", 10), (["p0", "p1"], 3)):
        how = SimilarityClustering("dbscan", EPS, 2, most)
        with pytest.raises(LimitExceeded):
            cluster_by_similarity(tiny_search(), posting_ids, how, NO_EMBEDDINGS)

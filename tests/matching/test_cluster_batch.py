"""Clustering stored postings and new pictures together, or a whole catalogue."""

from dataclasses import replace

import numpy as np
import pytest

from pricematch.catalogue.embedded_rows import EmbeddedRows
from pricematch.catalogue.image_features import ImageFeatures, Wanted
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.clustering.assignment import METHODS, Method
from pricematch.errors import ImageCorrupt, ImageError, LimitExceeded, PostingNotFound
from pricematch.matching import cluster_batch as batches
from pricematch.matching.cluster_batch import ClusteredBatch, Clustering, cluster_batch, cluster_catalogue
from tests.support.encoding import TinyEncoding
from tests.support.fakes import picture, tiny_embedded
from tests.support.vectors import clustered

EPS = 0.05
"""Reds p0 and p1 are within it, greens p2 and p3 are, blue p4, black p5 and white p6 are alone."""


def run(
    posting_ids: list[str], images: list[bytes] | None = None, method: Method = "dbscan", min_samples: int = 2
) -> ClusteredBatch:
    embedded = tiny_embedded()
    found = TinyEncoding().encode(images or [], Wanted(frozenset({embedded.encoder.key})))
    good = [it.embeddings[embedded.encoder.key] for it in found if isinstance(it, ImageFeatures)]
    embeddings = np.stack(good) if good else np.empty((0, embedded.encoder.dimension), np.float32)
    errors = [it if isinstance(it, ImageError) else None for it in found]
    how = Clustering(method, EPS, min_samples)
    return cluster_batch(embedded, posting_ids, embeddings, errors, how)


def clusters_of(batch: ClusteredBatch) -> list[int | None]:
    return [item.cluster for item in batch.items(0, len(batch))]


@pytest.mark.parametrize("method", METHODS)
def test_like_colours_share_a_cluster_and_a_lone_one_has_none(method: Method) -> None:
    batch = run(["p0", "p2", "p1", "p3", "p4"], method=method)
    assert [(item.posting_id, item.image) for item in batch.items(0, 9)] == [
        (f"p{row}", None) for row in (0, 2, 1, 3, 4)
    ]
    assert clusters_of(batch) == [0, 1, 0, 1, None]
    assert [members.tolist() for members in batch.members] == [[0, 2], [1, 3]]


def test_a_picture_joins_the_postings_it_resembles() -> None:
    batch = run(["p0", "p4"], [picture("#0402fd"), picture("#fd0402")])
    assert [(item.posting_id, item.image, item.cluster) for item in batch.items(0, 9)] == [
        ("p0", None, 0),
        ("p4", None, 1),
        (None, 0, 1),
        (None, 1, 0),
    ]


def test_what_is_unknown_or_bad_gets_its_problem_and_the_rest_is_clustered_around_it() -> None:
    batch = run(["nobody", "p0", "p4"], [picture("red")[:60], picture("red")])
    problems = [type(item.problem) for item in batch.items(0, 9)]
    assert problems == [PostingNotFound, type(None), type(None), ImageCorrupt, type(None)]
    assert clusters_of(batch) == [None, 0, None, None, 0]
    assert [members.tolist() for members in batch.members] == [[1, 4]]


def test_an_id_given_twice_counts_once() -> None:
    assert [item.posting_id for item in run(["p4", "p4"]).items(0, 9)] == ["p4"]


def test_with_min_samples_one_everything_is_its_own_cluster_at_least() -> None:
    assert clusters_of(run(["p4", "p5", "p6"], min_samples=1)) == [0, 1, 2]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_makes_no_items(method: Method) -> None:
    batch = run([], method=method)
    assert (batch.items(0, 9), batch.clusters(0, 9)) == ([], [])


@pytest.mark.parametrize("method", METHODS)
def test_a_catalogue_is_clustered_like_the_list_of_its_ids(method: Method) -> None:
    embedded, how = tiny_embedded(), Clustering(method, EPS, 2)
    whole = cluster_catalogue(embedded, how)
    listed = run([f"p{row}" for row in range(7)], method=method)
    assert whole.items(0, 99) == listed.items(0, 99)
    assert [members.tolist() for members in whole.members] == [members.tolist() for members in listed.members]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("page", [1, 2, 3, 7, 100])
def test_pages_hold_each_item_and_each_cluster_once_and_in_order(page: int, method: Method) -> None:
    batch = cluster_catalogue(tiny_embedded(), Clustering(method, EPS, 2))
    firsts = range(0, 7, page)
    assert [item for first in firsts for item in batch.items(first, page)] == batch.items(0, 7)
    assert [number for first in firsts for number in batch.clusters(first, page)] == batch.clusters(0, 7) == [0, 1]
    assert (batch.items(7, page), batch.clusters(7, page)) == ([], [])


@pytest.mark.parametrize("method", METHODS)
def test_many_ids_are_cut_out_of_the_catalogues_graph_with_the_same_result(
    method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings = clustered(80, dimension=4)
    catalogue = Catalogue([Posting(f"p{row}", None) for row in range(80)])
    ids = [f"p{row}" for row in np.random.default_rng(0).permutation(80)[:50]]
    new, errors = clustered(9, dimension=4, seed=3), [None] * 9
    how = Clustering(method, EPS, 2)
    found = []
    for few in (2000, 10):
        monkeypatch.setattr(batches, "_FEW", few)
        embedded = replace(tiny_embedded(), rows=EmbeddedRows(catalogue, embeddings))
        found.append(cluster_batch(embedded, ids, new, errors, how))
    assert max(map(len, found[0].members)) > 2
    assert found[0].items(0, 99) == found[1].items(0, 99)
    assert [rows.tolist() for rows in found[0].members] == [rows.tolist() for rows in found[1].members]


def test_more_pairs_than_the_limit_are_refused() -> None:
    embedded = tiny_embedded()
    with pytest.raises(LimitExceeded):
        cluster_catalogue(embedded, Clustering("dbscan", EPS, 2, max_pairs=10))
    few = Clustering("dbscan", EPS, 2, max_pairs=3)
    with pytest.raises(LimitExceeded):
        cluster_batch(embedded, ["p0", "p1"], np.empty((0, 4), np.float32), [], few)

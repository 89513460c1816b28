"""Search and clusters by the similarity of several images, against comparing all images with all."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, EncoderInfo, unit_rows
from pricematch.catalogue.layers import Layered, in_layers
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.clustering.assignment import METHODS, Method, cluster_graph
from pricematch.matching import clusters
from pricematch.matching.clusters import SimilarityClustering, cluster_by_similarity
from pricematch.matching.similarity import SimilaritySearch
from pricematch.search.neighbours import NeighbourGraph, collapsed, radius_graph
from tests.support.vectors import lattice, matrix_of, scattered

DIMENSION = 64
INFO = EncoderInfo("key", {}, DIMENSION)
Shown = Sequence[Sequence[NDArray[np.float32]]]
Marks = Sequence[Sequence[bool]]


def layered(shown: Shown) -> Layered[Embeddings]:
    def vectors(some: Sequence[NDArray[np.float32] | None]) -> Embeddings:
        return np.array([np.zeros(DIMENSION) if it is None else it for it in some], np.float32).reshape(-1, DIMENSION)

    return in_layers([list(of) for of in shown], vectors)


def mask(marks: Marks) -> Layered[NDArray[np.bool_]]:
    return in_layers([list(of) for of in marks], lambda some: np.array([bool(it) for it in some], np.bool_))


def names(count: int) -> list[Posting]:
    return [Posting(f"p{row:02}", None) for row in range(count)]


def drawn_shown(count: int, seed: int, most: int = 4) -> list[list[NDArray[np.float32]]]:
    """Images on a lattice, a tenth of them zeros; some postings have none at all."""
    rng, pool = np.random.default_rng(seed), lattice(max(2, count), DIMENSION, seed)
    pool[rng.random(len(pool)) < 0.1] = 0
    return [list(pool[rng.integers(len(pool), size=rng.integers(0, most + 1))]) for _ in range(count)]


def naive(
    shown: Shown, marks: Marks, query: Sequence[NDArray[np.float32]], limit: int, there: Sequence[bool]
) -> list[tuple[str, float]]:
    found = []
    for row, (images, marked) in enumerate(zip(shown, marks, strict=True)):
        cosines = [
            min(1.0, max(-1.0, round(float(one.astype(np.float64) @ other.astype(np.float64)), 12)))
            for one, silent in zip(images, marked, strict=True)
            for other in query
            if one.any() and other.any() and not silent
        ]
        if cosines and there[row]:
            found.append((f"p{row:02}", max(cosines)))
    return sorted(found, key=lambda it: (-it[1], it[0]))[:limit]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 25), st.integers(0, 999), st.integers(1, 30), st.integers(0, 25))
def test_the_nearest_postings_have_the_nearest_images(count: int, seed: int, limit: int, grown: int) -> None:
    """Of those that are there and evidence, also where some came later; ties go to the lower id."""
    rng, shown = np.random.default_rng(seed), drawn_shown(count, seed)
    marks = [(rng.random(len(images)) < 0.2).tolist() for images in shown]
    first = min(grown, count)
    early, late = layered(shown[:first]), layered(shown[first:])
    search = SimilaritySearch.of(INFO, Catalogue(names(first)), early.first, mask(marks[:first]), early.more)
    whole = search.catalogue.changed(names(count)[first:], [])
    search = search.changed(whole, late.first, mask(marks), late.more)
    there = (rng.random(count) < 0.9).tolist()
    search = search.changed(
        whole.changed([], [f"p{row:02}" for row in range(count) if not there[row]]),
        np.empty((0, DIMENSION), np.float32),
        mask(marks),
    )
    query = drawn_shown(1, seed + 1)[0]
    found = search.nearest(np.array(query, np.float32).reshape(-1, DIMENSION), limit)
    assert [(it.posting_id, it.similarity) for it in found] == naive(shown, marks, query, limit, there)
    for row in range(count):
        images = [it for it, silent in zip(shown[row], marks[row], strict=True) if not silent]
        others = [is_there and other != row for other, is_there in enumerate(there)]
        expected = naive(shown, marks, images, limit, others) if there[row] else []
        found = search.nearest_of(f"p{row:02}", limit)
        assert [(it.posting_id, it.similarity) for it in found] == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 999))
def test_the_nearest_images_of_two_postings_are_named(count: int, seed: int) -> None:
    """Images that are evidence; of a posting that has none, all; of equally near ones the first."""
    rng, shown = np.random.default_rng(seed), drawn_shown(count, seed)
    marks = [(rng.random(len(images)) < 0.4).tolist() for images in shown]
    vectors = layered(shown)
    search = SimilaritySearch.of(INFO, Catalogue(names(count)), vectors.first, mask(marks), vectors.more)
    counted = [
        [
            bool(it.any()) and (not silent or not any(one.any() and not no for one, no in zip(images, of, strict=True)))
            for it, silent in zip(images, of, strict=True)
        ]
        for images, of in zip(shown, marks, strict=True)
    ]
    for row in range(count):
        embeddings = search.embedding(f"p{row:02}")
        assert (embeddings is None) == (not any(counted[row]))
        if embeddings is None:
            continue
        similarities, pairs = search.nearest_images(embeddings, np.arange(count))
        for other in range(count):
            every = [
                (-min(1.0, max(-1.0, float(one @ two))), place, number)
                for place, one in enumerate(shown[row])
                for number, two in enumerate(shown[other])
                if counted[row][place] and counted[other][number]
            ]
            best = min(every, default=None)
            assert similarities[other] == (None if best is None else -best[0])
            assert pairs[other] == (None if best is None else best[1:])


def nearest_distances(shown: Shown, radius: float) -> NDArray[np.float64]:
    """The smallest distance of two images of each two postings, as a graph of all images has them; else 2."""
    vectors = np.array([it for images in shown for it in images], np.float32)
    owners = np.repeat(np.arange(len(shown)), [len(images) for images in shown])
    every, found = matrix_of(radius_graph(vectors, radius)), np.full((len(shown), len(shown)), 2.0)
    np.minimum.at(found, (owners[:, np.newaxis], owners), every)
    np.fill_diagonal(found, 0)
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(0, 999), st.sampled_from([0.0, 0.1, 0.4, 2.0]))
def test_a_collapsed_graph_has_the_smallest_distances(count: int, seed: int, radius: float) -> None:
    """Each posting first in its own line, the others by ascending distance, equal ones by ascending row."""
    rng, pool = np.random.default_rng(seed), lattice(30, DIMENSION, seed)
    shown = [list(pool[rng.integers(30, size=rng.integers(1, 5))]) for _ in range(count)]
    owners = np.repeat(np.arange(count), [len(images) for images in shown])
    order = rng.permutation(len(owners))
    vectors = np.array([it for images in shown for it in images], np.float32)[order]
    graph = collapsed(radius_graph(vectors, radius), owners[order])
    np.testing.assert_array_equal(matrix_of(graph), nearest_distances(shown, radius))
    for row in range(count):
        line = slice(graph.starts[row], graph.starts[row + 1])
        near = list(zip(graph.distances[line].tolist(), graph.rows[line].tolist(), strict=True))
        assert near[0] == (0, row)
        assert near[1:] == sorted(near[1:])
        assert len({other for _, other in near}) == len(near)


def graph_of(distances: NDArray[np.float64], radius: float) -> NeighbourGraph:
    """The graph of all pairs within a radius, in its order."""
    count = len(distances)
    lines = [
        sorted(
            (float(distances[row, other]), other != row, other)
            for other in range(count)
            if distances[row, other] <= radius
        )
        for row in range(count)
    ]
    for row, line in enumerate(lines):
        line.sort(key=lambda it, row=row: (it[2] != row, it[0], it[2]))  # type: ignore[misc]
    starts = np.cumsum([0, *map(len, lines)])
    rows = np.array([other for line in lines for _, _, other in line], np.int32)
    return NeighbourGraph(radius, starts, rows, np.array([distance for line in lines for distance, _, _ in line]))


def photos(product: NDArray[np.float32], count: int, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Some near a direction, and others anywhere."""
    noise = rng.normal(size=(count, DIMENSION)) * np.where(rng.random((count, 1)) < 0.7, 0.04, 2)
    return list(unit_rows(product + noise, DIMENSION))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("few", [2000, 3])
def test_clusters_are_those_of_the_nearest_images(method: Method, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the whole catalogue, of some postings, and of these with new images; the others' images do not matter."""
    monkeypatch.setattr(clusters, "_FEW", few)
    rng, eps = np.random.default_rng(3), 0.1
    products = scattered(12, DIMENSION, 3)
    shown = [photos(products[rng.integers(12)], many, rng) for many in rng.integers(1, 4, 40)]
    marks = [[False] * len(images) for images in shown]
    marks[5], marks[6] = [True] * len(shown[5]), [True, *marks[6][1:]]
    told = [[it for it, silent in zip(*of, strict=True) if not silent] for of in zip(shown, marks, strict=True)]
    vectors, how = layered(shown), SimilarityClustering(method, eps, 2)
    search = SimilaritySearch.of(INFO, Catalogue(names(40)), vectors.first, mask(marks), vectors.more)
    there = [row for row in range(40) if told[row]]
    nothing = np.empty((0, DIMENSION), np.float32)
    whole = cluster_by_similarity(search, "all", how, nothing)
    expected = cluster_graph(graph_of(nearest_distances([told[row] for row in there], eps), eps), method, eps, 2)
    np.testing.assert_array_equal(whole.labels, expected.assignment.labels)
    assert whole.labels.max() > 2
    some = rng.permutation(there)[:25].tolist()
    new = np.concatenate([photos(product, 1, rng) for product in products[:6]])
    found = cluster_by_similarity(search, [f"p{row:02}" for row in some], how, new, [None] * 6)
    distances = nearest_distances([*(told[row] for row in some), *([it] for it in new)], eps)
    expected = cluster_graph(graph_of(distances, eps), method, eps, 2)
    np.testing.assert_array_equal(found.labels, expected.assignment.labels)

"""Retrievers by several images against all pairs of images."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricematch.catalogue.features import Features
from pricematch.catalogue.image_arrays import ImageArrays
from pricematch.pairs.image_retrievers import MAX_DISTANCE
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.several_images import ImagesRetriever, embedding_retriever, hash_retriever
from tests.support.catalogues import drawn
from tests.support.several_images import best, cosine, drawn_several, embedded, equal_bits, images_of
from tests.support.vectors import lattice

NAMES = ("hash", "image", "colours")
Found = list[list[tuple[int, float]]]


def retriever_of(name: str, features: Features) -> ImagesRetriever[Any]:
    return hash_retriever(features) if name == "hash" else embedding_retriever(name, features)


def similarity_of(name: str) -> Callable[[ImageArrays, ImageArrays], float | None]:
    return equal_bits if name == "hash" else cosine(name)


def naive(
    name: str, queries: Features, catalogue: Features, count: int, allowed: Sequence[bool], *, own: bool = False
) -> Found:
    """Of each query the nearest postings, and how similar they are, by comparing all images with all."""
    least = 1 - MAX_DISTANCE / 64 if name == "hash" else -2.0
    stored, found = images_of(catalogue), []
    for place, query in enumerate(images_of(queries)):
        near = []
        for row, images in enumerate(stored):
            pair = best(query, images, similarity_of(name))
            if pair is not None and pair[0] >= least and allowed[row] and not (own and row == place):
                near.append((row, pair[0]))
        found.append(sorted(near, key=lambda it: (-round(it[1], 9), it[0]))[:count])
    return found


def check(found: Any, expected: Found, count: int) -> None:
    assert found.rows.shape == (len(expected), count)
    for place, near in enumerate(expected):
        assert found.rows[place].tolist() == [row for row, _ in near] + [-1] * (count - len(near))
        similarities = [similarity for _, similarity in near] + [-np.inf] * (count - len(near))
        np.testing.assert_allclose(found.similarities[place], similarities, atol=2e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("share", "asked"), [(0.5, 0.5), (0.1, 0), (0, 0.5), (1, 1)])
def test_the_nearest_postings_have_the_nearest_images(name: str, share: float, asked: float) -> None:
    """Whether stored postings or queries or both have several; gone ones and itself are none; k may exceed n."""
    catalogue, queries = drawn_several(40, share=share), drawn_several(12, 7, asked)
    alive = np.random.default_rng(1).random(40) < 0.8
    retriever = retriever_of(name, catalogue)
    for count in (1, 6, 60):
        nearest = retriever.nearest(count)
        check(nearest, naive(name, catalogue, catalogue, count, [True] * 40, own=True), count)
        for there in (None, alive):
            found = retriever.retrieve(ParsedFeatures.of(queries), {}, count, there).nearest
            check(
                found, naive(name, queries, catalogue, count, [True] * 40 if there is None else alive.tolist()), count
            )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 8), min_size=1, max_size=14), st.integers(0, 500), st.integers(1, 16))
def test_ties_go_to_the_lower_row(counts: list[int], seed: int, count: int) -> None:
    """On a lattice most distances occur several times, and images repeat."""
    rng, vectors = np.random.default_rng(seed), lattice(12, 64, seed)
    features = embedded([vectors[rng.integers(len(vectors), size=many)] for many in counts])
    queries = embedded([vectors[rng.integers(len(vectors), size=many)] for many in counts[::-1]])
    retriever = embedding_retriever("image", features)
    check(retriever.nearest(count), naive("image", features, features, count, [True] * len(counts), own=True), count)
    found = retriever.nearest_to(retriever.transform(ParsedFeatures.of(queries), {}), count)
    check(found, naive("image", queries, features, count, [True] * len(counts)), count)


@pytest.mark.parametrize("name", NAMES)
def test_pairs_are_as_similar_as_their_nearest_images(name: str) -> None:
    """NaN where nothing compares them; the same the other way round, of selected and of joined vectors."""
    one, other = drawn_several(15, 1), drawn_several(20, 2)
    retriever = retriever_of(name, one)
    vectors = retriever.transform(ParsedFeatures.of(other), {})
    left, right = np.indices((15, 20)).reshape(2, -1)
    found = retriever.similarities(retriever.vectors, vectors, left, right)
    ours, theirs = images_of(one), images_of(other)
    for row, column, similarity in zip(left, right, found, strict=True):
        expected = best(ours[row], theirs[column], similarity_of(name))
        np.testing.assert_allclose(similarity, np.nan if expected is None else expected[0], atol=2e-6)
    np.testing.assert_array_equal(retriever.similarities(vectors, retriever.vectors, right, left), found)
    rows = np.array([4, 2, 2, 14])
    some = retriever.selected(retriever.vectors, rows)
    both = retriever.joined(some, vectors)
    picked = np.isin(left, [2])
    for place in (1, 2, 1):
        ends = np.full(20, place), right[picked]
        np.testing.assert_array_equal(retriever.similarities(some, vectors, *ends), found[picked])
        np.testing.assert_array_equal(retriever.similarities(both, both, ends[0], 4 + ends[1]), found[picked])


@pytest.mark.parametrize("name", NAMES)
def test_with_one_image_each_the_retriever_of_one_is_asked(name: str) -> None:
    """Bit for bit, and nothing is held beside."""
    catalogue, queries = drawn(50), drawn(9, seed=3)
    retriever = retriever_of(name, catalogue)
    of_one = retriever.of_one
    assert retriever.vectors.first is of_one.vectors
    assert not retriever.vectors.more
    one, other = retriever.nearest(7), of_one.nearest(7)
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.similarities, other.similarities)
    vectors = retriever.transform(ParsedFeatures.of(queries), {})
    one, other = retriever.nearest_to(vectors, 7), of_one.nearest_to(vectors.first, 7)
    np.testing.assert_array_equal(one.similarities, other.similarities)


def test_its_own_other_image_takes_nobodys_place() -> None:
    """The nearest of one image of a posting among second images is its own, the next is what it is asked for."""
    angles = ((0.0, 0.1), (2.0, 0.5), (1.2,))
    vectors = [np.array([(np.cos(it), np.sin(it)) for it in of], np.float32) for of in angles]
    found = embedding_retriever("image", embedded(vectors)).nearest(1)
    assert found.rows[0].tolist() == [1]
    np.testing.assert_allclose(found.similarities[0], [np.cos(0.4)], atol=1e-6)
    angles = ((0.1, 0.0), (2.0, 0.5), (1.2,))
    vectors = [np.array([(np.cos(it), np.sin(it)) for it in of], np.float32) for of in angles]
    found = embedding_retriever("image", embedded(vectors)).nearest(1)
    np.testing.assert_allclose(found.similarities[0], [np.cos(0.4)], atol=1e-6)

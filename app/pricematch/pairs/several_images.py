"""Retrievers of postings that may have several images: two are as similar as the nearest images of both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, Features
from pricematch.catalogue.hashes import Hashes
from pricematch.catalogue.image_arrays import ImageArrays
from pricematch.catalogue.layers import Layer, Layered, Values, best_pairs
from pricematch.pairs.image_retrievers import HashRetriever, embeddings_called, image_retriever
from pricematch.pairs.retriever import Alive, ParsedFeatures, Retrieved, Retriever, Rows
from pricematch.search.candidates import NOBODY, Candidates, top_k

V = TypeVar("V", bound=Values)
_MERGED_AT_ONCE = 4096
"""Queries whose candidates are merged together."""


class ImagesRetriever(Retriever[Layered[V]], Generic[V]):
    """Retrieves by all images of a posting what another retriever finds by one.

    Each layer of the catalogue's images has an index of its own, in which each layer of a query's is searched. As a
    layer holds one image of a posting at most, who is among the `count` nearest postings is among the `count` nearest
    of some layer: the search is exact. Where nobody has several images it is that of the other retriever.

    Args:
        of_one: makes the other retriever, of some images.
        vectors_of: gives what that compares of them.
        images: of the catalogue's postings.
    """

    def __init__(
        self,
        of_one: Callable[[ImageArrays], Retriever[V]],
        vectors_of: Callable[[ImageArrays], V],
        images: Layered[ImageArrays],
    ) -> None:
        self.of_one, self._vectors_of = of_one(images.first), vectors_of
        more = [(layer.rows, of_one(layer.values)) for layer in images.more]
        vectors = Layered(self.of_one.vectors, tuple(Layer(rows, it.vectors) for rows, it in more))
        super().__init__(self.of_one.name, self.of_one.least, vectors, _LayeredIndex(self.of_one, more))

    def transform(self, features: ParsedFeatures, others: "Mapping[str, Retrieved]") -> Layered[V]:  # noqa: ARG002
        """The vectors of all images of new postings."""
        return features.features.every.made(self._vectors_of)

    def selected(self, vectors: Layered[V], rows: Rows) -> Layered[V]:
        """Those of some postings."""
        return vectors.select(rows)

    def joined(self, one: Layered[V], other: Layered[V]) -> Layered[V]:
        """Those of both."""
        return one.joined(other)

    def similarities(
        self,
        left: Layered[V],
        right: Layered[V],
        left_rows: Rows,
        right_rows: Rows,
        compared: NDArray[np.float64] | None = None,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """The highest similarity of two images of each pair."""
        return best_pairs(left, right, left_rows, right_rows, self.of_one.similarities)[0]


def hash_retriever(features: Features) -> ImagesRetriever[Hashes]:
    """Retrieves by the perceptual hashes of all images."""
    return ImagesRetriever(lambda images: HashRetriever(images.hashes), lambda images: images.hashes, features.every)


def embedding_retriever(name: str, features: Features) -> ImagesRetriever[Embeddings]:
    """Retrieves by the embeddings of all images, one of `IMAGE_RETRIEVERS`; see `image_retriever`."""
    return ImagesRetriever(partial(image_retriever, name), partial(embeddings_called, name), features.every)


@dataclass(frozen=True, eq=False)
class _LayeredIndex(Generic[V]):
    """Exact search among images in layers.

    Attributes:
        first: retrieves by the first images.
        more: by the images of some rows, ascending, each; one image of a row at most.
    """

    first: Retriever[V]
    more: Sequence[tuple[NDArray[np.intp], Retriever[V]]]

    def nearest_others(self, count: int) -> Candidates:
        """The `count` nearest other postings of each."""
        found = self.first.nearest(count)
        if not self.more:
            return found
        layers = [(np.arange(len(found)), self.first), *self.more]
        for rows, index in layers:
            for queries, of in layers:
                if index is not of:
                    _merge(found, index.nearest_to(of.vectors, count + 1), queries, rows, others=True)
                elif index is not self.first:
                    _merge(found, index.nearest(count), queries, rows)
        return found

    def nearest(self, queries: Layered[V], count: int, alive: Alive = None) -> Candidates:
        """The `count` nearest postings of each query, of those alive."""
        if not self.more and not queries.more:
            return self.first.nearest_to(queries.first, count, alive)
        vectors = queries.values  # all at once: each index is asked once
        near, similarities = [], []
        for rows, index in ((None, self.first), *self.more):
            found = index.nearest_to(vectors, count, alive if alive is None or rows is None else alive[rows])
            near.append(_rows_of(found, rows))
            similarities.append(found.similarities)
        return _best(
            queries.rows, np.concatenate(near, axis=1), np.concatenate(similarities, axis=1), len(queries), count
        )


def _rows_of(found: Candidates, rows: NDArray[np.intp] | None) -> NDArray[np.integer]:
    """Which rows candidates are, where they are numbers of some; None: of all."""
    if rows is None or not len(rows):
        return found.rows
    return np.where(found.rows == NOBODY, NOBODY, rows[found.rows])


def _best(
    queries: NDArray[np.intp],
    near: NDArray[np.integer],
    similarities: NDArray[np.float64],
    total: int,
    count: int,
) -> Candidates:
    """The `count` most similar rows of `total` queries, each row once.

    Args:
        queries: [k], whose candidates stand in each line; some perhaps in several.
        near: [k, c], rows, or `NOBODY`.
        similarities: [k, c].
        total: how many queries there are.
        count: candidates a query, at most.
    """
    line, column = np.nonzero(near != NOBODY)
    query, row, similarity = queries[line], near[line, column], similarities[line, column]
    order = np.lexsort((-similarity, row, query))
    query, row, similarity = query[order], row[order], similarity[order]
    once = np.ones(len(order), np.bool_)
    once[1:] = (query[1:] != query[:-1]) | (row[1:] != row[:-1])
    return top_k(query[once], row[once], similarity[once], total, count)


def _merge(
    found: Candidates, more: Candidates, queries: NDArray[np.intp], rows: NDArray[np.intp], *, others: bool = False
) -> None:
    """Put the best of what some queries have found and of more into the place of what they have.

    Args:
        found: of all queries, [n, count].
        more: of some of them, [k, count] or more of each.
        queries: [k], ascending, which these are.
        rows: which rows those of `more` are numbers of.
        others: whether queries are rows, none of which is its own candidate.
    """
    every = _rows_of(more, rows)
    for first in range(0, len(queries), _MERGED_AT_ONCE):
        piece = slice(first, first + _MERGED_AT_ONCE)
        some, near = queries[piece], every[piece]
        if others:
            near = np.where(near == some[:, np.newaxis], NOBODY, near)
        near = np.concatenate([found.rows[some], near], axis=1)
        similarities = np.concatenate([found.similarities[some], more.similarities[piece]], axis=1)
        best = _best(np.arange(len(some)), near, similarities, len(some), found.rows.shape[1])
        found.rows[some], found.similarities[some] = best.rows, best.similarities

"""Search by the similarity of images: exact cosines of the embeddings of one encoder, and the graph of neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, EncoderInfo, GrowingArray
from pricematch.catalogue.postings import Catalogue
from pricematch.clustering.assignment import Clustering, Method, cluster_graph
from pricematch.errors import LimitExceeded
from pricematch.matching.queries import Match, Matches
from pricematch.search.dense import shortlist
from pricematch.search.neighbours import NeighbourGraph, radius_graph
from pricematch.stages import stage

_DECIMALS = 12
"""To which cosines are rounded: what differs by less is a tie."""
_KEPT_RESULTS = 4


@dataclass(frozen=True, eq=False)
class SimilaritySearch:
    """The embeddings of the images of a catalogue, searchable. Immutable, safe to use from several threads.

    A search is one matrix product: n·d multiplications and 8·n bytes a query. The product in float32 only picks what is
    worth a closer look, with room for its rounding. What counts is the cosine in float64 of the two rows alone, so that
    it does not matter which row a posting got, and when.

    Attributes:
        encoder: made the embeddings.
        catalogue: of `span` rows.
        rows: [span, d], zeros where a posting has no embedding.
        embedded: bool [span], which have one, whether they are still there or not.
        no_evidence: bool [span], rows whose image is none, see `StockImages`: nothing is near them; None: all are.
    """

    encoder: EncoderInfo
    catalogue: Catalogue
    rows: GrowingArray[np.float32]
    embedded: NDArray[np.bool_]
    no_evidence: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if len(self.rows) != self.catalogue.span:
            raise ValueError(f"expected embeddings of {self.catalogue.span} rows, got {len(self.rows)}")

    @classmethod
    def of(
        cls,
        encoder: EncoderInfo,
        catalogue: Catalogue,
        embeddings: Embeddings,
        no_evidence: NDArray[np.bool_] | None = None,
    ) -> "SimilaritySearch":
        """The search of a catalogue with embeddings [span, d], zeros where there is none."""
        return cls(encoder, catalogue, GrowingArray(embeddings), _embedded(embeddings), no_evidence)

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Bool [span], which rows are there and have an embedding."""
        return self.embedded & self.catalogue.alive

    @cached_property
    def compared(self) -> NDArray[np.bool_]:
        """Bool [span], which of `known` have an image that is evidence."""
        return self.known if self.no_evidence is None else self.known & ~self.no_evidence

    @property
    def embeddings(self) -> Embeddings:
        """[span, d], zeros where a posting has none; rows that are no longer there keep theirs."""
        return self.rows.values

    @cached_property
    def by_id(self) -> NDArray[np.intp]:
        """The rows of `compared`, by ascending ids of their postings."""
        rows = self.catalogue.by_id
        return rows[self.compared[rows]]

    @cached_property
    def graph(self) -> "CatalogueGraph":
        """The neighbours of the rows `by_id`, which it numbers from 0."""
        return CatalogueGraph(self.embeddings[self.by_id])

    def changed(
        self, catalogue: Catalogue, added: Embeddings, no_evidence: NDArray[np.bool_] | None = None
    ) -> "SimilaritySearch":
        """The search of a changed catalogue, whose new rows have these embeddings, zeros where there is none."""
        embedded, rows = np.concatenate([self.embedded, _embedded(added)]), self.rows.extended(added)
        return replace(self, catalogue=catalogue, rows=rows, embedded=embedded, no_evidence=no_evidence)

    def embedding(self, posting_id: str) -> Embeddings | None:
        """The embedding [1, d] of a posting; None where it has none, or is not there."""
        row = self.catalogue.row(posting_id) if self.catalogue.holds(posting_id) else None
        return None if row is None or not self.known[row] else self.embeddings[row : row + 1]

    def embeddings_of(self, posting_ids: Sequence[str]) -> Embeddings:
        """The embeddings of some postings, [m, d]; zeros for those that have none."""
        found = np.zeros((len(posting_ids), self.embeddings.shape[1]), np.float32)
        for place, posting_id in enumerate(posting_ids):
            if (embedding := self.embedding(posting_id)) is not None:
                found[place] = embedding[0]
        return found

    def nearest(
        self, query: Embeddings, limit: int, min_similarity: float = -1.0, allowed: NDArray[np.bool_] | None = None
    ) -> Matches:
        """The postings most similar to an embedding, equal ones by ascending id.

        Args:
            query: [1, d].
            limit: matches at most, at least 1.
            min_similarity: the lowest cosine of a match.
            allowed: bool [span], rows that may be matches; None: all.
        """
        there = self.compared if allowed is None else self.compared & allowed
        return self._nearest(query[0], limit, min_similarity, there)

    def nearest_of(
        self, posting_id: str, limit: int, min_similarity: float = -1.0, allowed: NDArray[np.bool_] | None = None
    ) -> Matches:
        """The postings most similar to a stored one, itself excluded; none where it has no image that is evidence."""
        embedding = self.embedding(posting_id)
        if embedding is None or not self.compared[row := self.catalogue.row(posting_id)]:
            return Matches([])
        others = self.compared.copy() if allowed is None else self.compared & allowed
        others[row] = False
        return self._nearest(embedding[0], limit, min_similarity, others)

    def similarities(self, query: Embeddings | None, rows: NDArray[np.integer]) -> list[float | None]:
        """The cosine of a query [1, d] and each of some rows [m]; None where one of the two has no embedding."""
        if query is None:
            return [None] * len(rows)
        # one by one: a matrix product would add up some rows in another order than others
        found = [float(query[0] @ embedding) for embedding in self.embeddings[rows]]
        return [max(-1.0, min(1.0, it)) if known else None for it, known in zip(found, self.known[rows], strict=True)]

    def _nearest(self, vector: Embeddings, limit: int, least: float, there: NDArray[np.bool_]) -> Matches:
        """The nearest of the rows that are there, bool [span]."""
        with stage("search"):
            coarse = np.where(there, self.embeddings @ vector, -np.inf)[np.newaxis]
            _, near = shortlist(coarse, min(limit, int(there.sum())), self.embeddings)
            # a matrix product would add up some rows in another order than others
            exact = np.einsum("ij,j->i", self.embeddings[near].astype(np.float64), vector.astype(np.float64))
            similarities = np.clip(np.round(exact, _DECIMALS), -1, 1)
            found = sorted(zip((-similarities).tolist(), self.catalogue.ids_of(near), strict=True))[:limit]
            return Matches([Match(posting_id, -distance) for distance, posting_id in found if -distance >= least])


class CatalogueGraph:
    """The neighbour graph of embeddings [n, d]: computed when it is first needed, and kept.

    A graph serves every smaller radius; a larger one replaces it. The last four results are kept too, so that their
    pages are cut from one computation. Safe to use from several threads: those that come while it is computed wait.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings
        self._lock = Lock()
        self._graph: NeighbourGraph | None = None
        self._refused: tuple[float, int] | None = None
        self._cluster = lru_cache(_KEPT_RESULTS)(self._computed_clusters)

    def within(self, radius: float, max_pairs: int) -> NeighbourGraph:
        """The graph of a radius 0…2; raises LimitExceeded if more pairs than `max_pairs` are within it."""
        with self._lock:
            return self._within(radius, max_pairs)

    def cluster(self, method: Method, eps: float, min_samples: int, max_pairs: int) -> Clustering:
        """The clusters of all rows by a method; raises LimitExceeded."""
        with self._lock:
            return self._cluster(method, eps, min_samples, max_pairs)

    def _computed_clusters(self, method: Method, eps: float, min_samples: int, max_pairs: int) -> Clustering:
        return cluster_graph(self._within(eps, max_pairs), method, eps, min_samples)

    def _within(self, radius: float, max_pairs: int) -> NeighbourGraph:
        if self._graph is None or radius > self._graph.radius:
            self._graph = self._computed(radius, max_pairs)
        return self._graph.within(radius)

    def _computed(self, radius: float, max_pairs: int) -> NeighbourGraph:
        """The graph, unless one as large has been found too large before, which is refused without trying again."""
        if self._refused is not None and radius >= self._refused[0] and max_pairs <= self._refused[1]:
            raise LimitExceeded(f"expected at most {max_pairs} pairs within distance {radius:g}, got more: lower it")
        try:
            return radius_graph(self._embeddings, radius, max_pairs)
        except LimitExceeded:
            self._refused = radius, max_pairs
            raise


def _embedded(embeddings: Embeddings) -> NDArray[np.bool_]:
    return np.asarray(embeddings.any(axis=1), np.bool_)

"""Search by the similarity of images: exact cosines of the embeddings of one encoder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, EncoderInfo
from pricematch.catalogue.growing_array import GrowingArray
from pricematch.catalogue.layers import Layer, Layered
from pricematch.catalogue.postings import Catalogue
from pricematch.matching.catalogue_graph import CatalogueGraph
from pricematch.matching.image_layers import EmbeddingLayer, extended
from pricematch.matching.queries import Match, Matches
from pricematch.matching.seen_images import counted, of_any
from pricematch.search.dense import shortlist
from pricematch.stages import stage

_DECIMALS = 12
"""To which cosines are rounded: what differs by less is a tie."""
_Mask: TypeAlias = Layered[NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class SimilaritySearch:
    """The embeddings of the images of a catalogue, searchable. Immutable, safe to use from several threads.

    A search is one matrix product: n·d multiplications and 8·n bytes a query; of a query with several images one for
    each, and where postings have several, of all of them: two postings are as similar as their nearest images. The
    product in float32 only picks what is worth a closer look, with room for its rounding. What counts is the cosine in
    float64 of the two rows alone, so that it does not matter which row a posting got, and when.

    Attributes:
        encoder: made the embeddings.
        catalogue: of `span` rows.
        rows: [span, d], of first images, zeros where a posting has no embedding.
        embedded: bool [span], which have one, whether they are still there or not.
        no_evidence: which images are none, see `StockImages`: nothing is near them; None: all are evidence.
        more: embeddings of second images, third and so on.
    """

    encoder: EncoderInfo
    catalogue: Catalogue
    rows: GrowingArray[np.float32]
    embedded: NDArray[np.bool_]
    no_evidence: _Mask | None = None
    more: tuple[EmbeddingLayer, ...] = ()

    def __post_init__(self) -> None:
        if len(self.rows) != self.catalogue.span:
            raise ValueError(f"expected embeddings of {self.catalogue.span} rows, got {len(self.rows)}")

    @classmethod
    def of(
        cls,
        encoder: EncoderInfo,
        catalogue: Catalogue,
        embeddings: Embeddings,
        no_evidence: _Mask | None = None,
        more: Sequence[Layer[Embeddings]] = (),
    ) -> "SimilaritySearch":
        """The search of a catalogue with embeddings [span, d], zeros where there is none, and those of more images."""
        layers = extended((), more, 0)
        return cls(encoder, catalogue, GrowingArray(embeddings), _embedded(embeddings), no_evidence, layers)

    @property
    def embeddings(self) -> Embeddings:
        """[span, d], of first images, zeros where a posting has none; rows that are no longer there keep theirs."""
        return self.rows.values

    @cached_property
    def images(self) -> Layered[Embeddings]:
        """The embeddings of all images."""
        return Layered(self.embeddings, tuple(layer.layer for layer in self.more))

    @cached_property
    def known_images(self) -> _Mask:
        """Which images are there and have an embedding."""
        alive = self.catalogue.alive
        more = [Layer(it.layer.rows, it.embedded & alive[it.layer.rows]) for it in self.more]
        return Layered(self.embedded & alive, tuple(more))

    @cached_property
    def compared_images(self) -> _Mask:
        """Which of the known images are evidence."""
        known, none = self.known_images, self.no_evidence
        if none is None:
            return known
        more = [Layer(a.rows, a.values & ~b.values) for a, b in zip(known.more, none.more, strict=True)]
        return Layered(known.first & ~none.first, tuple(more))

    @cached_property
    def counted_images(self) -> _Mask:
        """Which images tell how similar postings are: what `compared_images` has, else all that a posting has."""
        return self.known_images if self.no_evidence is None else counted(self.known_images, self.no_evidence)

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Bool [span], which rows are there and have an embedding of any image."""
        return of_any(self.known_images)

    @cached_property
    def compared(self) -> NDArray[np.bool_]:
        """Bool [span], which of `known` have one of an image that is evidence."""
        return of_any(self.compared_images)

    @cached_property
    def by_id(self) -> NDArray[np.intp]:
        """The rows of `compared`, by ascending ids of their postings."""
        rows = self.catalogue.by_id
        return rows[self.compared[rows]]

    @cached_property
    def graph(self) -> CatalogueGraph:
        """The neighbours of the rows `by_id`, which it numbers from 0."""
        return CatalogueGraph(*self.images_of(self.by_id))

    def images_of(self, rows: NDArray[np.integer]) -> tuple[Embeddings, NDArray[np.intp] | None]:
        """The embeddings of all compared images of some rows, each named once.

        Args:
            rows: [k], of `compared`.

        Returns:
            float32 [m, d], and of which of the rows each is, intp [m]; None: of each in turn.
        """
        if not self.more:
            return self.embeddings[rows], None
        found = [(values[places], held) for _, values, held, places in self._held(self.compared_images, rows)]
        nothing = (np.empty((0, self.embeddings.shape[1]), np.float32), np.empty(0, np.intp))
        embeddings, owners = zip(nothing, *found, strict=True)
        return np.concatenate(embeddings), np.concatenate(owners)

    def places_in_graph(self, rows: NDArray[np.integer]) -> NDArray[np.intp]:
        """Where the images that `images_of` gives of some rows are among those of `graph`, intp [m]."""
        every = self._image_numbers(self.by_id)
        order = np.argsort(every)
        return np.asarray(order[np.searchsorted(every[order], self._image_numbers(rows))], np.intp)

    def _image_numbers(self, rows: NDArray[np.integer]) -> NDArray[np.intp]:
        """A number for each image that `images_of` gives of some rows, intp [m]."""
        span, every = self.catalogue.span, self._held(self.compared_images, rows)
        return np.concatenate([np.empty(0, np.intp), *(place * span + rows[held] for place, _, held, _ in every)])

    def changed(
        self,
        catalogue: Catalogue,
        added: Embeddings,
        no_evidence: _Mask | None = None,
        more: Sequence[Layer[Embeddings]] = (),
    ) -> "SimilaritySearch":
        """The search of a changed catalogue, whose new rows have these embeddings, zeros where there is none.

        `more` are those of their images behind the first, by the position among the new rows.
        """
        embedded, rows = np.concatenate([self.embedded, _embedded(added)]), self.rows.extended(added)
        layers = extended(self.more, more, len(self.rows))
        return replace(self, catalogue=catalogue, rows=rows, embedded=embedded, no_evidence=no_evidence, more=layers)

    def embedding(self, posting_id: str) -> Embeddings | None:
        """The embeddings of a posting's images, [images, d]; None where it has none, or is not there.

        Each stands in its place; those that do not count, see `counted_images`, are zeros.
        """
        row = self.catalogue.row(posting_id) if self.catalogue.holds(posting_id) else None
        return None if row is None or not self.known[row] else self._embeddings_of(row, self.counted_images)

    def embeddings_of(self, posting_ids: Sequence[str]) -> Embeddings:
        """The embeddings of the first images of some postings, [m, d]; zeros for those that have none."""
        found = np.zeros((len(posting_ids), self.embeddings.shape[1]), np.float32)
        for place, posting_id in enumerate(posting_ids):
            if (embedding := self.embedding(posting_id)) is not None:
                found[place] = embedding[0]
        return found

    def nearest(
        self, query: Embeddings, limit: int, min_similarity: float = -1.0, allowed: NDArray[np.bool_] | None = None
    ) -> Matches:
        """The postings most similar to embeddings of images, equal ones by ascending id.

        Args:
            query: [q, d], of one posting; rows of zeros are none.
            limit: matches at most, at least 1.
            min_similarity: the lowest cosine of a match.
            allowed: bool [span], rows that may be matches; None: all.
        """
        return self._nearest(query, limit, min_similarity, self.catalogue.alive if allowed is None else allowed)

    def nearest_of(
        self, posting_id: str, limit: int, min_similarity: float = -1.0, allowed: NDArray[np.bool_] | None = None
    ) -> Matches:
        """The postings most similar to a stored one, itself excluded; none where it has no image that is evidence."""
        if not self.catalogue.holds(posting_id) or not self.compared[row := self.catalogue.row(posting_id)]:
            return Matches([])
        others = self.catalogue.alive.copy() if allowed is None else self.catalogue.alive & allowed
        others[row] = False
        return self._nearest(self._embeddings_of(row, self.compared_images), limit, min_similarity, others)

    def similarities(self, query: Embeddings | None, rows: NDArray[np.integer]) -> list[float | None]:
        """The cosine of the nearest images of a query [q, d] and of each of some rows [m]; None where one has none."""
        if query is None:
            return [None] * len(rows)
        return self.nearest_images(query, rows)[0]

    def nearest_images(
        self, query: Embeddings, rows: NDArray[np.integer]
    ) -> tuple[list[float | None], list[tuple[int, int] | None]]:
        """The cosines of the nearest images of a query and of each of some rows, and which images these are.

        Args:
            query: [q, d]; rows of zeros are none.
            rows: [m].

        Returns:
            m cosines, and the places of the query's and the row's image; None where one of both has none.
        """
        found: list[float | None] = [None] * len(rows)
        nearest: list[tuple[int, int] | None] = [None] * len(rows)
        for place, vector in _vectors(query):
            for number, values, held, places in self._held(self.counted_images, rows):
                # one by one: a matrix product would add up some rows in another order than others
                for position, embedding in zip(held.tolist(), values[places], strict=True):
                    similarity, before = max(-1.0, min(1.0, float(vector @ embedding))), found[position]
                    if before is None or similarity > before:
                        found[position], nearest[position] = similarity, (place, number)
        return found, nearest

    def _embeddings_of(self, row: int, mask: _Mask) -> Embeddings:
        """The embeddings of a row's images, [images, d], zeros where a mask is false."""
        found = np.zeros((1 + len(self.more), self.embeddings.shape[1]), np.float32)
        for number, values, _, places in self._held(mask, np.array([row])):
            found[number] = values[places[0]]
        return found[: 1 + int(np.flatnonzero(found.any(axis=1)).max(initial=0))]

    def _held(
        self, mask: _Mask, rows: NDArray[np.integer]
    ) -> Iterator[tuple[int, Embeddings, NDArray[np.intp], NDArray[np.intp]]]:
        """What `Layered.places` gives of the images that a mask lets through, where there are any."""
        masks = [layer.values for layer in mask.layers]
        for number, values, held, places in self.images.places(rows):
            kept = masks[number][places]
            if kept.any():
                yield number, values, held[kept], places[kept]

    def _nearest(self, query: Embeddings, limit: int, least: float, there: NDArray[np.bool_]) -> Matches:
        """The nearest of the rows that are there, bool [span]."""
        with stage("search"):
            coarse = self._coarse(query, there)
            known = int(np.count_nonzero(coarse > -np.inf))
            _, near = shortlist(coarse[np.newaxis], min(limit, known), self.embeddings)
            exact = np.full(len(near), -np.inf)
            for _, vector in _vectors(query):
                for _, values, held, places in self._held(self.compared_images, near):
                    # a matrix product would add up some rows in another order than others
                    cosines = np.einsum("ij,j->i", values[places].astype(np.float64), vector.astype(np.float64))
                    exact[held] = np.maximum(exact[held], cosines)
            similarities = np.clip(np.round(exact, _DECIMALS), -1, 1)
            found = sorted(zip((-similarities).tolist(), self.catalogue.ids_of(near), strict=True))[:limit]
            return Matches([Match(posting_id, -distance) for distance, posting_id in found if -distance >= least])

    def _coarse(self, query: Embeddings, there: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The highest float32 cosine of the images of a query and of each row, −inf of those that are not there."""
        found = np.full(self.catalogue.span, -np.inf, np.float32)
        for _, vector in _vectors(query):
            compared = self.compared_images
            first = np.where(compared.first & there, self.embeddings @ vector, np.float32(-np.inf))
            np.maximum(found, first, out=found)
            for layer, mask in zip(self.images.more, compared.more, strict=True):
                values = np.where(mask.values & there[layer.rows], layer.values @ vector, np.float32(-np.inf))
                found[layer.rows] = np.maximum(found[layer.rows], values)
        return found


def _vectors(query: Embeddings) -> list[tuple[int, Embeddings]]:
    """The vectors of a query [q, d], each with its place; zeros are none."""
    return [(place, vector) for place, vector in enumerate(query) if vector.any()]


def _embedded(embeddings: Embeddings) -> NDArray[np.bool_]:
    return np.asarray(embeddings.any(axis=1), np.bool_)

"""Clusters a batch of stored postings and new pictures together, or a whole catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.embeddings import Embeddings
from pricematch.catalogue.postings import Catalogue
from pricematch.clustering.assignment import Assignment, Method, answer
from pricematch.errors import ImageUnavailable, PostingNotFound, PricematchError
from pricematch.matching.embedded_catalogue import EmbeddedCatalogue
from pricematch.search.lists import NOISE
from pricematch.search.neighbours import MAX_PAIRS, NeighbourGraph, radius_graph

_FEW = 2000
"""Rows whose graph is sooner computed than cut out of the catalogue's."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a batch: a stored posting, or the picture at a position among those sent.

    Attributes:
        posting_id, image: which item; one of them is None.
        cluster: its cluster; None where it is noise or has a problem.
        problem: why it could not be clustered.
    """

    posting_id: str | None
    image: int | None
    cluster: int | None
    problem: PricematchError | None = None


@dataclass(frozen=True, eq=False)
class ClusteredBatch:
    """Items in order, postings before pictures, and their clusters.

    Attributes:
        posting_ids: of the stored postings, known or not.
        images: how many pictures follow them.
        labels: intp [n], the cluster of each item, −1 where it is noise or has a problem.
        members: per cluster the positions of its items, ascending.
        problems: by position, why an item could not be clustered.
        cohesion: float64, one a cluster, see `pricematch.clustering.cohesion`; None where there are no probabilities.
    """

    posting_ids: Sequence[str]
    images: int
    labels: NDArray[np.intp]
    members: Sequence[NDArray[np.integer]]
    problems: Mapping[int, PricematchError]
    cohesion: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def items(self, first: int, count: int) -> list[Item]:
        """The items from position `first` on, `count` at most."""
        return [self[position] for position in range(first, min(first + count, len(self)))]

    def clusters(self, first: int, count: int) -> list[int]:
        """The clusters whose first item is among `items(first, count)`; so pages of them never repeat one."""
        begins = [members[0] for members in self.members]
        return [number for number, begin in enumerate(begins) if first <= begin < first + count]

    def __getitem__(self, position: int) -> Item:
        cluster = None if self.labels[position] == NOISE else int(self.labels[position])
        problem = self.problems.get(position)
        image = position - len(self.posting_ids)
        if image >= 0:
            return Item(None, image, cluster, problem)
        return Item(self.posting_ids[position], None, cluster, problem)


@dataclass(frozen=True)
class Clustering:
    """How to cluster: see `answers` for method, eps and min_samples, `radius_graph` for max_pairs."""

    method: Method
    eps: float
    min_samples: int
    max_pairs: int = MAX_PAIRS

    def of(self, graph: NeighbourGraph) -> Assignment:
        """The clusters of a graph."""
        return answer(graph, self.method, self.eps, self.min_samples).assignment


def cluster_catalogue(embedded: EmbeddedCatalogue, how: Clustering) -> ClusteredBatch:
    """Cluster every posting that has a picture, in the order of their ids; raises LimitExceeded."""
    found = embedded.graph.answer(how.method, how.eps, how.min_samples, how.max_pairs).assignment
    return ClusteredBatch(pictured(embedded), 0, found.labels, found.members, {})


def pictured(embedded: EmbeddedCatalogue) -> Sequence[str]:
    """The ids of the postings that have a picture, ascending."""
    return [embedded.catalogue[row].posting_id for row in embedded.by_id]


def cluster_batch(
    embedded: EmbeddedCatalogue,
    posting_ids: Sequence[str],
    embeddings: Embeddings,
    errors: Sequence[PricematchError | None],
    how: Clustering,
) -> ClusteredBatch:
    """Cluster stored postings and pictures by the similarity of their embeddings.

    Unknown ids and bad pictures become items with a problem; the rest is clustered. An id given twice counts once.

    Args:
        embedded: the postings.
        posting_ids: of stored postings.
        embeddings: [m, d] of the m good pictures, as `EmbeddedCatalogue.embed` gives them.
        errors: per picture its error, None where it is good.
        how: method and parameters.

    Raises:
        LimitExceeded: more pairs than `how.max_pairs` are within eps.
    """
    posting_ids, known = list(dict.fromkeys(posting_ids)), embedded.rows.known
    rows, problems = located(posting_ids, embedded.catalogue)
    good = [position for position in range(len(posting_ids)) if position not in problems]
    problems |= {
        position: ImageUnavailable(f"posting {posting_ids[position]!r} has no picture that could be embedded")
        for position, row in zip(good, rows, strict=True)
        if not known[row]
    }
    rows = rows[known[rows]]
    return assembled(posting_ids, problems, errors, how.of(_graph(embedded, rows, embeddings, how)))


def assembled(
    posting_ids: Sequence[str],
    problems: Mapping[int, PricematchError],
    errors: Sequence[PricematchError | None],
    found: Assignment,
    cohesion: NDArray[np.float64] | None = None,
) -> ClusteredBatch:
    """A batch from the clusters of its good items.

    Args:
        posting_ids: of stored postings.
        problems: by position, why some of these are not clustered.
        errors: per picture its error, None where it is good.
        found: of the good postings, and the good pictures behind them, both in order.
        cohesion: as in `ClusteredBatch`.
    """
    bad = {position: error for position, error in enumerate(errors, start=len(posting_ids)) if error is not None}
    problems = {**problems, **bad}
    count = len(posting_ids) + len(errors)
    good = np.array([position for position in range(count) if position not in problems], np.intp)
    labels = np.full(count, NOISE, np.intp)
    labels[good] = found.labels
    members = [good[cluster] for cluster in found.members]
    return ClusteredBatch(posting_ids, len(errors), labels, members, problems, cohesion)


def located(posting_ids: Sequence[str], catalogue: Catalogue) -> tuple[NDArray[np.intp], dict[int, PricematchError]]:
    """Rows of the postings that a catalogue holds, in order, and by position why the others have none."""
    problems: dict[int, PricematchError] = {
        position: PostingNotFound(posting_id)
        for position, posting_id in enumerate(posting_ids)
        if not catalogue.holds(posting_id)
    }
    rows = [catalogue.row(posting_id) for position, posting_id in enumerate(posting_ids) if position not in problems]
    return np.array(rows, np.intp), problems


def _graph(
    embedded: EmbeddedCatalogue, rows: NDArray[np.intp], embeddings: Embeddings, how: Clustering
) -> NeighbourGraph:
    """The neighbours among some rows of the catalogue and new embeddings behind them."""
    together = np.concatenate([embedded.embeddings[rows], embeddings])
    if len(rows) <= _FEW:
        return radius_graph(together, how.eps, how.max_pairs)
    place = np.empty(embedded.catalogue.span, np.intp)
    place[embedded.by_id] = np.arange(len(embedded.by_id))
    return embedded.graph.within(how.eps, how.max_pairs).select(place[rows]).extended(together, how.max_pairs)

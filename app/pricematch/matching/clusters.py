"""Clusters of stored postings and new images together, or of a whole catalogue: by similarity, and by probability."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, Features
from pricematch.catalogue.postings import Catalogue
from pricematch.clustering.assignment import Assignment, Method, cluster_graph
from pricematch.errors import ImageUnavailable, PostingNotFound, PricematchError
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.similarity import SimilaritySearch
from pricematch.search.candidates import NOISE
from pricematch.search.neighbours import MAX_PAIRS, NeighbourGraph, collapsed, radius_graph

AllOrIds: TypeAlias = Literal["all"] | Sequence[str]
NOTHING_KNOWN = "is of one colour, or shown under many different titles: it is no evidence"
"""What is said of an image by which nothing can be clustered."""
_FEW = 2000
"""Rows whose graph is sooner computed than cut out of the catalogue's."""


@dataclass(frozen=True, slots=True)
class SimilarityClustering:
    """How to cluster by similarity.

    Attributes:
        method: see `clustering.assignment.cluster_by_each_method`.
        eps: radius of the neighbour graph, a cosine distance 0…2.
        min_samples: postings that make a core, at least 1.
        max_pairs: pairs within eps beyond which the batch is refused.
    """

    method: Method
    eps: float
    min_samples: int
    max_pairs: int = MAX_PAIRS


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a batch: a stored posting, or the image at a position among those sent.

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
class Clusters:
    """Items in order, postings before images, and their clusters.

    Attributes:
        posting_ids: of the stored postings, known or not.
        images: how many images follow them.
        labels: intp [n], the cluster of each item, −1 where it is noise or has a problem.
        members: per cluster the positions of its items, ascending.
        problems: by position, why an item could not be clustered.
        cohesion: float64, one a cluster, see `average_linkage.cohesion`; None where there are no probabilities.
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


def cluster_by_similarity(
    search: SimilaritySearch,
    posting_ids: AllOrIds,
    how: SimilarityClustering,
    embeddings: Embeddings,
    errors: Sequence[PricematchError | None] = (),
) -> Clusters:
    """Clusters of stored postings and images by the similarity of their embeddings.

    Args:
        search: over the postings.
        posting_ids: of those to cluster; "all" are those that have an embedding of an image that is evidence.
        how: method and parameters.
        embeddings: [m, d] of the m good images.
        errors: per image its error, None where it is good.

    Raises:
        LimitExceeded: more pairs than `max_pairs` are within eps.
    """
    if posting_ids == "all":
        rows, problems = search.by_id, dict[int, PricematchError]()
        posting_ids = search.catalogue.ids_of(rows)
        if not errors:
            found = search.graph.cluster(how.method, how.eps, how.min_samples, how.max_pairs).assignment
            return Clusters(posting_ids, 0, found.labels, found.members, problems)
    else:
        posting_ids, rows, problems = _located(search.catalogue, posting_ids)
        problems |= {
            position: ImageUnavailable(f"posting {posting_ids[position]!r} {_lack(search, int(row))}")
            for position, row in zip(_good(len(posting_ids), problems), rows, strict=True)
            if not search.compared[row]
        }
        rows = rows[search.compared[rows]]
    found = cluster_graph(_graph(search, rows, embeddings, how), how.method, how.eps, how.min_samples).assignment
    return _assembled(posting_ids, problems, errors, found)


def cluster_by_probability(
    search: ProbabilitySearch,
    posting_ids: AllOrIds,
    threshold: float,
    new: Features | None = None,
    errors: Sequence[PricematchError | None] = (),
) -> Clusters:
    """Clusters of stored postings and images by the probabilities of their pairs.

    Args:
        search: over the postings.
        posting_ids: of those to cluster.
        threshold: the average probability that a cluster holds together with, `LEAST_MEAN` or more; above 1 there is
            none.
        new: features of the m good images; None where there are no images.
        errors: per image its error, None where it is good.
    """
    if posting_ids == "all":
        rows, problems = search.catalogue.by_id, dict[int, PricematchError]()
        posting_ids = search.catalogue.ids_of(rows)
        found = search.clusters.all(threshold) if new is None else search.clusters.among(rows, threshold, new)
    else:
        posting_ids, rows, problems = _located(search.catalogue, posting_ids)
        found = search.clusters.among(rows, threshold, new)
    return _assembled(posting_ids, problems, errors, found.assignment, found.cohesion)


def _lack(search: SimilaritySearch, row: int) -> str:
    """Why a posting is compared with none."""
    return f"has an image that {NOTHING_KNOWN}" if search.known[row] else "has no image that could be embedded"


def _located(
    catalogue: Catalogue, posting_ids: Sequence[str]
) -> tuple[list[str], NDArray[np.intp], dict[int, PricematchError]]:
    """Ids, each once; rows of those that a catalogue holds, in order; and by position why the others have none."""
    posting_ids = list(dict.fromkeys(posting_ids))
    held = catalogue.located(posting_ids)
    problems: dict[int, PricematchError] = {
        position: PostingNotFound(posting_id)
        for position, posting_id in enumerate(posting_ids)
        if posting_id not in held
    }
    return posting_ids, np.array([held[it] for it in posting_ids if it in held], np.intp), problems


def _good(count: int, problems: Mapping[int, PricematchError]) -> NDArray[np.intp]:
    """The positions below `count` that have no problem."""
    return np.setdiff1d(np.arange(count), np.array(list(problems), np.intp))


def _assembled(
    posting_ids: Sequence[str],
    problems: Mapping[int, PricematchError],
    errors: Sequence[PricematchError | None],
    found: Assignment,
    cohesion: NDArray[np.float64] | None = None,
) -> Clusters:
    """A batch from the clusters of its good items: of the good postings, and the good images behind them, in order."""
    bad = {position: error for position, error in enumerate(errors, start=len(posting_ids)) if error is not None}
    problems, count = {**problems, **bad}, len(posting_ids) + len(errors)
    good, labels = _good(count, problems), np.full(count, NOISE, np.intp)
    labels[good] = found.labels
    return Clusters(posting_ids, len(errors), labels, [good[it] for it in found.members], problems, cohesion)


def _graph(
    search: SimilaritySearch, rows: NDArray[np.intp], embeddings: Embeddings, how: SimilarityClustering
) -> NeighbourGraph:
    """The neighbours among some rows of the catalogue and new embeddings behind them."""
    stored, owners = search.images_of(rows)
    together = np.concatenate([stored, embeddings])
    if owners is not None:
        owners = np.concatenate([owners, len(rows) + np.arange(len(embeddings))])
    if len(rows) <= _FEW:
        return collapsed(radius_graph(together, how.eps, how.max_pairs), owners)
    whole = search.graph.within(how.eps, how.max_pairs)
    return collapsed(whole.select(search.places_in_graph(rows)).extended(together, how.max_pairs), owners)

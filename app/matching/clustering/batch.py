"""Clusters a batch of stored postings and new pictures together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.errors import PostingNotFound, PricematchError
from app.matching.clustering.assignment import Method, cluster
from app.matching.matcher import Matcher
from app.matching.neighbours import MAX_PAIRS


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


@dataclass(frozen=True)
class ClusteredBatch:
    """Every item with its cluster, and every cluster with its items (positions in `items`, ascending)."""

    items: Sequence[Item]
    clusters: Sequence[Sequence[int]]


def cluster_batch(
    matcher: Matcher,
    posting_ids: Sequence[str],
    images: Sequence[bytes],
    method: Method,
    eps: float,
    min_samples: int,
    max_pairs: int = MAX_PAIRS,
) -> ClusteredBatch:
    """Cluster stored postings and pictures by the similarity of their embeddings.

    Unknown ids and bad pictures become items with a problem; the rest is clustered. An id given twice counts once.
    See `cluster` for the method, eps, min_samples and max_pairs.
    """
    items, rows = _stored(matcher, list(dict.fromkeys(posting_ids)))
    embeddings, errors = matcher.embed(images)
    items += [Item(None, position, None, error) for position, error in enumerate(errors)]
    together = np.concatenate([matcher.embeddings[rows], embeddings])
    assignment = cluster(together, method, eps, min_samples, max_pairs)
    good = [position for position, item in enumerate(items) if item.problem is None]
    for position, label in zip(good, assignment.labels, strict=True):
        if label >= 0:
            items[position] = Item(items[position].posting_id, items[position].image, int(label))
    return ClusteredBatch(items, [[good[row] for row in members] for members in assignment.members])


def _stored(matcher: Matcher, posting_ids: Sequence[str]) -> tuple[list[Item], list[int]]:
    items: list[Item] = []
    rows: list[int] = []
    for posting_id in posting_ids:
        try:
            rows.append(matcher.catalogue.row(posting_id))
            items.append(Item(posting_id, None, None))
        except PostingNotFound as error:
            items.append(Item(posting_id, None, None, error))
    return items, rows

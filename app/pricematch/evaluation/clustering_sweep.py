"""The notebook's sweep: every method at every eps, all from one neighbour graph."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.clustering.assignment import Answer, Method, answers
from pricematch.evaluation.metrics import scores
from pricematch.progress import Progress
from pricematch.search.neighbours import MAX_PAIRS, radius_graph


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """What a method scores at one eps.

    Attributes:
        method: whose answer it is.
        eps: cosine distance, 0…2.
        f1, precision, recall: means over the postings, 0…1, of lists of at most 50.
        clusters: how many clusters it found.
        noise: postings that belong to none.
    """

    method: Method
    eps: float
    f1: float
    precision: float
    recall: float
    clusters: int
    noise: int


def sweep(
    embeddings: Embeddings,
    groups: NDArray[np.integer],
    every_eps: Sequence[float],
    min_samples: int,
    progress: Progress,
    max_pairs: int = MAX_PAIRS,
) -> list[SweepRecord]:
    """Score all methods at every eps.

    Args:
        embeddings: [n, d].
        groups: [n], the true group of each row.
        every_eps: at least one, 0…2 each.
        min_samples: see `answers`.
        progress: gets how many eps are done.
        max_pairs: see `radius_graph`, which raises LimitExceeded.

    Returns:
        a record for each eps and method, in the order given.
    """
    progress("Sweeping", 0, len(every_eps))
    graph = radius_graph(embeddings, max(every_eps), max_pairs)
    records = []
    for done, eps in enumerate(every_eps, start=1):
        found = answers(graph, eps, min_samples)
        records += [_record(method, eps, found[method], groups) for method in found]
        progress("Sweeping", done, len(every_eps))
    return records


def best(records: Sequence[SweepRecord]) -> SweepRecord:
    """The record of the highest F1, the first of several.

    The notebook compares the wrong way round, and keeps the lowest.
    """
    return max(records, key=lambda record: record.f1)


def _record(method: Method, eps: float, answer: Answer, groups: NDArray[np.integer]) -> SweepRecord:
    scored = scores(answer.lists.starts, answer.lists.rows, groups)
    return SweepRecord(
        method,
        eps,
        scored.mean_f1,
        scored.mean_precision,
        scored.mean_recall,
        len(answer.assignment.members),
        answer.assignment.noise,
    )

"""Clusters stored postings by the probabilities of a trained matcher."""

from collections.abc import Sequence

import numpy as np

from app.matching.clustering.batch import ClusteredBatch, located
from app.matching.clustering.judged_clusters import JudgedClusters
from app.matching.clustering.lists import NOISE
from app.matching.postings import Catalogue


def cluster_judged_catalogue(clusters: JudgedClusters, catalogue: Catalogue, threshold: float) -> ClusteredBatch:
    """Cluster every posting, at an average probability of `LEAST_MEAN` or more."""
    found = clusters.all(threshold)
    members = found.assignment.members
    return ClusteredBatch(catalogue.posting_ids, 0, found.assignment.labels, members, {}, found.cohesion)


def cluster_judged_batch(
    clusters: JudgedClusters, catalogue: Catalogue, posting_ids: Sequence[str], threshold: float
) -> ClusteredBatch:
    """Cluster some postings among each other; unknown ids become items with a problem, an id given twice counts once.

    Args:
        clusters: of the catalogue.
        catalogue: its postings.
        posting_ids: of those to cluster.
        threshold: the average probability that a cluster holds together with, `LEAST_MEAN` or more; above 1 there is
            none.
    """
    posting_ids = list(dict.fromkeys(posting_ids))
    rows, problems = located(posting_ids, catalogue)
    good = np.array([position for position in range(len(posting_ids)) if position not in problems], np.intp)
    found = clusters.among(rows, threshold)
    labels = np.full(len(posting_ids), NOISE, np.intp)
    labels[good] = found.assignment.labels
    members = [good[cluster] for cluster in found.assignment.members]
    return ClusteredBatch(posting_ids, 0, labels, members, problems, found.cohesion)

"""Clusters stored postings and new pictures by the probabilities of a trained matcher."""

from collections.abc import Sequence

from pricematch.catalogue.features import Features
from pricematch.catalogue.postings import Catalogue
from pricematch.errors import PricematchError
from pricematch.matching.cluster_batch import ClusteredBatch, assembled, located
from pricematch.matching.judged_clusters import JudgedClusters


def cluster_judged_catalogue(clusters: JudgedClusters, catalogue: Catalogue, threshold: float) -> ClusteredBatch:
    """Cluster every posting, in the order of their ids, at an average probability of `LEAST_MEAN` or more."""
    found = clusters.all(threshold)
    members = found.assignment.members
    posting_ids = [catalogue[row].posting_id for row in catalogue.by_id]
    return ClusteredBatch(posting_ids, 0, found.assignment.labels, members, {}, found.cohesion)


def cluster_judged_batch(
    clusters: JudgedClusters,
    catalogue: Catalogue,
    posting_ids: Sequence[str],
    threshold: float,
    pictures: Features | None = None,
    errors: Sequence[PricematchError | None] = (),
) -> ClusteredBatch:
    """Cluster some postings and pictures among each other.

    Unknown ids and bad pictures become items with a problem; the rest is clustered. An id given twice counts once, a
    picture given twice is two items.

    Args:
        clusters: of the catalogue.
        catalogue: its postings.
        posting_ids: of those to cluster.
        threshold: the average probability that a cluster holds together with, `LEAST_MEAN` or more; above 1 there is
            none.
        pictures: features of the good pictures; None where there is none.
        errors: per picture its error, None where it is good.
    """
    posting_ids = list(dict.fromkeys(posting_ids))
    rows, problems = located(posting_ids, catalogue)
    found = clusters.among(rows, threshold, pictures)
    return assembled(posting_ids, problems, errors, found.assignment, found.cohesion)

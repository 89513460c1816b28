"""Clusters of stored postings and images together, by similarity or by probability."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from pricematch.catalogue.image_features import ImageFeatures, Wanted
from pricematch.clustering.assignment import Method
from pricematch.errors import ImageError
from pricematch.matching.cluster_batch import (
    ClusteredBatch,
    Clustering,
    cluster_batch,
    cluster_catalogue,
    pictured,
)
from pricematch.matching.judged_batch import cluster_judged_batch, cluster_judged_catalogue
from pricematch.matching.judged_clusters import LEAST_MEAN
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Decision
from pricematch.pairs.thresholds import Target

AllOrIds: TypeAlias = Literal["all"] | Sequence[str]


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What is to be clustered and how.

    Attributes:
        posting_ids: of stored postings, or all of them.
        method: `matcher` clusters by probability, all others by similarity.
        eps: radius of the neighbour graph, a cosine distance; of similarity only.
        min_samples: postings that make a core; of similarity only.
        max_pairs: pairs within eps beyond which the batch is refused.
        encoder: name of the encoder whose similarity is meant; None: the default one.
        target: what the threshold was picked for; None: F1.
        min_probability: threshold in place of the target's.
    """

    posting_ids: AllOrIds
    method: Method | Literal["matcher"]
    eps: float
    min_samples: int
    max_pairs: int
    encoder: str | None = None
    target: Target | None = None
    min_probability: float | None = None


def wanted_for_clusters(matcher: Matcher, options: ClusterOptions) -> Wanted:
    """Features of an image that `cluster` takes; raises RequestUnanswerable where nothing could be clustered so."""
    if options.method == "matcher":
        return matcher.wanted_for_clusters()
    return Wanted(frozenset({matcher.encoder(options.encoder, f"method {options.method}").encoder.key}))


def cluster(
    matcher: Matcher, options: ClusterOptions, images: Sequence[ImageFeatures | ImageError]
) -> tuple[ClusteredBatch, Decision]:
    """The clusters of some postings and images, and the decision rule that made them.

    Args:
        matcher: over the catalogue.
        options: what and how.
        images: features that `wanted_for_clusters` names; of a bad image why it is.

    Raises:
        RequestUnanswerable: nothing that is held could answer this.
        LimitExceeded: more pairs than `max_pairs` are within eps.
    """
    if options.method == "matcher":
        return _by_probability(matcher, options, images)
    return _by_similarity(
        matcher, options, Clustering(options.method, options.eps, options.min_samples, options.max_pairs), images
    )


def _by_probability(
    matcher: Matcher, options: ClusterOptions, images: Sequence[ImageFeatures | ImageError]
) -> tuple[ClusteredBatch, Decision]:
    judge, catalogue = matcher.trained("method matcher"), matcher.catalogue
    bar = judge.bar(options.target, options.min_probability)
    threshold = max(bar.thresholds.match, LEAST_MEAN)
    decision = Decision("probability", bar.target, threshold, threshold, matcher.models)
    if options.posting_ids == "all" and not images:
        return cluster_judged_catalogue(judge.clusters, catalogue, threshold), decision
    posting_ids = sorted(catalogue.posting_ids) if options.posting_ids == "all" else options.posting_ids
    if not images:
        return cluster_judged_batch(judge.clusters, catalogue, posting_ids, threshold), decision
    new = matcher.features([it for it in images if isinstance(it, ImageFeatures)])
    return cluster_judged_batch(judge.clusters, catalogue, posting_ids, threshold, new, _errors(images)), decision


def _by_similarity(
    matcher: Matcher, options: ClusterOptions, how: Clustering, images: Sequence[ImageFeatures | ImageError]
) -> tuple[ClusteredBatch, Decision]:
    embedded = matcher.encoder(options.encoder, f"method {options.method}")
    decision = Decision("similarity", None, 1 - options.eps, 1 - options.eps, embedded.versions)
    if options.posting_ids == "all" and not images:
        return cluster_catalogue(embedded, how), decision
    posting_ids = pictured(embedded) if options.posting_ids == "all" else options.posting_ids
    good = [it.embeddings[embedded.encoder.key] for it in images if isinstance(it, ImageFeatures)]
    embeddings = np.stack(good) if good else np.empty((0, embedded.encoder.dimension), np.float32)
    return cluster_batch(embedded, posting_ids, embeddings, _errors(images), how), decision


def _errors(images: Sequence[ImageFeatures | ImageError]) -> list[ImageError | None]:
    return [it if isinstance(it, ImageError) else None for it in images]

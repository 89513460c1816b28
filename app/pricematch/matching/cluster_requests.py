"""Requests for clusters: what is to be clustered and how, and what a matcher makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.filters import Filter
from pricematch.catalogue.metadata import NO_METADATA, Metadata
from pricematch.clustering.assignment import Method
from pricematch.errors import ImageError, ImageUnavailable
from pricematch.matching.clusters import (
    NOTHING_KNOWN,
    AllOrIds,
    Clusters,
    SimilarityClustering,
    cluster_by_probability,
    cluster_by_similarity,
)
from pricematch.matching.matcher import Matcher
from pricematch.matching.probability_clusters import LEAST_MEAN
from pricematch.matching.queries import Decision
from pricematch.pairs.thresholds import Target


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
        filter: what holds of every posting of the batch; None: anything.
    """

    posting_ids: AllOrIds
    method: Method | Literal["matcher"]
    eps: float
    min_samples: int
    max_pairs: int
    encoder: str | None = None
    target: Target | None = None
    min_probability: float | None = None
    filter: Filter | None = None


def wanted_for_clusters(matcher: Matcher, options: ClusterOptions) -> Wanted:
    """Features of an image that `cluster` takes; raises RequestUnanswerable where nothing could be clustered so."""
    if options.method == "matcher":
        return matcher.wanted_for_clusters(None)
    return matcher.wanted_for_clusters(matcher.encoder(options.encoder, f"method {options.method}"))


def cluster(
    matcher: Matcher,
    options: ClusterOptions,
    images: Sequence[ImageFeatures | ImageError],
    metadata: Sequence[Metadata] = (),
) -> tuple[Clusters, Decision]:
    """The clusters of some postings and images, and the decision rule that made them.

    Unknown ids and bad images become items with a problem, by similarity also images that are no evidence; the rest is
    clustered. An id given twice counts once, an image given twice is two items.

    Args:
        matcher: over the catalogue.
        options: what and how.
        images: features that `wanted_for_clusters` names; of a bad image why it is.
        metadata: of each image, good or bad; none at all where none has any.

    Raises:
        RequestUnanswerable: there is no model or encoder that could do this.
        LimitExceeded: more pairs than `max_pairs` are within eps.
        FieldNotDeclared: the filter would look into too many postings.
    """
    if options.posting_ids == "all" and options.filter is not None and not images:
        kept: tuple[Clusters, Decision] = matcher.kept_clusters.get(
            options, lambda: _cluster(matcher, _filtered(matcher, options), (), ())
        )
        return kept
    return _cluster(matcher, _filtered(matcher, options), images, metadata)


def _cluster(
    matcher: Matcher,
    options: ClusterOptions,
    images: Sequence[ImageFeatures | ImageError],
    metadata: Sequence[Metadata],
) -> tuple[Clusters, Decision]:
    """The clusters of postings that were chosen, and of images; raises as `cluster`."""
    if options.method == "matcher":
        by_probability = matcher.trained("method matcher")
        rule = by_probability.rule(options.target, options.min_probability)
        threshold = max(rule.thresholds.match, LEAST_MEAN)
        good, errors = _divided(images)
        known = metadata or [NO_METADATA] * len(images)
        own = [it for it, error in zip(known, errors, strict=True) if error is None]
        new = matcher.features(good, own) if images else None
        found = cluster_by_probability(by_probability, options.posting_ids, threshold, new, errors)
        told = by_probability.probabilities
        return found, Decision("probability", rule.target, threshold, threshold, matcher.models, told)
    search = matcher.encoder(options.encoder, f"method {options.method}")
    least, key = 1 - options.eps, search.encoder.key
    good, errors = _divided([_told(matcher, image) for image in images])
    embeddings = np.array([image.embeddings[key] for image in good], np.float32).reshape(-1, search.encoder.dimension)
    how = SimilarityClustering(options.method, options.eps, options.min_samples, options.max_pairs)
    found = cluster_by_similarity(search, options.posting_ids, how, embeddings, errors)
    return found, Decision("similarity", None, least, least, search.encoder.versions)


def _filtered(matcher: Matcher, options: ClusterOptions) -> ClusterOptions:
    """The options with those of the postings that the filter holds of; ids of none stay, and get their problem."""
    allowed, catalogue = matcher.allowed(options.filter), matcher.catalogue
    if allowed is None:
        return options
    if options.posting_ids == "all":
        some = (
            matcher.encoder(options.encoder, f"method {options.method}").by_id
            if options.method != "matcher"
            else catalogue.by_id
        )
        return replace(options, posting_ids=catalogue.ids_of(some[allowed[some]]))
    held = catalogue.located(options.posting_ids)
    return replace(options, posting_ids=[it for it in options.posting_ids if it not in held or allowed[held[it]]])


def _divided(
    images: Sequence[ImageFeatures | ImageError],
) -> tuple[list[ImageFeatures], list[ImageError | None]]:
    """The good images, and per image its error, None where it is good."""
    errors = [image if isinstance(image, ImageError) else None for image in images]
    return [image for image in images if isinstance(image, ImageFeatures)], errors


def _told(matcher: Matcher, image: ImageFeatures | ImageError) -> ImageFeatures | ImageError:
    """An image, or why nothing is known by it."""
    if isinstance(image, ImageError) or matcher.evidence(image) is not None:
        return image
    return ImageUnavailable(f"the image {NOTHING_KNOWN}")

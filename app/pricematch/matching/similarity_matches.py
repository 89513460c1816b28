"""The matches of one posting by the similarity of images, where there is no pair model to decide."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, EncoderInfo
from pricematch.catalogue.feedback import Feedback
from pricematch.matching.queries import Decision, Match, Matches, Options, Result
from pricematch.matching.similarity import SimilaritySearch

NEARLY_SAME: Mapping[str, float] = {"cnn": 0.95}
"""By name of an encoder without a threshold, the cosine from which on images are nearly the same."""
NEARLY_SAME_OTHERWISE = 0.999
"""The same for all other encoders."""


def similarity_decision(search: SimilaritySearch, options: Options) -> Decision:
    """The decision rule: the similarity that options name, else the encoder's threshold."""
    least = _least(search.encoder, options)
    return Decision("similarity", None, least, least, search.encoder.versions)


def similar_to(
    search: SimilaritySearch,
    embeddings: Embeddings | None,
    options: Options,
    allowed: NDArray[np.bool_] | None = None,
) -> Result:
    """The matches of a posting by the embeddings [q, d] of its images; none where none is evidence, and it has None.

    `allowed` is of `SimilaritySearch.nearest`.
    """
    decision = similarity_decision(search, options)
    if embeddings is None:
        return Result(Matches([]), decision)
    near = search.nearest(embeddings, options.last + 1, decision.threshold, allowed)
    return Result.page([*near], options, decision)


def similar_to_posting(
    search: SimilaritySearch,
    posting_id: str,
    options: Options,
    feedback: Feedback,
    allowed: NDArray[np.bool_] | None = None,
) -> Result:
    """The matches of a stored posting, itself excluded; those that are the same by feedback come first.

    `allowed` is of `SimilaritySearch.nearest`.
    """
    said, decision = feedback.of(posting_id), similarity_decision(search, options)
    located = search.catalogue.located(sorted(said))
    same = {other: row for other, row in located.items() if said[other] == "same" and (allowed is None or allowed[row])}
    similarities = search.similarities(search.embedding(posting_id), np.array([*same.values()], np.intp))
    decided = [Match(other, value, feedback="same") for other, value in zip(same, similarities, strict=True)]
    near = search.nearest_of(posting_id, options.last + 1 + len(said), decision.threshold, allowed)
    return Result.page([*decided, *(match for match in near if match.posting_id not in said)], options, decision)


def _least(encoder: EncoderInfo, options: Options) -> float:
    """The lowest similarity of a match."""
    if options.min_similarity is not None:
        return options.min_similarity
    if encoder.threshold is not None:
        return encoder.threshold
    return max(
        (NEARLY_SAME.get(name, NEARLY_SAME_OTHERWISE) for name in encoder.versions), default=NEARLY_SAME_OTHERWISE
    )

"""Signals: the retrievers that thresholds are picked for, and what their similarities are shown as."""

from typing import Any

import numpy as np

from pricematch.catalogue.features import BITS
from pricematch.pairs.retrievers import (
    MAX_DISTANCE,
    EmbeddingRetriever,
    HashRetriever,
    ParsedFeatures,
    Retriever,
    embeddings_of,
)
from pricematch.pairs.title_retrievers import TitleRetriever
from pricematch.search.candidates import Candidates
from pricematch.search.lists import MAX_MEMBERS
from pricematch.titles.vectors import TfIdf, words

CANDIDATES = MAX_MEMBERS - 1
"""Candidates of a posting by each signal, since a list holds 50 with the posting itself."""
HAMMING, COSINE = "Hamming distance in bits, at most", "cosine similarity, at least"
PROBABILITY = "probability, at least"
HASH, TITLE, IMAGE = SIGNALS = ("hash", "title", "image")
"""All signals."""
MATCHER = "matcher"
"""The name of what several signals together say, where it stands among signals."""
MEASURES = {**dict.fromkeys(SIGNALS, COSINE), HASH: HAMMING, MATCHER: PROBABILITY}
"""Per signal, and for the matcher, what a threshold of it means, as people are shown it."""


def signal_candidates(signal: str, features: ParsedFeatures) -> Candidates:
    """The 49 most similar other postings of each of n, by one signal; some have fewer, or none.

    Hashes retrieve within 16 bits, titles what has a word in common, images the nearest, however far they are.

    Raises:
        ValueError: there is no such signal, or the features have no embeddings for it.
    """
    return _retriever(signal, features).nearest(CANDIDATES)


def _retriever(signal: str, features: ParsedFeatures) -> Retriever[Any]:
    match signal:
        case "hash":
            return HashRetriever(features.features.hashes)
        case "title":
            # a word that one title alone holds keeps its weight: taking most of it costs shops with few titles
            return TitleRetriever(TITLE, TfIdf(features.titles, words, single_weight=1))
        case "image":
            return EmbeddingRetriever(IMAGE, embeddings_of(IMAGE, features.features))
    raise ValueError(f"expected one of {', '.join(SIGNALS)}, got {signal}")


def shown(signal: str, similarity: float) -> float | None:
    """A similarity as people are shown it, in the signal's measure; None for a threshold that takes nothing.

    >>> shown("hash", 0.875), shown("title", 0.5), shown("hash", float("inf"))
    (8, 0.5, None)
    """
    if not np.isfinite(similarity):
        return None
    return round((1 - similarity) * BITS) if MEASURES[signal] == HAMMING else float(similarity)


def between(signal: str, accepted: float, refused: float) -> float:
    """A threshold that takes one similarity and not the next lower one: the middle; of hashes a whole distance.

    Nothing is accepted at inf, and nothing is refused where the two are equal.

    >>> between("hash", 0.875, 0.75), between("title", 0.875, 0.75), between("title", float("inf"), 1.0)
    (0.875, 0.8125, inf)
    """
    return accepted if MEASURES[signal] == HAMMING or np.isinf(accepted) else (accepted + refused) / 2


def meant(signal: str, value: float | None) -> float:
    """The similarity that a value shown stands for; the inverse of `shown`.

    Raises:
        ValueError: no such value can be shown.

    >>> meant("hash", 8), meant("title", 0.5), meant("hash", None)
    (0.875, 0.5, inf)
    """
    if value is None:
        return float("inf")
    if MEASURES[signal] == HAMMING:
        if not (0 <= value <= MAX_DISTANCE and value == int(value)):
            raise ValueError(f"expected a whole number of bits in 0…{MAX_DISTANCE}, got {value:g}")
        return 1 - value / BITS
    if MEASURES[signal] == PROBABILITY and not 0 <= value <= 1:
        raise ValueError(f"expected a probability in 0…1, got {value:g}")
    if not -1 <= value <= 1:
        raise ValueError(f"expected a cosine in −1…1, got {value:g}")
    return float(value)

"""Signals: the retrievers that thresholds are picked for, what their similarities are shown as, and their pairs.

A pair is a match if one signal at least finds it as similar as that signal's threshold. Pairs of different signals are
ordered by margin: how much of the way from the threshold to 1 the similarity has gone, (s − t) / (1 − t), by the signal
for which that is most. It needs no label groups, is at least 0 exactly for matches, and orders the pairs of one signal
as their similarity does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.hashes import BITS
from pricematch.pairs.image_retrievers import MAX_DISTANCE
from pricematch.pairs.retriever import ParsedFeatures, Retriever
from pricematch.pairs.several_images import embedding_retriever, hash_retriever
from pricematch.pairs.title_retrievers import TitleRetriever
from pricematch.search.candidates import MAX_MEMBERS, Candidates, Lists, top_k
from pricematch.titles.vectors import TfIdf, words

CANDIDATES = MAX_MEMBERS - 1
"""Candidates of a posting by each signal, since a list holds 50 with the posting itself."""
HAMMING, _COSINE = "Hamming distance in bits, at most", "cosine similarity, at least"
_PROBABILITY = "probability, at least"
_HASH, _TITLE, IMAGE = SIGNALS = ("hash", "title", "image")
"""All signals."""
MATCHER = "matcher"
"""The name of a matcher among signals."""
MEASURES = {**dict.fromkeys(SIGNALS, _COSINE), _HASH: HAMMING, MATCHER: _PROBABILITY}
"""Per signal, and for the matcher, what a threshold of it means, as people are shown it."""


def signal_candidates(signal: str, features: ParsedFeatures) -> Candidates:
    """The 49 most similar other postings of each of n, by one signal; some have fewer, or none.

    Hashes retrieve within 16 bits, titles what has a word in common, images the nearest, however far they are.

    Raises:
        ValueError: there is no such signal, or the features have no embeddings for it.
    """
    retriever: Retriever[Any]
    match signal:
        case "hash":
            retriever = hash_retriever(features.features)
        case "title":
            # a word that one title alone holds keeps its weight: taking most of it costs shops with few titles
            retriever = TitleRetriever(_TITLE, TfIdf(features.titles, words, single_weight=1))
        case "image":
            retriever = embedding_retriever(IMAGE, features.features)
        case _:
            raise ValueError(f"expected one of {', '.join(SIGNALS)}, got {signal}")
    return retriever.nearest(CANDIDATES)


def shown(signal: str, similarity: float) -> float | None:
    """A similarity as people are shown it, in the signal's measure; None for a threshold that takes nothing.

    >>> shown("hash", 0.875), shown("title", 0.5), shown("hash", float("inf"))
    (8, 0.5, None)
    """
    if not np.isfinite(similarity):
        return None
    return round((1 - similarity) * BITS) if MEASURES[signal] == HAMMING else float(similarity)


def formatted(signal: str, similarity: float) -> str:
    """A finite similarity in words: `8 bits`, `0.4871`."""
    value = shown(signal, similarity)
    return f"{value:g} bits" if MEASURES[signal] == HAMMING else f"{value:.4f}"


def threshold_texts(thresholds: Mapping[str, float]) -> list[str]:
    """Thresholds in words: `≤ 8 bits`, or where there are several, `hash ≤ 8 bits` and `title ≥ 0.4871`."""
    texts = {signal: _threshold(signal, similarity) for signal, similarity in thresholds.items()}
    return [f"{signal} {text}" for signal, text in texts.items()] if len(texts) > 1 else list(texts.values())


def between(signal: str, accepted: float, refused: float) -> float:
    """A threshold that takes one similarity and not the next lower one: the middle; of hashes a whole distance.

    Nothing is accepted at inf, and nothing is refused where the two are equal.

    >>> between("hash", 0.875, 0.75), between("title", 0.875, 0.75), between("title", float("inf"), 1.0)
    (0.875, 0.8125, inf)
    """
    return accepted if MEASURES[signal] == HAMMING or np.isinf(accepted) else (accepted + refused) / 2


def meant(signal: str, value: float | None) -> float:
    """The similarity of a value as it is shown; the inverse of `shown`.

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
    if MEASURES[signal] == _PROBABILITY and not 0 <= value <= 1:
        raise ValueError(f"expected a probability in 0…1, got {value:g}")
    if not -1 <= value <= 1:
        raise ValueError(f"expected a cosine in −1…1, got {value:g}")
    return float(value)


@dataclass(frozen=True, eq=False)
class Pairs:
    """What signals propose, each pair once; (a, b) and (b, a) are two.

    Attributes:
        postings: n, of the catalogue.
        left: int32 [m], whose candidate it is, ascending.
        right: int32 [m], which row is the candidate, ascending among those of one left end; never that row itself.
        similarities: per signal float64 [m]; −inf where it does not propose the pair.
    """

    postings: int
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    similarities: Mapping[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.left)

    def accepted(self, thresholds: Mapping[str, float]) -> NDArray[np.bool_]:
        """Which pairs are matches, bool [m], by the signals that have a threshold; inf takes none."""
        matches = np.zeros(len(self), bool)
        for signal, threshold in thresholds.items():
            matches |= self.similarities[signal] >= threshold
        return matches

    def margins(self, thresholds: Mapping[str, float]) -> NDArray[np.float64]:
        """How far each pair is above the thresholds, float64 [m]: 0…1 for a match, below 0 for others."""
        best = np.full(len(self), -np.inf)
        for signal, threshold in thresholds.items():
            np.maximum(best, _margin(self.similarities[signal], threshold), out=best)
        return best

    def ranking(self, thresholds: Mapping[str, float]) -> Candidates:
        """The 49 pairs of each posting with the highest margins, as similarities."""
        return self._ranked(self.margins(thresholds), -np.inf)

    def lists(self, thresholds: Mapping[str, float]) -> Lists:
        """Each posting's matches: itself, then those with the highest margins, 50 at most."""
        best = self._ranked(self.margins(thresholds), 0)
        rows = np.column_stack([np.arange(self.postings, dtype=np.int32), best.rows])
        found = rows >= 0
        return Lists(np.concatenate([[0], np.cumsum(found.sum(axis=1))]), rows[found])

    def _ranked(self, margins: NDArray[np.float64], least: float) -> Candidates:
        kept = margins >= least if least > -np.inf else np.isfinite(margins)
        return top_k(self.left[kept], self.right[kept], margins[kept], self.postings, MAX_MEMBERS - 1)


def pairs_of(candidates: Mapping[str, Candidates], postings: int) -> Pairs:
    """The pairs of the candidates of n postings, given by signal."""
    found = {signal: proposed.rows >= 0 for signal, proposed in candidates.items()}
    keys = {signal: np.nonzero(kept)[0] * postings + candidates[signal].rows[kept] for signal, kept in found.items()}
    every = np.unique(np.concatenate([np.empty(0, np.intp), *keys.values()]))
    similarities = {}
    for signal, proposed in candidates.items():
        similarities[signal] = np.full(len(every), -np.inf)
        similarities[signal][np.searchsorted(every, keys[signal])] = proposed.similarities[found[signal]]
    left, right = np.divmod(every, max(1, postings))
    return Pairs(postings, left.astype(np.int32), right.astype(np.int32), similarities)


def _margin(similarities: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """(s − t) / (1 − t); where that has no meaning, for t ≥ 1: 1 of a match, and s − 1, but below 0, of others."""
    if threshold < 1:
        return (similarities - threshold) / (1 - threshold)
    return np.where(similarities >= threshold, 1.0, similarities - np.nextafter(1, 2))


def _threshold(signal: str, similarity: float) -> str:
    if np.isinf(similarity):
        return "never"
    return f"{'≤' if MEASURES[signal] == HAMMING else '≥'} {formatted(signal, similarity)}"

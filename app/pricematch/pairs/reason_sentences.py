"""Sentences of reasons, one for each family of features: true of the pair, and for or against it as its weight is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import exp
from typing import Protocol

from pricematch.catalogue.features import BITS
from pricematch.pairs.match_types import NEAR_BITS
from pricematch.titles.explanation import agreements, differences, one_sided, word_sentence
from pricematch.titles.normalise import ParsedTitle

_ALIKE_BITS = 16
"""Bits up to which images are called alike; unlike ones differ in about 32."""
_NEAREST, _COMMON = 10, 3
_BETTER = 0.02
_ALIKE_BLENDS = _ALIKE_IMAGES = 0.5


@dataclass(frozen=True, eq=False)
class Pair:
    """What sentences are made of.

    Attributes:
        values: by name, the features (`PairModel.feature_names`) that are known.
        left, right: both titles.
        titles_with: how many titles of the catalogue hold a word.
    """

    values: Mapping[str, float]
    left: ParsedTitle
    right: ParsedTitle
    titles_with: Callable[[str], int]

    @cached_property
    def agreements(self) -> Mapping[str, str]:
        """By kind, what both titles state."""
        return agreements(self.left, self.right)

    @cached_property
    def contradictions(self) -> Mapping[str, str]:
        """By kind, where the titles contradict each other."""
        return differences(self.left, self.right)

    @cached_property
    def one_sided(self) -> Mapping[str, str]:
        """By kind, what only one of the titles states."""
        return one_sided(self.left, self.right)


class Sentence(Protocol):
    """Words what a family of features says of a pair."""

    def __call__(self, pair: Pair, *, speaks_for: bool) -> str | None:
        """What it says for the same product, or against it; None where it has nothing that fits."""
        ...


def hash_sentence(pair: Pair, *, speaks_for: bool) -> str | None:
    """On the perceptual hashes of both images, and their bytes."""
    if pair.values.get("same_image") == 1:
        return "images are the same file" if speaks_for else None
    if (similarity := pair.values.get("hash_similarity")) is None:
        return None
    bits = round((1 - similarity) * BITS)
    if not speaks_for:
        return f"images differ: {bits} of {BITS} bits" if bits > _ALIKE_BITS else _nearer(pair)
    if bits == 0:
        return "images have the same hash"
    if bits <= _ALIKE_BITS:
        return f"images are {'nearly equal' if bits <= NEAR_BITS else 'alike'}: {_of_bits(bits)}"
    return None


def image_sentence(retriever: str, alike: str, unlike: str) -> Sentence:
    """On the cosine of both images; how high a high one is depends on encoder and catalogue, so ranks decide.

    Args:
        retriever: one of `retrievers.IMAGE_RETRIEVERS`.
        alike: the text for images that are among each other's nearest, from a cosine of 0.5 on.
        unlike: the text for others; with "few" before it, for the nearest below that cosine.
    """

    def sentence(pair: Pair, *, speaks_for: bool) -> str | None:
        if (similarity := pair.values.get(f"{retriever}_similarity")) is None:
            return None
        if speaks_for and pair.values[f"{retriever}_rank_low"] < _NEAREST:
            return f"{alike if similarity >= _ALIKE_IMAGES else f'few {unlike}'}: similarity {similarity:.2f}"
        if not speaks_for and pair.values[f"{retriever}_rank_high"] >= _NEAREST:
            return f"{unlike}: similarity {similarity:.2f} only"
        return None

    return sentence


def title_sentence(pair: Pair, *, speaks_for: bool) -> str | None:
    """On the words of both titles."""
    size = exp(pair.values["catalogue_size"])
    sentence = word_sentence(pair.left, pair.right, pair.titles_with, size, speaks_for=speaks_for)
    if sentence is None and speaks_for and _alike_by_likes(pair):
        return "postings like these two have titles alike"
    return sentence


def fact_sentence(kinds: tuple[str, ...]) -> Sentence:
    """On the facts of some kinds: the first that has something to say, contradictions before what only one states."""

    def sentence(pair: Pair, *, speaks_for: bool) -> str | None:
        every = (pair.agreements,) if speaks_for else (pair.contradictions, pair.one_sided)
        return next((found[kind] for found in every for kind in kinds if kind in found), None)

    return sentence


def common_title(pair: Pair, *, speaks_for: bool) -> str | None:
    """On how many postings have the more common of both titles."""
    count = pair.values.get("title_repeats_high", 0)
    if speaks_for or count < _COMMON:
        return None
    which = "this title is" if pair.values["same_title"] else "one of the titles is"
    return f"{which} common: {count:.0f} postings have it"


def common_hash(pair: Pair, *, speaks_for: bool) -> str | None:
    """On how many postings have the more common of both hashes."""
    count = pair.values.get("hash_repeats_high", 0)
    if speaks_for or count < _COMMON:
        return None
    which = "this image is" if pair.values["hash_similarity"] == 1 else "one of the images is"
    return f"{which} common: {count:.0f} postings have its hash"


def neighbours_sentence(pair: Pair, *, speaks_for: bool) -> str | None:
    """On the other postings that both match, by the first scorer's probabilities."""
    own, shared = pair.values["first"], round(pair.values["paths"])
    if speaks_for:
        if shared:
            return f"about {shared} other posting{'s match' if shared > 1 else ' matches'} both"
        return "neither matches another posting better" if own >= pair.values["best_high"] else None
    if pair.values["best_low"] > own + _BETTER:
        return "both match other postings better"
    if pair.values["best_high"] > own + _BETTER:
        return "one of them matches another posting better"
    others = pair.values["sure_high"] - (own > 1 / 2)
    if others < max(2, 2 * shared):
        return None
    return f"one matches {others:.0f} other postings, the other {f'about {shared}' if shared else 'none'} of them"


def _alike_by_likes(pair: Pair) -> bool:
    plain, blended = (pair.values.get(f"{name}_similarity", 0) for name in ("words", "blend"))
    return bool(pair.left.text and pair.right.text) and plain < _ALIKE_BLENDS <= blended


def _nearer(pair: Pair) -> str | None:
    count = pair.values["hash_rank_high"]
    return f"{count:.0f} other images are nearer" if count else None


def _of_bits(bits: int) -> str:
    return f"{bits} of {BITS} bits differ" if bits > 1 else f"1 of {BITS} bits differs"

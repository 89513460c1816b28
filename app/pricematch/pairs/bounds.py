"""Bounds of probabilities: identical pairs stand above all others, and few words alone prove little.

A pair model learns what is usual. Neighbours that disagree, or labels that are wrong, can pull down the probability
even of an image that is asked for by its own file; and what was learned of whole titles is applied to a single word,
too, where nothing else is compared. Both are wrong whatever was learned, so probabilities are bounded behind the
calibration: of all pair models, in the index, for queries, and where thresholds are picked.

Pairs are of five kinds. Within a kind a higher probability stays higher.
"""

from collections.abc import Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.hashes import BITS
from pricematch.pairs.reason_sentences import NEAR_BITS
from pricematch.titles.comparison import SUMMARY

ORDINARY, ONLY_TITLES, NEAR, EQUAL, SAME_FILE = range(5)
"""Kinds of pairs.

`SAME_FILE`: images of the same bytes. `EQUAL`: equal hashes and titles; or equal in all that both have: hashes, where
neither bytes nor titles can be compared, or titles, where no images can be and no third posting has this title. `NEAR`:
hashes within `NEAR_BITS`, and titles that share most of their words. None of these where titles contradict each other.
`ONLY_TITLES`: others with different titles, of which no images can be compared. `ORDINARY`: all others.
"""
_IDENTICAL = {EQUAL: (0.99, 0.995), SAME_FILE: (0.995, 1.0)}
"""What 0…1 is mapped to, linearly."""
LEAST_IDENTICAL = _IDENTICAL[EQUAL][0]
"""The least probability of a pair of the kinds `EQUAL` and `SAME_FILE`; no threshold is higher."""
_UNCHANGED, _HIGHEST, _HIGHEST_NEAR = 0.975, 0.985, 0.99
"""Probabilities of all other kinds up to the first stay; from there to 1 they are mapped to below the second, or third.

What near pairs are worth differs too much between shops for a range of their own: that is for the model to say."""
_CONTRADICTIONS = ("kinds_clashing", *(name for name in SUMMARY if name.endswith("_conflict")))
"""Features above 0 where titles contradict each other, be it in part, or one by saying nothing of its pack."""
_ALIKE_TITLES = 0.5
"""Cosine of the weighted words of titles that share most of them, at least."""
_MOST_REPEATS = 2
"""Postings of one title, the query or both ends of the pair included, that do not make it a common one."""
_BELOW_ONE = 1 - 2.0**-53
_LEAST_THRESHOLD = 0.05
"""Of all pairs that retrievers propose, nearly all are below: a threshold near 0 makes everything a match."""


def ordinary(probabilities: NDArray[np.float64], highest: float = _HIGHEST) -> NDArray[np.float64]:
    """Probabilities [m] of pairs that are not identical, mapped below those that are; 1 is mapped to the highest.

    >>> ordinary(np.array([0.25, 0.975, 0.9875, 1.0])).tolist()
    [0.25, 0.975, 0.98, 0.985]
    """
    share = (highest - _UNCHANGED) / (1 - _UNCHANGED)
    above = _UNCHANGED + (probabilities - _UNCHANGED) * share
    return np.where(probabilities > _UNCHANGED, np.minimum(above, highest), probabilities)


def allowed(threshold: float) -> float:
    """A threshold at which neither everything is a match nor identical pairs are none; inf stays.

    >>> allowed(0.001), allowed(0.5), allowed(0.9999), allowed(float("inf"))
    (0.05, 0.5, 0.99, inf)
    """
    return threshold if threshold == inf else min(max(threshold, _LEAST_THRESHOLD), LEAST_IDENTICAL)


class Bounds:
    """Bounds the probabilities of pairs by their features. Immutable.

    Args:
        names: of the f features, `PairModel.feature_names`; what a model does not compare, no pair has.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._columns = {name: column for column, name in enumerate(names)}

    def __call__(self, probabilities: NDArray[np.float64], features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Bounded probabilities, float64 [m], of probabilities [m], 0 to 1, and features [m, f]."""
        kinds = self.kinds(features)
        found = ordinary(probabilities)
        near = kinds == NEAR
        found[near] = ordinary(probabilities[near], _HIGHEST_NEAR)
        titles = np.flatnonzero(kinds == ONLY_TITLES)
        if len(titles):
            found[titles] = self._by_titles(found[titles], features[titles])
        for kind, (low, high) in _IDENTICAL.items():
            some = kinds == kind
            found[some] = np.minimum(low + (high - low) * probabilities[some], _BELOW_ONE)
        return found

    def kinds(self, features: NDArray[np.float32]) -> NDArray[np.int8]:
        """The kind of each pair, int8 [m], of features [m, f]."""
        hashes, same_image = (self._column(features, name) for name in ("hash_similarity", "same_image"))
        same_title, repeats = (self._column(features, name) for name in ("same_title", "title_repeats_high"))
        no_bytes, no_titles, no_images = np.isnan(same_image), np.isnan(same_title), self.without_images(features)
        apart = (np.stack([self._column(features, name) for name in _CONTRADICTIONS]) > 0).any(axis=0)
        agreeing = no_titles | ~apart  # no title contradicts nothing, though it states no pack
        equal_hashes, equal_titles = hashes == 1, same_title == 1
        equal = equal_hashes & (equal_titles | (no_bytes & no_titles))
        equal |= no_images & equal_titles & (repeats <= _MOST_REPEATS)
        found = np.full(len(features), ORDINARY, np.int8)
        found[no_images & ~no_titles & ~equal_titles] = ONLY_TITLES
        alike = self._column(features, "words_similarity") >= _ALIKE_TITLES
        found[(hashes >= 1 - NEAR_BITS / BITS) & alike & agreeing] = NEAR
        found[equal & agreeing] = EQUAL
        found[(same_image == 1) & agreeing] = SAME_FILE
        return found

    def without_images(self, features: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Of which pairs no images can be compared, bool [m], by features [m, f]."""
        parts = [self._column(features, name) for name in ("same_image", "hash_similarity", "image_similarity")]
        return np.asarray(np.isnan(parts).all(axis=0), np.bool_)

    def _by_titles(self, probabilities: NDArray[np.float64], features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of pairs that only titles speak for, by how many postings would share as much by chance.

        A word weighs 1 − ln of the share of titles that hold it, so of a catalogue of n titles about n·exp(−weight)
        hold words of some weight in sum, if words were independent. So many are added to the odds against the pair.
        What titles share that are blended with their neighbours is the cosine times the weight of the lighter title.
        """
        names = ("shared_weight", "apart_low", "blend_similarity", "catalogue_size")
        shared, apart, blend, size = (self._column(features, name).astype(np.float64) for name in names)
        weight = np.fmax(shared, blend * (shared + apart))
        with np.errstate(divide="ignore", over="ignore"):  # odds against a pair of probability 0, or next to it
            against = (1 - probabilities) / probabilities + np.exp(size - weight)
        return np.asarray(1 / (1 + against), np.float64)

    def _column(self, features: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        if name not in self._columns:
            return np.full(len(features), np.nan, np.float32)
        return features[:, self._columns[name]]

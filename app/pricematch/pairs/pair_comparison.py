"""Compares postings of a catalogue in pairs: what its retrievers and the profiles of both ends say of each."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.evidence import evidence_features
from pricematch.pairs.best_of_many import BestOfMany, images_held
from pricematch.pairs.feature_names import SCALED
from pricematch.pairs.image_profiles import repeat_features, same_image_features
from pricematch.pairs.neighbours import rank_features, scaled_similarities
from pricematch.pairs.profiles import Profiles
from pricematch.pairs.retriever import Retriever
from pricematch.pairs.title_features import word_features
from pricematch.search.candidates import Candidates
from pricematch.titles.comparison import compare, summarise

_BLOCK = 128 * 1024


class PairComparison:
    """Makes the features of pairs of one catalogue. Immutable, safe to use from several threads.

    Args:
        retrievers: of the catalogue, in the order of their features.
        names: of the features.
    """

    def __init__(self, retrievers: Sequence[Retriever[Any]], names: Sequence[str]) -> None:
        self._retrievers, self._names = {it.name: it for it in retrievers}, names

    def joined(self, one: Profiles, other: Profiles) -> Profiles:
        """The profiles of postings that were compared with each other, as one."""
        return Profiles(
            other.catalogue_size,
            {name: it.joined(one.vectors[name], other.vectors[name]) for name, it in self._retrievers.items()},
            one.neighbours.joined(other.neighbours),
            None if one.titles is None or other.titles is None else one.titles.joined(other.titles),
            one.images.joined(other.images),
            None if one.evidence is None or other.evidence is None else one.evidence.joined(other.evidence),
        )

    def features(
        self,
        profiles: Profiles,
        left: NDArray[np.integer],
        right: NDArray[np.integer],
        others: Profiles | None = None,
        *,
        known: bool = False,
    ) -> NDArray[np.float32]:
        """The pair features, float32 [m, names]; NaN where an end lacks what a feature takes.

        The same for (a, b) and (b, a) of the same profiles.

        Args:
            profiles: of the left ends.
            left: [m], positions in the profiles of the left ends.
            right: [m], in those of the right ends.
            others: profiles of the right ends, whose neighbours do not include the left ones yet: each pair is looked
                at as if they did. None: they are among `profiles`, and know each other.
            known: whether the others are the catalogue's own, so that `Profiles.compared` holds similarities to them.
        """
        found = np.empty((len(left), len(self._names)), np.float32)
        for first in range(0, len(left), _BLOCK):
            piece = slice(first, first + _BLOCK)
            np.concatenate(
                self._parts(profiles, others, left[piece], right[piece], known=known), axis=1, out=found[piece]
            )
        return found

    def _parts(
        self,
        profiles: Profiles,
        others: Profiles | None,
        left: NDArray[np.integer],
        right: NDArray[np.integer],
        *,
        known: bool,
    ) -> list[NDArray[np.float32]]:
        one, other = profiles, profiles if others is None else others
        parts = [np.full((len(left), 1), np.log(one.catalogue_size), np.float32)]
        similar = one.compared if known else {}
        compared = [
            it.similarities(one.vectors[name], other.vectors[name], left, right, similar.get(name))
            for name, it in self._retrievers.items()
        ]
        least, ends = None if others is None else self._least, (one.neighbours, other.neighbours, left, right)
        parts.append(rank_features(np.stack(compared), *ends, least))
        if one.titles is not None and other.titles is not None:
            parts.append(word_features(one.titles, other.titles, left, right))
            parts.append(summarise(compare(one.titles.attributes, left, other.titles.attributes, right)))
        shown = one.images, other.images
        if shown[0].hashes is not None and shown[1].hashes is not None:
            parts.append(repeat_features(shown[0].hashes, shown[1].hashes, left, right))
        parts.append(same_image_features(*shown, left, right)[:, np.newaxis])
        if SCALED in self._names:
            similarity = compared[list(self._retrievers).index("image")]
            parts.append(self._scaled(similarity, one, other, left, right, including=others is not None)[:, np.newaxis])
        if one.evidence is not None and other.evidence is not None:
            parts.append(evidence_features(one.evidence, other.evidence, left, right))
        return parts

    def _scaled(
        self,
        similarity: NDArray[np.float32],
        one: Profiles,
        other: Profiles,
        left: NDArray[np.integer],
        right: NDArray[np.integer],
        *,
        including: bool,
    ) -> NDArray[np.float32]:
        """See `scaled_similarities`; where there are several images, of what one pair would have, see `BestOfMany`."""
        place = list(self._retrievers).index("image")
        ends = place, one.neighbours, other.neighbours, left, right
        ours, theirs = one.vectors["image"], other.vectors["image"]
        if not (ours.more or theirs.more or self._retrievers["image"].vectors.more):
            return scaled_similarities(similarity, *ends, including=including)
        best = self._best_of_many
        of_one = best.of_one(similarity, images_held(ours, left) * images_held(theirs, right)).astype(np.float32)
        mapped = best.around(ours), best.around(theirs)
        return scaled_similarities(of_one, *ends, including=including, mapped=mapped)

    @cached_property
    def _best_of_many(self) -> BestOfMany:
        return BestOfMany.of(self._retrievers["image"].vectors)

    def stacked(self, nearest: Mapping[str, Candidates]) -> NDArray[np.float64]:
        """The similarities [r, n, k] of the candidates that each retriever has found."""
        return np.stack([nearest[name].similarities for name in self._retrievers])

    def similarities(self, one: Profiles, other: Profiles) -> NDArray[np.float64]:
        """Similarities [r, k, m] of all pairs of two groups; −inf where they are not near enough to be neighbours."""
        left, right = np.indices((len(one), len(other))).reshape(2, -1)
        found = self.compared(one.vectors, other.vectors, left, right)
        return found.reshape(len(self._retrievers), len(one), len(other))

    def compared(
        self, one: Mapping[str, Any], other: Mapping[str, Any], left: NDArray[np.intp], right: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """The same of some pairs, [r, p], by the vectors of both and the rows [p] of their ends."""
        retrievers = self._retrievers.items()
        compared = [it.similarities(one[name], other[name], left, right) for name, it in retrievers]
        values = np.stack(compared).astype(np.float64)
        return np.where(values >= self._least[:, np.newaxis], values, -np.inf)

    @cached_property
    def _least(self) -> NDArray[np.float64]:
        return np.array([retriever.least for retriever in self._retrievers.values()])

"""Candidates and pair features of postings of one catalogue: by retrievers, titles, hashes and image keys."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.evidence import evidence_features
from pricematch.catalogue.features import Features, same_images
from pricematch.catalogue.fields import Field
from pricematch.pairs.candidate_pairs import TOP_K, are_near, concatenated, distinct, ends_of, top_pairs
from pricematch.pairs.equal_values import EqualPostings
from pricematch.pairs.feature_names import SCALED, pair_feature_names
from pricematch.pairs.image_retrievers import EmbeddingRetriever
from pricematch.pairs.neighbours import (
    Neighbourhoods,
    Neighbours,
    low_high,
    rank_features,
    scaled_similarities,
)
from pricematch.pairs.profiles import Profiles, occurrences
from pricematch.pairs.retriever import Alive, ParsedFeatures, Retrieved
from pricematch.pairs.retrievers import retrievers_of
from pricematch.pairs.title_features import TitleWords, word_features
from pricematch.pairs.title_retrievers import ExpandedTitleRetriever
from pricematch.search.candidates import Candidates
from pricematch.titles.comparison import compare, summarise
from pricematch.titles.vectors import TfIdf, words

_NEAREST = 100
"""Neighbours that ranks are counted among."""
_BLOCK = 128 * 1024


class PairFeatureExtractor:
    """Candidates and pair features in a catalogue, of its own postings and of new ones.

    Immutable, safe to use from several threads.

    Args:
        features: of the n postings of the catalogue, parsed where their titles are already.
        signals: some of `SIGNALS`.
        found: what was found among the same postings before, since searching takes most of the time; None: search.
        copies: [n], how many titles each of theirs counts as, where words are weighed; None: one.
        scaled: whether the features include `SCALED`, where images are a signal.
        fields: evidence fields that the features include; of those that `features` lack nothing is known.

    Attributes:
        signals, fields, names: as above, and the names of the pair features, in order.
        own: profiles of the catalogue's postings.
        candidates: int32 [m] twice, left < right, ascending: the pairs of them of which one end is among the `TOP_K`
            nearest neighbours of the other by a retriever.
    """

    def __init__(
        self,
        features: Features | ParsedFeatures,
        signals: Sequence[str],
        found: Neighbourhoods | None = None,
        copies: NDArray[np.integer] | None = None,
        *,
        scaled: bool = True,
        fields: Sequence[Field] = (),
    ) -> None:
        self.signals, self.fields = tuple(signals), tuple(fields)
        self.names = pair_feature_names(signals, scaled=scaled, fields=fields)
        parsed = _parsed(features, signals)
        weighted = self._weighted = TfIdf(parsed.titles, words, copies=copies) if "title" in signals else None
        retrievers = retrievers_of(parsed, weighted, signals, None if found is None else found.shares, copies)
        self._retrievers = {it.name: it for it in retrievers}
        self._titles = None if weighted is None else TitleWords(parsed.titles, weighted)
        hashes = parsed.features.hashes
        self._hashes = np.sort(hashes.values[hashes.known])
        vectors = {name: retriever.vectors for name, retriever in self._retrievers.items()}
        if found is None:
            nearest = {name: retriever.nearest(_NEAREST) for name, retriever in self._retrievers.items()}
            similarities = self._stacked(nearest)
        else:
            similarities = found.similarities
        self.own = self._profiles(parsed, vectors, similarities, len(features))
        if found is None:
            one, other = concatenated(top_pairs(nearest), self._equal_to(self.own, None))
            apart = one != other
            one, other = one[apart], other[apart]
            self.candidates = distinct(np.minimum(one, other), np.maximum(one, other), len(features))
        else:
            self.candidates = found.candidates

    def __len__(self) -> int:
        return len(self.own)

    @property
    def found(self) -> Neighbourhoods:
        """What searching the catalogue's postings among each other has found."""
        blends = (it.shares for it in self._retrievers.values() if isinstance(it, ExpandedTitleRetriever))
        return Neighbourhoods(self.own.neighbours.similarities, next(blends, None), self.candidates)

    @property
    def dimensions(self) -> dict[str, int]:
        """Length of the embeddings of each retriever of images."""
        retrievers = (it for it in self._retrievers.values() if isinstance(it, EmbeddingRetriever))
        return {retriever.name: retriever.vectors.shape[1] for retriever in retrievers}

    def nothing(self) -> Profiles:
        """The profiles of no postings."""
        embeddings = {name: np.empty((0, size), np.float32) for name, size in self.dimensions.items()}
        return self.profiles(ParsedFeatures.of(Features.of([], [], embeddings)))[0]

    @property
    def word_counts(self) -> Mapping[str, int]:
        """By word (see `ParsedTitle.words`), how many titles of the catalogue hold it; empty without signal title."""
        return {} if self._weighted is None else self._weighted.counts

    def profiles(
        self, features: ParsedFeatures, alive: Alive = None
    ) -> tuple[Profiles, NDArray[np.int32], NDArray[np.int32]]:
        """Profiles of new postings, each as if the catalogue held it and no other, and their candidates.

        Args:
            features: of the new postings.
            alive: bool [n], which postings of the catalogue are still there; None: all.

        Returns:
            The profiles; left ends, which are new postings, and right ends, of the catalogue, int32 [m], ascending.
        """
        if alive is not None and alive.all():
            alive = None
        gone = None if alive is None else ~alive
        retrieved = dict[str, Retrieved]()
        # the one that builds on others comes last
        for it in sorted(self._retrievers.values(), key=lambda it: isinstance(it, ExpandedTitleRetriever)):
            retrieved[it.name] = it.retrieve(features, retrieved, _NEAREST, alive)
        vectors = {name: found.vectors for name, found in retrieved.items()}
        nearest = {name: found.nearest for name, found in retrieved.items()}
        found = self._profiles(features, vectors, self._stacked(nearest), len(self) + 1, new=True)
        if gone is not None:
            found = replace(found.without(self.own, gone), catalogue_size=len(self) - int(gone.sum()) + 1)
        compared = {name: it.compared for name, it in retrieved.items() if it.compared is not None}
        found = replace(found, compared=compared)
        one, other = concatenated(top_pairs(nearest), self._equal_to(found, alive))
        return found, *distinct(one, other, len(self))

    def among(self, new: Profiles) -> tuple[Profiles, NDArray[np.int32], NDArray[np.int32]]:
        """Profiles of new postings as if the catalogue held all of them, and the candidates among them.

        All are compared with all, which suits some hundred. The weights of words stay the catalogue's: a word that it
        lacks weighs what a word of one title does.

        Args:
            new: what `profiles` returned.

        Returns:
            The profiles; left < right, int32 [m] each, ascending. What is as near as the last of the `TOP_K` is a
            candidate too.
        """
        if len(new) < 2:
            return new, *ends_of(np.zeros((len(new), len(new)), np.bool_))
        similarities = self._similarities(new, new)
        own = np.arange(len(new))
        similarities[:, own, own] = -np.inf
        whole = new.including(similarities, new, own=True)
        near = are_near(whole.neighbours, similarities)
        return replace(whole, catalogue_size=new.catalogue_size + len(new) - 1), *ends_of(np.triu(near | near.T))

    def between(
        self, new: Profiles, others: Profiles, alive: NDArray[np.bool_]
    ) -> tuple[Profiles, Profiles, NDArray[np.int32], NDArray[np.int32]]:
        """Profiles of new postings and of others that came before them, as if the catalogue held both.

        Args:
            new: what `profiles` or `among` returned, k of them.
            others: the same of m postings.
            alive: bool [m], which of the others are still there.

        Returns:
            The profiles of both (where others are gone, their own repeats still count them); and the candidates between
            them: left ends, which are new, and right ends, which are others, int32 [p] each, ascending.
        """
        if not len(others):
            return new, replace(others, catalogue_size=new.catalogue_size), *ends_of(np.zeros((len(new), 0), np.bool_))
        similarities = np.where(alive, self._similarities(new, others), -np.inf)
        back = similarities.transpose(0, 2, 1)
        size = new.catalogue_size + int(alive.sum())
        whole = new.including(similarities, others).without(others, ~alive)
        knowing = others.including(back, new)
        near = are_near(whole.neighbours, similarities) | are_near(knowing.neighbours, back).T
        return replace(whole, catalogue_size=size), replace(knowing, catalogue_size=size), *ends_of(near)

    def nearest_among(
        self, profiles: Profiles, row: int, others: Profiles, allowed: NDArray[np.bool_]
    ) -> NDArray[np.intp]:
        """The candidates that one posting would have if only some were there, ascending.

        Args:
            profiles: hold the posting.
            row: which of them it is.
            others: m postings that came after the n of the catalogue.
            allowed: bool [n + m], which of both may be candidates.
        """
        here, later, this = allowed[: len(self)], allowed[len(self) :], np.array([row])
        vectors = {name: it.selected(profiles.vectors[name], this) for name, it in self._retrievers.items()}
        known = {name: compared[this] for name, compared in profiles.compared.items()}
        nearest = {
            name: it.nearest_to(vectors[name], TOP_K, here, known.get(name)) for name, it in self._retrievers.items()
        }
        hashes = None if profiles.hashes is None else profiles.hashes.select(this)
        titles = None if profiles.titles is None else profiles.titles.keys[this]
        _, found = concatenated(top_pairs(nearest), self._equal.equal(hashes, titles, here, TOP_K))
        rows = np.flatnonzero(later)
        if not len(rows):
            return np.unique(found).astype(np.intp)
        similarities = self._compared(vectors, others.vectors, np.zeros_like(rows), rows)[:, np.newaxis]
        near = are_near(Neighbours.of(self._stacked(nearest)).including(similarities), similarities)
        return np.union1d(found, len(self) + rows[near[0]]).astype(np.intp)

    def joined(self, one: Profiles, other: Profiles) -> Profiles:
        """The profiles of postings that were compared with each other, as one."""
        return Profiles(
            other.catalogue_size,
            {name: it.joined(one.vectors[name], other.vectors[name]) for name, it in self._retrievers.items()},
            one.neighbours.joined(other.neighbours),
            None if one.titles is None or other.titles is None else one.titles.joined(other.titles),
            None if one.hashes is None or other.hashes is None else one.hashes.joined(other.hashes),
            np.concatenate([one.hash_repeats, other.hash_repeats]),
            np.concatenate([one.images, other.images]),
            None if one.evidence is None or other.evidence is None else one.evidence.joined(other.evidence),
        )

    def features(
        self,
        profiles: Profiles,
        left: NDArray[np.integer],
        right: NDArray[np.integer],
        others: Profiles | None = None,
    ) -> NDArray[np.float32]:
        """The pair features, float32 [m, `names`]; NaN where an end lacks what a feature takes.

        The same for (a, b) and (b, a) of the same profiles.

        Args:
            profiles: of the left ends.
            left: [m], positions in the profiles of the left ends.
            right: [m], in those of the right ends.
            others: profiles of the right ends, whose neighbours do not include the left ones yet: each pair is looked
                at as if they did. None: they are among `profiles`, and know each other.
        """
        found = np.empty((len(left), len(self.names)), np.float32)
        for first in range(0, len(left), _BLOCK):
            piece = slice(first, first + _BLOCK)
            np.concatenate(self._parts(profiles, others, left[piece], right[piece]), axis=1, out=found[piece])
        return found

    def _parts(
        self, profiles: Profiles, others: Profiles | None, left: NDArray[np.integer], right: NDArray[np.integer]
    ) -> list[NDArray[np.float32]]:
        one, other = profiles, profiles if others is None else others
        parts = [np.full((len(left), 1), np.log(one.catalogue_size), np.float32)]
        known = one.compared if other is self.own else {}
        compared = [
            it.similarities(one.vectors[name], other.vectors[name], left, right, known.get(name))
            for name, it in self._retrievers.items()
        ]
        least, ends = None if others is None else self._least, (one.neighbours, other.neighbours, left, right)
        parts.append(rank_features(np.stack(compared), *ends, least))
        if one.titles is not None and other.titles is not None:
            parts.append(word_features(one.titles, other.titles, left, right))
            parts.append(summarise(compare(one.titles.attributes, left, other.titles.attributes, right)))
        if one.hashes is not None and other.hashes is not None:
            known = one.hashes.known[left] & other.hashes.known[right]
            equal = one.hashes.values[left] == other.hashes.values[right]
            repeats = one.hash_repeats[left]
            both = np.column_stack(low_high(repeats, np.where(equal, repeats, other.hash_repeats[right])))
            parts.append(np.where(known[:, np.newaxis], both, np.nan).astype(np.float32))
        parts.append(same_images(one.images[left], other.images[right])[:, np.newaxis])
        if SCALED in self.names:
            place = list(self._retrievers).index("image")
            scaled = scaled_similarities(compared[place], place, *ends, including=others is not None)
            parts.append(scaled[:, np.newaxis])
        if one.evidence is not None and other.evidence is not None:
            parts.append(evidence_features(one.evidence, other.evidence, left, right))
        return parts

    def _equal_to(self, profiles: Profiles, alive: Alive) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of some postings, and rows of those alive with an equal hash or title."""
        titles = None if profiles.titles is None else profiles.titles.keys
        return self._equal.equal(profiles.hashes, titles, alive, TOP_K)

    @cached_property
    def _equal(self) -> EqualPostings:
        return EqualPostings.of(self.own)

    def _profiles(
        self,
        postings: ParsedFeatures,
        vectors: Mapping[str, Any],
        similarities: NDArray[np.float64],
        size: int,
        *,
        new: bool = False,
    ) -> Profiles:
        features = postings.features
        return Profiles(
            size,
            vectors,
            Neighbours.of(similarities),
            None if self._titles is None else self._titles.profiles(postings.titles, vectors["words"], new=new),
            features.hashes if "hash" in self.signals else None,
            occurrences(features.hashes.values, self._hashes) + new,
            features.images,
            features.evidence_of(self.fields),
        )

    def _stacked(self, nearest: Mapping[str, Candidates]) -> NDArray[np.float64]:
        """The similarities [r, n, k] of the candidates that each retriever has found."""
        return np.stack([nearest[name].similarities for name in self._retrievers])

    @cached_property
    def _least(self) -> NDArray[np.float64]:
        return np.array([retriever.least for retriever in self._retrievers.values()])

    def _similarities(self, one: Profiles, other: Profiles) -> NDArray[np.float64]:
        """Similarities [r, k, m] of all pairs; −inf where they are not near enough to be neighbours."""
        left, right = np.indices((len(one), len(other))).reshape(2, -1)
        found = self._compared(one.vectors, other.vectors, left, right)
        return found.reshape(len(self._retrievers), len(one), len(other))

    def _compared(
        self, one: Mapping[str, Any], other: Mapping[str, Any], left: NDArray[np.intp], right: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """The same of some pairs, [r, p], by the vectors of both and the rows [p] of their ends."""
        retrievers = self._retrievers.items()
        compared = [it.similarities(one[name], other[name], left, right) for name, it in retrievers]
        values = np.stack(compared).astype(np.float64)
        return np.where(values >= self._least[:, np.newaxis], values, -np.inf)


def _parsed(features: Features | ParsedFeatures, signals: Sequence[str]) -> ParsedFeatures:
    """Features with their titles parsed, where titles are a signal."""
    if isinstance(features, ParsedFeatures):
        return features
    return ParsedFeatures.of(features) if "title" in signals else ParsedFeatures(features, [])

"""Candidates and pair features of postings of one catalogue: by retrievers, titles, hashes and image keys."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.catalogue.fields import Field
from pricematch.pairs.candidate_pairs import TOP_K, are_near, concatenated, distinct, ends_of, top_pairs
from pricematch.pairs.equal_values import EqualPostings
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.image_profiles import (
    CountedHashes,
    ImageProfiles,
    shown_hashes,
)
from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from pricematch.pairs.neighbours import (
    Neighbourhoods,
    Neighbours,
)
from pricematch.pairs.pair_comparison import PairComparison
from pricematch.pairs.profiles import Profiles
from pricematch.pairs.retriever import Alive, ParsedFeatures, Retrieved
from pricematch.pairs.retrievers import retrievers_of
from pricematch.pairs.title_features import TitleWords
from pricematch.pairs.title_retrievers import ExpandedTitleRetriever
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
        self._comparison = PairComparison(retrievers, self.names)
        self._titles = None if weighted is None else TitleWords(parsed.titles, weighted)
        self._hashes = np.sort(shown_hashes(parsed.features.every.made(lambda it: it.hashes))[1])
        vectors = {name: retriever.vectors for name, retriever in self._retrievers.items()}
        if found is None:
            nearest = {name: retriever.nearest(_NEAREST) for name, retriever in self._retrievers.items()}
            similarities = self._comparison.stacked(nearest)
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
        retrievers = (it for it in self._retrievers.values() if it.name in IMAGE_RETRIEVERS)
        return {retriever.name: retriever.vectors.first.shape[1] for retriever in retrievers}

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
        found = self._profiles(features, vectors, self._comparison.stacked(nearest), len(self) + 1, new=True)
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
        similarities = self._comparison.similarities(new, new)
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
        similarities = np.where(alive, self._comparison.similarities(new, others), -np.inf)
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
        titles = None if profiles.titles is None else profiles.titles.keys[this]
        _, found = concatenated(top_pairs(nearest), self._equal.equal(profiles.images.shown(this), titles, here, TOP_K))
        rows = np.flatnonzero(later)
        if not len(rows):
            return np.unique(found).astype(np.intp)
        similarities = self._comparison.compared(vectors, others.vectors, np.zeros_like(rows), rows)[:, np.newaxis]
        near = are_near(Neighbours.of(self._comparison.stacked(nearest)).including(similarities), similarities)
        return np.union1d(found, len(self) + rows[near[0]]).astype(np.intp)

    def joined(self, one: Profiles, other: Profiles) -> Profiles:
        """The profiles of postings that were compared with each other, as one."""
        return self._comparison.joined(one, other)

    def features(
        self,
        profiles: Profiles,
        left: NDArray[np.integer],
        right: NDArray[np.integer],
        others: Profiles | None = None,
    ) -> NDArray[np.float32]:
        """The pair features, float32 [m, `names`]; see `PairComparison.features`."""
        return self._comparison.features(profiles, left, right, others, known=others is self.own)

    def _equal_to(self, profiles: Profiles, alive: Alive) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of some postings, and rows of those alive with an equal hash or title."""
        titles = None if profiles.titles is None else profiles.titles.keys
        return self._equal.equal(profiles.images.shown(), titles, alive, TOP_K)

    @cached_property
    def _equal(self) -> EqualPostings:
        return EqualPostings.of(self.own.images.shown(), None if self.own.titles is None else self.own.titles.keys)

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
        hashes = features.every.made(lambda it: CountedHashes.among(it.hashes, self._hashes, new=new))
        return Profiles(
            size,
            vectors,
            Neighbours.of(similarities),
            None if self._titles is None else self._titles.profiles(postings.titles, vectors["words"], new=new),
            ImageProfiles(hashes if "hash" in self.signals else None, features.image_keys),
            features.evidence_of(self.fields),
        )


def _parsed(features: Features | ParsedFeatures, signals: Sequence[str]) -> ParsedFeatures:
    """Features with their titles parsed, where titles are a signal."""
    if isinstance(features, ParsedFeatures):
        return features
    return ParsedFeatures.of(features) if "title" in signals else ParsedFeatures(features, [])

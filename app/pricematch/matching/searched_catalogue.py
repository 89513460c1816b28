"""A catalogue with all that is needed to search it, and how it takes in changes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.evidence import NO_EVIDENCE, EvidenceFields
from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.fields import Field, Fields
from pricematch.catalogue.filters import Filter
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.errors import EncoderNeeded, EncoderUnknown, MatcherNeeded
from pricematch.matching.last_results import LastResults
from pricematch.matching.made_features import MadeFeatures
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.seen_images import SeenImages
from pricematch.matching.similarity import SimilaritySearch
from pricematch.matching.stock_images import StockImages

_KEPT_MASKS = 8
_KEPT_CLUSTERS = 4
_AT_ONCE = 256
"""Rows that are compared all with all."""


@dataclass(frozen=True)
class SearchedCatalogue:
    """A catalogue with all that is needed to search it. Immutable, safe to use from several threads.

    Attributes:
        catalogue: n postings.
        similarity: by encoder key, the search by similarity.
        named: encoder key by the name that requests give, the default first.
        stock: stored images that are no evidence.
        probability: the search by probability; None where there is no pair model.
        retrieved: encoder key by the name of the retriever of the pair model that takes its embeddings.
        feedback: on pairs of postings, which overrules what is computed.
        fields: declared ones, by which filters are quick.
    """

    catalogue: Catalogue
    similarity: Mapping[str, SimilaritySearch]
    named: Mapping[str, str]
    stock: StockImages
    probability: ProbabilitySearch | None = None
    retrieved: Mapping[str, str] = field(default_factory=dict)
    feedback: Feedback = NO_FEEDBACK
    fields: Fields = field(default_factory=Fields)

    @property
    def encoders(self) -> Mapping[str, SimilaritySearch]:
        """The embeddings by the name that requests give, the default first."""
        return {name: self.similarity[key] for name, key in self.named.items()}

    @property
    def wanted_of_stored(self) -> Wanted:
        """Features that every stored image needs."""
        return Wanted(frozenset(self.similarity), phash=True)

    @property
    def models(self) -> Mapping[str, str]:
        """Name and version of the pair model, and of the encoders whose embeddings it takes."""
        models = {} if self.probability is None else dict(self.probability.versions)
        for key in self.retrieved.values():
            models |= self.similarity[key].encoder.versions
        return models

    def with_feedback(self, feedback: Feedback) -> Self:
        """The same catalogue with other feedback."""
        probability = None if self.probability is None else self.probability.with_feedback(feedback)
        return replace(self, feedback=feedback, probability=probability)

    def with_metadata(self, metadata: Mapping[int, Metadata]) -> Self:
        """The same with other metadata of the postings of some rows, in fields that change no match."""
        catalogue = self.catalogue.with_metadata(metadata)
        return replace(self, catalogue=catalogue, fields=self.fields.changed(np.array([*metadata], np.intp), catalogue))

    @property
    def basis(self) -> tuple[StockImages, Feedback]:
        """The same two objects in matchers that find the same: those that differ in metadata at most."""
        return self.stock, self.feedback

    def changed(
        self, put: Sequence[Posting], removed: Sequence[str], images: Sequence[Sequence[ImageFeatures | None]]
    ) -> Self:
        """The matcher of a changed catalogue, see `Catalogue.changed`.

        Args:
            put: k postings, new ones and those that take the place of others.
            removed: ids of postings that are no more.
            images: k, the features of the images of `put`, each in its place; None for one that cannot be used.
        """
        before, catalogue = self.catalogue.span, self.catalogue.changed(put, removed)
        stock = self.stock.changed(catalogue, SeenImages.of_images([it.image_phash for it in put], images))
        turned = stock.turned(self.stock)
        embedded = {key: self.made.layered(key, images) for key in self.similarity}
        similarity = {
            key: it.changed(catalogue, embedded[key].first, stock.no_evidence, embedded[key].more)
            for key, it in self.similarity.items()
        }
        fields = self.fields.changed(np.arange(before, catalogue.span), catalogue)
        changed = replace(self, catalogue=catalogue, similarity=similarity, stock=stock, fields=fields)
        if self.probability is None:
            return changed
        rows = np.concatenate([np.arange(before, catalogue.span), turned])
        features, probability = changed.made.of_stored(self.probability, catalogue, stock, rows), self.probability
        for first in range(0, max(1, len(rows)), _AT_ONCE):
            piece = np.arange(first, min(first + _AT_ONCE, len(rows)))
            probability = probability.placed(catalogue, rows[piece], features.select(piece))
        return replace(changed, probability=probability)

    def with_fields(self, declared: Sequence[Field]) -> Self:
        """The same with other declared fields, which changes no result: evidence does once all is read anew."""
        return replace(self, fields=self.fields.declaring(declared, self.catalogue))

    @property
    def evidence_fields(self) -> EvidenceFields:
        """The evidence fields that postings are compared by."""
        return NO_EVIDENCE if self.probability is None else self.probability.evidence

    @property
    def outdated(self) -> bool:
        """Whether other fields that the pair model takes are declared as evidence than it was made with."""
        now = EvidenceFields.declared(self.evidence_fields.fields, self.fields.declared.values())
        return now != self.evidence_fields

    def allowed(self, condition: Filter | None) -> NDArray[np.bool_] | None:
        """Bool [span], the rows of postings that a filter holds of; None where it holds of all.

        The last ones are kept, so that pages and several images of a request look into postings once.

        Raises:
            FieldNotDeclared: it would look into too many postings.
        """
        if condition is None:
            return None
        found = self._masks(condition)
        return None if found.sum() == len(self.catalogue) else found

    @cached_property
    def _masks(self) -> Callable[[Filter], NDArray[np.bool_]]:
        return lru_cache(_KEPT_MASKS)(lambda condition: self.fields.mask(condition, self.catalogue))

    @cached_property
    def kept_clusters(self) -> LastResults[Any]:
        """The last clusters of all postings that a filter holds of, from which their pages are cut."""
        return LastResults(_KEPT_CLUSTERS)

    def encoder(self, name: str | None, what: str) -> SimilaritySearch:
        """The embeddings by the named encoder, or by the default one.

        Args:
            name: one of `named`, or None.
            what: needs it, for the error.

        Raises:
            EncoderNeeded: there is none.
            EncoderUnknown: there are others.
        """
        if not self.named:
            raise EncoderNeeded(what)
        if name is not None and name not in self.named:
            raise EncoderUnknown(f"expected one of the encoders {', '.join(self.named)}, got {name!r}")
        return self.similarity[next(iter(self.named.values())) if name is None else self.named[name]]

    def trained(self, what: str) -> ProbabilitySearch:
        """The pair model over the catalogue; raises MatcherNeeded, which says what needs it."""
        if self.probability is None:
            raise MatcherNeeded(what)
        return self.probability

    def evidence(self, image: ImageFeatures) -> ImageFeatures | None:
        """An image, unless it is a stock image or of one colour."""
        return None if self.stock.silences(image) else image

    @property
    def made(self) -> MadeFeatures:
        """What makes features for the pair model."""
        return MadeFeatures(self.similarity, self.retrieved)

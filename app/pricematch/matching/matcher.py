"""Finds the postings that are the same product as a query, or as a stored posting."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.evidence import NO_EVIDENCE, EvidenceFields
from pricematch.catalogue.features import Embeddings, Features, ImageFeatures, Wanted
from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.fields import Field, Fields
from pricematch.catalogue.filters import Filter
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.errors import EncoderNeeded, EncoderUnknown, MatcherNeeded, SignalNeeded
from pricematch.matching.image_pairs import ShownImages, with_nearest_images
from pricematch.matching.last_results import LastResults
from pricematch.matching.made_features import MadeFeatures
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.probability_matches import explained
from pricematch.matching.queries import Decision, Matches, Options, Query, Result
from pricematch.matching.query_images import QueryImages
from pricematch.matching.ranked_matches import RankedMatches, match_query, match_row
from pricematch.matching.seen_images import SeenImages
from pricematch.matching.similarity import SimilaritySearch
from pricematch.matching.similarity_matches import similar_to, similar_to_posting, similarity_decision
from pricematch.matching.stock_images import StockImages

_KEPT_MASKS = 8
_KEPT_CLUSTERS = 4
_AT_ONCE = 256
"""Rows that are compared all with all."""


@dataclass(frozen=True)
class Matcher:
    """A catalogue with all that is needed to search it. Immutable, safe to use from several threads.

    Features go in, results come out; images are encoded elsewhere. With a pair model its probabilities decide; without
    one, the similarity by an encoder.

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

    def with_feedback(self, feedback: Feedback) -> "Matcher":
        """The same catalogue with other feedback."""
        probability = None if self.probability is None else self.probability.with_feedback(feedback)
        return replace(self, feedback=feedback, probability=probability)

    def with_metadata(self, metadata: Mapping[int, Metadata]) -> "Matcher":
        """The same with other metadata of the postings of some rows, in fields that change no match."""
        catalogue = self.catalogue.with_metadata(metadata)
        return replace(self, catalogue=catalogue, fields=self.fields.changed(np.array([*metadata], np.intp), catalogue))

    @property
    def basis(self) -> tuple[StockImages, Feedback]:
        """The same two objects in matchers that find the same: those that differ in metadata at most."""
        return self.stock, self.feedback

    def changed(
        self, put: Sequence[Posting], removed: Sequence[str], images: Sequence[Sequence[ImageFeatures | None]]
    ) -> "Matcher":
        """The matcher of a changed catalogue, see `Catalogue.changed`.

        Args:
            put: k postings, new ones and those that take the place of others.
            removed: ids of postings that are no more.
            images: k, the features of the images of `put`, each in its place; None for one that cannot be used.
        """
        before, catalogue = self.catalogue.span, self.catalogue.changed(put, removed)
        stock = self.stock.changed(catalogue, SeenImages.of_images([it.image_phash for it in put], images))
        turned = stock.turned(self.stock)
        embedded = {key: self._made.layered(key, images) for key in self.similarity}
        similarity = {
            key: it.changed(catalogue, embedded[key].first, stock.no_evidence, embedded[key].more)
            for key, it in self.similarity.items()
        }
        fields = self.fields.changed(np.arange(before, catalogue.span), catalogue)
        changed = replace(self, catalogue=catalogue, similarity=similarity, stock=stock, fields=fields)
        if self.probability is None:
            return changed
        rows = np.concatenate([np.arange(before, catalogue.span), turned])
        features, probability = changed._made.of_stored(self.probability, catalogue, stock, rows), self.probability
        for first in range(0, max(1, len(rows)), _AT_ONCE):
            piece = np.arange(first, min(first + _AT_ONCE, len(rows)))
            probability = probability.placed(catalogue, rows[piece], features.select(piece))
        return replace(changed, probability=probability)

    def with_fields(self, declared: Sequence[Field]) -> "Matcher":
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

    def wanted(self, options: Options, *, image: bool, title: bool) -> Wanted:
        """Features of an image that `match` takes; to be asked before the image is encoded.

        Args:
            options: of the query.
            image: whether the query has one.
            title: whether it has one.

        Raises:
            RequestUnanswerable: there is no model or encoder that could do this.
        """
        if self.probability is None:
            if not image:
                raise MatcherNeeded("matching by title")
            return self._wanted_by_similarity(self._deciding(options))
        self.probability.rule(options.target, options.min_probability)
        self.probability.check_signals(image=image, title=title)
        compared = self.compared(options)
        if not image:
            if options.min_similarity is not None:
                raise SignalNeeded("min_similarity takes an image, got a title only")
            return Wanted()
        # encoding is the dearest thing here: similarity by another encoder is computed only where it is wanted
        extra = options.encoder is not None or options.min_similarity is not None
        keys = {*self.retrieved.values(), *([compared.encoder.key] if extra and compared is not None else [])}
        return Wanted(frozenset(keys), phash=True)

    def wanted_for_clusters(self, by_similarity: SimilaritySearch | None) -> Wanted:
        """Features of an image that clusters take, by a matcher where not by similarity.

        Raises MatcherNeeded, SignalNeeded.
        """
        if by_similarity is not None:
            return self._wanted_by_similarity(by_similarity)
        self.trained("method matcher").check_signals(image=True)
        return Wanted(frozenset(self.retrieved.values()), phash=True)

    def evidence(self, image: ImageFeatures) -> ImageFeatures | None:
        """An image, unless it is a stock image or of one colour."""
        return None if self.stock.silences(image) else image

    def features(self, images: Sequence[ImageFeatures], metadata: Sequence[Metadata]) -> Features:
        """Features of postings that have these images and metadata, and no title; raises MatcherNeeded."""
        return self._made.of_images(
            self.trained("method matcher"), [""] * len(images), [[self.evidence(it)] for it in images], metadata
        )

    def features_of(self, query: Query) -> Features:
        """Features of a query, of whose images those are left out that are no evidence; raises MatcherNeeded."""
        images = self.images_of(query).evidence
        return self._made.of_images(self.trained("matching by title"), [query.title], [images], [query.metadata])

    def decision(self, options: Options, encoders: Collection[str] = ()) -> Decision:
        """The decision rule of some options.

        Args:
            options: of a query.
            encoders: keys of those by which the query has an embedding.

        Raises:
            RequestUnanswerable: there is no model or encoder that could do this.
        """
        if self.probability is None:
            return similarity_decision(self._deciding(options), options)
        rule, compared = self.probability.rule(options.target, options.min_probability), self.compared(options)
        models = dict(self.models)
        if compared is not None and compared.encoder.key in encoders:
            models |= compared.encoder.versions
        told = self.probability.probabilities
        return Decision("probability", rule.target, rule.thresholds.match, rule.thresholds.fallback, models, told)

    def match(self, query: Query, options: Options) -> Result:
        """The matches of a query whose image has the features that `wanted` names.

        Raises:
            RequestUnanswerable: there is no model or encoder that could do this.
            FieldNotDeclared: the filter would look into too many postings.
        """
        images = self.images_of(query)
        if self.probability is not None:
            found = self._by_probability(self.probability, query, images, options)
        elif not query.images:
            raise MatcherNeeded("matching by title")
        else:
            search, allowed = self._deciding(options), self.allowed(options.filter)
            found = similar_to(search, None if images.silent else images.embeddings(search), options, allowed)
        one_colour = images.silent and any(image.one_colour for image in query.images)
        found = replace(found, stock=self.stock.of_images(query.images), one_colour=one_colour)
        return self._with_nearest(found, images.shown, options)

    def match_posting(self, posting_id: str, options: Options) -> Result:
        """The matches of a stored posting, itself excluded, from what is stored of it.

        Raises:
            PostingNotFound: no posting has this id.
            RequestUnanswerable: there is no model or encoder that could do this.
            FieldNotDeclared: the filter would look into too many postings.
        """
        row, allowed = self.catalogue.row(posting_id), self.allowed(options.filter)
        if self.probability is None:
            found = similar_to_posting(self._deciding(options), posting_id, options, self.feedback, allowed)
        else:
            rule, compared = self.probability.rule(options.target, options.min_probability), self.compared(options)
            embeddings = None if compared is None else compared.embedding(posting_id)
            ranked = match_row(self.probability, row, rule, allowed)
            found = self._explained(self.probability, ranked, options, compared, embeddings)
        found = replace(found, stock=self.stock.of_row(row), one_colour=bool(self.stock.one_colour[row]))
        return self._with_nearest(found, self.shown(posting_id), options)

    def shown(self, posting_id: str) -> ShownImages:
        """The images of a stored posting; raises PostingNotFound."""
        row = self.catalogue.row(posting_id)
        hashes = self.stock.counted_hashes.select(np.array([row]))
        return ShownImages(len(self.catalogue[row].images), hashes, lambda search: search.embedding(posting_id))

    def images_of(self, query: Query) -> QueryImages:
        """The images of a query."""
        return QueryImages(query, self.stock, self._made)

    def nearest_by(self, options: Options) -> list[SimilaritySearch]:
        """The encoders that say which images are the nearest, the one whose similarity is given first."""
        named = [self.encoder(options.encoder, "encoder")] if self.named else []
        retrieved = [self.similarity[key] for name, key in self.retrieved.items() if name == "image"]
        return named + [search for search in retrieved if search not in named]

    def _with_nearest(self, found: Result, shown: ShownImages, options: Options) -> Result:
        """A result whose matches say which images are the nearest."""
        return with_nearest_images(found, shown, self.catalogue, self.stock, self.nearest_by(options))

    def _deciding(self, options: Options) -> SimilaritySearch:
        """The encoder that decides without a pair model."""
        if options.target is not None or options.min_probability is not None:
            raise MatcherNeeded("target" if options.target is not None else "min_probability")
        return self.encoder(options.encoder, "matching without a matcher")

    def compared(self, options: Options) -> SimilaritySearch | None:
        """The encoder whose similarity is given beside probabilities; None where none is held and none is wanted."""
        if options.encoder is None and options.min_similarity is None and not self.named:
            return None
        return self.encoder(options.encoder, "min_similarity" if options.encoder is None else "encoder")

    def _by_probability(self, search: ProbabilitySearch, query: Query, images: QueryImages, options: Options) -> Result:
        rule, compared = search.rule(options.target, options.min_probability), self.compared(options)
        if not query.images and options.min_similarity is not None:
            raise SignalNeeded("min_similarity takes an image, got a title only")
        if images.silent and not search.compares(title=bool(query.title)):
            return Result(Matches([]), self.decision(options))
        found = match_query(search, self.features_of(query), rule, self.allowed(options.filter))
        embeddings = None if compared is None else images.embeddings(compared)
        return self._explained(search, found, options, compared, embeddings)

    def _explained(
        self,
        search: ProbabilitySearch,
        found: RankedMatches,
        options: Options,
        compared: SimilaritySearch | None,
        embeddings: Embeddings | None,
    ) -> Result:
        """The matches that options let through, see `explained`."""
        encoders = [compared.encoder.key] if compared is not None and embeddings is not None else []
        return explained(search, found, options, self.decision(options, encoders), self.stock, compared, embeddings)

    @property
    def _made(self) -> MadeFeatures:
        return MadeFeatures(self.similarity, self.retrieved)

    def _wanted_by_similarity(self, search: SimilaritySearch) -> Wanted:
        """Hashes take as long as all else, and tell nothing where there is no stock image to be known by one."""
        return Wanted(frozenset({search.encoder.key}), phash=bool(self.stock.found))

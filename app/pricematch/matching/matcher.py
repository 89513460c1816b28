"""Finds the postings that are the same product as a query, or as a stored posting."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.evidence import NO_EVIDENCE, EvidenceFields
from pricematch.catalogue.features import (
    ONE_COLOUR,
    Embeddings,
    Features,
    ImageFeatures,
    Wanted,
    decisive_hashes,
    image_keys,
    parse_hashes,
)
from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.fields import Field, Fields
from pricematch.catalogue.filters import Filter
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.errors import EncoderNeeded, EncoderUnknown, MatcherNeeded, SignalNeeded
from pricematch.matching.last_results import LastResults
from pricematch.matching.made_features import MadeFeatures
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.queries import Decision, Evidence, Match, Matches, Options, Query, Result
from pricematch.matching.ranked_matches import RankedMatches, explain, match_query, match_row
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
        self, put: Sequence[Posting], removed: Sequence[str], images: Sequence[ImageFeatures | None]
    ) -> "Matcher":
        """The matcher of a changed catalogue, see `Catalogue.changed`.

        Args:
            put: k postings, new ones and those that take the place of others.
            removed: ids of postings that are no more.
            images: k, the features of the images of `put`; None where one has none, or none that can be used.
        """
        before, catalogue = self.catalogue.span, self.catalogue.changed(put, removed)
        computed = [None if image is None else image.phash for image in images]
        hashes = decisive_hashes([it.image_phash for it in put], computed)
        keys = [None if image is None or image.one_colour else image.digest for image in images]
        one_colour = np.array([text == ONE_COLOUR for text in computed], np.bool_)
        stock = self.stock.changed(catalogue, parse_hashes(hashes), image_keys(keys), one_colour)
        turned = np.flatnonzero((stock.marked[:before] != self.stock.marked) & catalogue.alive[:before])
        similarity = {
            key: it.changed(catalogue, self._made.embeddings(key, images), stock.no_evidence)
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
        return None if image.one_colour or self.stock.of_image(image) else image

    def features(self, images: Sequence[ImageFeatures], metadata: Sequence[Metadata]) -> Features:
        """Features of postings that have these images and metadata, and no title; raises MatcherNeeded."""
        return self._made.of_images(
            self.trained("method matcher"), [""] * len(images), [*map(self.evidence, images)], metadata
        )

    def features_of(self, query: Query) -> Features:
        """Features of a query, whose image is left out where it is no evidence; raises MatcherNeeded."""
        image = None if query.image is None else self.evidence(query.image)
        return self._made.of_images(self.trained("matching by title"), [query.title], [image], [query.metadata])

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
        image = query.image
        if self.probability is not None:
            found = self._by_probability(self.probability, query, options)
        elif image is None:
            raise MatcherNeeded("matching by title")
        else:
            search = self._deciding(options)
            told, allowed = self.evidence(image) is not None, self.allowed(options.filter)
            found = similar_to(search, image.embeddings[search.encoder.key] if told else None, options, allowed)
        return found if image is None else replace(found, stock=self.stock.of_image(image), one_colour=image.one_colour)

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
            embedding = None if compared is None else compared.embedding(posting_id)
            ranked = match_row(self.probability, row, rule, allowed)
            found = self._explained(self.probability, ranked, options, compared, embedding)
        return replace(found, stock=self.stock.of_row(row), one_colour=bool(self.stock.one_colour[row]))

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

    def _by_probability(self, search: ProbabilitySearch, query: Query, options: Options) -> Result:
        rule, compared = search.rule(options.target, options.min_probability), self.compared(options)
        if query.image is None and options.min_similarity is not None:
            raise SignalNeeded("min_similarity takes an image, got a title only")
        image = None if query.image is None else self.evidence(query.image)
        if image is not query.image and not search.compares(title=bool(query.title)):
            return Result(Matches([]), self.decision(options))
        found = match_query(search, self.features_of(query), rule, self.allowed(options.filter))
        embedding = None
        if query.image is not None and compared is not None and compared.encoder.key in query.image.embeddings:
            embedding = query.image.embeddings[compared.encoder.key][np.newaxis]
        return self._explained(search, found, options, compared, embedding)

    def _explained(
        self,
        search: ProbabilitySearch,
        found: RankedMatches,
        options: Options,
        compared: SimilaritySearch | None,
        embedding: Embeddings | None,
    ) -> Result:
        """The matches that options let through, each with its similarity and why it is one."""
        least = options.min_similarity
        rows = found.rows[: options.last + 1] if least is None else found.rows
        similarities = [None] * len(rows) if compared is None else compared.similarities(embedding, rows)
        kept = [
            place
            for place, similarity in enumerate(similarities)
            if place < found.decided or least is None or (similarity is not None and similarity >= least)
        ]
        more, kept = len(kept) > options.last, kept[options.first : options.last]
        explained = explain(search, found, np.array(kept, np.intp))
        matches = [
            Match(
                posting_id,
                similarities[place],
                float(found.probabilities[place]),
                why.match_type,
                Evidence(why.signals, why.reasons),
                "same" if place < found.decided else None,
                bool(self.stock.marked[rows[place]]),
                bool(self.stock.one_colour[rows[place]]),
            )
            for place, posting_id, why in zip(kept, self.catalogue.ids_of(rows[kept]), explained, strict=True)
        ]
        encoders = [compared.encoder.key] if compared is not None and embedding is not None else []
        return Result(Matches(matches), self.decision(options, encoders), options.last if more else None)

    @property
    def _made(self) -> MadeFeatures:
        return MadeFeatures(self.similarity, self.retrieved)

    def _wanted_by_similarity(self, search: SimilaritySearch) -> Wanted:
        """Hashes take as long as all else, and tell nothing where there is no stock image to be known by one."""
        return Wanted(frozenset({search.encoder.key}), phash=bool(self.stock.found))

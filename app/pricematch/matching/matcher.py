"""Finds the postings that are the same product as a query, or as a stored posting."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pricematch.catalogue.features import Embeddings, Features, ImageFeatures, Wanted
from pricematch.catalogue.metadata import Metadata
from pricematch.errors import MatcherNeeded, SignalNeeded
from pricematch.matching.image_pairs import ShownImages, with_nearest_images
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.probability_matches import explained
from pricematch.matching.queries import Decision, Matches, Options, Query, Result
from pricematch.matching.query_images import QueryImages
from pricematch.matching.ranked_matches import RankedMatches, match_query, match_row
from pricematch.matching.searched_catalogue import SearchedCatalogue
from pricematch.matching.similarity import SimilaritySearch
from pricematch.matching.similarity_matches import similar_to, similar_to_posting, similarity_decision


@dataclass(frozen=True)
class Matcher(SearchedCatalogue):
    """Answers from a catalogue. Immutable, safe to use from several threads.

    Features go in, results come out; images are encoded elsewhere. With a pair model its probabilities decide; without
    one, the similarity by an encoder.
    """

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

    def features(self, images: Sequence[ImageFeatures], metadata: Sequence[Metadata]) -> Features:
        """Features of postings that have these images and metadata, and no title; raises MatcherNeeded."""
        return self.made.of_images(
            self.trained("method matcher"), [""] * len(images), [[self.evidence(it)] for it in images], metadata
        )

    def features_of(self, query: Query) -> Features:
        """Features of a query, of whose images those are left out that are no evidence; raises MatcherNeeded."""
        images = self.images_of(query).evidence
        return self.made.of_images(self.trained("matching by title"), [query.title], [images], [query.metadata])

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
        return QueryImages(query, self.stock, self.made)

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

    def _wanted_by_similarity(self, search: SimilaritySearch) -> Wanted:
        """Hashes take as long as all else, and tell nothing where there is no stock image to be known by one."""
        return Wanted(frozenset({search.encoder.key}), phash=bool(self.stock.found))

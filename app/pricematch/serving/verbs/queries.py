"""Verbs that find and compare postings."""

from collections.abc import Sequence
from dataclasses import replace

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.feedback import among, contradictions
from pricematch.catalogue.filters import Filter
from pricematch.catalogue.metadata import NO_METADATA, Metadata
from pricematch.errors import ImageError
from pricematch.matching.cluster_requests import ClusterOptions, cluster, wanted_for_clusters
from pricematch.matching.comparison import compare, wanted_to_compare
from pricematch.matching.queries import Options, Query, Result
from pricematch.matching.review import review
from pricematch.pairs.thresholds import Target
from pricematch.serving.exclusions import unlike_posting
from pricematch.serving.results import Clustered, Compared, ComparedItem, Matched, MatchedEach, Reviewed
from pricematch.serving.verbs.verbs import Verbs


class QueryVerbs(Verbs):
    """Match, compare, cluster, review."""

    async def match(
        self, images: Sequence[bytes], title: str, options: Options, metadata: Metadata = NO_METADATA
    ) -> Matched:
        """The matches of one posting's images, its title, or both; of metadata those fields count that are evidence.

        Raises:
            FieldNotDeclared: the filter would look into too many postings.
            ImageError: an image cannot be used.
            RequestUnanswerable: nothing that is held could answer this.
            Overloaded, DeadlineExceeded, NotReady, ModelOutputError: not now.
        """
        backend, snapshot = self._ready, self.snapshot
        wanted = snapshot.matcher.wanted(options, image=bool(images), title=bool(title))
        async with self._workers.request():
            [features] = await self._features_of_each(backend, [images], wanted)
            run, query = self._workers.match, _query(title, features, metadata)
            return Matched(snapshot, await self._results.match(snapshot.matcher, query, options, run))

    async def match_each(
        self, images: Sequence[bytes], options: Options, metadata: Metadata = NO_METADATA
    ) -> MatchedEach:
        """The matches of several images, each by itself; a bad one fails alone. Raises as `match`."""
        backend, snapshot = self._ready, self.snapshot
        matcher = snapshot.matcher
        wanted = matcher.wanted(options, image=True, title=False)

        def match_one(image: ImageFeatures) -> Result:
            return matcher.match(Query("", image, metadata), options)

        def match(found: Sequence[ImageFeatures | ImageError]) -> list[Result | ImageError]:
            # one by one: in a catalogue that had the others, each would be less probable
            return [it if isinstance(it, ImageError) else match_one(it) for it in found]

        async with self._workers.request():
            found = await self._image_features.features(images, wanted, backend.features)
            each = await self._workers.match(match, found)
        return MatchedEach(snapshot, matcher.decision(options, wanted.encoders), each)

    async def matches_of(self, posting_id: str, options: Options, exclude: Sequence[str] = ()) -> Matched:
        """The matches of a stored posting, itself excluded.

        Args:
            posting_id: of the posting.
            options: which are wanted.
            exclude: see `unlike_posting`, whose errors are raised.

        Raises PostingNotFound, and as `match`.
        """
        snapshot = self.snapshot
        options = replace(options, filter=unlike_posting(options.filter, exclude, snapshot, posting_id))
        async with self._workers.request():
            run = self._workers.match
            return Matched(snapshot, await self._results.match_posting(snapshot.matcher, posting_id, options, run))

    async def compare(self, left: ComparedItem, right: ComparedItem, options: Options) -> Compared:
        """How probable it is that two postings are the same product; raises PostingNotFound, and as `match`."""
        backend, snapshot = self._ready, self.snapshot
        matcher = snapshot.matcher
        for item in (left, right):
            if item.posting_id is not None:
                matcher.catalogue.row(item.posting_id)
        wanted = wanted_to_compare(matcher, options)
        sides = (left, right)
        async with self._workers.request():
            features = await self._features_of_each(backend, [it.images for it in sides], wanted)
            one, other = (
                it.posting_id or _query(it.title, of, it.metadata) for it, of in zip(sides, features, strict=True)
            )
            return Compared(snapshot, await self._workers.match(compare, matcher, one, other, options))

    async def cluster(
        self, options: ClusterOptions, images: Sequence[bytes], metadata: Sequence[Metadata] = ()
    ) -> Clustered:
        """The clusters of stored postings and images; a bad item gets its own problem and does not fail the rest.

        Metadata are those of the images, each its own, of which those fields are compared that are evidence; or none.

        Raises LimitExceeded where more pairs are within eps than may be, and as `match`.
        """
        backend, snapshot = self._ready, self.snapshot
        wanted = wanted_for_clusters(snapshot.matcher, options) if images else Wanted()

        def work(found: Sequence[ImageFeatures | ImageError]) -> Clustered:
            batch, decision = cluster(snapshot.matcher, options, found, metadata)
            against = among(contradictions(snapshot.matcher.feedback), set(batch.posting_ids))
            return Clustered(snapshot, batch, decision, against)

        async with self._workers.request():
            found = await self._image_features.features(images, wanted, backend.features) if images else []
            return await self._workers.alone(work, found)

    async def review(self, target: Target | None, limit: int, condition: Filter | None = None) -> Reviewed:
        """The pairs whose feedback would teach most, of both of whose postings a filter holds.

        Raises RequestUnanswerable, FieldNotDeclared, Overloaded, DeadlineExceeded.
        """
        snapshot = self.snapshot
        search = snapshot.matcher.trained("a review")
        decision, rule = snapshot.matcher.decision(Options(target=target)), search.rule(target, None)
        async with self._workers.request():
            allowed = await self._workers.match(snapshot.matcher.allowed, condition)
            return Reviewed(snapshot, decision, await self._workers.alone(review, search, rule, limit, allowed))


def _query(title: str, images: Sequence[ImageFeatures], metadata: Metadata = NO_METADATA) -> Query:
    """A query by the features of its images, each in its place."""
    return Query(title, images[0] if images else None, metadata, tuple(images[1:]))

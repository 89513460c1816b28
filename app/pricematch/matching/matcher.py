"""Finds the postings that are the same product as a picture, a title, both, or a stored posting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pricematch.catalogue.embeddings import Embeddings
from pricematch.catalogue.features import Features
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import Decision
from pricematch.catalogue.verdicts import NO_VERDICTS, Verdicts
from pricematch.encoding.picture_encoder import PictureEncoder
from pricematch.encoding.ports import Hasher
from pricematch.encoding.sent_pictures import read_pictures
from pricematch.errors import EncoderNeeded, EncoderUnknown, ImageError, MatcherNeeded, SignalNeeded
from pricematch.matching.embedded_catalogue import EmbeddedCatalogue
from pricematch.matching.judge import Bar, Found, Judge
from pricematch.matching.matches import Match, Matches
from pricematch.matching.queries import Answer, Answers, Asked, Query
from pricematch.serving.stored_pictures import StoredPictures, digests_of

_FEW_VALUES = 2**20
"""So many values of embeddings are searched in about 0.1 ms."""


@dataclass(frozen=True)
class Matcher:
    """A catalogue with all that is needed to search it. Immutable, safe to use from several threads.

    With a trained matcher, its probabilities decide; without one, similarity by an encoder.

    Attributes:
        catalogue: n postings.
        encoders: by name, the postings whose pictures each embedded; the first is the default.
        hasher: gives a picture its perceptual hash.
        judge: a trained matcher over the catalogue; None where there is none.
        judged_encoders: whose embeddings it judges by, by the name of the evidence's space.
        verdicts: what people said of pairs of postings, which overrules what is computed.
    """

    catalogue: Catalogue
    encoders: Mapping[str, EmbeddedCatalogue]
    hasher: Hasher
    judge: Judge | None = None
    judged_encoders: Mapping[str, EmbeddedCatalogue] = field(default_factory=dict)
    verdicts: Verdicts = NO_VERDICTS

    @property
    def picture_encoders(self) -> Sequence[PictureEncoder]:
        """All that embeds pictures here, each once."""
        every = [*self.encoders.values(), *self.judged_encoders.values()]
        return list({embedded.encoder.key: embedded.encoder for embedded in every}.values())

    def with_verdicts(self, verdicts: Verdicts) -> "Matcher":
        """The same catalogue after other verdicts."""
        judge = None if self.judge is None else replace(self.judge, verdicts=verdicts)
        return replace(self, verdicts=verdicts, judge=judge)

    def changed(self, put: Sequence[Posting], removed: Sequence[str], pictures: StoredPictures) -> "Matcher":
        """The matcher of a changed catalogue, see `Catalogue.changed`.

        Args:
            put: new postings, and those that take the place of others; an `image` is a digest in hexadecimal digits.
            removed: ids of postings that are no more.
            pictures: what their pictures are compared by.

        Raises:
            StoreError, ModelOutputError: of the pictures; nothing is changed then.
        """
        digests = digests_of(posting.image for posting in put)
        held = {id(it): it for it in (*self.encoders.values(), *self.judged_encoders.values())}
        more = {key: pictures.embeddings(embedded.encoder, digests) for key, embedded in held.items()}
        hashes = [] if self.judge is None else pictures.hashes(digests)
        catalogue = self.catalogue.changed(put, removed)  # a catalogue is changed once: after all that may fail
        changed = {key: embedded.changed(catalogue, more[key]) for key, embedded in held.items()}
        judge = self.judge
        if judge is not None:
            spaces = {name: more[id(embedded)] for name, embedded in self.judged_encoders.items()}
            judge = judge.changed(catalogue, judge.features_of(put, spaces, hashes, digests))
        return replace(
            self,
            catalogue=catalogue,
            encoders={name: changed[id(embedded)] for name, embedded in self.encoders.items()},
            judge=judge,
            judged_encoders={name: changed[id(embedded)] for name, embedded in self.judged_encoders.items()},
        )

    def encoder(self, name: str | None, what: str) -> EmbeddedCatalogue:
        """What the named encoder, or the default one, embedded.

        Args:
            name: one of `encoders`, or None.
            what: is asked of it, for the error.

        Raises:
            EncoderNeeded: there is none.
            EncoderUnknown: there are others.
        """
        if not self.encoders:
            raise EncoderNeeded(what)
        if name is not None and name not in self.encoders:
            raise EncoderUnknown(f"expected one of the encoders {', '.join(self.encoders)}, got {name!r}")
        return next(iter(self.encoders.values())) if name is None else self.encoders[name]

    def trained(self, what: str) -> Judge:
        """The trained matcher; raises MatcherNeeded, which says what is asked of it."""
        if self.judge is None:
            raise MatcherNeeded(what)
        return self.judge

    @property
    def judge_versions(self) -> Mapping[str, str]:
        """Name and version of the trained matcher, and of the encoders it judges by."""
        models = {} if self.judge is None else dict(self.judge.versions)
        for embedded in self.judged_encoders.values():
            models |= embedded.versions
        return models

    def pictures(self, judge: Judge, images: Sequence[bytes]) -> tuple[Features, Sequence[ImageError | None]]:
        """What the good ones among some pictures carry, for a trained matcher; and per picture why it is bad, or None.

        Raises:
            SignalNeeded: it judges by titles only.
        """
        judge.check_judges_by(picture=True)
        sent = read_pictures(images, self.hasher, self.judged_encoders.values())
        return sent.carried([""] * len(sent.hashes), self.judged_encoders, judge.dimensions), sent.errors

    def encoders_of(self, query: Query, asked: Asked) -> Sequence[PictureEncoder]:
        """What the picture of a query is embedded by when its matches are asked for.

        Raises:
            RequestUnanswerable: nothing that is held could answer this.
        """
        if self.judge is not None:
            self.judge.bar(asked.target, asked.min_probability)
            told = self._told(asked)
            return [] if query.image is None else [it.encoder for it in self._asked_of(told, asked)]
        if query.title or query.image is None:
            raise MatcherNeeded("matching by title")
        return [self._similar(asked).encoder]

    @property
    def quick(self) -> bool:
        """Whether the matches of an embedding are found in less time than it takes to hand this to a thread."""
        return self.judge is None and all(it.embeddings.size <= _FEW_VALUES for it in self.encoders.values())

    def match(self, query: Query, asked: Asked) -> Answer:
        """The matches of a picture, a title, or both.

        Raises:
            ImageError: the picture is of no use.
            RequestUnanswerable: nothing that is held could answer this.
        """
        if self.judge is not None:
            return self._judged(self.judge, query, asked)
        if query.title or query.image is None:
            raise MatcherNeeded("matching by title")
        embedded = self._similar(asked)
        least = _least(embedded, asked)
        return _by_similarity(embedded, embedded.match(query.image, asked.limit, least), least)

    def match_each(self, images: Sequence[bytes], asked: Asked) -> Answers:
        """The matches of several pictures, each by itself; they are encoded together, and a bad one fails alone.

        Raises:
            RequestUnanswerable: nothing that is held could answer this.
        """
        if self.judge is not None:
            return self._each_judged(self.judge, images, asked)
        embedded = self._similar(asked)
        least = _least(embedded, asked)
        common = _by_similarity(embedded, Matches([]), least)
        return Answers(common, embedded.match_each(images, asked.limit, least))

    def match_posting(self, posting_id: str, asked: Asked) -> Answer:
        """The matches of a stored posting, itself excluded, from what is stored of it.

        Raises:
            PostingNotFound: no posting has this id.
            RequestUnanswerable: nothing that is held could answer this.
        """
        row = self.catalogue.row(posting_id)
        if self.judge is not None:
            bar, told = self.judge.bar(asked.target, asked.min_probability), self._told(asked)
            similar = _Similar(told, None if told is None else told.rows.embedding(posting_id))
            return self._by_probability(self.judge, self.judge.of(row, bar), bar, asked, similar)
        embedded = self._similar(asked)
        least, said = _least(embedded, asked), self.verdicts.of(posting_id)
        found = embedded.match_posting(posting_id, asked.limit + len(said), least)
        return _by_similarity(embedded, self._overruled(embedded, posting_id, found, said).top(asked.limit), least)

    def _overruled(
        self, embedded: EmbeddedCatalogue, posting_id: str, found: Matches, said: Mapping[str, Decision]
    ) -> Matches:
        """The matches of a posting by similarity, after what people said of it and others."""
        same = [other for other in self.catalogue.located(sorted(said)) if said[other] == "same"]
        similarities = embedded.similarities(embedded.rows.embedding(posting_id), same)
        decided = [Match(other, value, verdict="same") for other, value in zip(same, similarities, strict=True)]
        return Matches([*decided, *(match for match in found if match.posting_id not in said)])

    def _similar(self, asked: Asked) -> EmbeddedCatalogue:
        """The encoder that decides without a matcher."""
        if asked.target is not None or asked.min_probability is not None:
            raise MatcherNeeded("target" if asked.target is not None else "min_probability")
        return self.encoder(asked.encoder, "matching without a trained matcher")

    def _told(self, asked: Asked) -> EmbeddedCatalogue | None:
        """The encoder whose similarity is told beside probabilities; None where there is none and none is asked for."""
        if asked.encoder is None and asked.min_similarity is None and not self.encoders:
            return None
        return self.encoder(asked.encoder, "min_similarity" if asked.encoder is None else "encoder")

    def _judged(self, judge: Judge, query: Query, asked: Asked) -> Answer:
        bar, told = judge.bar(asked.target, asked.min_probability), self._told(asked)
        if query.image is None and asked.min_similarity is not None:
            raise SignalNeeded("min_similarity takes a picture, got a title only")
        images = [] if query.image is None else [query.image]
        sent = read_pictures(images, self.hasher, self._asked_of(told, asked) if images else [])
        for error in filter(None, sent.errors):
            raise error
        found = judge.new(sent.carried([query.title], self.judged_encoders, judge.dimensions), bar)
        return self._by_probability(judge, found, bar, asked, _Similar(told, sent.embeddings.get(id(told))))

    def _each_judged(self, judge: Judge, images: Sequence[bytes], asked: Asked) -> Answers:
        judge.check_judges_by(picture=True)
        bar, told = judge.bar(asked.target, asked.min_probability), self._told(asked)
        sent = read_pictures(images, self.hasher, self._asked_of(told, asked))
        features = sent.carried([""] * len(sent.hashes), self.judged_encoders, judge.dimensions)
        embeddings = sent.embeddings.get(id(told))
        good, each = iter(range(len(features))), list[Matches | ImageError]()
        for error in sent.errors:
            if error is not None:
                each.append(error)
                continue
            line = next(good)  # one by one: in a catalogue that had the others, each would be judged as less likely
            found = judge.new(features.select(np.array([line])), bar)
            similar = _Similar(told, None if embeddings is None else embeddings[line : line + 1])
            each.append(self._by_probability(judge, found, bar, asked, similar).matches)
        models = {**self.judge_versions, **_Similar(told, embeddings).versions}
        return Answers(_decided_by(bar, models, Matches([])), each)

    def _asked_of(self, told: EmbeddedCatalogue | None, asked: Asked) -> Sequence[EmbeddedCatalogue]:
        """What a picture is encoded by: encoding is the dearest thing here, so not to tell what nobody asked for."""
        wanted = told if asked.encoder is not None or asked.min_similarity is not None else None
        return [*self.judged_encoders.values(), *([] if wanted is None else [wanted])]

    def _by_probability(self, judge: Judge, found: Found, bar: Bar, asked: Asked, similar: "_Similar") -> Answer:
        posting_ids = [self.catalogue[row].posting_id for row in found.rows]
        similarities = similar.to(posting_ids)
        kept = [
            place
            for place, similarity in enumerate(similarities)
            if place < found.decided or _reaches(similarity, asked.min_similarity)
        ]
        kept = kept[: asked.limit]
        explanations = judge.explained(found, np.array(kept, np.intp))
        matches = [
            Match(
                posting_ids[place],
                similarities[place],
                float(found.probabilities[place]),
                why.level,
                why.evidence,
                "same" if place < found.decided else None,
            )
            for place, why in zip(kept, explanations, strict=True)
        ]
        return _decided_by(bar, {**self.judge_versions, **similar.versions}, Matches(matches))


@dataclass(frozen=True, eq=False)
class _Similar:
    """A query as one encoder sees it: its embedding [1, d]; None where it has none, or there is no encoder."""

    embedded: EmbeddedCatalogue | None
    embedding: Embeddings | None

    def to(self, posting_ids: Sequence[str]) -> Sequence[float | None]:
        """The cosine to each of some postings."""
        if self.embedded is None:
            return [None] * len(posting_ids)
        return self.embedded.similarities(self.embedding, posting_ids)

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of the models involved."""
        return {} if self.embedding is None else _versions(self.embedded)


def _versions(embedded: EmbeddedCatalogue | None) -> Mapping[str, str]:
    return {} if embedded is None else embedded.versions


def _decided_by(bar: Bar, models: Mapping[str, str], matches: Matches) -> Answer:
    return Answer(matches, "probability", bar.target, bar.thresholds.match, bar.thresholds.alone, models)


def _by_similarity(embedded: EmbeddedCatalogue, matches: Matches, least: float) -> Answer:
    return Answer(matches, "similarity", None, least, least, embedded.versions)


def _least(embedded: EmbeddedCatalogue, asked: Asked) -> float:
    """The similarity from which on a posting is a match."""
    if asked.min_similarity is not None:
        return asked.min_similarity
    return -1.0 if embedded.encoder.threshold is None else embedded.encoder.threshold


def _reaches(similarity: float | None, least: float | None) -> bool:
    return least is None or (similarity is not None and similarity >= least)

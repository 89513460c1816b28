"""Builds a snapshot of everything that is stored: images are encoded where they lack features, pairs scored."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.evidence import NO_EVIDENCE, EvidenceFields
from pricematch.catalogue.features import Features, Wanted
from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.fields import Field, Fields
from pricematch.catalogue.layers import Layer, Layered
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import FeedbackChange
from pricematch.encoding.stored_images import StoredImages
from pricematch.encoding.stored_layers import StoredLayers
from pricematch.errors import SettingsError
from pricematch.formats.matcher_files import LoadedMatcher
from pricematch.learning.verdicts import VerdictTeacher
from pricematch.matching.matcher import Matcher
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.seen_images import SeenImages, of_any
from pricematch.matching.similarity import SimilaritySearch
from pricematch.matching.stock_images import StockImage, StockImages
from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.progress import Progress
from pricematch.serving.models import LoadedModels
from pricematch.serving.scored_catalogue import (
    ScoredCatalogue,
    feedback_fingerprint,
    fingerprint,
    load_scored,
    save_scored,
)
from pricematch.serving.snapshot import FEW, STALE, Snapshot
from pricematch.settings import Settings
from pricematch.store.ports import PostingStore
from pricematch.store.sqlite.store import Store
from pricematch.titles.normalise import parse_title

_log = logging.getLogger("pricematch")
_PAGE = 10_000
_AT_ONCE = 64
"""Rows that are scored together after all the others."""
_SHOWN = 5


@dataclass(frozen=True)
class SnapshotBuilder:
    """Reads a whole catalogue, encodes the images that lack features, and scores its candidate pairs.

    Attributes:
        settings: where the scored catalogue is kept.
        store: what is read.
        images: keeps the features of its images.
        models: the models.
        progress: called with what is being done.
        anew: score all postings together, also where most of them were before.
    """

    settings: Settings
    store: Store
    images: StoredImages
    models: LoadedModels
    progress: Progress
    anew: bool = False

    def __call__(self) -> Snapshot:
        """The catalogue as it is now.

        Raises:
            StoreError, ModelOutputError: it cannot be read or encoded.
        """
        version = self.store.postings.version()  # what changes while it is read is taken in afterwards
        postings = read_postings(self.store.postings)
        declared = self.store.fields.fields()
        evidence = self._evidence(declared)
        base = None
        if not self.anew:
            base = _useful(load_scored(self.settings.data, self.models, evidence), postings, evidence)
        catalogue = Catalogue(postings) if base is None else _on(base, postings, evidence)
        layers = StoredLayers.of(catalogue.select(range(catalogue.span)))
        # hashes say which images show nothing
        self.images.ensure(layers.every, Wanted(frozenset(self.models.encoders), phash=True), self.progress)
        raw, stock = _raw(catalogue, layers, self.images)
        embedded = dict[str, SimilaritySearch]()
        for key, encoder in self.models.encoders.items():
            vectors = layers.embeddings(self.images, key, encoder.dimension)
            embedded[key] = SimilaritySearch.of(encoder, catalogue, vectors.first, stock.no_evidence, vectors.more)
        _warn_of_stock(stock)
        keys = {name: encoder.key for name, encoder in self.models.retrieved.items()}
        retrieved = {name: embedded[key] for name, key in keys.items()}
        named = {name: encoder.key for name, encoder in self.models.named.items()}
        feedback = self.store.feedback.all_feedback()
        known = NO_FEEDBACK.changed(FeedbackChange(it.first, it.second, it.revision, it.decision) for it in feedback)
        probability = self._probability(base, raw, stock, retrieved, known, evidence)
        fields = Fields(max_scanned=self.settings.max_scanned_postings)
        fields = fields.declaring(declared, catalogue)
        matcher = Matcher(catalogue, embedded, named, stock, probability, keys, known, fields)
        anew = probability is not None and (base is None or probability.changes > 0)
        return Snapshot(version, matcher, anew)

    def _probability(
        self,
        base: ScoredCatalogue | None,
        raw: ParsedFeatures,
        stock: StockImages,
        retrieved: Mapping[str, SimilaritySearch],
        feedback: Feedback,
        evidence: EvidenceFields,
    ) -> ProbabilitySearch | None:
        loaded, catalogue = self.models.matcher, stock.catalogue
        if loaded is None:
            return None
        vectors = {name: one.images for name, one in retrieved.items()}
        if not vectors and "image" in loaded.model.signals:  # the default matcher, without its encoder
            nothing = raw.features.image_keys.made(lambda keys: np.zeros((len(keys), 1), np.float32))
            vectors = dict.fromkeys(IMAGE_RETRIEVERS, nothing)
        whole = raw.features.with_embeddings(vectors).without_unseen()
        told = evidence.values([catalogue.metadata_of(row) for row in range(catalogue.span)])
        features = replace(whole.without_marked(stock.marked_images), evidence=told)
        build = partial(ProbabilitySearch.build, loaded.label, catalogue)
        if base is None:
            _warn_of_absent(features, loaded)
            _warn_of_undeclared(evidence, loaded)
            teacher = loaded.homing or VerdictTeacher(feedback, catalogue.located(catalogue.posting_ids))
            parsed = ParsedFeatures(features, raw.titles)
            search = build(parsed, loaded.model, loaded.thresholds, self.progress, teacher=teacher)
            search = replace(search, feedback=feedback, evidence=evidence)
            _warn_of_distance(search)
            self._keep(list(catalogue), features, stock.marked_images, search)
            return search
        count = len(base.fingerprints)
        scored = base.features(vectors).without_unseen()
        before = zip(base.titles, raw.titles, strict=False)
        titles = [now if now.text == title else parse_title(title) for title, now in before]
        parsed = ParsedFeatures(scored.without_marked(base.stock), titles)
        search = build(parsed, base.model, loaded.thresholds, self.progress, base.scored, loaded.homing)
        untaught = search.teachable and feedback_fingerprint(feedback, base.fingerprints) != base.taught
        search = replace(search, verdicts=base.verdicts, feedback=feedback, untaught=untaught, evidence=evidence)
        turned = _turned(base, stock)
        rows = np.concatenate([turned, np.arange(count, catalogue.span)])
        for first in range(0, len(rows), _AT_ONCE):
            self.progress("Scoring changes", first, len(rows))
            some = rows[first : first + _AT_ONCE]
            search = search.placed(catalogue, some, features.select(some))
        if catalogue.span:  # tables for searches are built with the first one
            search.query(features.select(np.arange(1)))
        return search

    def _evidence(self, declared: Sequence[Field]) -> EvidenceFields:
        """The evidence fields that the matcher takes, of which those that are declared are read."""
        loaded = self.models.matcher
        return NO_EVIDENCE if loaded is None else EvidenceFields.declared(loaded.model.fields, declared)

    def _keep(
        self,
        postings: Sequence[Posting],
        features: Features,
        stock: Layered[NDArray[np.bool_]],
        search: ProbabilitySearch,
    ) -> None:
        """For the next start; one that cannot be written costs that one time only."""
        try:
            save_scored(self.settings.data, self.models, postings, features, stock, search)
        except SettingsError as error:
            _log.warning("the scored catalogue is not kept: %s", error)


def _raw(catalogue: Catalogue, layers: StoredLayers, images: StoredImages) -> tuple[ParsedFeatures, StockImages]:
    """Titles, hashes and image keys of all rows, and which images are no evidence."""
    hashes = layers.hashes(images)
    titles = [posting.title for posting in catalogue.select(range(catalogue.span))]
    raw = ParsedFeatures.of(Features.shown(titles, layers.arrays(hashes, {})))
    seen = [SeenImages.of(some, digests) for some, digests in zip(hashes, layers.digests, strict=True)]
    shown = Layered(seen[0], tuple(map(Layer, layers.rows, seen[1:])))
    return raw, StockImages.of_shown(catalogue, shown, raw.titles)


def _turned(base: ScoredCatalogue, stock: StockImages) -> NDArray[np.intp]:
    """The rows of a scored catalogue, of those alive, of which an image has become a stock image, or no longer is."""
    count, alive = len(base.fingerprints), stock.catalogue.alive
    there = np.flatnonzero(alive[:count])
    then, now = base.stock.select(there), stock.marked_images.select(there)
    differ = [Layer(a.rows, a.values != b.values) for a, b in zip(then.more, now.more, strict=True)]
    return there[of_any(Layered(then.first != now.first, tuple(differ)))]


def stock_images(store: PostingStore, images: StoredImages) -> Sequence[StockImage]:
    """The stock images among all stored postings; raises StoreError."""
    catalogue = Catalogue(read_postings(store))
    _, stock = _raw(catalogue, StoredLayers.of(list(catalogue)), images)
    return stock.each


def _warn_of_stock(stock: StockImages) -> None:
    """Warn of the images that are no evidence, the first of them by name."""
    if each := stock.each:
        more = f", and {len(each) - _SHOWN} more" if len(each) > _SHOWN else ""
        _log.warning("stock images are no evidence: %s%s", "; ".join(map(str, each[:_SHOWN])), more)


def _warn_of_distance(search: ProbabilitySearch) -> None:
    """Warn where a trained matcher is not at home, and by how much it is shrunk towards the default."""
    if search.shrunk is not None and search.shrunk.away:
        _log.warning("%s; label groups of this catalogue would teach it", search.shrunk.sentence(search.label))


def _warn_of_absent(postings: Features, loaded: LoadedMatcher) -> None:
    """Warn of required signals that no posting has anything for: a column may have been forgotten."""
    every = [*postings.every.layers]
    present = {
        "hash": any(it.values.hashes.known.any() for it in every),
        "title": any(title.strip() for title in postings.titles),
        "image": any(vectors.any() for it in every for vectors in it.values.embeddings.values()),
    }
    for signal in loaded.required if len(postings) else ():
        if not present[signal]:
            article = "an" if signal == "image" else "a"
            _log.warning("%s compares by %s, and no posting has %s %s", loaded.label, signal, article, signal)


def _warn_of_undeclared(evidence: EvidenceFields, loaded: LoadedMatcher) -> None:
    """Warn of fields that the matcher has learned to compare by and that are not declared as evidence."""
    for field in evidence.fields:
        if field not in evidence.read:
            text = "%s compares by the field %s, and none is declared as evidence of type %s: it is taken for absent"
            _log.warning(text, loaded.label, field.name, field.type)


def read_postings(store: PostingStore) -> list[Posting]:
    """All postings, in the order of their ids."""
    postings: list[Posting] = []
    after = ""
    while page := store.page(after, _PAGE):
        postings.extend(stored.posting for stored in page)
        after = page[-1].posting.posting_id
    return postings


def _useful(
    base: ScoredCatalogue | None, postings: Sequence[Posting], evidence: EvidenceFields
) -> ScoredCatalogue | None:
    """The scored catalogue, unless so much has changed that scoring all anew is better."""
    if base is None:
        return None
    same = sum(base.fingerprints.get(posting.posting_id) == fingerprint(posting, evidence) for posting in postings)
    changes = len(postings) + len(base.fingerprints) - 2 * same
    return base if changes <= max(FEW, STALE * len(postings)) else None


def _on(base: ScoredCatalogue, postings: Sequence[Posting], evidence: EvidenceFields) -> Catalogue:
    """Postings, those that were scored in their rows, what has changed behind them."""
    now = {posting.posting_id: posting for posting in postings}
    same = {
        posting.posting_id
        for posting in postings
        if base.fingerprints.get(posting.posting_id) == fingerprint(posting, evidence)
    }
    catalogue = Catalogue([now[it] if it in same else Posting(it, None) for it in base.fingerprints])
    changed = [posting for posting in postings if posting.posting_id not in same]
    return catalogue.changed(changed, [posting_id for posting_id in base.fingerprints if posting_id not in now])

"""Trains a matcher on what a store holds: label groups, people's feedback, and features of images that are kept."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np

from pricematch.catalogue.features import Features, ImageFeatures, Wanted
from pricematch.catalogue.fields import Field
from pricematch.catalogue.labels import is_rounded
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.encoding.decoder import decoder
from pricematch.encoding.encoders import (
    COLOURS,
    NEWEST_COLOURS,
    colours_spec,
    encoder_spec,
    find_artefacts,
    load_network,
)
from pricematch.encoding.features import matching_hash
from pricematch.encoding.ports import Encoder, Pixels
from pricematch.encoding.stored_images import StoredImages
from pricematch.encoding.stored_layers import StoredLayers
from pricematch.errors import ArtefactError, CatalogueError, ImageError, SettingsError
from pricematch.evaluation.labelled import corrected, stored_feedback
from pricematch.evaluation.load_features import with_evidence
from pricematch.evaluation.signals import SIGNALS
from pricematch.formats.manifest import Artefact
from pricematch.learning.train_matcher import TrainedMatcher, TrainingSource, TrainMatcherOptions, train_on
from pricematch.matching.stock_images import without_stock_images
from pricematch.progress import Progress
from pricematch.settings import Settings
from pricematch.store.sqlite.store import Store, open_store

_log = logging.getLogger("pricematch")
_PAGE = 1000


def train_stored(settings: Settings, options: TrainMatcherOptions, progress: Progress) -> TrainedMatcher:
    """Train a matcher on the store in the data folder, while a service may run on it; see `train_on`.

    Postings are compared by the declared evidence fields, too. Feedback overrules label groups. Features of images that
    are kept are taken as they are, others are computed here and kept.

    Args:
        settings: where the store and the models are.
        options: without signals it compares by all that postings have something for; `verdicts` and `evidence` are not
            read.
        progress: gets what is being done.

    Raises:
        SettingsError: there is no store.
        CatalogueError: no posting has anything for a signal.
        PricematchError: as `train_on`.
    """
    with closing(open_store(settings.data, create=False)) as store:
        postings = _learnable(_read_postings(store))
        labels = corrected(postings, stored_feedback(store), settings.data)
        artefacts, signals = _compared(settings, store, postings, options.signals)
        evidence = tuple(it for it in store.fields.fields() if it.evidence)
        features = _Features(settings, store, postings, artefacts, evidence, progress)
        encoder = artefacts[-1].manifest if artefacts else None
        source = TrainingSource("the store", postings, labels, signals, encoder, features)
        return train_on(settings, options, source, progress)


def _compared(
    settings: Settings, store: Store, postings: Sequence[Posting], asked: Sequence[str]
) -> tuple[Sequence[Artefact], Sequence[str]]:
    """The artefacts of the encoder of images, none where these are not compared, and the signals that are."""
    images = any(it.image for it in postings)
    there = {
        "hash": images or any(it.image_phash for it in postings),
        "title": any(it.title for it in postings),
        "image": images,
    }
    if lacking := [signal for signal in asked if not there[signal]]:
        raise CatalogueError(f"signal {lacking[0]}: no posting of the store has anything for it")
    signals = [signal for signal in asked or SIGNALS if there[signal]]
    if "image" not in signals:
        return [], signals
    version = settings.encoder_version or store.models.active().get(settings.encoder)
    try:
        return find_artefacts(settings.model_copy(update={"encoder_version": version})), signals
    except (ArtefactError, SettingsError) as error:
        if asked:
            raise
        _log.warning("the images are not compared but by their hashes: %s", error)
        return [], [signal for signal in signals if signal != "image"]


@dataclass
class _Features:
    """Gives the features of stored postings, those of stock images left out."""

    settings: Settings
    store: Store
    postings: Sequence[Posting]
    artefacts: Sequence[Artefact]
    evidence: Sequence[Field]
    progress: Progress

    def __call__(self) -> Features:
        layers = StoredLayers.of(self.postings)
        encoders = _encoders(self.settings, self.artefacts)
        encode = _EncodeHere(self.settings, {key: (side, load) for _, key, _, side, load in encoders})
        images = StoredImages(self.store.images, self.store.computed, encode, _warn_of_bad, self.settings.workers)
        images.ensure(layers.every, Wanted(frozenset(key for _, key, *_ in encoders), phash=True), self.progress)
        vectors = {name: layers.embeddings(images, key, length) for name, key, length, _, _ in encoders}
        found = Features.shown([it.title for it in self.postings], layers.arrays(layers.hashes(images), vectors))
        catalogue = Catalogue(self.postings)
        return with_evidence(without_stock_images(catalogue, found), catalogue, self.evidence)


_Loaded = tuple[str, str, int, int, Callable[[], Encoder]]
"""Retriever, key, length of embeddings, pixels a side, and what loads the encoder."""


def _encoders(settings: Settings, artefacts: Sequence[Artefact]) -> Sequence[_Loaded]:
    """What the signal image compares by; nothing without artefacts."""
    if not artefacts:
        return []
    spec, colours = encoder_spec(settings, artefacts), colours_spec(NEWEST_COLOURS)

    def load() -> Encoder:
        if spec.network is None:
            raise ArtefactError(f"expected {spec.key} to have a network")
        return load_network(spec.network, settings.workers)

    return [
        ("image", spec.key, spec.dimension, spec.side, load),
        ("colours", colours.key, colours.dimension, colours.side, lambda: COLOURS[NEWEST_COLOURS]),
    ]


@dataclass
class _EncodeHere:
    """Gives images their features in this process; encoders are loaded with the first image that needs them."""

    settings: Settings
    encoders: Mapping[str, tuple[int, Callable[[], Encoder]]]
    loaded: dict[str, Encoder] = field(default_factory=dict)

    def __call__(self, images: Sequence[bytes], wanted: Wanted) -> list[ImageFeatures | ImageError]:
        found, pixels = list[ImageFeatures | ImageError](), {key: list[Pixels]() for key in wanted.encoders}
        decode = decoder(self.settings, 1)
        for image in images:
            try:
                decoded = decode.decoded(image)
            except ImageError as error:
                found.append(error)
                continue
            for key, of in pixels.items():
                of.append(decoded.squeezed(self.encoders[key][0]))
            found.append(
                ImageFeatures(hashlib.sha256(image).digest(), matching_hash(decoded) if wanted.phash else None, {})
            )
        rows = {key: iter(self._encoder(key).encode(np.stack(of)) if of else ()) for key, of in pixels.items()}
        return [
            it if isinstance(it, ImageError) else replace(it, embeddings={key: next(of) for key, of in rows.items()})
            for it in found
        ]

    def _encoder(self, key: str) -> Encoder:
        if key not in self.loaded:
            self.loaded[key] = self.encoders[key][1]()
        return self.loaded[key]


def _learnable(postings: Sequence[Posting]) -> Sequence[Posting]:
    """Postings without labels that a spreadsheet rounded, whose count is logged."""
    rounded = [it.label_group is not None and is_rounded(it.label_group) for it in postings]
    if count := sum(rounded):
        _log.warning("nothing is learned from the rounded labels of %d postings", count)
    return [replace(it, label_group=None) if odd else it for it, odd in zip(postings, rounded, strict=True)]


def _read_postings(store: Store) -> list[Posting]:
    """All postings, in the order of their ids."""
    postings, after = list[Posting](), ""
    while page := store.postings.page(after, _PAGE):
        postings += [it.posting for it in page]
        after = page[-1].posting.posting_id
    if not postings:
        raise CatalogueError("the store holds no posting")
    return postings


def _warn_of_bad(digest: bytes, error: ImageError) -> None:
    _log.warning("the stored image %s cannot be used: %s", digest.hex(), error)

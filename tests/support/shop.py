"""A store in memory, a catalogue that follows it, and encoders that wait or fail."""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, ImageFeatures, Wanted, unit_rows
from pricematch.catalogue.feed import EVERY_KIND, ChangeKind, FeedPage, Position
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import Put
from pricematch.encoding.ports import Encoder, Pixels
from pricematch.encoding.stored_images import StoredImages, digests_of
from pricematch.errors import HistoryLost, ImageError, StoreUnavailable
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Matches, Options, Query
from pricematch.matching.similarity import SimilaritySearch
from pricematch.serving.intake import Intake, Offered
from pricematch.serving.snapshot import Snapshot
from pricematch.serving.snapshots import Snapshots
from tests.support.encoding import TinyEncoding, image_features
from tests.support.fakes import COLOURS, MEAN_COLOUR, MeanColourEncoder, by_similarity, image_bytes
from tests.support.memory_store import MemoryStore
from tests.support.served import put

HANGS = 30
"""Seconds after which a thread that waits for another one in vain fails."""


@dataclass
class Forgetful(MemoryStore):
    """A store that may have forgotten what has changed, or fail.

    Attributes:
        fails_at: which read of embeddings from now on fails, from 1; 0: none.
    """

    forgotten: bool = False
    fails_at: int = 0

    def embeddings(self, key: str, digests: Sequence[bytes]) -> Mapping[bytes, NDArray[np.float32]]:
        self.fails_at -= 1
        if self.fails_at == 0:
            raise StoreUnavailable("locked")
        return super().embeddings(key, digests)

    def changes(
        self,
        since: Position,
        limit: int | None = None,
        kinds: frozenset[ChangeKind] = EVERY_KIND,
        upto: int | None = None,
    ) -> FeedPage:
        if self.forgotten:
            raise HistoryLost("too long ago", self.latest)
        return super().changes(since, limit, kinds, upto)


class NoNumbers(MeanColourEncoder):
    """Its numbers are none."""

    def encode(self, pixels: Pixels) -> Embeddings:
        return unit_rows(np.full((len(pixels), self.dimension), np.nan), self.dimension)


class Gated(MeanColourEncoder):
    """Encodes once it may.

    Attributes:
        entered: set as soon as it is asked to encode something.
        gate: to be set so that it does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.gate = threading.Event(), threading.Event()

    def encode(self, pixels: Pixels) -> Embeddings:
        self.entered.set()
        assert self.gate.wait(HANGS)
        return super().encode(pixels)


@dataclass
class Shop:
    """A store, what its images are compared by, and how often all was read."""

    store: Forgetful = field(default_factory=Forgetful)
    bad: dict[bytes, ImageError] = field(default_factory=dict)
    built: int = 0

    def __post_init__(self) -> None:
        self.encoder: Encoder = MeanColourEncoder()
        self.stored = StoredImages(self.store, self.store, self.encode, self.bad.__setitem__)
        self.snapshots = Snapshots(self.store, self.store, self.stored, self.build)
        self.intake = Intake(self.store, self.store, self.stored, self.snapshots)

    def build(self) -> Snapshot:
        """Everything anew, by similarity."""
        self.built += 1
        version, postings = self.store.version(), [it.posting for it in self.store.page("", 10_000)]
        digests = digests_of(posting.image for posting in postings)
        self.stored.ensure(digests, Wanted(frozenset({MEAN_COLOUR.key})))
        vectors = self.stored.embeddings(MEAN_COLOUR.key, MEAN_COLOUR.dimension, digests)
        return Snapshot(version, by_similarity(SimilaritySearch.of(MEAN_COLOUR, Catalogue(postings), vectors)))

    def encode(self, images: Sequence[bytes], wanted: Wanted) -> Sequence[ImageFeatures | ImageError]:
        """Encode with whatever encoder there is now."""
        return TinyEncoding(self.encoder).encode(images, wanted)

    def put(self, posting_id: str, colour: str | None, title: str = "x") -> int:
        """Put a posting; the version in which it is found."""
        image = None if colour is None else image_bytes(colour)
        return put(self.intake, Offered(Posting(posting_id, None, title), [] if image is None else [image]))[2]

    def put_elsewhere(self, posting_id: str, colour: str) -> str:
        """Store a posting as another process does, which encodes nothing; the name of its image."""
        image = image_bytes(colour)
        name = hashlib.sha256(image).hexdigest()
        self.store.put([Put(Posting(posting_id, name), [image])])
        return name


def _matches(matcher: Matcher, colour: str) -> Matches:
    return matcher.match(Query("", image_features(image_bytes(colour))), Options(50)).matches


def found(matcher: Matcher, colour: str) -> list[str]:
    """Ids of all postings, the most similar first."""
    return [
        match.posting_id for match in matcher.match(Query("", image_features(image_bytes(colour))), Options(50)).matches
    ]


def told(matcher: Matcher) -> dict[str, list[tuple[str, float | None]]]:
    """All that can be asked of a small catalogue."""
    return {colour: [(it.posting_id, it.similarity) for it in _matches(matcher, colour)] for colour in COLOURS}

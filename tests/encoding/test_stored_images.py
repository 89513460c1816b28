"""Features of stored images: computed once each, kept, and read back."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import Barrier

import numpy as np
import pytest

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.encoding import stored_images
from pricematch.encoding.stored_images import StoredImages
from pricematch.errors import ImageError, ImageUnavailable
from tests.support.encoding import TinyEncoding
from tests.support.fakes import COLOURS, MEAN_COLOUR, MeanColourEncoder, image_bytes
from tests.support.memory_store import MemoryStore
from tests.support.waiting import SAFETY_SECONDS

KEY = MEAN_COLOUR.key
EVERYTHING = Wanted(frozenset({KEY}), phash=True)
RED, GREEN, TEAL = image_bytes("red"), image_bytes("lime"), image_bytes("teal")


@dataclass
class Shop:
    """A store in memory, and what is computed of its images."""

    store: MemoryStore = field(default_factory=MemoryStore)
    encoder: MeanColourEncoder = field(default_factory=MeanColourEncoder)
    bad: dict[bytes, ImageError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        encode = TinyEncoding(self.encoder).encode
        self.images = StoredImages(self.store, self.store, encode, self.bad.__setitem__)

    def hold(self, *images: bytes) -> list[bytes]:
        """Store images; their digests."""
        for image in images:
            self.store.images[hashlib.sha256(image).hexdigest()] = image
        return [hashlib.sha256(image).digest() for image in images]


def test_images_are_encoded_once_and_bad_ones_left_out() -> None:
    """Each distinct image is computed once; of a bad one the reason is given and zeros stand in its place."""
    shop = Shop()
    first, broken, second = shop.hold(RED, b"broken", GREEN)
    digests = [first, None, broken, second, first]
    shop.images.ensure(digests, EVERYTHING)
    embeddings, hashes = shop.images.embeddings(KEY, MEAN_COLOUR.dimension, digests), shop.images.hashes(digests)
    np.testing.assert_array_equal(embeddings[0], embeddings[4])
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), [1, 0, 0, 1, 1], atol=1e-6)
    assert [found is None for found in hashes] == [False, True, True, False, False]
    assert shop.bad.keys() == {broken}
    shop.store.images.clear()  # what is kept is not read again
    shop.images.ensure([first, second], EVERYTHING)
    assert sum(shop.encoder.batches) == 2


def test_features_are_kept_in_pieces_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill costs one piece of the work at most."""
    shop, kept = Shop(), list[int]()
    keep = shop.store.keep_embeddings

    def keep_and_count(key: str, digests: list[bytes], embeddings: np.ndarray) -> None:
        kept.append(len(digests))
        keep(key, digests, embeddings)

    monkeypatch.setattr(shop.store, "keep_embeddings", keep_and_count)
    monkeypatch.setattr(stored_images, "_AT_ONCE", 2)
    digests = shop.hold(*(image_bytes(colour) for colour in COLOURS[:5]))
    progress: list[tuple[int, int]] = []
    shop.images.ensure(digests * 3, EVERYTHING, lambda _, done, total: progress.append((done, total)))
    assert kept == [2, 2, 1]
    assert progress == [(2, 5), (4, 5), (5, 5)]


def test_two_pieces_are_encoded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker process waits while a piece is read."""
    shop, meet = Shop(), Barrier(2)

    def together(images: Sequence[bytes], wanted: Wanted) -> Sequence[ImageFeatures | ImageError]:
        meet.wait(SAFETY_SECONDS)
        return TinyEncoding().encode(images, wanted)

    monkeypatch.setattr(stored_images, "_AT_ONCE", 1)
    digests = shop.hold(RED, GREEN, TEAL, image_bytes("navy"))
    replace(shop.images, encode=together).ensure(digests, EVERYTHING)
    assert shop.images.lacking(digests, EVERYTHING) == {}


def test_an_image_that_is_not_there_is_reported() -> None:
    """What cannot be read fails alone."""
    shop = Shop()
    [there] = shop.hold(RED)
    shop.images.ensure([there, b"?" * 32], EVERYTHING)
    assert isinstance(shop.bad[b"?" * 32], ImageUnavailable)
    assert shop.images.hashes([there]) != [None]


def test_only_what_is_lacking_is_computed() -> None:
    """A hash that is kept already is not computed with the embedding that is not."""
    shop = Shop()
    [digest] = shop.hold(RED)
    shop.images.ensure([digest], Wanted(phash=True))
    assert shop.images.lacking([digest], EVERYTHING) == {Wanted(frozenset({KEY})): [digest]}
    assert shop.images.lacking([digest], Wanted(phash=True)) == {}
    shop.images.ensure([digest], EVERYTHING)
    assert shop.images.lacking([digest], EVERYTHING) == {}


def test_embeddings_of_different_encoders_are_kept_apart() -> None:
    """Keys never mix."""
    shop = Shop()
    [digest] = shop.hold(RED)
    shop.images.ensure([digest], EVERYTHING)
    assert not shop.images.embeddings("another", 4, [digest]).any()


def test_images_before_they_are_stored_are_encoded_together() -> None:
    """Images that come together are encoded together; a bad one fails alone and leaves nothing behind."""
    shop = Shop()
    found = shop.images.ensure_each([RED, RED[:50], GREEN, RED, b"", TEAL], EVERYTHING)
    assert [isinstance(it, ImageError) for it in found] == [False, True, False, False, True, False]
    assert shop.encoder.batches == [3]
    whole = [it for it in found if isinstance(it, ImageFeatures)]
    assert [it.stored_form for it in whole] == [RED, GREEN, RED, TEAL]
    assert whole[0].digest == hashlib.sha256(RED).digest()
    alone = Shop()
    for image in (RED, GREEN, TEAL):
        alone.images.ensure_each([image], EVERYTHING)
    assert shop.store.hashed == alone.store.hashed
    for key, vector in shop.store.vectors.items():
        np.testing.assert_allclose(vector, alone.store.vectors[key], atol=1e-6)


def test_features_of_postings_stand_in_their_order() -> None:
    """A posting without an image, or with one that cannot be used, has none."""
    shop = Shop()
    first, broken = shop.hold(RED, b"broken")
    found = shop.images.features([None, first, broken], EVERYTHING)
    assert [it is None for it in found] == [True, False, True]
    assert found[1] is not None
    assert found[1].digest == first
    assert list(found[1].embeddings) == [KEY]

"""Applications that are ready, over catalogues in memory or stores in the test's process."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from starlette.testclient import TestClient
from starlette.types import ASGIApp

from pricematch.api.app import create_app
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.encoding.features import phash
from pricematch.encoding.ports import ImageSource
from pricematch.encoding.stored_images import Encode, StoredImages
from pricematch.matching.matcher import Matcher
from pricematch.serving.backend import Backend
from pricematch.serving.intake import Intake
from pricematch.serving.models import activate
from pricematch.serving.served_catalogue import ServedCatalogue
from pricematch.serving.service import Service
from pricematch.serving.snapshot import Snapshot
from pricematch.serving.snapshots import Snapshots
from pricematch.settings import Settings
from tests.support.encoding import TinyEncoding
from tests.support.fakes import encoded, scene, tiny_decoder, tiny_images, tiny_matcher
from tests.support.matchers import matcher_over, scored_search
from tests.support.memory_products import MemoryProducts
from tests.support.memory_store import MemoryStore
from tests.support.product_shop import ProductShop
from tests.support.served import Loaded, served


class BothImages:
    """Implements `ports.ImageSource`: the images of before, and those that were put."""

    def __init__(self, before: ImageSource, put: ImageSource) -> None:
        self._before, self._put = before, put

    def read(self, name: str) -> bytes:
        return self._put.read(name) if len(name) == 64 else self._before.read(name)


def in_memory(matcher: Matcher, images: ImageSource, encode: Encode) -> tuple[Intake, MemoryStore]:
    """A catalogue that may be changed, and the store that keeps it in memory."""
    store = MemoryStore.holding(list(matcher.catalogue))
    stored = StoredImages(BothImages(images, store), store, encode, lambda *_: None)
    live = Snapshots(store, store, stored, lambda: Snapshot(store.version(), matcher))
    return Intake(store, store, stored, live), store


def backend(matcher: Matcher, images: ImageSource, encoding: TinyEncoding | None = None) -> Backend:
    """What a service needs to answer from a catalogue in memory."""
    encoding = encoding or TinyEncoding()
    intake, store = in_memory(matcher, images, encoding.encode)
    return Backend(
        encode=encoding,
        intake=intake,
        products=MemoryProducts(store),
        feed=store,
        jobs=store,
        fields=store,
        answers=store,
        open_image=lambda name: io.BytesIO(intake.images.images.read(name)),
    )


Serve: TypeAlias = Callable[..., TestClient]


def make_app(
    matcher: Matcher | None = None,
    images: ImageSource | None = None,
    encoding: TinyEncoding | None = None,
    **settings: Any,
) -> ASGIApp:
    """An application that is ready."""
    service = Service(Settings(**settings))
    service.open(backend(matcher or tiny_matcher(), images or tiny_images(), encoding))
    return create_app(service)


def make_app_of(shop: ProductShop, **settings: Any) -> ASGIApp:
    """An application that is ready, over a catalogue whose products are kept."""
    service = Service(Settings(**settings))
    service.open(
        Backend(
            encode=TinyEncoding(),
            intake=shop.intake,
            products=shop.products,
            feed=shop.feed,
            jobs=MemoryStore(),
            fields=MemoryStore(),
            answers=MemoryStore(),
            open_image=lambda name: io.BytesIO(shop.intake.images.images.read(name)),
        )
    )
    return create_app(service)


@contextmanager
def served_app(settings: Settings, encoding: Loaded | None = None) -> Iterator[ASGIApp]:
    """An application that is ready; its store is served until the end of the block."""
    encoding = encoding or Loaded()
    with served(settings, encoding=encoding) as running:
        service = Service(settings)
        service.open(backend_of(running, encoding))
        yield create_app(service)


def backend_of(running: ServedCatalogue, encoding: TinyEncoding) -> Backend:
    """What a service needs to answer from a store that is served in the test's process."""
    store = running.store
    return Backend(
        encode=encoding,
        intake=running.intake,
        products=store.products,
        feed=store.feed,
        jobs=store.jobs,
        fields=store.fields,
        answers=store.answers,
        open_image=store.images.open,
        manifests=running.manifests,
        uploads=running.uploads,
        trainer=running.trainer,
        activate=partial(activate, running.settings),
    )


SCENE = encoded(scene())
ALL = {"min_probability": 0}


def hash_of(image: bytes) -> str:
    """The perceptual hash of an image, 16 hexadecimal digits."""
    return phash(tiny_decoder().decoded(image))


POSTINGS = [
    Posting("scene", "scene.png", "Kopi Susu 200 ml", image_phash=hash_of(SCENE)),
    Posting("twin", None, "Kopi Susu 200 ml", image_phash=hash_of(SCENE)),
    Posting("worded", None, "kopi susu 500 ml"),
    Posting("other", None, "<b>Teh</b> manis"),
]


def judged_matcher() -> Matcher:
    """A matcher of hashes and titles, without encoders."""
    return matcher_over(Catalogue(POSTINGS), {}, {}, scored_search(POSTINGS))

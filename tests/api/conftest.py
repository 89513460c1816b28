"""The application over the tiny matcher; every answer is checked against the contract."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from pricematch.api.app import create_app
from pricematch.api.state import Kept, Ready, Service
from pricematch.encoding.ports import ImageSource
from pricematch.matching.matcher import Matcher
from pricematch.serving.intake import Intake
from pricematch.serving.live_catalogue import LiveCatalogue, Snapshot
from pricematch.serving.stored_pictures import StoredPictures
from pricematch.settings import Settings
from tests.support.contract import client_of
from tests.support.fakes import FolderlessImages, tiny_decoder, tiny_images, tiny_matcher
from tests.support.memory_store import MemoryStore
from tests.support.served import loaded

__all__ = ["loaded"]

Serve: TypeAlias = Callable[..., TestClient]


def make_app(matcher: Matcher | None = None, images: ImageSource | None = None, **settings: Any) -> ASGIApp:
    """An application that is ready."""
    service = Service(Settings(**settings))
    service.open(live(matcher or tiny_matcher(), images or tiny_images()))
    return create_app(service)


class BothImages:
    """Implements `ports.ImageSource`: the pictures of before, and those that were put."""

    def __init__(self, before: ImageSource, put: ImageSource) -> None:
        self._before, self._put = before, put

    def read(self, name: str) -> bytes:
        return self._put.read(name) if len(name) == 64 else self._before.read(name)


def live(matcher: Matcher, images: ImageSource) -> Callable[[], Ready]:
    """A catalogue that may be changed, kept in memory."""
    store = MemoryStore.holding(list(matcher.catalogue))
    pictures = StoredPictures(store, store, matcher.hasher, "phash", 1, lambda *_: None)
    followed = LiveCatalogue(store, pictures, lambda: Snapshot(store.version(), matcher))
    kept = Kept(store, store, store, store, Intake(store, store, pictures, followed))

    def ready() -> Ready:
        current = followed.current
        return Ready(current.matcher, BothImages(images, store), tiny_decoder(), current.version, kept)

    return ready


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Makes clients of applications with a matcher, pictures and settings of the test's choice."""
    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(client_of(make_app(**given)))


@pytest.fixture(scope="package")
def _shared_images() -> FolderlessImages:
    return tiny_images()


@pytest.fixture(scope="package")
def client(_shared_images: FolderlessImages) -> Iterator[TestClient]:
    """A client of an application over the tiny matcher, which nothing but `images` can change."""
    with client_of(make_app(images=_shared_images)) as client:
        yield client


@pytest.fixture
def images(_shared_images: FolderlessImages) -> Iterator[FolderlessImages]:
    """The pictures that `client` serves; a test may change them."""
    yield _shared_images
    _shared_images.contents = tiny_images().contents

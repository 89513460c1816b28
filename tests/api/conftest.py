"""The application over the tiny matcher; every answer is checked against the contract."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from pricematch.api.app import create_app
from pricematch.encoding.ports import ImageSource
from pricematch.matching.matcher import Matcher
from pricematch.serving.service import Service
from pricematch.settings import Settings
from tests.support.backend import backend
from tests.support.contract import client_of
from tests.support.encoding import TinyEncoding
from tests.support.fakes import FolderlessImages, tiny_images, tiny_matcher
from tests.support.served import Loaded

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


@pytest.fixture
def loaded() -> Loaded:
    """What encodes for a store that is served."""
    return Loaded()


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

"""The application over the tiny matcher; every answer is checked against the contract."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from starlette.testclient import TestClient

from tests.support.applications import Serve, make_app
from tests.support.contract import client_of
from tests.support.fakes import FolderlessImages, tiny_images
from tests.support.served import Loaded


@pytest.fixture
def loaded() -> Loaded:
    """What encodes for a store that is served."""
    return Loaded()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Makes clients of applications with a matcher, images and settings of the test's choice."""
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
    """The images that `client` serves; a test may change them."""
    yield _shared_images
    _shared_images.contents = tiny_images().contents

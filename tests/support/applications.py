"""The application over the tiny matcher."""

from collections.abc import Callable
from typing import Any, TypeAlias

from starlette.testclient import TestClient
from starlette.types import ASGIApp

from pricematch.api.app import create_app
from pricematch.encoding.ports import ImageSource
from pricematch.matching.matcher import Matcher
from pricematch.serving.service import Service
from pricematch.settings import Settings
from tests.support.backend import backend
from tests.support.encoding import TinyEncoding
from tests.support.fakes import tiny_images, tiny_matcher

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

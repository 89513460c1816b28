"""The application over a store that is served in the test's process."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from starlette.types import ASGIApp

from pricematch.api.app import create_app
from pricematch.serving.backend import Backend
from pricematch.serving.models import activate
from pricematch.serving.service import Service
from pricematch.serving.startup import ServedCatalogue
from pricematch.settings import Settings
from tests.support.encoding import TinyEncoding
from tests.support.served import Loaded, served


@contextmanager
def served_app(settings: Settings, encoding: Loaded | None = None) -> Iterator[ASGIApp]:
    """An application that is ready; its store is served until the end of the block."""
    encoding = encoding or Loaded()
    with served(settings, encoding=encoding) as running:
        service = Service(settings)
        service.open(_backend(running, encoding))
        yield create_app(service)


def _backend(running: ServedCatalogue, encoding: TinyEncoding) -> Backend:
    store = running.store
    return Backend(
        encode=encoding,
        intake=running.intake,
        jobs=store.jobs,
        models=store.models,
        manifests=running.manifests,
        uploads=running.uploads,
        activate=partial(activate, running.settings),
    )

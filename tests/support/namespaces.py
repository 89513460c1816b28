"""Several catalogues in one service, over stores that are served in the test's process."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from pricematch.api.keys import ApiKey, Scope, new_key
from pricematch.serving.namespaces import Namespaces
from pricematch.settings import Settings
from tests.support.applications import backend_of
from tests.support.matchers import export_matcher
from tests.support.served import Loaded, served


@contextmanager
def served_namespaces(settings: Settings) -> Iterator[Namespaces]:
    """The services of all namespaces of a data folder, which are ready until the end of the block."""
    found, encoding = Namespaces(settings), Loaded()
    with ExitStack() as stack:
        for service in found:
            service.open(backend_of(stack.enter_context(served(service.settings, encoding=encoding)), encoding))
        found.settle()
        yield found


def make_namespaces(settings: Settings, *names: str) -> None:
    """Make namespaces, each with a matcher of hashes and titles, version 1."""
    for name in names:
        export_matcher(settings.in_namespace(name).models, ["hash", "title"])


def keys_for(**bound: tuple[Scope, str]) -> tuple[Mapping[str, str], str]:
    """Keys that are all called the same, each with its scope and namespace; and the setting that lists them."""
    made = {name: new_key("clerk", scope, namespace) for name, (scope, namespace) in bound.items()}
    kept: list[ApiKey] = [it for _, it in made.values()]
    return {name: key for name, (key, _) in made.items()}, ",".join(it.line() for it in kept)

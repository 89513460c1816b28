"""The service against its own description: whatever fits it, or just does not, gets an answer that it names."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pricematch.api.keys import new_key
from tests.support.applications import served_app
from tests.support.contract import documented
from tests.support.served import coloured

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES, EXAMPLES_WITH_KEYS = 10, 3
OPERATIONS = [(method, path) for path, operations in documented()["paths"].items() for method in operations]
OPEN = ("/healthz", "/readyz", "/metrics")
"""What answers without a key."""
READING = ("/v1/match", "/v1/compare", "/v1/cluster")
"""What is POSTed and stores nothing."""
OF_ALL = "/v1/namespaces"
"""What is about all namespaces takes a key for all of them."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A service over a store on disk and a matcher of hashes and titles."""
    given = coloured(tmp_path_factory.mktemp("service"), ["hash", "title"], access_log=False, max_namespaces=1)
    with served_app(given) as app:
        yield schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_is_one_that_is_described(api: Any, method: str, path: str, mode: GenerationMode) -> None:
    """Whatever the request is, and none is a server error."""

    @given(api[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # there is nothing to get wrong


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    """A service that asks for keys, and one of scope read."""
    key, known = new_key("reader", "read")
    often = dict.fromkeys(("requests_per_second", "refusals_per_second"), 1e6)
    keys = {"api_keys": known.line(), **often}
    given = coloured(tmp_path_factory.mktemp("guarded"), ["hash", "title"], access_log=False, **keys)
    with served_app(given) as app:
        yield schemathesis.openapi.from_asgi("/openapi.json", app), key


@pytest.mark.parametrize(("method", "path"), [it for it in OPERATIONS if it[1] not in OPEN])
def test_keys_are_asked_for_as_it_is_described(guarded: tuple[Any, str], method: str, path: str) -> None:
    """None is 401 everywhere; one that reads is 403 where something is changed, and answered elsewhere."""
    api, key = guarded
    reads = (method == "get" or path in READING) and path != OF_ALL

    @given(api[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE))
    @settings(max_examples=EXAMPLES_WITH_KEYS, suppress_health_check=list(HealthCheck))
    def ask(case: schemathesis.Case[Any]) -> None:
        for name in ("Authorization", "X-API-Key"):
            case.headers.pop(name, None)
        assert case.call_and_validate(checks=CHECKS).status_code == 401
        for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
            status = case.call_and_validate(checks=CHECKS, headers=headers).status_code
            assert status not in {401, 403} if reads else status == 403

    ask()

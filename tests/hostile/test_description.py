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

from tests.support.applications import served_app
from tests.support.contract import documented
from tests.support.served import coloured

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 10


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A service over a store on disk and a matcher of hashes and titles."""
    given = coloured(tmp_path_factory.mktemp("service"), ["hash", "title"], access_log=False)
    with served_app(given) as app:
        yield schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for path, operations in documented()["paths"].items() for method in operations]
)
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

"""The service against its own description: whatever fits it, or just does not, gets an answer that it names."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.conftest import make_app
from tests.fakes import tiny_images, tiny_matcher

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 40

description = schemathesis.openapi.from_asgi("/openapi.json", make_app(tiny_matcher(), tiny_images()))


@description.parametrize()
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
def test_whatever_is_asked_the_answer_is_one_that_is_described_and_none_is_a_server_error(
    case: schemathesis.Case,
) -> None:
    case.call_and_validate(checks=CHECKS)

"""What tests of encoding share."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the service runs in."""
    return "asyncio"

"""Both clients and a service that runs, over sockets."""

import asyncio
from pathlib import Path

import pytest

from pricematch.client import AsyncClient, Client, ConnectionFailed, ImageRefused
from tests.support.ports import free_port
from tests.support.running_service import RED, running

pytestmark = pytest.mark.process


def test_both_clients_ask_a_service_that_runs(tmp_path: Path) -> None:
    with running(tmp_path) as service, Client(f"http://127.0.0.1:{service.port}/v1/") as client:
        assert client.match(RED).matches[0].posting_id == "p0"
        assert client.match(RED).matches == asyncio.run(_matches(service.port))
        assert client.health().status == "ready"
        with pytest.raises(ImageRefused):
            client.match(b"no image")
        service.process.kill()
        service.process.wait()
        with pytest.raises(ConnectionFailed, match="ConnectError"):
            Client(f"http://127.0.0.1:{service.port}", attempts=2).alive()


def test_a_service_that_starts_later_is_waited_for(tmp_path: Path) -> None:
    """While its port is closed, and while it is not ready."""
    with running(tmp_path, "hold-start") as service, Client(f"http://127.0.0.1:{service.port}") as client:
        assert client.health().status == "not-ready"
        (tmp_path / "hold-start").unlink()
        assert client.posting("p0").posting_id == "p0"


def test_a_port_that_is_closed_is_a_connection_that_failed() -> None:
    with Client(f"http://127.0.0.1:{free_port()}", attempts=1) as client, pytest.raises(ConnectionFailed):
        client.health()


async def _matches(port: int) -> object:
    async with AsyncClient(f"http://127.0.0.1:{port}") as client:
        [found, _] = await asyncio.gather(client.match(RED), client.match_each([RED, RED]))
        return found.matches

"""Both clients of a service in the test's process, asked in the same way; and servers that answer as a test says."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, TypeVar

import httpx2
import pytest
from starlette.testclient import TestClient

from pricematch.client import AsyncClient, Client
from tests.support.contract import documented

T = TypeVar("T")
URL = "http://testserver"


class Through(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Sends requests through a client of an application, which checks every answer.

    Attributes:
        sent: the requests, in their order.
    """

    def __init__(self, client: TestClient) -> None:
        self._client, self.sent = client, list[httpx2.Request]()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._answer(request, request.read())

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        return await asyncio.to_thread(self._answer, request, body)

    def _answer(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        self.sent.append(request)
        whole = httpx2.Request(request.method, request.url, headers=request.headers, content=body)
        found = self._client.send(whole)
        return httpx2.Response(found.status_code, headers=found.headers, content=found.content)


class Scripted(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Answers one request after the other as it is told, the last answer again and again.

    Attributes:
        sent: the requests, in their order, with their bodies read.
    """

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self._answers, self.sent = answers, list[httpx2.Request]()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        return self._next(request)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        return self._next(request)

    def _next(self, request: httpx2.Request) -> httpx2.Response:
        answer = self._answers[min(len(self.sent), len(self._answers) - 1)]
        self.sent.append(request)
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)


class Asked:
    """One of the two clients, of which a test need not know which: verbs give their results, listings lists."""

    def __init__(self, *, awaits: bool) -> None:
        self._awaits = awaits

    def of(self, transport: Any, verb: Callable[[Any], Any], **given: Any) -> Any:
        """What a verb gives of a client of this transport."""
        given = {"url": URL, "transport": transport, **given}
        if not self._awaits:
            with Client(**given) as client:
                found = verb(client)
                return list(found) if isinstance(found, Iterator) else found
        return asyncio.run(self._awaited(verb, given))

    async def _awaited(self, verb: Callable[[Any], Any], given: dict[str, Any]) -> Any:
        async with AsyncClient(**given) as client:
            found = verb(client)
            return [it async for it in found] if isinstance(found, AsyncIterator) else await found


@pytest.fixture(params=[False, True], ids=["Client", "AsyncClient"])
def asked(request: pytest.FixtureRequest) -> Asked:
    """Either client."""
    return Asked(awaits=request.param)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that clients let pass, of which none does."""
    passed = list[float]()

    async def pause(seconds: float) -> None:
        passed.append(seconds)

    monkeypatch.setattr("pricematch.client.clients.time.sleep", passed.append)
    monkeypatch.setattr("pricematch.client.clients.asyncio.sleep", pause)
    return passed


def operation_of(request: httpx2.Request) -> str:
    """The name that the description gives an operation."""
    templates: Sequence[str] = sorted(documented()["paths"], key=lambda path: path.count("{"))
    for template in templates:
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        operation = documented()["paths"][template].get(request.method.lower())
        if operation is not None and re.fullmatch(pattern, request.url.raw_path.decode().partition("?")[0]):
            return str(operation["operationId"])
    raise AssertionError(f"nothing is described at {request.method} {request.url}")


def problem(status: int, kind: str = "overloaded", **headers: str) -> httpx2.Response:
    """A problem as the service answers it."""
    body = {"type": f"urn:pricematch:problem:{kind}", "title": "Odd", "status": status, "detail": "expected it later"}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json=body, headers=names | {"Content-Type": "application/problem+json"})

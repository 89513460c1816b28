"""`Client` and `AsyncClient`: one waits, the other awaits; their verbs are the same."""

import asyncio
import os
import re
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self, TypeVar

import httpx2

from pricematch import __version__
from pricematch.client.bodies import present
from pricematch.client.calls import (
    AsyncRunner,
    Call,
    Flow,
    Items,
    Listing,
    Pause,
    Returned,
    Step,
    SyncRunner,
    onwards,
)
from pricematch.client.errors import PricematchClientError, UnexpectedAnswer
from pricematch.client.retries import Attempts
from pricematch.client.verbs import Verbs

T = TypeVar("T")
_VERSION = "/v1"
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_CONNECT_SECONDS = 10.0
_AT_ONCE = 100
"""Connections at most."""


class _Connection:
    """Where a service is, and how it is asked.

    Args:
        url: of the service, with or without `/v1`, or of a path that a proxy serves it at; the environment variable
            PRICEMATCH_URL if absent, and `http://127.0.0.1:8000` without it.
        key: its API key; the environment variable PRICEMATCH_KEY if absent.
        namespace: whose catalogue is asked; the environment variable PRICEMATCH_NAMESPACE if absent. Without it that of
            the key, or the default one.
        timeout: seconds within which the service must answer, or go on with it.
        attempts: how often a request is made at most that may be made again.
        patience: seconds after the first attempt within which others are made.
    """

    def __init__(
        self,
        url: str | None,
        key: str | None,
        namespace: str | None,
        timeout: float,
        attempts: int,
        patience: float,
    ) -> None:
        given = url or os.environ.get("PRICEMATCH_URL") or "http://127.0.0.1:8000"
        self.url = given.rstrip("/").removesuffix(_VERSION)
        if httpx2.URL(self.url).scheme not in ("http", "https") or not httpx2.URL(self.url).host:
            raise ValueError(f"expected the address of a service such as http://127.0.0.1:8000, got {given!r}")
        if attempts < 1:
            raise ValueError(f"expected an attempt at least, got {attempts}")
        namespace = namespace or os.environ.get("PRICEMATCH_NAMESPACE") or ""
        if namespace and not _NAMESPACE.fullmatch(namespace):
            raise ValueError(f"expected a namespace of lower-case letters, digits, - or _, got {namespace!r}")
        self._within = f"/namespaces/{namespace}" if namespace else ""
        key = (key or os.environ.get("PRICEMATCH_KEY") or "").strip()  # files end with a newline
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise ValueError("expected an API key as `pricematch key` prints it, got other characters")
        self.headers = {"User-Agent": f"pricematch/{__version__}", "Accept": "application/json"}
        if key:
            self.headers["Authorization"] = f"Bearer {key}"
        self.timeout, self.limits = timeout, httpx2.Limits(max_connections=_AT_ONCE)
        self._attempts, self._patience = attempts, patience

    def request(self, http: httpx2.Client | httpx2.AsyncClient, call: Call[Any]) -> httpx2.Request:
        """The request that a call is."""
        within = "" if call.beside_versions or call.beside_namespaces else self._within
        return http.build_request(
            call.method,
            f"{self.url}{within}{'' if call.beside_versions else _VERSION}{call.path}",
            params={name: _text(value) for name, value in present(call.query).items()},
            headers=dict(call.headers),
            timeout=httpx2.Timeout(self.timeout + call.waits, connect=min(_CONNECT_SECONDS, self.timeout)),
            **call.content,
        )

    def attempts(self, call: Call[Any]) -> Attempts:
        """The attempts at a call."""
        return Attempts(call, self._attempts, self._patience)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _result(call: Call[T], response: httpx2.Response) -> T:
    """What an answer of success says; raises UnexpectedAnswer."""
    try:
        return call.read(response)
    except ValueError as error:
        raise UnexpectedAnswer(f"{call.method} {response.url}: {error}") from error


class Client(Verbs, SyncRunner):
    """Asks a service, and waits for its answers; threads may share one.

    Args:
        url, key, namespace, timeout, attempts, patience: see docs/client.md.
        verify: whether certificates are checked, or how.
        transport: in place of the network, for tests.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        namespace: str | None = None,
        timeout: float = 60,
        attempts: int = 5,
        patience: float = 60,
        verify: bool | ssl.SSLContext = True,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._to = _Connection(url, key, namespace, timeout, attempts, patience)
        self._http = httpx2.Client(headers=self._to.headers, verify=verify, limits=self._to.limits, transport=transport)

    def __repr__(self) -> str:
        return f"Client({self._to.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def run(self, flow: Flow[T]) -> T:
        """The result of a flow."""
        step = onwards(flow)
        while not isinstance(step, Returned):
            step = onwards(flow, *self._outcome(step))
        result: T = step.value
        return result

    def iterate(self, listing: Listing[T]) -> Iterator[T]:
        """The items of a listing, each page when it is wanted."""
        step = onwards(listing)
        while not isinstance(step, Returned):
            if isinstance(step, Items):
                yield from step.items
                step = onwards(listing)
            else:
                step = onwards(listing, *self._outcome(step))

    def _outcome(self, step: Step) -> tuple[Any, PricematchClientError | None]:
        try:
            return self._done(step), None
        except PricematchClientError as error:
            return None, error

    def _done(self, step: Step) -> Any:
        if isinstance(step, Call):
            return self._answer(step)
        if isinstance(step, Pause):
            return time.sleep(step.seconds)
        return step.do()

    def _answer(self, call: Call[T]) -> T:
        attempts = self._to.attempts(call)
        while True:
            request = self._to.request(self._http, call)
            try:
                response = self._http.send(request)
            except httpx2.TransportError as error:
                pause = attempts.after_error(error, f"{call.method} {request.url}")
            else:
                if response.is_success or response.status_code in call.also:
                    return _result(call, response)
                pause = attempts.after_answer(response)
            time.sleep(pause)


class AsyncClient(Verbs, AsyncRunner):
    """Asks a service, and awaits its answers; tasks of one event loop may share one.

    Args:
        url, key, namespace, timeout, attempts, patience: see docs/client.md.
        verify: whether certificates are checked, or how.
        transport: in place of the network, for tests.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        namespace: str | None = None,
        timeout: float = 60,
        attempts: int = 5,
        patience: float = 60,
        verify: bool | ssl.SSLContext = True,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._to = _Connection(url, key, namespace, timeout, attempts, patience)
        self._http = httpx2.AsyncClient(
            headers=self._to.headers, verify=verify, limits=self._to.limits, transport=transport
        )

    def __repr__(self) -> str:
        return f"AsyncClient({self._to.url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def run(self, flow: Flow[T]) -> T:
        """The result of a flow."""
        step = onwards(flow)
        while not isinstance(step, Returned):
            step = onwards(flow, *await self._outcome(step))
        result: T = step.value
        return result

    async def iterate(self, listing: Listing[T]) -> AsyncIterator[T]:
        """The items of a listing, each page when it is wanted."""
        step = onwards(listing)
        while not isinstance(step, Returned):
            if isinstance(step, Items):
                for item in step.items:
                    yield item
                step = onwards(listing)
            else:
                step = onwards(listing, *await self._outcome(step))

    async def _outcome(self, step: Step) -> tuple[Any, PricematchClientError | None]:
        try:
            return await self._done(step), None
        except PricematchClientError as error:
            return None, error

    async def _done(self, step: Step) -> Any:
        if isinstance(step, Call):
            return await self._answer(step)
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds)
        return await asyncio.to_thread(step.do)

    async def _answer(self, call: Call[T]) -> T:
        attempts = self._to.attempts(call)
        while True:
            request = self._to.request(self._http, call)
            try:
                response = await self._http.send(request)
            except httpx2.TransportError as error:
                pause = attempts.after_error(error, f"{call.method} {request.url}")
            else:
                if response.is_success or response.status_code in call.also:
                    return _result(call, response)
                pause = attempts.after_answer(response)
            await asyncio.sleep(pause)

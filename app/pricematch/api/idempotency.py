"""Requests with an Idempotency-Key, which are done once however often they are sent.

The header is that of the IETF's draft "The Idempotency-Key HTTP Header Field". A success is kept before it is sent, and
sent again to whoever sends the same key again; other answers are not, since nothing was changed then.
"""

import hashlib
import json
import logging
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, FastAPI, Header, Request, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pricematch.api.content import MULTIPART
from pricematch.api.dependencies import ReadyService
from pricematch.api.limits import allow_import
from pricematch.api.logs import current
from pricematch.catalogue.records import KeptAnswer
from pricematch.errors import KeyReused, RequestRunning, StoreError
from pricematch.serving.service import Service
from pricematch.settings import MIB

_log = logging.getLogger("pricematch")
_PLACE = "pricematch.once"
"""Where the scope of a request that may have a key has its `_Once`."""
_KEPT_HEADERS = ("content-type", "location", "etag")
_MOST_BYTES = 4 * MIB
"""Of an answer that is kept."""


_Running: TypeAlias = tuple[str, bytes]
"""The namespace and the key of a request that is being answered."""


class _Once:
    """What becomes of a request.

    Args:
        running: keys of all requests that are being answered.

    Attributes:
        running: the same.
        key: under which its answer is to be kept; None: it is not.
        service: of the namespace that it is about, which keeps its answer.
    """

    def __init__(self, running: "set[_Running]") -> None:
        self.running = running
        self.key: bytes | None = None
        self.service: Service | None = None
        self._hash = hashlib.sha256()

    def begin(self, key: bytes, service: Service, request: Request) -> None:
        """Let the answer be kept; what was read of a form does not matter, whose boundary differs each time."""
        self.key, self.service = key, service
        self.running.add((service.namespace, key))
        headers = request.headers
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        self._whole = kind != MULTIPART
        length = "" if self._whole else headers.get("content-length", "")
        head = [request.method, request.url.path, request.url.query, kind, length]
        self._hash.update("\n".join(head).encode())

    def take(self, piece: bytes) -> None:
        """Take a piece of the body."""
        if self.key is not None and self._whole:
            self._hash.update(piece)

    @property
    def fingerprint(self) -> bytes:
        """What must be equal of two requests with one key."""
        return self._hash.digest()


class AnsweredBefore(Exception):
    """The request was answered before; carries that answer."""

    def __init__(self, answer: KeptAnswer) -> None:
        super().__init__("answered before")
        self.answer = answer


async def _begin(
    request: Request,
    service: ReadyService,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="Of this request alone, such as a UUID: sent again with it within a day, it is not done again, "
            "and answered as before.",
        ),
    ] = None,
) -> None:
    """Let a request without a key go on, and the first with one; raises AnsweredBefore, RequestRunning, KeyReused."""
    if idempotency_key is None:
        return
    # whose key it is: nobody is answered what another was
    key = hashlib.sha256(f"{current().key or ''}\0{idempotency_key}".encode()).digest()
    once: _Once = request.scope[_PLACE]
    if (service.namespace, key) in once.running:
        raise RequestRunning("a request with this Idempotency-Key is being answered; send it again later")
    once.begin(key, service, request)  # before anything is awaited
    if (before := await service.kept_answer(key)) is not None:
        allow_import(request.scope, service.settings)  # nothing of it is kept
        async for _ in request.stream():  # the middleware sees what comes
            pass
        if before.fingerprint != once.fingerprint:
            raise KeyReused("expected an Idempotency-Key of this request alone, got one of another request")
        raise AnsweredBefore(before)


ONCE: Any = Depends(_begin)


class Idempotency:
    """ASGI middleware: keeps the answer of a request whose endpoint takes an Idempotency-Key, before it is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._running = set[_Running]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
        if scope["type"] != "http" or "idempotency-key" not in Headers(scope=scope):
            await self._app(scope, receive, send)
            return
        once = scope[_PLACE] = _Once(self._running)
        messages = list[Message]()

        async def kept(message: Message) -> None:
            messages.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                await self._keep(once, messages)
                for it in messages:
                    await send(it)
                messages.clear()

        async def received() -> Message:
            message = await receive()
            once.take(message.get("body", b""))
            return message

        try:
            await self._app(scope, received, kept)
        finally:
            if once.key is not None and once.service is not None:
                self._running.discard((once.service.namespace, once.key))

    async def _keep(self, once: _Once, messages: list[Message]) -> None:
        start, *pieces = messages
        body = b"".join(piece.get("body", b"") for piece in pieces)
        headers = {name: value for name, value in Headers(raw=start["headers"]).items() if name in _KEPT_HEADERS}
        is_new = "idempotency-replayed" not in Headers(raw=start["headers"])
        if once.key is None or once.service is None or not is_new:
            return
        if not 200 <= start["status"] < 300 or len(body) > _MOST_BYTES:
            return
        answer = KeptAnswer(once.fingerprint, start["status"], json.dumps(headers), body)
        try:
            await once.service.keep_answer(once.key, answer)
        except StoreError as error:  # it was done, and is said so
            _log.warning("an answer is not kept for its Idempotency-Key: %s", error)


def install(app: FastAPI) -> None:
    """Let an application do requests with an Idempotency-Key once."""
    app.add_middleware(Idempotency)
    app.exception_handler(AnsweredBefore)(_answer_again)


async def _answer_again(_: Request, before: AnsweredBefore) -> Response:
    headers = {**json.loads(before.answer.headers), "Idempotency-Replayed": "true"}
    return Response(before.answer.body, before.answer.status, headers)

"""/changes: what has changed since a version, as pages or as it comes."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pricematch.api.content import written
from pricematch.api.dependencies import READ, LinksDep, ReadyService, while_connected
from pricematch.api.links import Links
from pricematch.api.logs import current
from pricematch.api.problems import responses
from pricematch.api.routing import is_head
from pricematch.api.schemas.changes import ChangesOut, ChangesQuery, changes_fields, events_text, read_position
from pricematch.catalogue.feed import Position
from pricematch.errors import PricematchError
from pricematch.serving.results import ChangesRead

router = APIRouter(tags=["changes"])
EVENT_STREAM = "text/event-stream"
_RETRY = b"retry: 3000\n\n"
_HEARTBEAT = b":\n\n"
_UNBUFFERED = {"X-Accel-Buffering": "no"}
"""Tells proxies to pass each event on as it comes."""
_log = logging.getLogger("pricematch")


class _Events(StreamingResponse):
    """A stream of changes, whose reader's place is free as soon as the response has ended, however it did."""

    media_type = EVENT_STREAM

    def __init__(self, pages: AsyncGenerator[ChangesRead, None], first: ChangesRead, links: Links) -> None:
        super().__init__(_events(pages, first, links), headers=_UNBUFFERED)
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._pages.aclose()


@router.get(
    "/changes",
    operation_id="listChanges",
    dependencies=[READ],
    response_model=ChangesOut,
    responses=responses(410, 422, 429, 500, 503)
    | {200: {"content": {EVENT_STREAM: {}}, "description": "A page; or, where that is accepted, a stream of events."}},
)
async def changes(
    request: Request,
    service: ReadyService,
    links: LinksDep,
    query: Annotated[ChangesQuery, Query()],
    last_event_id: Annotated[
        str, Header(alias="Last-Event-ID", max_length=64, description="Of a stream: the id of the last event, `since`.")
    ] = "",
) -> Response:
    """Changes of postings, verdicts, products and models since a version, in order; none is left out.

    With `Accept: text/event-stream` they come as events, and go on as they are made.
    """
    if query.wait > (most := service.settings.max_wait_seconds):
        raise _invalid(("query", "wait"), f"expected at most {most:g} seconds, got {query.wait:g}")
    current().waits = query.wait > 0 or _wants_events(request)
    if not _wants_events(request):
        reading = service.changes(query.position, query.limit, query.wanted, query.wait)
        return written(changes_fields(await while_connected(request, reading), links))
    if query.wait:
        raise _invalid(("query", "wait"), f"expected no wait with {EVENT_STREAM}, which goes on by itself")
    await request.body()  # so that it comes in time, or is answered so, before there is an answer
    pages = service.follow_changes(_resumed(last_event_id) or query.position, query.limit, query.wanted)
    first = await anext(pages)
    if is_head(request.scope):
        await pages.aclose()
        return Response(media_type=EVENT_STREAM)
    return _Events(pages, first, links)


async def _events(pages: AsyncIterator[ChangesRead], first: ChangesRead, links: Links) -> AsyncIterator[bytes]:
    """The bytes of a stream; one that cannot go on ends, and whoever comes again is told why."""
    yield _RETRY
    if first.page.changes:
        yield events_text(first.page, links)
    try:
        async for found in pages:
            yield events_text(found.page, links) or _HEARTBEAT
    except PricematchError as error:
        _log.warning("a stream of changes ended: %s", error)


def _wants_events(request: Request) -> bool:
    accepted = ",".join(request.headers.getlist("accept")).split(",")
    return any(kind.partition(";")[0].strip().lower() == EVENT_STREAM for kind in accepted)


def _resumed(last_event_id: str) -> Position | None:
    """Where a stream goes on; None where it begins."""
    try:
        return read_position(last_event_id) if last_event_id else None
    except ValueError as error:
        raise _invalid(("header", "Last-Event-ID"), str(error)) from None


def _invalid(place: tuple[str, str], message: str) -> RequestValidationError:
    fault: dict[str, Any] = {"type": "value_error", "loc": place, "msg": message}
    return RequestValidationError([fault])

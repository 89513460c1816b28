"""GET, PUT and DELETE /postings…: what is stored, and changes to it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from pricematch.api.access import READ, WRITE
from pricematch.api.answers import posting_out, stored_out
from pricematch.api.conditions import IfMatch, IfNoneMatch, condition, etag, is_known
from pricematch.api.dependencies import PostingId, ReadyDep, ServiceDep, WorkerDep
from pricematch.api.posting_bodies import BODY, read_posting
from pricematch.api.problems import responses
from pricematch.api.schemas.postings import PostingsOut, RemovedOut, StoredPostingOut
from pricematch.api.state import Ready
from pricematch.catalogue.postings import POSTING_ID_PATTERN
from pricematch.catalogue.records import Condition, Stored
from pricematch.errors import PostingNotFound

router = APIRouter(tags=["postings"])
MAX_PAGE = 100
_NOT_MODIFIED = {304: {"description": "The client knows it already."}}
_TAGGED = {"ETag": {"description": "Its revision, for If-Match and If-None-Match.", "schema": {"type": "string"}}}


@router.get("/postings", dependencies=[READ], responses=responses(422, 500, 503))
async def postings(
    ready: ReadyDep,
    worker: WorkerDep,
    cursor: Annotated[
        str, Query(pattern=f"{POSTING_ID_PATTERN}|^$", description="Where the page begins: a `next_cursor`.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Postings at most.")] = MAX_PAGE,
) -> PostingsOut:
    """The stored postings in the order of their ids, page by page."""
    return await worker.keep(lambda: _page(ready, cursor, limit))


@router.get(
    "/postings/{posting_id}",
    dependencies=[READ],
    responses=responses(404, 422, 500, 503) | _NOT_MODIFIED | {200: {"headers": _TAGGED}},
)
async def posting(
    posting_id: PostingId, ready: ReadyDep, worker: WorkerDep, response: Response, if_none_match: IfNoneMatch = None
) -> StoredPostingOut:
    """A stored posting."""
    stored = await worker.keep(lambda: _stored(ready, posting_id))
    response.headers["ETag"] = etag(stored.revision)
    if is_known(if_none_match, stored.revision):
        response.status_code = 304
    return stored_out(stored.posting, ready, ready.version)


@router.put(
    "/postings/{posting_id}",
    dependencies=[WRITE],
    openapi_extra=BODY,
    responses=responses(400, 412, 413, 415, 422, 429, 500, 503, 504, 507)
    | {200: {"headers": _TAGGED}, 201: {"model": StoredPostingOut, "headers": _TAGGED, "description": "It is new."}},
)
async def put(
    posting_id: PostingId,
    request: Request,
    service: ServiceDep,
    ready: ReadyDep,
    worker: WorkerDep,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> StoredPostingOut:
    """Store a posting, all of it, in place of the one with its id; whoever asks next finds it."""
    offered = await read_posting(request, posting_id, _condition(if_match, if_none_match), service.settings)
    [(stored, kept)], version = await worker.run(lambda: ready.stored().intake.put([offered]))
    response.status_code = 201 if kept.outcome == "created" else 200
    response.headers["ETag"] = etag(kept.revision)
    return stored_out(stored, ready, version)


@router.delete("/postings/{posting_id}", dependencies=[WRITE], responses=responses(412, 422, 500, 503, 507))
async def remove(
    posting_id: PostingId,
    ready: ReadyDep,
    worker: WorkerDep,
    if_match: IfMatch = None,
) -> RemovedOut:
    """Remove a stored posting; one that is not there is no error."""
    wanted = _condition(if_match, None)
    there, version = await worker.keep(lambda: ready.stored().intake.remove(posting_id, wanted))
    return RemovedOut(catalogue_version=version, posting_id=posting_id, removed=there)


def _page(ready: Ready, cursor: str, limit: int) -> PostingsOut:
    kept = ready.stored()
    found = kept.postings.page(cursor, limit + 1)
    page = found[:limit]
    return PostingsOut(
        catalogue_version=ready.version,
        total=kept.postings.count(),
        postings=[posting_out(stored.posting, ready) for stored in page],
        next_cursor=page[-1].posting.posting_id if len(found) > limit else None,
    )


def _stored(ready: Ready, posting_id: str) -> Stored:
    if (stored := ready.stored().postings.get(posting_id)) is None:
        raise PostingNotFound(posting_id)
    return stored


def _condition(if_match: str | None, if_none_match: str | None) -> Condition:
    try:
        return condition(if_match, if_none_match)
    except ValueError as error:
        raise RequestValidationError([{"type": "value_error", "loc": ("header",), "msg": str(error)}]) from error

"""/postings: stored postings, changes to them, and their matches."""

import time
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator

from pricematch.api.conditions import condition, etag, is_known
from pricematch.api.content import written
from pricematch.api.dependencies import (
    READ,
    WRITE,
    LinksDep,
    PostingId,
    ReadyService,
    read_posting_id,
    while_connected,
)
from pricematch.api.links import Links
from pricematch.api.posting_bodies import BODY, PATCH_BODY, read_patch, read_posting
from pricematch.api.problems import responses
from pricematch.api.schemas.filters import FilterText, filter_in
from pricematch.api.schemas.match_requests import MatchQuery
from pricematch.api.schemas.matches import MatchesOut, matches_fields
from pricematch.api.schemas.postings import PostingOut, PostingsOut, RemovedOut, StoredPostingOut, posting_fields
from pricematch.catalogue.records import Condition
from pricematch.serving.exclusions import read_exclusions
from pricematch.serving.results import PutResult

_MAX = 2000

_IfMatch = Annotated[
    str | None,
    Header(max_length=_MAX, description="`ETag` that the stored posting must have, or `*`: it must be there."),
]
_IfNoneMatch = Annotated[
    str | None, Header(max_length=_MAX, description="`*`: it must not be there. To read: `ETag` that is known already.")
]
router = APIRouter(tags=["postings"])
MAX_PAGE = 100
_NOT_MODIFIED = {304: {"description": "The client knows it already."}}
_TAGGED = {
    "ETag": {
        "description": "Its revision and product, for If-Match, which compares the revision, and If-None-Match.",
        "schema": {"type": "string"},
    }
}


def _cursor(value: str) -> str:
    """An id, or nothing for the first page."""
    return read_posting_id(value) if value else value


@router.get("/postings", operation_id="listPostings", dependencies=[READ], responses=responses(422, 500, 503))
async def postings(
    service: ReadyService,
    links: LinksDep,
    cursor: Annotated[str, AfterValidator(_cursor), Query(description="Where the page begins: a `next_cursor`.")] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Postings at most.")] = MAX_PAGE,
    filter: Annotated[FilterText, Query()] = None,  # noqa: A002 — its name over HTTP
) -> PostingsOut:
    """The stored postings in the order of their ids, page by page; with a filter those that it holds of."""
    page = await service.postings(cursor, limit, filter_in(filter, service.settings))
    product_of = page.snapshot.product_of
    return PostingsOut(
        catalogue_version=page.snapshot.version,
        total=page.total,
        postings=[PostingOut(**posting_fields(it, links, product_of(it.posting_id))) for it in page.postings],
        next_cursor=page.postings[-1].posting_id if page.more else None,
    )


@router.get(
    "/postings/{posting_id}",
    operation_id="getPosting",
    dependencies=[READ],
    responses=responses(404, 422, 500, 503) | _NOT_MODIFIED | {200: {"headers": _TAGGED}},
)
async def posting(
    posting_id: PostingId,
    service: ReadyService,
    links: LinksDep,
    response: Response,
    if_none_match: _IfNoneMatch = None,
) -> StoredPostingOut:
    """A stored posting."""
    stored, snapshot = await service.posting(posting_id)
    product = snapshot.product_of(posting_id)
    response.headers["ETag"] = tag = etag(stored.revision, product)
    if is_known(if_none_match, tag):
        response.status_code = 304
    fields = posting_fields(stored.posting, links, product)
    return StoredPostingOut(catalogue_version=snapshot.version, **fields)


@router.put(
    "/postings/{posting_id}",
    operation_id="putPosting",
    dependencies=[WRITE],
    openapi_extra=BODY,
    responses=responses(400, 412, 413, 415, 422, 429, 500, 503, 504, 507)
    | {200: {"headers": _TAGGED}, 201: {"model": StoredPostingOut, "headers": _TAGGED, "description": "It is new."}},
)
async def put(
    posting_id: PostingId,
    request: Request,
    service: ReadyService,
    links: LinksDep,
    response: Response,
    if_match: _IfMatch = None,
    if_none_match: _IfNoneMatch = None,
) -> StoredPostingOut:
    """Store a posting, all of it, in place of the one with its id; whoever asks next finds it."""
    offered = await read_posting(
        request, posting_id, _condition(if_match, if_none_match), service.settings, service.fetched
    )
    found = await while_connected(request, service.put(offered))
    response.status_code = 201 if found.kept.outcome == "created" else 200
    return _stored(found, links, response)


@router.patch(
    "/postings/{posting_id}",
    operation_id="patchPosting",
    dependencies=[WRITE],
    openapi_extra=PATCH_BODY,
    responses=responses(400, 404, 412, 413, 415, 422, 429, 500, 503, 504, 507) | {200: {"headers": _TAGGED}},
)
async def patch(
    posting_id: PostingId,
    request: Request,
    service: ReadyService,
    links: LinksDep,
    response: Response,
    if_match: _IfMatch = None,
) -> StoredPostingOut:
    """Change some of a stored posting; what is left out stays. Whoever asks next finds it."""
    changes = await read_patch(request, posting_id, _condition(if_match, None), service.settings, service.fetched)
    return _stored(await while_connected(request, service.patch(changes)), links, response)


@router.delete(
    "/postings/{posting_id}",
    operation_id="deletePosting",
    dependencies=[WRITE],
    responses=responses(412, 422, 500, 503, 507),
)
async def remove(posting_id: PostingId, service: ReadyService, if_match: _IfMatch = None) -> RemovedOut:
    """Remove a stored posting; one that is not there is no error."""
    there, version = await service.remove(posting_id, _condition(if_match, None))
    return RemovedOut(catalogue_version=version, posting_id=posting_id, removed=there)


@router.get(
    "/postings/{posting_id}/matches",
    operation_id="getPostingMatches",
    dependencies=[READ],
    response_model=MatchesOut,
    responses=responses(404, 409, 422, 429, 500, 503, 504),
)
async def matches(
    posting_id: PostingId,
    query: Annotated[MatchQuery, Query()],
    request: Request,
    service: ReadyService,
    links: LinksDep,
) -> Response:
    """Postings that are the same product as a stored one, the surest first, itself excluded."""
    started = time.perf_counter()
    options = replace(query.options(), filter=filter_in(query.filter, service.settings))
    exclude = () if query.exclude is None else read_exclusions(query.exclude)
    found = await while_connected(request, service.matches_of(posting_id, options, exclude))
    return written(matches_fields(found, started, links, metadata=query.metadata))


def _stored(found: PutResult, links: Links, response: Response) -> StoredPostingOut:
    """A posting that was changed, whose tag a response gets."""
    product = found.snapshot.product_of(found.posting.posting_id)
    response.headers["ETag"] = etag(found.kept.revision, product)
    fields = posting_fields(found.posting, links, product)
    return StoredPostingOut(catalogue_version=found.snapshot.version, **fields)


def _condition(if_match: str | None, if_none_match: str | None) -> Condition:
    try:
        return condition(if_match, if_none_match)
    except ValueError as error:
        raise RequestValidationError([{"type": "value_error", "loc": ("header",), "msg": str(error)}]) from error

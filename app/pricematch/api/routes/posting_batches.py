"""/postings:batch, and DELETE /postings: many changes of postings in one request."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError

from pricematch.api.bodies import described
from pricematch.api.conditions import condition
from pricematch.api.content import JSON, invalid, read_json, validated
from pricematch.api.dependencies import WRITE, ReadyService
from pricematch.api.idempotency import ONCE
from pricematch.api.limits import allow_large
from pricematch.api.posting_bodies import offered, patched
from pricematch.api.problems import Fault, Problem, faults_of, invalid_request, responses
from pricematch.api.schemas.filters import NeededFilterText
from pricematch.api.schemas.posting_batches import (
    BODY,
    KINDS,
    ChangedEachOut,
    ChangesIn,
    DeleteChange,
    PatchChange,
    changed_out,
    item_place,
)
from pricematch.api.schemas.postings import RemovedMatchingOut
from pricematch.catalogue.filter_text import read_filter
from pricematch.catalogue.records import Condition, Removal
from pricematch.errors import LimitExceeded, PricematchError
from pricematch.serving.change_batches import WantedChange
from pricematch.settings import KIB, Settings

router = APIRouter(tags=["postings"])
_BYTES_PER_ITEM = 4 * KIB
"""Of JSON beside images, on average."""
MAX_REMOVED = 10_000


@router.post(
    "/postings:batch",
    operation_id="changePostings",
    dependencies=[WRITE, ONCE],
    openapi_extra=described({JSON: BODY}),
    responses=responses(400, 413, 415, 422, 429, 500, 503, 507),
)
async def change_each(request: Request, service: ReadyService) -> ChangedEachOut:
    """Put, patch and delete many postings, one after the other; a bad item fails alone."""
    settings = service.settings
    allow_large(request.scope, settings)
    given = await read_json(request, ChangesIn, settings.max_batch_items * _BYTES_PER_ITEM, images=True)
    if (count := len(given.items)) > settings.max_batch_items:
        raise LimitExceeded(f"expected at most {settings.max_batch_items} items, got {count}")
    read = [_change(index, item, settings) for index, item in enumerate(given.items)]
    found = await service.change_each([it for it in read if not isinstance(it, Problem | PricematchError)])
    outcomes = iter(found.outcomes)
    items = [
        changed_out(index, _posting_id(item), it if isinstance(it, Problem | PricematchError) else next(outcomes))
        for index, (item, it) in enumerate(zip(given.items, read, strict=True))
    ]
    failed = sum(item.problem is not None for item in items)
    return ChangedEachOut(catalogue_version=found.snapshot.version, failed=failed, items=items)


@router.delete(
    "/postings",
    operation_id="deletePostings",
    dependencies=[WRITE],
    responses=responses(422, 429, 500, 503, 504, 507),
)
async def remove_matching(
    service: ReadyService,
    filter: Annotated[NeededFilterText, Query()],  # noqa: A002 — its name over HTTP
    dry_run: Annotated[bool, Query(description="Only count them.")] = False,  # noqa: FBT002 — it is named over HTTP
    limit: Annotated[int, Query(ge=1, le=MAX_REMOVED, description="Postings at most.")] = MAX_REMOVED,
) -> RemovedMatchingOut:
    """Remove the postings that a filter holds of, or count them."""
    condition = read_filter(filter, service.settings.max_filter_bytes)
    found = await service.remove_matching(condition, limit, dry_run=dry_run)
    return RemovedMatchingOut(
        catalogue_version=found.snapshot.version, dry_run=dry_run, matched=found.matched, removed=found.removed
    )


def _change(index: int, item: Any, settings: Settings) -> WantedChange | Problem | PricematchError:
    """A change, or why the item is none."""
    try:
        return _read(item, settings)
    except PricematchError as error:
        return error
    except RequestValidationError as error:
        faults = [(it.location.partition(".")[2], it.message) for it in faults_of(error)]
        return invalid_request([Fault(location=item_place(index, it), message=message) for it, message in faults])


def _read(item: Any, settings: Settings) -> WantedChange:
    """A change; raises RequestValidationError, ImageError, FieldInvalid."""
    if not isinstance(item, dict):
        raise invalid("", f"expected an object with op and posting_id, got {str(item)[:80]!r}")
    op = item.get("op")
    if not isinstance(op, str) or op not in KINDS:
        raise invalid("op", f"expected {', '.join(KINDS)}, got {str(op)[:80]!r}")
    given = validated(KINDS[op], item)
    if not isinstance(given, DeleteChange) and given.image_url is not None:
        raise invalid("image_url", "expected image: images of many items are sent, not fetched")
    if isinstance(given, DeleteChange):
        return Removal(given.posting_id, _condition(given.if_match))
    if isinstance(given, PatchChange):
        return patched(given.posting_id, given, given.image or (), _condition(given.if_match), settings)
    return offered(
        given.posting_id, given, given.image or (), _condition(given.if_match, given.if_none_match), settings
    )


def _condition(if_match: str | None, if_none_match: str | None = None) -> Condition:
    try:
        return condition(if_match, if_none_match)
    except ValueError as error:
        raise invalid("if_match", str(error)) from error


def _posting_id(item: Any) -> str | None:
    """The id that an item names, as far as there is any."""
    if not isinstance(item, dict):
        return None
    return posting_id if isinstance(posting_id := item.get("posting_id"), str) else None

"""/verdicts:batch and /verdicts/batches: feedback on many pairs at once, and how it is taken back."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from pricematch.api.bodies import described, json_schema
from pricematch.api.content import JSON, read_json
from pricematch.api.dependencies import READ, WRITE, LinksDep, ReadyService, Writer, while_connected
from pricematch.api.idempotency import ONCE
from pricematch.api.limits import allow_large
from pricematch.api.problems import responses
from pricematch.api.schemas.verdict_batches import (
    BATCH_ID,
    BatchesOut,
    BatchIn,
    BatchPreviewOut,
    StoredBatchOut,
    batch_out,
    preview_out,
    stored_batch_out,
)
from pricematch.errors import LimitExceeded

router = APIRouter(tags=["verdicts"])
_BYTES_PER_ITEM = 1024
"""Two ids of at most 128 bytes, escaped as \\u…, and the names of the fields."""
_BYTES_OF_NOTE = 12 * 1100
_BatchId = Annotated[str, Path(pattern=BATCH_ID, description="Id of a batch.")]
_MADE: dict[int | str, dict[str, Any]] = {
    201: {
        "model": StoredBatchOut,
        "description": "All of it is stored.",
        "headers": {"Location": {"description": "The batch.", "schema": {"type": "string"}}},
    }
}


@router.post(
    "/verdicts:batch",
    operation_id="decideVerdicts",
    dependencies=[WRITE, ONCE],
    response_model=BatchPreviewOut,
    openapi_extra=described({JSON: json_schema(BatchIn)}),
    responses=responses(400, 409, 412, 413, 415, 422, 429, 500, 503, 504, 507) | _MADE,
)
async def decide_each(
    request: Request, service: ReadyService, links: LinksDep, key: Writer
) -> BatchPreviewOut | Response:
    """Say of many pairs whether they are the same product, all of it or nothing; or count what that would do."""
    settings = service.settings
    allow_large(request.scope, settings)
    given = await read_json(request, BatchIn, settings.max_batch_items * _BYTES_PER_ITEM + _BYTES_OF_NOTE)
    if len(given.decisions or ()) > settings.max_batch_items:
        raise LimitExceeded(f"expected at most {settings.max_batch_items} decisions, got {len(given.decisions or ())}")
    options = given.options(key, settings)
    if given.preview:
        return preview_out(await while_connected(request, service.preview_batch(options)))
    found = stored_batch_out(await service.decide_each(options))
    location = {"Location": links.verdict_batch(found.batch_id)}
    return Response(found.model_dump_json(), 201, location, JSON)


@router.get(
    "/verdicts/batches", operation_id="listVerdictBatches", dependencies=[READ], responses=responses(422, 500, 503)
)
async def batches(
    service: ReadyService,
    cursor: Annotated[int | None, Query(ge=1, le=2**62, description="Where the page begins: a `next_cursor`.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Batches at most.")] = 20,
) -> BatchesOut:
    """The batches of verdicts that are kept, the newest first."""
    found = await service.batches(cursor, limit)
    return BatchesOut(
        catalogue_version=found.version,
        batches=[batch_out(it) for it in found.batches],
        next_cursor=str(found.batches[-1].number) if found.more else None,
    )


@router.get(
    "/verdicts/batches/{batch_id}",
    operation_id="getVerdictBatch",
    dependencies=[READ],
    responses=responses(404, 422, 500, 503),
)
async def batch(batch_id: _BatchId, service: ReadyService) -> StoredBatchOut:
    """A batch of verdicts: what it did, and whether it was taken back."""
    return stored_batch_out(await service.batch(batch_id))


@router.delete(
    "/verdicts/batches/{batch_id}",
    operation_id="undoVerdictBatch",
    dependencies=[WRITE],
    responses=responses(404, 422, 500, 503, 507),
)
async def undo(batch_id: _BatchId, service: ReadyService) -> StoredBatchOut:
    """Take a batch back: verdicts on its pairs are what they were before, but for those decided anew since."""
    return stored_batch_out(await service.undo_batch(batch_id))

"""POST /match: which postings are the same product as this picture, this title, or both?"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.api.answers import matches_out
from app.api.bodies import JSON, MULTIPART, read_query
from app.api.dependencies import ReadyDep, ServiceDep, WorkerDep
from app.api.match_schemas import MatchesOut, MatchQuery, TitleRequest
from app.api.problems import responses

router = APIRouter(tags=["match"])

_PICTURE = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, GIF, BMP or TIFF."}
_TITLE = TitleRequest.model_json_schema()
_FORM = {
    "type": "object",
    "description": "One of them at least.",
    "properties": {"image": _PICTURE, "title": _TITLE["properties"]["title"]},
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {MULTIPART: {"schema": _FORM}, JSON: {"schema": _TITLE}, "image/*": {"schema": _PICTURE}},
    }
}


@router.post(
    "/match",
    response_model=MatchesOut,
    responses=responses(400, 409, 413, 415, 422, 429, 500, 503, 504),
    openapi_extra=_BODY,
)
async def match(
    request: Request,
    asked: Annotated[MatchQuery, Query()],
    service: ServiceDep,
    ready: ReadyDep,
    worker: WorkerDep,
) -> Response:
    """Postings that are the same product as a picture, a title, or both, the surest first."""
    query = await read_query(request, service.settings)
    answer = await worker.run(lambda: ready.matcher.match(query, asked.asked()))
    # written down here, because FastAPI would first check what was built from its own model
    return Response(matches_out(answer, ready, worker.took_ms()).model_dump_json(), media_type=JSON)

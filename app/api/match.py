"""POST /match: which postings resemble this picture?"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from app.api.bodies import MULTIPART, read_image
from app.api.dependencies import ReadyDep, WorkerDep
from app.api.problems import responses
from app.api.schemas import MatchesOut, MatchQuery, matches_out

router = APIRouter(tags=["match"])

_PICTURE = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, GIF, BMP or TIFF."}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART: {"schema": {"type": "object", "required": ["image"], "properties": {"image": _PICTURE}}},
            "image/*": {"schema": _PICTURE},
        },
    }
}


@router.post("/match", responses=responses(400, 413, 415, 422, 500, 503), openapi_extra=_BODY)
async def match(
    request: Request, query: Annotated[MatchQuery, Query()], ready: ReadyDep, worker: WorkerDep
) -> MatchesOut:
    """Postings that resemble a picture, the most similar first."""
    image = await read_image(request)
    matches = await worker.run(lambda: ready.matcher.match(image, query.limit, query.min_similarity))
    return matches_out(matches, ready.matcher.catalogue, dict(ready.matcher.versions), worker.took_ms())

"""POST /match: which postings are the same product as this picture, this title, or both?"""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi import Query as InQuery
from pydantic import TypeAdapter

from pricematch.api.access import READ
from pricematch.api.answers import each_out, matches_out
from pricematch.api.bodies import JSON, MULTIPART
from pricematch.api.dependencies import ReadyDep, ServiceDep, WorkerDep
from pricematch.api.match_bodies import SentImages, read_query
from pricematch.api.problems import responses
from pricematch.api.schemas.matches import EachMatchesOut, MatchesOut, MatchQuery, TitleRequest
from pricematch.matching.queries import Query

router = APIRouter(tags=["match"])
_ANSWER = TypeAdapter(dict[str, Any])

_PICTURE = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, GIF, BMP or TIFF."}
_TITLE = TitleRequest.model_json_schema()
_FORM = {
    "type": "object",
    "description": "`image`, `title` or both; or several `images`, which are answered item by item.",
    "properties": {
        "image": _PICTURE,
        "title": _TITLE["properties"]["title"],
        "images": {"type": "array", "items": _PICTURE},
    },
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {MULTIPART: {"schema": _FORM}, JSON: {"schema": _TITLE}, "image/*": {"schema": _PICTURE}},
    }
}


@router.post(
    "/match",
    dependencies=[READ],
    response_model=MatchesOut | EachMatchesOut,
    responses=responses(400, 409, 413, 415, 422, 429, 500, 503, 504),
    openapi_extra=_BODY,
)
async def match(
    request: Request,
    asked: Annotated[MatchQuery, InQuery()],
    service: ServiceDep,
    ready: ReadyDep,
    worker: WorkerDep,
) -> Response:
    """Postings that are the same product as a picture, a title, or both, the surest first; or as each of `images`."""
    query, matcher, wanted = await read_query(request, service.settings), ready.matcher, asked.asked()
    if isinstance(query, SentImages):
        encoders = matcher.encoders_of(Query(query.images[0]), wanted)
        answers = await worker.run_embedded(
            lambda: matcher.match_each(query.images, wanted), query.images, encoders, quick=False
        )
        return _written(each_out(answers, query.names, ready, worker.took_ms()))
    images = [] if query.image is None else [query.image]
    encoders = matcher.encoders_of(query, wanted)
    answer = await worker.run_embedded(lambda: matcher.match(query, wanted), images, encoders, quick=matcher.quick)
    return _written(matches_out(answer, ready, worker.took_ms()))


def _written(answer: dict[str, Any]) -> Response:
    """Written down as it is: to make the documented models of it first would take more than twice as long."""
    return Response(_ANSWER.dump_json(answer), media_type=JSON)

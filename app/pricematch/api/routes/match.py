"""POST /match: which postings are the same product as this image, this title, or both?"""

import time
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from pricematch.api.bodies import IMAGE, IMAGE_PARTS, IMAGE_URL_PARTS, RAW_IMAGE, SentImages, described, read_query
from pricematch.api.content import JSON, MULTIPART, OCTETS, written
from pricematch.api.dependencies import READ, LinksDep, ReadyService, while_connected
from pricematch.api.problems import responses
from pricematch.api.schemas.filters import NarrowedRequest, narrowed
from pricematch.api.schemas.match_requests import MatchQuery, MatchRequest
from pricematch.api.schemas.matches import EachMatchesOut, MatchesOut, each_fields, matches_fields

router = APIRouter(tags=["match"])
_JSON = MatchRequest.model_json_schema()
_FORM = {
    "type": "object",
    "description": "`image`, `title` or both; or several `images`, which are answered item by item.",
    "properties": {
        "image": IMAGE_PARTS,
        "title": _JSON["properties"]["title"],
        "image_url": IMAGE_URL_PARTS,
        "images": {"type": "array", "items": IMAGE},
        **NarrowedRequest.model_json_schema()["properties"],
    },
}


@router.post(
    "/match",
    operation_id="matchImage",
    dependencies=[READ],
    response_model=MatchesOut | EachMatchesOut,
    responses=responses(400, 409, 413, 415, 422, 429, 500, 503, 504),
    openapi_extra=described({MULTIPART: _FORM, JSON: _JSON, OCTETS: RAW_IMAGE}),
)
async def match(
    request: Request, query: Annotated[MatchQuery, Query()], service: ReadyService, links: LinksDep
) -> Response:
    """Postings that are the same product as an image, a title, or both, the surest first; or as each of `images`.

    `image` given several times is one posting's: the nearest of its images counts.
    """
    started = time.perf_counter()
    sent = await read_query(request, service.settings, service.fetched)
    metadata = sent.narrowing.own(service.settings)
    options = narrowed(query.options(), query.narrowing, sent.narrowing, service.settings)
    if isinstance(sent, SentImages):
        each = await while_connected(request, service.match_each(sent.images, options, metadata))
        return written(each_fields(each, sent.names, started, links, metadata=query.metadata))
    found = await while_connected(request, service.match(sent.images, sent.title, options, metadata))
    return written(matches_fields(found, started, links, metadata=query.metadata))

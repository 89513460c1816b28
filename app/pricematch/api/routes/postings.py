"""GET /postings/…: stored postings, their pictures and their matches."""

import logging
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from pricematch.api.access import READ
from pricematch.api.answers import matches_out
from pricematch.api.dependencies import PostingId, ReadyDep, WorkerDep
from pricematch.api.problems import responses
from pricematch.api.schemas.matches import MatchesOut, MatchQuery
from pricematch.encoding.ports import Decoder, ImageSource
from pricematch.errors import ImageError, ImageUnavailable

_log = logging.getLogger("pricematch")

router = APIRouter(prefix="/postings/{posting_id}", tags=["postings"])

# a stored picture is somebody's upload: whatever else its bytes may be, a browser must take it as a picture only
_PICTURE_HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}


@router.get(
    "/image",
    dependencies=[READ],
    response_class=Response,
    responses=responses(404, 422, 503)
    | {200: {"content": {"image/*": {}}, "description": "The picture as it is stored."}},
)
async def image(posting_id: PostingId, ready: ReadyDep, worker: WorkerDep) -> Response:
    """A stored posting's picture."""
    name = ready.matcher.catalogue.posting(posting_id).image
    if name is None or ready.images is None:
        raise ImageUnavailable(f"posting {posting_id!r} has no picture here")
    images = ready.images
    try:
        content, media_type = await worker.keep(lambda: _stored(images, ready.decoder, name))
    except ImageError as error:
        # what became of the file is the operator's to know, and its path nobody else's
        _log.warning("the picture of posting %s: %s", posting_id, error)
        raise ImageUnavailable(f"the picture of posting {posting_id!r} cannot be read") from error
    return Response(content, media_type=media_type, headers=_PICTURE_HEADERS)


def _stored(images: ImageSource, decoder: Decoder, name: str) -> tuple[bytes, str]:
    """A stored picture and its media type; raises ImageError."""
    content = images.read(name)
    return content, decoder.media_type(content)


@router.get("/matches", dependencies=[READ], responses=responses(404, 409, 422, 429, 500, 503, 504))
async def matches(
    posting_id: PostingId, query: Annotated[MatchQuery, Query()], ready: ReadyDep, worker: WorkerDep
) -> MatchesOut:
    """Postings that are the same product as a stored one, the surest first, itself excluded."""
    answer = await worker.run(lambda: ready.matcher.match_posting(posting_id, query.asked()))
    return MatchesOut(**matches_out(answer, ready, worker.took_ms()))

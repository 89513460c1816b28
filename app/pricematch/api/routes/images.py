"""/postings/{posting_id}/image: a stored posting's image, or a thumbnail of it."""

from enum import IntEnum
from functools import partial
from os import SEEK_END
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pricematch.api.conditions import is_known
from pricematch.api.content import OCTETS
from pricematch.api.dependencies import READ_IMAGE, ImagePlace, PostingId, ReadyService, Signed, while_connected
from pricematch.api.links import image_version
from pricematch.api.problems import responses
from pricematch.settings import KIB

router = APIRouter(tags=["postings"])
_PIECE_BYTES = 64 * KIB
# a stored image is somebody's upload: whatever else its bytes may be, a browser must take it as an image only
_HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
_FOR_GOOD, _ASK_AGAIN = "private, max-age=31536000, immutable", "private, no-cache"


class ThumbnailSide(IntEnum):
    """Pixels of a thumbnail's longer side."""

    SMALLEST = 64
    SMALL = 128
    MEDIUM = 256
    LARGE = 512


@router.get(
    "/postings/{posting_id}/image",
    operation_id="getPostingImage",
    dependencies=[READ_IMAGE],
    response_class=Response,
    responses=responses(404, 415, 422, 429, 500, 503, 504)
    | {
        200: {
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/*", OCTETS)},
            "description": "The image as it is stored, or a thumbnail of it, a JPEG.",
            "headers": {"ETag": {"description": "Of the image.", "schema": {"type": "string"}}},
        },
        304: {"description": "The client knows it already."},
    },
)
async def image(
    posting_id: PostingId,
    request: Request,
    service: ReadyService,
    signed: Signed,
    place: ImagePlace = 1,
    version: Annotated[
        str, Query(alias="v", max_length=64, description="Of the image, as `image_url` has it: then it may be kept.")
    ] = "",
    side: Annotated[
        ThumbnailSide | None,
        Query(description="Pixels of the longer side of a thumbnail; the image itself if absent. None is enlarged."),
    ] = None,
    if_none_match: Annotated[str | None, Header(max_length=2000, description="`ETag` that is known already.")] = None,
) -> Response:
    """A stored posting's image, one of several by its place."""
    name = service.image_name(posting_id, place)
    tag = f'"{image_version(name)}"' if side is None else f'"{image_version(name)}.{side}"'
    headers = {**_HEADERS, "ETag": tag, "Cache-Control": _FOR_GOOD if version == image_version(name) else _ASK_AGAIN}
    if signed or service.settings.cors_origins:  # pages of other origins may show what they could read as well
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if is_known(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    if side is None:
        file, media_type = await service.image(posting_id, place)
        return _ImageFile(file, media_type, headers)
    thumbnail = await while_connected(request, service.thumbnail(posting_id, side, place))
    return Response(thumbnail, media_type="image/jpeg", headers=headers)


class _ImageFile(StreamingResponse):
    """The bytes of an open file, read as its client takes them; it is closed in the end."""

    def __init__(self, file: BinaryIO, media_type: str, headers: dict[str, str]) -> None:
        size = file.seek(0, SEEK_END)
        file.seek(0)
        headers = {**headers, "Content-Length": str(size)}
        super().__init__(iter(partial(file.read, _PIECE_BYTES), b""), headers=headers, media_type=media_type)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._file:
            await super().__call__(scope, receive, send)

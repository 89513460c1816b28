"""Reads request bodies: a picture as such or in a form, and a batch as JSON or as a form."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.problems import answer, too_large
from app.api.schemas import ClusterRequest
from app.errors import LimitExceeded
from app.settings import KIB, Settings

MULTIPART, JSON = "multipart/form-data", "application/json"
_FIELD_BYTES = 4 * KIB


class AnnouncedSize:
    """ASGI middleware: a body whose Content-Length is over the limit is answered before a byte of it is read.

    Starlette's `RequestBodyLimitMiddleware`, inside this one, counts the others while they are read; its own answer to
    an announced size is plain text.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413, or pass the request on."""
        headers = dict(scope.get("headers", ()))
        announced = headers.get(b"content-length", b"0")
        if scope["type"] == "http" and announced.isdigit() and int(announced) > self._limit:
            await answer(too_large(self._limit), {"Connection": "close"})(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def read_image(request: Request) -> bytes:
    """The picture of a /match request: the multipart part `image`, or a body of type `image/*`.

    Raises:
        HTTPException: 415 for another content type, 400 for a form that cannot be parsed.
        RequestValidationError: the form lacks the part, or holds others.
    """
    content_type = _content_type(request)
    if content_type.startswith("image/"):
        return await request.body()
    if content_type != MULTIPART:
        raise HTTPException(415, f"expected {MULTIPART} or image/*, got {content_type or 'no content type'!r}")
    async with request.form(max_files=1, max_fields=1, max_part_size=_FIELD_BYTES) as form:
        _only(form, {"image"})
        parts = form.getlist("image")
        if not parts or not isinstance(parts[0], UploadFile):
            raise _invalid("image", "expected a file part named image, got none")
        return await parts[0].read()


async def read_batch(request: Request, settings: Settings) -> tuple[ClusterRequest, list[bytes]]:
    """What a /cluster request asks, and the pictures it brings.

    Raises:
        HTTPException: 415 for another content type, 400 for a form that cannot be parsed.
        RequestValidationError: fields that are missing, unknown or out of range.
        LimitExceeded: more pictures or postings than Settings allow.
    """
    content_type = _content_type(request)
    if content_type == JSON:
        asked = _validated(await request.body())
        images: list[bytes] = []
        if "posting_ids" not in asked.model_fields_set:
            raise _invalid("posting_ids", 'expected a list of ids or "all", got none')
    elif content_type == MULTIPART:
        asked, images = await _read_form(request, settings)
    else:
        raise HTTPException(415, f"expected {JSON} or {MULTIPART}, got {content_type or 'no content type'!r}")
    if len(asked.posting_ids) > settings.max_cluster_postings:
        raise LimitExceeded(f"expected at most {settings.max_cluster_postings} postings, got {len(asked.posting_ids)}")
    return asked, images


async def _read_form(request: Request, settings: Settings) -> tuple[ClusterRequest, list[bytes]]:
    limit = settings.max_cluster_images
    async with request.form(
        max_files=limit + 1, max_fields=settings.max_cluster_postings + 8, max_part_size=_FIELD_BYTES
    ) as form:
        parts = form.getlist("images")
        if len(parts) > limit:
            raise LimitExceeded(f"expected at most {limit} pictures, got more")
        files = [part for part in parts if isinstance(part, UploadFile)]
        if len(files) < len(parts):
            raise _invalid("images", "expected file parts, got a text field")
        return _validated(_fields(form)), [await part.read() for part in files]


def _fields(form: FormData) -> dict[str, Any]:
    fields: dict[str, Any] = {name: value for name, value in form.multi_items() if name != "images"}
    posting_ids: Sequence[Any] = form.getlist("posting_ids")
    if posting_ids:
        fields["posting_ids"] = "all" if list(posting_ids) == ["all"] else posting_ids
    return fields


def _validated(asked: bytes | dict[str, Any]) -> ClusterRequest:
    try:
        if isinstance(asked, bytes):
            return ClusterRequest.model_validate_json(asked)
        return ClusterRequest.model_validate(asked)
    except ValidationError as error:
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]) from error


def _only(form: FormData, names: set[str]) -> None:
    unknown = sorted(set(form) - names)
    if unknown:
        raise _invalid(unknown[0][:80], f"expected no part but {', '.join(sorted(names))}")


def _invalid(location: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("body", location), "msg": message, "type": "value_error"}])


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()

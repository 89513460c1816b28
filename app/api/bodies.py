"""Reads request bodies: a picture as such or in a form, and a batch as JSON or as a form."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from app.api.forms import FIELD_BYTES, open_form
from app.api.schemas import ClusterRequest
from app.errors import LimitExceeded
from app.settings import Settings

MULTIPART, JSON = "multipart/form-data", "application/json"
_JSON_BYTES_PER_POSTING = 192  # an id of at most 128 characters, with quotes, comma and indentation
_MAX_FAULTS = 1000


async def read_image(request: Request) -> bytes:
    """The picture of a /match request: the multipart part `image`, or a body of type `image/*`.

    Raises:
        HTTPException: 415 for another content type or charset, 400 for a form that cannot be parsed.
        RequestValidationError: the form lacks the part, or holds another.
        LimitExceeded: the form has more parts.
    """
    content_type = _content_type(request)
    if content_type.startswith("image/"):
        return await request.body()
    if content_type != MULTIPART:
        raise HTTPException(415, f"expected {MULTIPART} or image/*, got {content_type or 'none'!r}")
    async with open_form(request, max_files=1, max_fields=1) as form:
        _only(form, {"image"})
        parts = form.getlist("image")
        if not parts or not isinstance(parts[0], UploadFile):
            raise _invalid("image", "expected a file part named image, got none")
        return await parts[0].read()


async def read_batch(request: Request, settings: Settings) -> tuple[ClusterRequest, list[bytes]]:
    """What a /cluster request asks, and the pictures it brings.

    Raises:
        HTTPException: 415 for another content type or charset, 400 for a form that cannot be parsed, 413 for more JSON
            than the postings allowed can take.
        RequestValidationError: fields that are missing, unknown or out of range.
        LimitExceeded: more pictures or postings than Settings allow.
    """
    content_type = _content_type(request)
    if content_type == JSON:
        asked = _validated(await _read_json(request, settings))
        images: list[bytes] = []
        if "posting_ids" not in asked.model_fields_set:
            raise _invalid("posting_ids", 'expected a list of ids or "all", got none')
    elif content_type == MULTIPART:
        asked, images = await _read_form(request, settings)
    else:
        raise HTTPException(415, f"expected {JSON} or {MULTIPART}, got {content_type or 'none'!r}")
    if len(asked.posting_ids) > settings.max_cluster_postings:
        raise LimitExceeded(f"expected at most {settings.max_cluster_postings} postings, got {len(asked.posting_ids)}")
    return asked, images


async def _read_json(request: Request, settings: Settings) -> bytes:
    body, limit = await request.body(), settings.max_cluster_postings * _JSON_BYTES_PER_POSTING + FIELD_BYTES
    if len(body) > limit:  # parsing holds up every other request, and takes many times the memory
        raise HTTPException(413, f"expected at most {limit} bytes of JSON, got {len(body)}")
    return body


async def _read_form(request: Request, settings: Settings) -> tuple[ClusterRequest, list[bytes]]:
    max_fields = settings.max_cluster_postings + len(ClusterRequest.model_fields)
    async with open_form(request, settings.max_cluster_images, max_fields) as form:
        parts = form.getlist("images")
        files = [part for part in parts if isinstance(part, UploadFile)]
        if len(files) < len(parts):
            raise _invalid("images", "expected file parts, got a text field")
        return _validated(_fields(form)), [await part.read() for part in files]


def _fields(form: FormData) -> dict[str, Any]:
    fields: dict[str, Any] = {name: value for name, value in form.multi_items() if name != "images"}
    posting_ids: Sequence[Any] = form.getlist("posting_ids")
    if "all" in posting_ids and len(posting_ids) > 1:
        raise _invalid("posting_ids", 'expected either "all" or ids, got both')
    if posting_ids:
        fields["posting_ids"] = "all" if "all" in posting_ids else posting_ids
    return fields


def _validated(asked: bytes | dict[str, Any]) -> ClusterRequest:
    try:
        if isinstance(asked, bytes):
            return ClusterRequest.model_validate_json(asked)
        return ClusterRequest.model_validate(asked)
    except ValidationError as error:
        if (count := error.error_count()) > _MAX_FAULTS:
            raise _invalid("*", f"expected {', '.join(ClusterRequest.model_fields)}, got {count} faults") from error
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from error


def _only(form: FormData, names: set[str]) -> None:
    unknown = sorted(set(form) - names)
    if unknown:
        raise _invalid(unknown[0][:80], f"expected no part but {', '.join(sorted(names))}")


def _invalid(location: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("body", location), "msg": message, "type": "value_error"}])


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()

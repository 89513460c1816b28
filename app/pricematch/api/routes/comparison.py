"""POST /compare: are these two postings the same product, and why?"""

import time
from typing import Any

from fastapi import APIRouter, Request, Response

from pricematch.api.bodies import (
    IMAGE_PARTS,
    IMAGE_URL,
    IMAGE_URL_PARTS,
    JSON_BYTES_PER_BYTE,
    JSON_BYTES_PER_CHARACTER,
    described,
    field_bytes,
    image_parts,
    images_of,
    json_schema,
    title_of,
)
from pricematch.api.content import (
    JSON,
    MULTIPART,
    content_type,
    is_json,
    read_json,
    refuse_type,
    validated,
    written,
)
from pricematch.api.dependencies import READ, ReadyService, while_connected
from pricematch.api.forms import Parts, once, open_form
from pricematch.api.limits import allow_large
from pricematch.api.problems import responses
from pricematch.api.schemas.comparison import CompareOptions, CompareRequest, ComparisonOut, ItemIn, comparison_fields
from pricematch.catalogue.metadata import METADATA, NO_METADATA, parse_metadata, read_json_value
from pricematch.formats.posting_rows import metadata_limits
from pricematch.serving.results import ComparedItem
from pricematch.serving.service import Service
from pricematch.settings import Settings

router = APIRouter(tags=["match"])
_SIDES = ("left", "right")
_OPTIONS = CompareOptions.model_json_schema()["properties"]
_TEXTS = {f"{side}_{name}": {"type": "string"} for side in _SIDES for name in ("posting_id", "title", METADATA)}
_URLS = {f"{side}_{IMAGE_URL}": IMAGE_URL_PARTS for side in _SIDES}
_IMAGES = {f"{side}_image": IMAGE_PARTS for side in _SIDES}
_FORM = {
    "type": "object",
    "description": "Of each side its `posting_id`; or `title`, `image` or both.",
    "properties": {**_IMAGES, **_URLS, **_TEXTS, **_OPTIONS},
}
_JSON = {
    **json_schema(CompareRequest),
    "example": {"left": {"title": "Susu UHT coklat 200 ml isi 3"}, "right": {"title": "Susu coklat UHT 3x200ml"}},
}


@router.post(
    "/compare",
    operation_id="comparePostings",
    dependencies=[READ],
    response_model=ComparisonOut,
    responses=responses(400, 404, 409, 413, 415, 422, 429, 500, 503, 504),
    openapi_extra=described({MULTIPART: _FORM, JSON: _JSON}),
)
async def compare(request: Request, service: ReadyService) -> Response:
    """How probable it is that two postings, stored or not, are the same product, and why; nothing is stored."""
    started = time.perf_counter()
    given = await _read(request, service.settings)
    left, right = [await _item(name, it, service) for name, it in (("left", given.left), ("right", given.right))]
    found = await while_connected(request, service.compare(left, right, given.options()))
    return written(comparison_fields(found, started))


async def _read(request: Request, settings: Settings) -> CompareRequest:
    """The request, as JSON or as a form; raises as `read_query`."""
    allow_large(request.scope, settings)
    if is_json(kind := content_type(request)):
        item = settings.max_title_chars * JSON_BYTES_PER_CHARACTER + settings.max_metadata_bytes * JSON_BYTES_PER_BYTE
        return await read_json(request, CompareRequest, len(_SIDES) * item, images=True)
    if kind != MULTIPART:
        refuse_type(kind, MULTIPART, JSON)
    fields, most = {*_TEXTS, *_URLS, *_OPTIONS}, len(_SIDES) * image_parts(settings)
    size = max(field_bytes(settings), settings.max_metadata_bytes * JSON_BYTES_PER_BYTE)
    async with open_form(request, Parts(_IMAGES, fields, most, len(fields) + most, size)) as form:
        once(form, set(form) - {*_IMAGES, *_URLS})
        values: dict[str, Any] = {side: {} for side in _SIDES}
        for name in form:
            each = [it if isinstance(it, str) else await it.read() for it in form.getlist(name)]
            value = each if name in {*_IMAGES, *_URLS} else each[0]
            side, _, field = name.partition("_")
            if side not in _SIDES:
                values[name] = value
            else:
                values[side][field] = read_json_value(str(value), name) if field == METADATA else value
        return validated(CompareRequest, values)


async def _item(side: str, given: ItemIn, service: Service) -> ComparedItem:
    """One of the two; raises FieldInvalid for its metadata."""
    metadata = NO_METADATA
    if given.metadata is not None:
        metadata = parse_metadata(given.metadata, metadata_limits(service.settings), f"{side}.{METADATA}")
    images = await images_of(given.image, given.image_url, service.fetched)
    return ComparedItem(given.posting_id, images, title_of(given.title, service.settings), metadata)

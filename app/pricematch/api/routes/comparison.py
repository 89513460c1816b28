"""POST /compare: are these two postings the same product, and why?"""

import time
from typing import Any

from fastapi import APIRouter, Request, Response

from pricematch.api.bodies import (
    IMAGE,
    IMAGE_URL,
    JSON_BYTES_PER_CHARACTER,
    described,
    field_bytes,
    image_of,
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
from pricematch.serving.results import ComparedItem
from pricematch.serving.service import Service
from pricematch.settings import Settings

router = APIRouter(tags=["match"])
_SIDES = ("left", "right")
_OPTIONS = CompareOptions.model_json_schema()["properties"]
_TEXTS = {f"{side}_{name}": {"type": "string"} for side in _SIDES for name in ("posting_id", "title", IMAGE_URL)}
_FORM = {
    "type": "object",
    "description": "Of each side its `posting_id`; or `title`, `image` or both.",
    "properties": {**{f"{side}_image": IMAGE for side in _SIDES}, **_TEXTS, **_OPTIONS},
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
    left, right = [await _item(side, service) for side in (given.left, given.right)]
    found = await while_connected(request, service.compare(left, right, given.options()))
    return written(comparison_fields(found, started))


async def _read(request: Request, settings: Settings) -> CompareRequest:
    """The request, as JSON or as a form; raises as `read_query`."""
    allow_large(request.scope, settings)
    if is_json(kind := content_type(request)):
        limit = len(_SIDES) * settings.max_title_chars * JSON_BYTES_PER_CHARACTER
        return await read_json(request, CompareRequest, limit, images=True)
    if kind != MULTIPART:
        refuse_type(kind, MULTIPART, JSON)
    files, fields = {f"{side}_image" for side in _SIDES}, {*_TEXTS, *_OPTIONS}
    async with open_form(request, Parts(files, fields, 2, len(fields), field_bytes(settings))) as form:
        once(form, set(form))
        values: dict[str, Any] = {side: {} for side in _SIDES}
        for name, value in form.items():
            side, _, field = name.partition("_")
            if side not in _SIDES:
                values[name] = value
            else:
                values[side][field] = value if isinstance(value, str) else await value.read()
        return validated(CompareRequest, values)


async def _item(given: ItemIn, service: Service) -> ComparedItem:
    image = await image_of(given.image, given.image_url, service.fetched)
    return ComparedItem(given.posting_id, image, title_of(given.title, service.settings))

"""Reads the bodies of requests to match or cluster postings; parts of it read those to store them, too."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile

from pricematch.api.content import (
    FIELD_BYTES,
    JSON,
    MULTIPART,
    content_type,
    invalid,
    is_json,
    may_be_image,
    read_json,
    refuse_type,
    validated,
)
from pricematch.api.forms import Parts, once, only, open_form
from pricematch.api.limits import allow_large
from pricematch.api.schemas.clusters import ClusterJson, ClusterRequest
from pricematch.api.schemas.filters import NarrowedRequest
from pricematch.api.schemas.images import MAX_URL_CHARS, EncodedImages, ImageUrls
from pricematch.api.schemas.match_requests import MatchRequest
from pricematch.catalogue.byte_escapes import decode_byte_escapes
from pricematch.catalogue.metadata import METADATA, read_json_value
from pricematch.catalogue.postings import MAX_IMAGES
from pricematch.encoding.image_formats import known_format
from pricematch.errors import ImageError, LimitExceeded
from pricematch.serving.posting_images import BadImage
from pricematch.settings import Settings

JSON_BYTES_PER_CHARACTER = 12  # two escapes such as \\ud83d
_UTF8_BYTES_PER_CHARACTER = 4
JSON_BYTES_PER_BYTE = 6  # an escape such as \\u0061
_JSON_BYTES_PER_POSTING = 448  # an id of at most 128 bytes, escaped as \\u…, with quotes, comma and indentation
_NAME = 255
IMAGE_URL = "image_url"
Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]
"""Gives the image at a URL; raises ImageError."""
IMAGE = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF."}


def _once_or_more(one: Mapping[str, Any], description: str) -> dict[str, Any]:
    """The schema of a part that may come again, once for each image of one posting."""
    each = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_IMAGES}
    return {"anyOf": [one, each], "description": description}


IMAGE_PARTS = _once_or_more(IMAGE, "The image; given again, more images of the same posting, the main one first.")
"""The images of one posting in a form."""
IMAGE_URL_PARTS = _once_or_more(
    {"type": "string", "maxLength": MAX_URL_CHARS},
    "Where the image is instead, on a host that the setting `image_hosts` names; given again for more images.",
)
RAW_IMAGE = {**IMAGE, "description": f"{IMAGE['description']} As `image/*` too, and as anything: the bytes decide."}
"""An image as the body."""


def described(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """A body that OpenAPI does not see in an endpoint's parameters, by media types and their schemas."""
    content = {media_type: {"schema": schema} for media_type, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a body; what it refers to is in its `$defs`, which the description takes to its components."""
    return model.model_json_schema(ref_template="#/components/schemas/{model}")


def field_bytes(settings: Settings) -> int:
    """Bytes of a title in a form, at most, and some for other fields."""
    return settings.max_title_chars * _UTF8_BYTES_PER_CHARACTER + FIELD_BYTES


def image_parts(settings: Settings) -> int:
    """File parts of a form with the images of one posting: so many that one image too many is told as such."""
    return max(settings.max_match_images, MAX_IMAGES + 1)


async def fields_of(form: FormData, fetch: Fetch) -> tuple[list[bytes], dict[str, str]]:
    """The images of one posting in a form, and its text fields; any of them may be absent.

    Images are the file parts `image`, or what `fetch` gives for the fields `image_url`.

    Raises:
        RequestValidationError: both, too many, a URL that is too long, or another field twice.
        ImageError: from a URL.
    """
    once(form, set(form) - {"image", IMAGE_URL})
    values: dict[str, Any] = {name: form.getlist(name) for name in ("image", IMAGE_URL) if name in form}
    values = {name: [await _content(it) if name == "image" else it for it in each] for name, each in values.items()}
    given = validated(_FormImages, values)
    fields = {name: value for name, value in form.items() if isinstance(value, str) and name != IMAGE_URL}
    return await images_of(given.image, given.image_url, fetch), fields


class _FormImages(BaseModel):
    """The images of one posting, sent as a form."""

    image: EncodedImages | None = None
    image_url: ImageUrls | None = None


async def _content(part: UploadFile | str) -> bytes:
    """The bytes of a file part."""
    return await cast("UploadFile", part).read()


async def read_batch(request: Request, settings: Settings) -> tuple[ClusterRequest, list[bytes]]:
    """The query of a /cluster request, and its images.

    Raises:
        HTTPException: 415 for another content type or charset, 400 for a form that cannot be parsed, 413 for more JSON
            than the postings allowed can take.
        RequestValidationError: fields that are missing, unknown or out of range.
        LimitExceeded: more images or postings than Settings allow.
    """
    allow_large(request.scope, settings)
    query: ClusterRequest
    if is_json(kind := content_type(request)):
        limit = settings.max_cluster_postings * _JSON_BYTES_PER_POSTING
        limit += settings.max_cluster_images * settings.max_metadata_bytes * JSON_BYTES_PER_BYTE
        query = sent = await read_json(request, ClusterJson, limit, images=True)
        if not {"posting_ids", "images"} & query.model_fields_set:
            raise invalid("posting_ids", 'expected a list of ids or "all", got none')
        images = _counted(sent.images, settings.max_cluster_images)
    elif kind == MULTIPART:
        query, images = await _read_form(request, settings)
    else:
        refuse_type(kind, JSON, MULTIPART)
    if query.posting_ids != "all" and len(query.posting_ids) > settings.max_cluster_postings:
        raise LimitExceeded(f"expected at most {settings.max_cluster_postings} postings, got {len(query.posting_ids)}")
    return query, images


async def _read_form(request: Request, settings: Settings) -> tuple[ClusterRequest, list[bytes]]:
    names = ClusterRequest.model_fields
    most = max(FIELD_BYTES, settings.max_filter_bytes, settings.max_metadata_bytes * JSON_BYTES_PER_BYTE)
    images, count = settings.max_cluster_images, settings.max_cluster_postings + len(names)
    async with open_form(request, Parts({"images"}, names, images, count + images, most)) as form:
        once(form, set(form) - {"images", "posting_ids", METADATA})
        return validated(ClusterRequest, _fields(form)), [await _content(part) for part in form.getlist("images")]


def _fields(form: FormData) -> dict[str, Any]:
    fields: dict[str, Any] = {name: value for name, value in form.multi_items() if name != "images"}
    posting_ids: Sequence[Any] = form.getlist("posting_ids")
    if "all" in posting_ids and len(posting_ids) > 1:
        raise invalid("posting_ids", 'expected either "all" or ids, got both')
    if posting_ids:
        fields["posting_ids"] = "all" if "all" in posting_ids else posting_ids
    if METADATA in form:
        fields[METADATA] = [read_json_value(str(text), METADATA) for text in form.getlist(METADATA)]
    return fields


@dataclass(frozen=True)
class SentPosting:
    """One query of a /match request: the images of a posting, its title, or both."""

    images: Sequence[bytes] = ()
    title: str = ""
    narrowing: NarrowedRequest = field(default_factory=NarrowedRequest)


@dataclass(frozen=True)
class SentImages:
    """Several images of a /match request, and the names they were sent with, shortened."""

    images: Sequence[bytes]
    names: Sequence[str | None]
    narrowing: NarrowedRequest = field(default_factory=NarrowedRequest)


async def images_of(images: list[bytes] | None, urls: list[str] | None, fetch: Fetch) -> list[bytes]:
    """Images that were sent, or those at URLs in their place; raises RequestValidationError for both, ImageError."""
    if urls is None:
        return images or []
    if images is not None:
        raise invalid(IMAGE_URL, "expected either image or this, got both")
    each = await asyncio.gather(*map(fetch, urls), return_exceptions=True)
    for place, found in enumerate(each, start=1):
        if isinstance(found, ImageError):
            raise BadImage(found, place, len(urls)).told from found
        if isinstance(found, BaseException):
            raise found
    return [it for it in each if isinstance(it, bytes)]


async def read_query(request: Request, settings: Settings, fetch: Fetch) -> SentPosting | SentImages:
    """The query of a /match request: a form with `image`, `title` or both, or with `images`; JSON; or an image as such.

    `fetch` gives the image at a URL that stands in its place.

    Raises:
        HTTPException: 415 for another content type or charset, 400 for a form that cannot be parsed, 413 for more JSON
            than a title can take.
        RequestValidationError: it has neither, a title that is too long, or anything else.
        LimitExceeded: the form has more parts, or more images than Settings allow.
    """
    allow_large(request.scope, settings)
    kind = content_type(request)
    if is_json(kind):
        limit = settings.max_title_chars * JSON_BYTES_PER_CHARACTER + _narrowing_bytes(settings)
        given = await read_json(request, MatchRequest, limit, images=True)
        if given.images:
            return _several(given, settings)
        narrowing: NarrowedRequest = given
        _check_number(len(given.image or given.image_url or ()), settings.max_match_images)
        images, title = await images_of(given.image, given.image_url, fetch), given.title
    elif kind == MULTIPART:
        sent = await _read_match_form(request, settings, fetch)
        if isinstance(sent, SentImages):
            return sent
        images, title, narrowing = [*sent.images], sent.title, sent.narrowing
    else:
        images, title, narrowing = [await raw_image(request, kind)], "", NarrowedRequest()
    title = title_of(title, settings)
    if not images and not title:
        raise invalid("image" if kind == MULTIPART else "title", "expected an image or a title, got neither")
    return SentPosting(images, title, narrowing)


def _narrowing_bytes(settings: Settings) -> int:
    """Bytes of JSON that a filter and metadata can need."""
    return (settings.max_filter_bytes + settings.max_metadata_bytes) * JSON_BYTES_PER_BYTE


def _several(given: MatchRequest, settings: Settings) -> SentImages:
    """Images that came in JSON; raises RequestValidationError for anything beside them."""
    if beside := sorted({"title", "image", IMAGE_URL} & given.model_fields_set):
        raise invalid(beside[0], "expected either images or this, got both")
    images = _counted(given.images, settings.max_match_images)
    return SentImages(images, [None] * len(images), given)


def _counted(images: list[bytes], most: int) -> list[bytes]:
    """Images that came in JSON; raises LimitExceeded for more than a request may have."""
    _check_number(len(images), most)
    return images


def _check_number(images: int, most: int) -> None:
    if images > most:
        raise LimitExceeded(f"expected at most {most} images, got {images}")


async def _read_match_form(request: Request, settings: Settings, fetch: Fetch) -> SentPosting | SentImages:
    narrowing, most = NarrowedRequest.model_fields, max(field_bytes(settings), _narrowing_bytes(settings))
    names = {"title", IMAGE_URL, *narrowing}
    parts = Parts({"image", "images"}, names, settings.max_match_images, len(names) + image_parts(settings), most)
    async with open_form(request, parts) as form:
        once(form, set(form) - {"image", "images", IMAGE_URL})
        if "images" not in form:
            _check_number(len(form.getlist(IMAGE_URL)), settings.max_match_images)
            images, fields = await fields_of(form, fetch)
            return SentPosting(images, fields.pop("title", ""), _narrowing(fields))
        only(form, {"images", *narrowing})
        files = [cast("UploadFile", part) for part in form.getlist("images")]
        fields = {name: str(form[name]) for name in narrowing if name in form}
        images, file_names = [await it.read() for it in files], [(it.filename or "")[:_NAME] or None for it in files]
        return SentImages(images, file_names, _narrowing(fields))


def _narrowing(fields: Mapping[str, str]) -> NarrowedRequest:
    """What narrows matches, of the text fields of a form; metadata is text of JSON."""
    values: dict[str, Any] = dict(fields)
    if METADATA in values:
        values[METADATA] = read_json_value(values[METADATA], METADATA)
    return validated(NarrowedRequest, values)


async def raw_image(request: Request, kind: str) -> bytes:
    """The body as an image; raises HTTPException where it is declared to be something else and is none, or nothing."""
    body = await request.body()
    is_image = bool(body or kind) if may_be_image(kind) else known_format(body) is not None
    if not is_image:
        refuse_type(kind, MULTIPART, JSON, "an image")
    return body


def title_of(given: str, settings: Settings) -> str:
    """A title as it is matched and stored; raises RequestValidationError for one that is too long."""
    if len(given) > settings.max_title_chars:
        raise invalid("title", f"expected at most {settings.max_title_chars} characters, got {len(given)}")
    return decode_byte_escapes(given.strip()).strip()

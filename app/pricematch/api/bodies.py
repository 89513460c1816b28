"""Reads the bodies of requests to match, cluster or store postings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from pricematch.api.forms import FIELD_BYTES, invalid, open_form
from pricematch.api.schemas.clusters import ClusterRequest
from pricematch.api.schemas.matches import TitleRequest
from pricematch.catalogue.labels import as_label
from pricematch.catalogue.postings import MAX_LABEL_CHARS, Posting, decode_byte_escapes
from pricematch.catalogue.records import Condition
from pricematch.errors import ImageEmpty, ImageTooLarge, LimitExceeded
from pricematch.serving.intake import Offered
from pricematch.settings import Settings

MULTIPART, JSON = "multipart/form-data", "application/json"
_JSON_BYTES_PER_CHARACTER = 12  # two escapes such as \\ud83d
_UTF8_BYTES_PER_CHARACTER = 4
_JSON_BYTES_PER_POSTING = 448  # an id of at most 128 bytes, escaped as \\u…, with quotes, comma and indentation
_MAX_FAULTS = 1000
_Body = TypeVar("_Body", bound=BaseModel)
_NAME = 255
IMAGE = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, GIF, BMP or TIFF."}


def described(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """A body that OpenAPI does not see in an endpoint's parameters, by media types and their schemas."""
    content = {media_type: {"schema": schema} for media_type, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


def _field_bytes(settings: Settings) -> int:
    """Bytes of a title in a form, at most, and some for other fields."""
    return settings.max_title_chars * _UTF8_BYTES_PER_CHARACTER + FIELD_BYTES


async def _fields_of(form: FormData, names: set[str]) -> tuple[bytes | None, dict[str, str]]:
    """The file part `image` of a form, and the text fields of these names; any of them may be absent."""
    only(form, {"image", *names})
    image, fields = form.get("image"), dict[str, str]()
    if image is not None and not isinstance(image, UploadFile):
        raise invalid("image", "expected a file part, got a text field")
    if len(form.getlist("image")) > 1:
        raise LimitExceeded("expected at most one part image, got more")
    for name in names & set(form):
        if not isinstance(value := form[name], str):
            raise invalid(name, "expected a text field, got a file part")
        if len(form.getlist(name)) > 1:
            raise invalid(name, "expected it once, got it twice")
        fields[name] = value
    return None if image is None else await image.read(), fields


async def read_batch(request: Request, settings: Settings) -> tuple[ClusterRequest, list[bytes]]:
    """The query of a /cluster request, and its images.

    Raises:
        HTTPException: 415 for another content type or charset, 400 for a form that cannot be parsed, 413 for more JSON
            than the postings allowed can take.
        RequestValidationError: fields that are missing, unknown or out of range.
        LimitExceeded: more images or postings than Settings allow.
    """
    kind = content_type(request)
    if kind == JSON:
        limit = settings.max_cluster_postings * _JSON_BYTES_PER_POSTING
        query = validated(ClusterRequest, await _read_json(request, limit))
        images: list[bytes] = []
        if "posting_ids" not in query.model_fields_set:
            raise invalid("posting_ids", 'expected a list of ids or "all", got none')
    elif kind == MULTIPART:
        query, images = await _read_form(request, settings)
    else:
        raise HTTPException(415, f"expected {JSON} or {MULTIPART}, got {kind or 'none'!r}")
    if query.posting_ids != "all" and len(query.posting_ids) > settings.max_cluster_postings:
        raise LimitExceeded(f"expected at most {settings.max_cluster_postings} postings, got {len(query.posting_ids)}")
    return query, images


async def _read_json(request: Request, limit: int) -> bytes:
    """A body of so many bytes at most, and some for the other fields."""
    body, limit = await request.body(), limit + FIELD_BYTES
    if len(body) > limit:  # parsing holds up every other request, and takes many times the memory
        raise HTTPException(413, f"expected at most {limit} bytes of JSON, got {len(body)}")
    return body


async def _read_form(request: Request, settings: Settings) -> tuple[ClusterRequest, list[bytes]]:
    max_fields = settings.max_cluster_postings + len(ClusterRequest.model_fields)
    async with open_form(request, settings.max_cluster_images, max_fields) as form:
        files = _files_of(form, "images")
        return validated(ClusterRequest, _fields(form)), [await part.read() for part in files]


def _files_of(form: FormData, name: str) -> list[UploadFile]:
    """The file parts of a name."""
    parts = form.getlist(name)
    files = [part for part in parts if isinstance(part, UploadFile)]
    if len(files) < len(parts):
        raise invalid(name, "expected file parts, got a text field")
    return files


def _fields(form: FormData) -> dict[str, Any]:
    fields: dict[str, Any] = {name: value for name, value in form.multi_items() if name != "images"}
    posting_ids: Sequence[Any] = form.getlist("posting_ids")
    if "all" in posting_ids and len(posting_ids) > 1:
        raise invalid("posting_ids", 'expected either "all" or ids, got both')
    if posting_ids:
        fields["posting_ids"] = "all" if "all" in posting_ids else posting_ids
    return fields


def validated(model: type[_Body], body: bytes | dict[str, Any]) -> _Body:
    """A body as its model; raises RequestValidationError."""
    try:
        if isinstance(body, bytes):
            return model.model_validate_json(body)
        return model.model_validate(body)
    except ValidationError as error:
        if (count := error.error_count()) > _MAX_FAULTS:
            raise invalid("*", f"expected {', '.join(model.model_fields)}, got {count} faults") from error
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from error


def only(form: FormData, names: set[str]) -> None:
    """Raise RequestValidationError if a form has other parts."""
    unknown = sorted(set(form) - names)
    if unknown:
        raise invalid(unknown[0], f"expected no part but {', '.join(sorted(names))}")


def content_type(request: Request) -> str:
    """The type and subtype that a request declares, in lower case; "" for none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class SentPosting:
    """One query of a /match request."""

    image: bytes | None = None
    title: str = ""


@dataclass(frozen=True)
class SentImages:
    """Several images of a /match request, and the names they were sent with, shortened."""

    images: Sequence[bytes]
    names: Sequence[str | None]


async def read_query(request: Request, settings: Settings) -> SentPosting | SentImages:
    """The query of a /match request: a form with `image`, `title` or both, or with `images`; JSON; or an image as such.

    Raises:
        HTTPException: 415 for another content type or charset, 400 for a form that cannot be parsed, 413 for more JSON
            than a title can take.
        RequestValidationError: it has neither, a title that is too long, or anything else.
        LimitExceeded: the form has more parts, or more images than Settings allow.
    """
    kind = content_type(request)
    if kind.startswith("image/"):
        return SentPosting(await request.body())
    if kind == JSON:
        body = await _read_json(request, settings.max_title_chars * _JSON_BYTES_PER_CHARACTER)
        image, title = None, validated(TitleRequest, body).title
    elif kind == MULTIPART:
        sent = await _read_match_form(request, settings)
        if isinstance(sent, SentImages):
            return sent
        image, title = sent.image, sent.title
    else:
        raise HTTPException(415, f"expected {MULTIPART}, {JSON} or image/*, got {kind or 'none'!r}")
    title = _title(title, settings)
    if image is None and not title:
        raise invalid("image" if kind == MULTIPART else "title", "expected an image or a title, got neither")
    return SentPosting(image, title)


async def _read_match_form(request: Request, settings: Settings) -> SentPosting | SentImages:
    async with open_form(request, settings.max_match_images, 1, _field_bytes(settings)) as form:
        if "images" not in form:
            image, fields = await _fields_of(form, {"title"})
            return SentPosting(image, fields.get("title", ""))
        only(form, {"images"})
        parts = _files_of(form, "images")
        return SentImages(
            [await part.read() for part in parts], [(part.filename or "")[:_NAME] or None for part in parts]
        )


class PostingIn(BaseModel):
    """A posting to be stored: all of it, in place of what is stored under its id."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(
        default="", description="Title; with no image it may not be empty.", examples=["Susu coklat 200 ml"]
    )
    label_group: str | None = Field(
        default=None,
        max_length=MAX_LABEL_CHARS,
        description="The product, if it is known; without blanks around it, and words such as nan or N/A are none.",
    )
    image_phash: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{16}$")] | None = Field(
        default=None, description="Perceptual hash of its image, if that is known; else it is computed."
    )


_FORM = {"type": "object", "properties": {"image": IMAGE, **PostingIn.model_json_schema()["properties"]}}
BODY = described({MULTIPART: _FORM, JSON: PostingIn.model_json_schema(), "image/*": IMAGE})


async def read_posting(request: Request, posting_id: str, condition: Condition, settings: Settings) -> Offered:
    """The posting that a request brings: a form with `image`, `title` or both, JSON, or an image as such.

    Raises:
        HTTPException: 415 for another content type or charset, 400 for a form that cannot be parsed, 413 for more JSON
            than a posting can take.
        RequestValidationError: neither image nor title, something too long, or anything else.
        LimitExceeded: the form has more parts.
        ImageEmpty, ImageTooLarge: the image has no bytes, or more than one may have.
    """
    kind = content_type(request)
    image: bytes | None = None
    if kind.startswith("image/"):
        image, given = await request.body(), PostingIn()
    elif kind == JSON:
        given = validated(PostingIn, await _read_json(request, settings.max_title_chars * _JSON_BYTES_PER_CHARACTER))
    elif kind == MULTIPART:
        names = set(PostingIn.model_fields)
        async with open_form(request, 1, len(names), _field_bytes(settings)) as form:
            image, fields = await _fields_of(form, names)
        given = validated(PostingIn, fields)
    else:
        raise HTTPException(415, f"expected {MULTIPART}, {JSON} or image/*, got {kind or 'none'!r}")
    title = _title(given.title, settings)
    if image is None and not title:
        raise invalid("title", "expected an image or a title, got neither")
    if image is not None and not image:
        raise ImageEmpty("expected an image, got no bytes")
    if image is not None and len(image) > settings.max_image_bytes:
        raise ImageTooLarge(f"expected at most {settings.max_image_bytes} bytes, got {len(image)}")
    phash = None if given.image_phash is None else given.image_phash.lower()
    label = as_label(given.label_group or "")
    return Offered(Posting(posting_id, None, title, phash, label), image, condition)


def _title(given: str, settings: Settings) -> str:
    """A title as it is matched and stored; raises RequestValidationError for one that is too long."""
    if len(given) > settings.max_title_chars:
        raise invalid("title", f"expected at most {settings.max_title_chars} characters, got {len(given)}")
    return decode_byte_escapes(given.strip()).strip()

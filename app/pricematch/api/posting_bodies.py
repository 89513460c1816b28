"""Reads the bodies of requests to store a posting, or to change some of one."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from pricematch.api.bodies import (
    IMAGE_PARTS,
    IMAGE_URL,
    IMAGE_URL_PARTS,
    JSON_BYTES_PER_BYTE,
    JSON_BYTES_PER_CHARACTER,
    RAW_IMAGE,
    Fetch,
    described,
    field_bytes,
    fields_of,
    image_parts,
    images_of,
    raw_image,
    title_of,
)
from pricematch.api.content import (
    JSON,
    MERGE_PATCH,
    MULTIPART,
    OCTETS,
    content_type,
    invalid,
    is_json,
    read_json,
    refuse_type,
    validated,
)
from pricematch.api.forms import Parts, open_form
from pricematch.api.limits import allow_large
from pricematch.api.schemas.fields import MetadataIn
from pricematch.api.schemas.images import EncodedImages, ImageUrls
from pricematch.catalogue.labels import as_label
from pricematch.catalogue.metadata import METADATA, parse_metadata, read_json_value
from pricematch.catalogue.postings import MAX_LABEL_CHARS, Posting
from pricematch.catalogue.records import Condition
from pricematch.errors import ImageEmpty, ImageTooLarge
from pricematch.formats.posting_rows import metadata_limits
from pricematch.serving.intake import Offered
from pricematch.serving.patches import MetadataPatch, PostingPatch
from pricematch.serving.posting_images import BadImage
from pricematch.settings import Settings

_Title = Annotated[str, Field(examples=["Susu coklat 200 ml"])]
_Label = Annotated[
    str | None,
    Field(
        max_length=MAX_LABEL_CHARS,
        description="The product, if it is known; without blanks around it, and words such as nan or N/A are none.",
    ),
]
_Hash = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{16}$")] | None


class PostingIn(BaseModel):
    """A posting to be stored: all of it, in place of what is stored under its id."""

    model_config = ConfigDict(extra="forbid")

    title: _Title = Field(default="", description="Title; with no image it may not be empty.")
    label_group: _Label = None
    image_phash: _Hash = Field(
        default=None, description="Perceptual hash of its image, if that is known; else it is computed."
    )
    metadata: MetadataIn | None = Field(
        default=None, description="Fields of its seller's own, which nothing is matched by; in a form as JSON text."
    )


class PatchIn(BaseModel):
    """What is to be changed of a stored posting, as JSON Merge Patch (RFC 7396): what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    title: _Title | None = Field(default=None, description="Title; null for none.")
    label_group: _Label = None
    image_phash: _Hash = Field(
        default=None, description="Perceptual hash of its image; null lets it be computed, as another image does."
    )
    metadata: MetadataIn | None = Field(
        default=None,
        description="Fields take the place of those there are, objects are merged, and null removes a field, or all.",
    )


class PostingJson(PostingIn):
    """A posting in JSON, which has images as texts."""

    image: EncodedImages | None = None
    image_url: ImageUrls | None = None


class PatchJson(PatchIn):
    """Changes in JSON, which have images as texts."""

    image: EncodedImages | None = Field(
        default=None, description="The image, or a list of images, in place of all stored ones; null removes them."
    )
    image_url: ImageUrls | None = None


_FORM = {
    "type": "object",
    "properties": {"image": IMAGE_PARTS, IMAGE_URL: IMAGE_URL_PARTS, **PostingIn.model_json_schema()["properties"]},
}
_PATCH_FORM = {
    "type": "object",
    "properties": {"image": IMAGE_PARTS, IMAGE_URL: IMAGE_URL_PARTS, **PatchIn.model_json_schema()["properties"]},
}
_PATCH = PatchJson.model_json_schema()
BODY = described({MULTIPART: _FORM, JSON: PostingJson.model_json_schema(), OCTETS: RAW_IMAGE})
PATCH_BODY = described({MERGE_PATCH: _PATCH, JSON: _PATCH, MULTIPART: _PATCH_FORM})


async def read_posting(
    request: Request, posting_id: str, condition: Condition, settings: Settings, fetch: Fetch
) -> Offered:
    """The posting that a request brings: a form with `image`, `title` or both, JSON, or an image as such.

    `fetch` gives the image at a URL that stands in its place.

    Raises:
        HTTPException: 415 for another content type or charset, 400 for a form that cannot be parsed, 413 for more JSON
            than a posting can take.
        RequestValidationError: neither image nor title, something too long, or anything else.
        FieldInvalid: something in its metadata is not as it must be.
        LimitExceeded: the form has more parts.
        ImageEmpty, ImageTooLarge: the image has no bytes, or more than one may have.
    """
    allow_large(request.scope, settings)
    kind = content_type(request)
    given: PostingIn
    images: list[bytes]
    if is_json(kind):
        given = sent = await read_json(request, PostingJson, _json_bytes(settings), images=True)
        images = await images_of(sent.image, sent.image_url, fetch)
    elif kind == MULTIPART:
        images, fields = await _read_form(request, settings, fetch)
        given = validated(PostingIn, fields)
    else:
        images, given = [await raw_image(request, kind)], PostingIn()
    return offered(posting_id, given, images, condition, settings)


def offered(
    posting_id: str, given: PostingIn, images: Sequence[bytes], condition: Condition, settings: Settings
) -> Offered:
    """A posting to be stored, of the fields that were sent; raises as `read_posting`."""
    title = title_of(given.title, settings)
    if not images and not title:
        raise invalid("title", "expected an image or a title, got neither")
    _check_sizes(images, settings)
    metadata = parse_metadata(given.metadata or {}, metadata_limits(settings))
    phash, label = _lower(given.image_phash), as_label(given.label_group or "")
    return Offered(Posting(posting_id, None, title, phash, label, metadata), images, condition)


async def read_patch(
    request: Request, posting_id: str, condition: Condition, settings: Settings, fetch: Fetch
) -> PostingPatch:
    """The changes that a request brings: JSON Merge Patch or a form; its images take the place of all stored ones.

    Raises as `read_posting`; what is wrong only together with what is stored is told when it is applied.
    """
    allow_large(request.scope, settings)
    kind = content_type(request)
    given: PatchIn
    images: list[bytes]
    if is_json(kind):
        given = sent = await read_json(request, PatchJson, _json_bytes(settings), images=True)
        images = await images_of(sent.image, sent.image_url, fetch)
    elif kind == MULTIPART:
        images, fields = await _read_form(request, settings, fetch)
        given = validated(PatchIn, fields)
    else:
        refuse_type(kind, MERGE_PATCH, JSON, MULTIPART)
    return patched(posting_id, given, images, condition, settings)


def patched(
    posting_id: str, given: PatchIn, images: Sequence[bytes], condition: Condition, settings: Settings
) -> PostingPatch:
    """Changes of a posting, of the fields that were sent; raises as `read_patch`."""
    _check_sizes(images, settings)
    values: dict[str, Any] = {
        "title": title_of(given.title or "", settings),
        "label_group": as_label(given.label_group or ""),
        "image_phash": _lower(given.image_phash),
    }
    metadata = None
    if METADATA in given.model_fields_set:
        metadata = MetadataPatch(given.metadata, metadata_limits(settings))
    changed = {name: value for name, value in values.items() if name in given.model_fields_set}
    replaces = bool(images) or "image" in given.model_fields_set
    return PostingPatch(posting_id, changed, metadata, images if replaces else None, condition)


async def _read_form(request: Request, settings: Settings, fetch: Fetch) -> tuple[list[bytes], dict[str, Any]]:
    """The images of a form, and its other fields; metadata, which is text of JSON, as the value it is."""
    names, most = {*PostingIn.model_fields, IMAGE_URL}, max(field_bytes(settings), _json_bytes(settings))
    files = image_parts(settings)
    async with open_form(request, Parts({"image"}, names, files, len(names) + files, most)) as form:
        images, texts = await fields_of(form, fetch)
    fields: dict[str, Any] = dict(texts)
    if METADATA in fields:
        fields[METADATA] = read_json_value(fields[METADATA], METADATA)
    return images, fields


def _json_bytes(settings: Settings) -> int:
    """Bytes of JSON that a title and metadata can need."""
    return settings.max_title_chars * JSON_BYTES_PER_CHARACTER + settings.max_metadata_bytes * JSON_BYTES_PER_BYTE


def _check_sizes(images: Sequence[bytes], settings: Settings) -> None:
    """Raise ImageEmpty, ImageTooLarge for the bytes of an image that cannot be one, or may not."""
    for place, image in enumerate(images, start=1):
        if not image:
            raise BadImage(ImageEmpty("expected an image, got no bytes"), place, len(images)).told
        if len(image) > settings.max_image_bytes:
            error = ImageTooLarge(f"expected at most {settings.max_image_bytes} bytes, got {len(image)}")
            raise BadImage(error, place, len(images)).told


def _lower(phash: str | None) -> str | None:
    return None if phash is None else phash.lower()

"""Reads postings that are to be stored."""

from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from pricematch.api.bodies import (
    JSON,
    JSON_BYTES_PER_CHARACTER,
    MULTIPART,
    content_type,
    invalid,
    read_fields,
    read_json,
    validated,
)
from pricematch.catalogue.postings import MAX_LABEL_CHARS, Posting, decode_byte_escapes
from pricematch.catalogue.records import Condition
from pricematch.errors import ImageEmpty, ImageTooLarge
from pricematch.serving.intake import Offered
from pricematch.settings import Settings


class PostingIn(BaseModel):
    """A posting to be stored: all of it, in place of what is stored under its id."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(
        default="", description="Title; with no picture it may not be empty.", examples=["Susu coklat 200 ml"]
    )
    label_group: str | None = Field(
        default=None, max_length=MAX_LABEL_CHARS, description="The product, if it is known."
    )
    image_phash: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{16}$")] | None = Field(
        default=None, description="Perceptual hash of its picture, if that is known; else it is computed."
    )


_PICTURE = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, GIF, BMP or TIFF."}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "properties": {"image": _PICTURE, **PostingIn.model_json_schema()["properties"]},
                }
            },
            JSON: {"schema": PostingIn.model_json_schema()},
            "image/*": {"schema": _PICTURE},
        },
    }
}


async def read_posting(request: Request, posting_id: str, condition: Condition, settings: Settings) -> Offered:
    """The posting that a request brings: a form with `image`, `title` or both, JSON, or a picture as such.

    Raises:
        HTTPException: 415 for another content type or charset, 400 for a form that cannot be parsed, 413 for more JSON
            than a posting can take.
        RequestValidationError: neither picture nor title, something too long, or anything else.
        LimitExceeded: the form has more parts.
        ImageEmpty, ImageTooLarge: the picture has no bytes, or more than one may have.
    """
    kind = content_type(request)
    image: bytes | None = None
    if kind.startswith("image/"):
        image, given = await request.body(), PostingIn()
    elif kind == JSON:
        given = validated(PostingIn, await read_json(request, settings.max_title_chars * JSON_BYTES_PER_CHARACTER))
    elif kind == MULTIPART:
        image, fields = await read_fields(request, settings, set(PostingIn.model_fields))
        given = validated(PostingIn, fields)
    else:
        raise HTTPException(415, f"expected {MULTIPART}, {JSON} or image/*, got {kind or 'none'!r}")
    title = decode_byte_escapes(given.title.strip()).strip()
    if len(given.title) > settings.max_title_chars:
        raise invalid("title", f"expected at most {settings.max_title_chars} characters, got {len(given.title)}")
    if image is None and not title:
        raise invalid("title", "expected a picture or a title, got neither")
    _check_bytes(image, settings)
    phash = None if given.image_phash is None else given.image_phash.lower()
    return Offered(Posting(posting_id, None, title, phash, given.label_group or None), image, condition)


def _check_bytes(image: bytes | None, settings: Settings) -> None:
    if image is not None and not image:
        raise ImageEmpty("expected a picture, got no bytes")
    if image is not None and len(image) > settings.max_image_bytes:
        raise ImageTooLarge(f"expected at most {settings.max_image_bytes} bytes, got {len(image)}")

"""Reads /match requests: a picture or a title as such or in a form, or several pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request
from starlette.exceptions import HTTPException

from pricematch.api.bodies import (
    JSON,
    JSON_BYTES_PER_CHARACTER,
    MULTIPART,
    UTF8_BYTES_PER_CHARACTER,
    content_type,
    fields_of,
    files_of,
    invalid,
    only,
    read_json,
    validated,
)
from pricematch.api.forms import FIELD_BYTES, open_form
from pricematch.api.schemas.matches import TitleRequest
from pricematch.catalogue.postings import decode_byte_escapes
from pricematch.settings import Settings

_NAME = 255


@dataclass(frozen=True)
class SentPosting:
    """What one query of a /match request brings."""

    image: bytes | None = None
    title: str = ""


@dataclass(frozen=True)
class SentImages:
    """Several pictures of a /match request, and the names they were sent with, shortened."""

    images: Sequence[bytes]
    names: Sequence[str | None]


async def read_query(request: Request, settings: Settings) -> SentPosting | SentImages:
    """What a /match request brings: a form with `image`, `title` or both, or with `images`; JSON; or a picture as such.

    Raises:
        HTTPException: 415 for another content type or charset, 400 for a form that cannot be parsed, 413 for more JSON
            than a title can take.
        RequestValidationError: it has neither, a title that is too long, or anything else.
        LimitExceeded: the form has more parts, or more pictures than Settings allow.
    """
    kind = content_type(request)
    if kind.startswith("image/"):
        return SentPosting(await request.body())
    if kind == JSON:
        body = await read_json(request, settings.max_title_chars * JSON_BYTES_PER_CHARACTER)
        image, title = None, validated(TitleRequest, body).title
    elif kind == MULTIPART:
        sent = await _read_match_form(request, settings)
        if isinstance(sent, SentImages):
            return sent
        image, title = sent.image, sent.title
    else:
        raise HTTPException(415, f"expected {MULTIPART}, {JSON} or image/*, got {kind or 'none'!r}")
    if len(title) > settings.max_title_chars:
        raise invalid("title", f"expected at most {settings.max_title_chars} characters, got {len(title)}")
    title = decode_byte_escapes(title.strip()).strip()
    if image is None and not title:
        raise invalid("image" if kind == MULTIPART else "title", "expected a picture or a title, got neither")
    return SentPosting(image, title)


async def _read_match_form(request: Request, settings: Settings) -> SentPosting | SentImages:
    most = settings.max_title_chars * UTF8_BYTES_PER_CHARACTER + FIELD_BYTES
    async with open_form(request, settings.max_match_images, 1, most) as form:
        if "images" not in form:
            image, fields = await fields_of(form, {"title"})
            return SentPosting(image, fields.get("title", ""))
        only(form, {"images"})
        parts = files_of(form, "images")
        return SentImages(
            [await part.read() for part in parts], [(part.filename or "")[:_NAME] or None for part in parts]
        )

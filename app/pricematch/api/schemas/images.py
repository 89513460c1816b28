"""Images in JSON: as Base64, or as a `data:` URI; their addresses in answers."""

import binascii
import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from pricematch.catalogue.postings import MAX_IMAGES

_DATA_URI = re.compile(r"data:[^,;]*(?:;[^,;=]+=[^,;]*)*;base64,", re.IGNORECASE)
_MAX_TOP = 200
"""Characters that the part of a data URI before its data may have."""


def read_image(value: Any) -> bytes:
    """The bytes of an image in Base64 (RFC 4648, section 4) or a data URI in it (RFC 2397); blanks are passed over.

    Raises:
        PydanticCustomError: it is no such text.
    """
    if isinstance(value, bytes):  # of a form
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("image", "expected an image as text in Base64 or a data: URI")
    data = value
    if value[:5].lower() == "data:":
        if (top := _DATA_URI.match(value[:_MAX_TOP])) is None:
            raise PydanticCustomError("image", "expected a data: URI that says ;base64, before its data")
        data = value[top.end() :]
    try:
        return b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PydanticCustomError("image", "expected Base64: {why}", {"why": str(error)}) from None


def read_images(value: Any) -> list[bytes]:
    """The images of one posting: one as `read_image` takes it, or a list of them; raises PydanticCustomError."""
    if not isinstance(value, list):
        return [read_image(value)]
    _check_count(value)
    found = list[bytes]()
    for place, it in enumerate(value, start=1):
        try:
            found.append(read_image(it))
        except PydanticCustomError as error:
            why = {"place": place, "why": error.message()}
            raise PydanticCustomError("image", "image {place}: {why}", why) from None
    return found


def _read_urls(value: Any) -> Any:
    """Where the images of one posting are: a URL, or a list of them; raises PydanticCustomError."""
    if not isinstance(value, list):
        return [value]
    _check_count(value)
    return value


def _check_count(images: Sequence[Any]) -> None:
    if not 1 <= len(images) <= MAX_IMAGES:
        count = {"most": MAX_IMAGES, "count": len(images)}
        raise PydanticCustomError("image", "expected 1 to {most} images of a posting, got {count}", count)


def _one_or_more(one: dict[str, Any], description: str) -> dict[str, Any]:
    """The schema of one of a kind, or a list of as many as a posting may have."""
    each = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_IMAGES}
    return {"anyOf": [one, each], "description": description}


MAX_URL_CHARS = 2048
_URL = {"type": "string", "maxLength": MAX_URL_CHARS}
_BASE64 = {
    "type": "string",
    "description": "JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF in Base64, or as a `data:` URI in it.",
}
ImageUrls: TypeAlias = Annotated[
    list[Annotated[str, Field(max_length=MAX_URL_CHARS)]],
    BeforeValidator(_read_urls),
    WithJsonSchema(
        _one_or_more(
            _URL,
            "Where the image is instead, on a host that the setting `image_hosts` names: it is fetched. A list for "
            "several images of the posting.",
        )
    ),
]
EncodedImages: TypeAlias = Annotated[
    list[bytes],
    BeforeValidator(read_images),
    WithJsonSchema(_one_or_more(_BASE64, "The image; or a list of the posting's images, the main one first.")),
]
EncodedImage: TypeAlias = Annotated[
    bytes,
    BeforeValidator(read_image),
    WithJsonSchema(_BASE64),
]
ImageUrlOut: TypeAlias = Annotated[
    str | None, Field(description="Of its image, the first of several; null where the posting has none.")
]
ImageUrlsOut: TypeAlias = Annotated[
    list[str],
    Field(max_length=MAX_IMAGES, description="Of all its images, each in its place; empty where it has none."),
]

"""Images in JSON: as Base64, or as a `data:` URI."""

import binascii
import re
from base64 import b64decode
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

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


MAX_URL_CHARS = 2048
ImageUrl: TypeAlias = Annotated[
    str | None,
    Field(
        max_length=MAX_URL_CHARS,
        description="Where the image is instead, on a host that the setting `image_hosts` names: it is fetched.",
    ),
]
EncodedImage: TypeAlias = Annotated[
    bytes,
    BeforeValidator(read_image),
    WithJsonSchema(
        {
            "type": "string",
            "description": "JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF in Base64, or as a `data:` URI in it.",
        }
    ),
]

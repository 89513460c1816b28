"""What every body is checked for, its coding, media type and charset; and JSON, read strictly and written as it is."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException

from pricematch.api.problems import unexpected
from pricematch.settings import KIB

MULTIPART, JSON, OCTETS = "multipart/form-data", "application/json", "application/octet-stream"
MERGE_PATCH = "application/merge-patch+json"
FIELD_BYTES = 4 * KIB
"""Of one text field, at most, where nothing else is given."""
_RAW = ("", OCTETS, "binary/octet-stream")
_CHARSETS = (b"utf-8", b"utf8", b"us-ascii")
_SIGNS = (b",", b":", b"[", b"{", b"\\")
"""What takes memory in JSON beside the bytes of texts: each value has one of these before it, each escape the last."""
_BYTES_PER_SIGN = 2
_MAX_FAULTS = 1000
_Body = TypeVar("_Body", bound=BaseModel)
_FIELDS = TypeAdapter(dict[str, Any])


def content_type(request: Request) -> str:
    """The type and subtype that a request declares, in lower case; "" for none.

    Raises:
        HTTPException: 415 for a body in any coding, which nothing here decodes.
    """
    codings = ",".join(request.headers.getlist("content-encoding")).split(",")
    coded = [coding.strip()[:40] for coding in codings if coding.strip().lower() not in ("", "identity")]
    if coded:
        detail = f"expected a body as it is, without Content-Encoding, got one in {', '.join(coded[:5])!r}"
        raise HTTPException(415, detail, {"Accept-Encoding": "identity"})
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_json(kind: str) -> bool:
    """Whether a media type is one of JSON."""
    return kind in (JSON, "text/json") or (kind.startswith("application/") and kind.endswith("+json"))


def may_be_image(kind: str) -> bool:
    """Whether a body of a media type may be an image as such; its bytes decide which."""
    return kind.startswith("image/") or kind in _RAW


def refuse_type(kind: str, *expected: str) -> NoReturn:
    """Raise HTTPException for a media type that an endpoint does not take."""
    raise HTTPException(415, f"expected {' or '.join(expected)}, got {kind[:80] or 'none'!r}")


def type_parameters(request: Request, what: str) -> Mapping[bytes, bytes]:
    """The parameters of a request's Content-Type; raises HTTPException where they name another charset than UTF-8.

    Some of Python's codecs raise unlike others, or give lone surrogates.
    """
    _, parameters = parse_options_header(request.headers.get("content-type", ""))
    charset = parameters.get(b"charset", b"utf-8")
    if charset.lower() not in _CHARSETS:
        raise HTTPException(415, f"expected {what} in utf-8, got {charset[:40].decode('latin-1')!r}")
    return parameters


async def read_json(request: Request, model: type[_Body], limit: int = 0, *, images: bool = False) -> _Body:
    """A body of JSON as its model: of so many bytes at most, and some for other fields.

    With `images` one that names any may have long texts, and what is limited is how many values and escapes it has.

    Raises:
        HTTPException: 415 for another media type or charset, 413 for more bytes.
        RequestValidationError: no JSON, a field twice, or fields that are missing, unknown or out of range.
    """
    if not is_json(kind := content_type(request)):
        refuse_type(kind, JSON)
    type_parameters(request, "JSON")
    body, limit = await request.body(), limit + FIELD_BYTES
    if len(body) > limit:  # parsing holds up every other request, and takes many times the memory
        if not images or b'"image' not in body:
            raise HTTPException(413, f"expected at most {limit} bytes of JSON, got {len(body)}")
        if (count := sum(map(body.count, _SIGNS))) > limit // _BYTES_PER_SIGN:
            raise HTTPException(413, f"expected images and at most {limit} bytes of other JSON, got {count} signs")
    if not (encoding := json.detect_encoding(body)).startswith("utf-8"):
        raise HTTPException(415, f"expected JSON in utf-8, got {encoding!r}")
    try:
        text = body.decode("utf-8-sig")
        json.loads(text, object_pairs_hook=_distinct)
    except UnicodeDecodeError as error:
        raise invalid("", f"expected JSON in UTF-8, got byte {body[error.start]:#x} at {error.start}") from None
    except (ValueError, RecursionError) as error:
        raise invalid("", f"expected JSON: {error}") from None
    return validated(model, text)


def written(fields: dict[str, Any]) -> Response:
    """A response of fields as they are: to make the documented models of them would take more than twice as long."""
    return Response(_FIELDS.dump_json(fields), media_type=JSON)


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    """Raise RequestValidationError where a name of an object comes twice: parsers differ in which one they take."""
    names = set[str]()
    for name, _ in pairs:
        if name in names:
            raise invalid(name, "expected it once, got it twice")
        names.add(name)


def validated(model: type[_Body], body: str | dict[str, Any]) -> _Body:
    """A body, as JSON or by its fields, as its model; raises RequestValidationError."""
    try:
        return model.model_validate_json(body) if isinstance(body, str) else model.model_validate(body)
    except ValidationError as error:
        if (count := error.error_count()) > _MAX_FAULTS:
            raise invalid("*", f"expected {', '.join(model.model_fields)}, got {count} faults") from error
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        for fault in faults:
            if fault["type"] == "extra_forbidden":
                fault["msg"] = unexpected("field", str(fault["loc"][-1]), model.model_fields)
            elif fault["type"] == "model_type":
                fault["msg"] = f"expected an object with {', '.join(model.model_fields)}"
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from error


def invalid(name: str, message: str, kind: str = "value_error") -> RequestValidationError:
    """The error of a field or part of a body; with an empty name of the body as a whole."""
    return RequestValidationError([{"type": kind, "loc": ("body", name[:80]) if name else ("body",), "msg": message}])

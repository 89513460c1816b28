"""Reads multipart forms, in a way that leaves nothing behind."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import BinaryIO, TypeAlias

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from pricematch.errors import LimitExceeded
from pricematch.settings import KIB

FIELD_BYTES = 4 * KIB
"""Of one text field, at most, where nothing else is said."""
Places: TypeAlias = Mapping[str, Callable[[], BinaryIO]]
"""What opens a file for each of some file parts, by their names."""
_CHARSETS = (b"utf-8", b"utf8", b"us-ascii")


class _Parser(MultiPartParser):
    """Starlette's parser, which knows whether the form's last boundary has come, and whether its text is UTF-8."""

    ended = False
    undecoded: str | None = None
    """The name of a text field that is not in UTF-8; Starlette takes it for Latin-1."""
    places: Places | None = None
    """Where file parts go by their names, once each; None: to temporary files."""

    def on_headers_finished(self) -> None:
        """Called by the parser where a part's content begins."""
        super().on_headers_finished()
        part = self._current_part
        if self.places is not None and part.file is not None:
            self._files_to_close_on_error.pop().close()
            self.places, place = _taken(self.places, part.field_name)
            self._files_to_close_on_error.append(place)  # type: ignore[arg-type]  # it is only closed
            part.file = UploadFile(place, filename=part.file.filename, headers=part.file.headers)

    def on_part_end(self) -> None:
        """Called by the parser at the end of each part."""
        part = self._current_part
        try:
            part.data.decode()
        except UnicodeDecodeError:
            self.undecoded = part.field_name
        super().on_part_end()

    def on_end(self) -> None:
        """Called by the parser at the last boundary."""
        self.ended = True


def _taken(places: Places, name: str) -> tuple[Places, BinaryIO]:
    """The places that are left, and the file of the one that is taken."""
    if name not in places:
        message = f"expected no file part but {', '.join(places) or 'those before'}, each once"
        raise RequestValidationError([{"type": "value_error", "loc": ("body", name[:80]), "msg": message}])
    return {other: place for other, place in places.items() if other != name}, places[name]()


@asynccontextmanager
async def open_form(
    request: Request,
    max_files: int,
    max_fields: int,
    max_field_bytes: int = FIELD_BYTES,
    places: Places | None = None,
) -> AsyncIterator[FormData]:
    """The form of a request; its temporary files are closed behind it, and if it cannot be parsed.

    With `places` file parts are written there instead of to temporary files, and closed, but not deleted, behind it.
    Unlike `request.form()` it refuses a form without its last boundary, whose open part would stay behind as a file.

    Raises:
        HTTPException: 415 for another charset than UTF-8, 400 for a form that cannot be parsed.
        RequestValidationError: a text field is not in UTF-8, or a file part has no place.
        LimitExceeded: more files or fields.
        StoreError: a file part cannot be written to its place.
    """
    _check_charset(request)

    async def stream() -> AsyncGenerator[bytes, None]:
        async for piece in request.stream():
            yield piece
        if not parser.ended:
            raise MultiPartException("expected a form that ends with its boundary, got one that breaks off")

    limits = {"max_files": max_files, "max_fields": max_fields, "max_part_size": max_field_bytes}
    parser = _Parser(request.headers, stream(), **limits)
    parser.places = places
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many"):  # Starlette's only way to say which of its limits it was
            message = f"expected a form of at most {max_files} file part(s) and {max_fields} text field(s), got more"
            raise LimitExceeded(message) from error
        raise HTTPException(400, error.message) from error
    try:
        if parser.undecoded is not None:
            fault = {"type": "string_unicode", "loc": ("body", parser.undecoded), "msg": "expected text in UTF-8"}
            raise RequestValidationError([fault])
        yield form
    finally:
        await form.close()


def _check_charset(request: Request) -> None:
    """Refuse forms that are not in UTF-8: some of Python's codecs raise unlike others, or give lone surrogates."""
    _, options = parse_options_header(request.headers["content-type"])
    charset = options.get(b"charset", b"utf-8")
    if charset.lower() not in _CHARSETS:
        raise HTTPException(415, f"expected a form in utf-8, got one in {charset[:40].decode('latin-1')!r}")

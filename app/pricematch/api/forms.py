"""Reads multipart forms while they are sent; what is large goes to the disk, and nothing is left behind."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, TypeAlias, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.exceptions import HTTPException

from pricematch.errors import LimitExceeded
from pricematch.settings import KIB, MIB

FIELD_BYTES = 4 * KIB
"""Of one text field, at most, where nothing else is given."""
Places: TypeAlias = Mapping[str, Callable[[], BinaryIO]]
"""Functions that open the files of file parts, by their names."""
_SPOOLED_BYTES = MIB
"""Of one file part are kept in memory; a larger one goes to a temporary file."""
_CHARSETS = (b"utf-8", b"utf8", b"us-ascii")


@asynccontextmanager
async def open_form(
    request: Request,
    max_files: int,
    max_fields: int,
    max_field_bytes: int = FIELD_BYTES,
    places: Places | None = None,
) -> AsyncIterator[FormData]:
    """The form of a request; its files are closed behind it, and if it cannot be parsed.

    With `places` file parts are written there, each name once, and not deleted; else to temporary files. Unlike
    `request.form()` it refuses a form that breaks off, and text that is not in UTF-8.

    Raises:
        HTTPException: 415 for another charset than UTF-8, 400 for a form that cannot be parsed.
        RequestValidationError: a text field is not in UTF-8, or a file part has no place.
        LimitExceeded: more files or fields.
        StoreError: a file part cannot be written to its place.
    """
    reader = _Reader(_boundary(request), max_files, max_fields, max_field_bytes, places)
    try:
        async for piece in request.stream():
            await reader.feed(piece)
        yield await reader.form()
    finally:
        for file in reader.files:
            file.file.close()


class _Reader:
    """Takes the pieces of a form's body; `python_multipart` finds the parts, and calls what is private here.

    Args:
        boundary: between parts.
        max_files: parts with a file name.
        max_fields: other parts.
        max_field_bytes: bytes of each of those.
        places: where file parts go; None takes temporary files.

    Attributes:
        files: of all file parts, whole or not.
    """

    def __init__(
        self, boundary: bytes, max_files: int, max_fields: int, max_field_bytes: int, places: Places | None
    ) -> None:
        self._max_files, self._max_fields, self._max_field_bytes = max_files, max_fields, max_field_bytes
        self._places = None if places is None else dict(places)
        self.files: list[UploadFile] = []
        self._items: list[tuple[str, UploadFile | str]] = []
        self._unwritten: list[tuple[UploadFile, bytes]] = []
        self._fields = 0
        self._ended = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._header, self._value, self._text = bytearray(), bytearray(), bytearray()
        self._name = ""
        self._file: UploadFile | None = None
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._take,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise HTTPException(400, str(error)) from error

    async def feed(self, piece: bytes) -> None:
        """Take the next piece of the body, and write what it brings of files."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise HTTPException(400, str(error)) from error
        for file, content in self._unwritten:
            await file.write(content)
        self._unwritten.clear()

    async def form(self) -> FormData:
        """The whole form, its temporary files at their beginning."""
        if not self._ended:
            raise HTTPException(400, "expected a form that ends with its boundary, got one that breaks off")
        if self._places is None:
            for file in self.files:
                await file.seek(0)
        return FormData(self._items)

    def _begin_part(self) -> None:
        self._headers, self._file, self._text = [], None, bytearray()

    def _end_header(self) -> None:
        self._headers.append((bytes(self._header).lower(), bytes(self._value)))
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        _, options = parse_options_header(dict(self._headers).get(b"content-disposition"))
        if b"name" not in options:
            raise HTTPException(400, "expected a name in the Content-Disposition of each part")
        self._name = _decoded(options[b"name"])
        if b"filename" in options:
            self._check(len(self.files) < self._max_files)
            opened, name = self._open(self._name), _decoded(options[b"filename"])
            self._file = UploadFile(opened, size=0, filename=name, headers=Headers(raw=self._headers))
            self.files.append(self._file)
        else:
            self._check(self._fields < self._max_fields)
            self._fields += 1

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._unwritten.append((self._file, data[start:end]))
            return
        self._text += data[start:end]
        if len(self._text) > self._max_field_bytes:
            raise HTTPException(400, f"expected at most {self._max_field_bytes} bytes in a text field, got more")

    def _end_part(self) -> None:
        try:
            self._items.append((self._name, self._text.decode() if self._file is None else self._file))
        except UnicodeDecodeError:
            raise invalid(self._name, "expected text in UTF-8", "string_unicode") from None

    def _end(self) -> None:
        self._ended = True

    def _open(self, name: str) -> BinaryIO:
        if self._places is None:
            return cast("BinaryIO", SpooledTemporaryFile(_SPOOLED_BYTES))
        if name not in self._places:
            raise invalid(name, f"expected no file part but {', '.join(self._places) or 'those before'}, each once")
        return self._places.pop(name)()

    def _check(self, fits: bool) -> None:  # noqa: FBT001 — the call names it
        if not fits:
            most = f"{self._max_files} file part(s) and {self._max_fields} text field(s)"
            raise LimitExceeded(f"expected a form of at most {most}, got more")


def _boundary(request: Request) -> bytes:
    """The boundary between the parts of a request's form.

    Raises:
        HTTPException: 415 for another charset than UTF-8: some of Python's codecs raise unlike others, or give lone
            surrogates; 400 for none.
    """
    _, options = parse_options_header(request.headers["content-type"])
    charset = options.get(b"charset", b"utf-8")
    if charset.lower() not in _CHARSETS:
        raise HTTPException(415, f"expected a form in utf-8, got one in {charset[:40].decode('latin-1')!r}")
    if b"boundary" not in options:
        raise HTTPException(400, "expected a boundary in the Content-Type of a form, got none")
    return options[b"boundary"]


def _decoded(name: bytes) -> str:
    """A part's name or file name; in Latin-1, like all headers, where it is not in UTF-8."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def invalid(name: str, message: str, kind: str = "value_error") -> RequestValidationError:
    """The error of a field or part of a body."""
    return RequestValidationError([{"type": kind, "loc": ("body", name[:80]), "msg": message}])

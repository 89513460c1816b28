"""Reads multipart forms while they are sent; what is large goes to the disk, and nothing is left behind."""

import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, TypeAlias, cast
from urllib.parse import unquote_to_bytes

from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.exceptions import HTTPException

from pricematch.api.content import FIELD_BYTES, invalid, type_parameters
from pricematch.api.problems import unexpected
from pricematch.errors import LimitExceeded
from pricematch.settings import MIB

Places: TypeAlias = Mapping[str, Callable[[], BinaryIO]]
"""Functions that open the files of file parts, by their names."""
_SPOOLED_BYTES = MIB
"""Of one file part are kept in memory; a larger one goes to a temporary file."""
_CHARSETS = {
    b"utf-8": "utf-8-sig",
    b"utf8": "utf-8-sig",
    b"us-ascii": "utf-8-sig",
    b"iso-8859-1": "latin-1",
    b"windows-1252": "cp1252",
}
"""Codecs of text fields by the charsets that a part may declare; Java's clients take ISO-8859-1 for text."""
_UNCODED = (b"", b"7bit", b"8bit", b"binary")
_QUOTED = re.compile(rb'"(?:\\.|[^"\\])*"')
_EXTENDED = re.compile(rb";\s*filename\*\s*=\s*(?:utf-8|iso-8859-1)'[^';]*'([^;\s]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Parts:
    """Parts that a form may have. What a name says holds, whatever a part's disposition does: clients differ there.

    Attributes:
        files: names of file parts.
        fields: names of text fields.
        max_files: file parts at most.
        max_fields: text fields at most.
        max_field_bytes: bytes of each of those.
    """

    files: Collection[str]
    fields: Collection[str]
    max_files: int
    max_fields: int
    max_field_bytes: int = FIELD_BYTES


@asynccontextmanager
async def open_form(request: Request, parts: Parts, places: Places | None = None) -> AsyncIterator[FormData]:
    """The form of a request; its files are closed behind it, and if it cannot be parsed.

    With `places` file parts are written there, each name once, and not deleted; else to temporary files. Unlike
    `request.form()` it refuses a form that breaks off, and text that cannot be decoded.

    Raises:
        HTTPException: 415 for another charset than UTF-8 or a part in a coding, 400 for a form that cannot be parsed.
        RequestValidationError: parts that are unknown, text that is not in its charset, or a file part has no place.
        LimitExceeded: more files or fields.
        StoreError: a file part cannot be written to its place.
    """
    reader = _Reader(_boundary(type_parameters(request, "a form")), parts, places)
    try:
        async for piece in request.stream():
            await reader.feed(piece)
        form = await reader.form()
        only(form, {*parts.files, *parts.fields})
        yield form
    finally:
        for file in reader.files:
            file.file.close()


class _Reader:
    """Takes the pieces of a form's body; `python_multipart` finds the parts, and calls what is private here.

    Args:
        boundary: between parts.
        parts: that may come.
        places: where file parts go; None takes temporary files.

    Attributes:
        files: of all file parts, whole or not.
    """

    def __init__(self, boundary: bytes, parts: Parts, places: Places | None) -> None:
        self._parts = parts
        self._places = None if places is None else dict(places)
        self.files: list[UploadFile] = []
        self._items: list[tuple[str, UploadFile | str]] = []
        self._unwritten: list[tuple[UploadFile, bytes]] = []
        self._fields = 0
        self._ended = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._header, self._value, self._text = bytearray(), bytearray(), bytearray()
        self._name, self._charset = "", "utf-8"
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
        headers = dict(self._headers)
        disposition = headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        if b"name" not in options:
            raise HTTPException(400, "expected a name in the Content-Disposition of each part")
        self._name = _decoded(options[b"name"])
        _check_uncoded(self._name, headers)
        if self._name in self._parts.files or (b"filename" in options and self._name not in self._parts.fields):
            self._check(len(self.files) < self._parts.max_files)
            opened, name = self._open(self._name), _file_name(disposition, options)
            self._file = UploadFile(opened, size=0, filename=name, headers=Headers(raw=self._headers))
            self.files.append(self._file)
        else:
            self._check(self._fields < self._parts.max_fields)
            self._fields += 1
            self._charset = _charset(self._name, headers)

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._unwritten.append((self._file, data[start:end]))
            return
        self._text += data[start:end]
        if len(self._text) > (most := self._parts.max_field_bytes):
            raise HTTPException(400, f"expected at most {most} bytes in the text field {self._name[:80]}, got more")

    def _end_part(self) -> None:
        try:
            self._items.append((self._name, self._text.decode(self._charset) if self._file is None else self._file))
        except UnicodeDecodeError:
            charset = self._charset.removesuffix("-sig").upper()
            raise invalid(self._name, f"expected text in {charset}", "string_unicode") from None

    def _end(self) -> None:
        self._ended = True

    def _open(self, name: str) -> BinaryIO:
        if self._places is None:
            return cast("BinaryIO", SpooledTemporaryFile(_SPOOLED_BYTES))
        if name not in self._places:
            raise invalid(
                name,
                "expected it once, got it twice"
                if name in self._parts.files
                else unexpected("part", name, self._parts.files),
            )
        return self._places.pop(name)()

    def _check(self, fits: bool) -> None:  # noqa: FBT001 — the call names it
        if not fits:
            most = f"{self._parts.max_files} file part(s) and {self._parts.max_fields} text field(s)"
            raise LimitExceeded(f"expected a form of at most {most}, got more")


def only(form: FormData, names: set[str]) -> None:
    """Raise RequestValidationError if a form has other parts."""
    if unknown := sorted(set(form) - names):
        raise invalid(unknown[0], unexpected("part", unknown[0], names))


def once(form: FormData, names: Collection[str]) -> None:
    """Raise RequestValidationError if a part of these names comes more than once."""
    for name in names:
        if len(form.getlist(name)) > 1:
            raise invalid(name, "expected it once, got it twice")


def _boundary(parameters: Mapping[bytes, bytes]) -> bytes:
    """The boundary between the parts of a form, of the parameters of its type; raises HTTPException for none."""
    if b"boundary" not in parameters:
        raise HTTPException(400, "expected a boundary in the Content-Type of a form, got none")
    return parameters[b"boundary"]


def _check_uncoded(name: str, headers: Mapping[bytes, bytes]) -> None:
    """Raise HTTPException for a part in base64 or the like, which RFC 7578 has no more."""
    if (coding := headers.get(b"content-transfer-encoding", b"").strip()).lower() not in _UNCODED:
        got = coding[:40].decode("latin-1")
        raise HTTPException(415, f"expected part {name[:80]} as it is, got Content-Transfer-Encoding {got!r}")


def _charset(name: str, headers: Mapping[bytes, bytes]) -> str:
    """The codec of a text field by its Content-Type; raises HTTPException for one that is not known here."""
    charset = parse_options_header(headers.get(b"content-type"))[1].get(b"charset", b"utf-8")
    if (codec := _CHARSETS.get(charset.lower())) is None:
        known = ", ".join(it.decode() for it in _CHARSETS)
        raise HTTPException(415, f"expected part {name[:80]} in {known}, got {charset[:40].decode('latin-1')!r}")
    return codec


def _file_name(disposition: bytes, options: Mapping[bytes, bytes]) -> str:
    """The name that a file part has, if any; RFC 6266 has `filename*` go before `filename`.

    Args:
        disposition: of the part.
        options: its parameters, `filename*` left out.
    """
    if extended := _EXTENDED.search(_QUOTED.sub(b"", disposition)):
        return _decoded(unquote_to_bytes(extended[1]))
    return _decoded(options.get(b"filename", b""))


def _decoded(name: bytes) -> str:
    """A part's name or file name; in Latin-1, like all headers, where it is not in UTF-8."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")

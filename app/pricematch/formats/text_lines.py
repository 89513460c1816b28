"""Lines of text files as people's programs write them: the encoding is given, or detected and told."""

import codecs
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from pricematch.settings import CsvEncoding

_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_BOM = "\ufeff"
PROBED_BYTES = 4096
_CHUNK = 64 * 1024
_COUNTED_BYTES = 64 * 1024 * 1024
_NO_UTF8 = re.compile("[\udc80-\udcff]+")
_UTF8 = re.compile("[\x80-\ud7ff\ue000-\U0010ffff]")
_UNDEFINED = re.compile("[\udc81\udc8d\udc8f\udc90\udc9d]")
_RUN = 4
"""Letters of cp1252 beyond ASCII in a row that its languages hardly have, and other scripts often."""


class TextError(Exception):
    """Why a file cannot be read on."""


class TextLines:
    """The lines of a file; what does not decode becomes lone surrogates, see `undecoded`.

    Args:
        file: at any place; to be closed by whoever opened it.
        limit: bytes of a line, at most.
        encoding: one of `settings.CSV_ENCODINGS`; auto to detect it.

    Attributes:
        encoding, name: the one it is read as, for Python and for people.
        number: of the last line.
    """

    def __init__(self, file: BinaryIO, limit: int, encoding: CsvEncoding = "auto") -> None:
        file.seek(0)
        self.encoding: str = _detected(file, limit) if encoding == "auto" else encoding
        self.name = self.encoding.replace("utf", "UTF")
        self._limit, self._is_guessed = limit, encoding == "auto"
        errors = "surrogatepass" if self.encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
        file.seek(0)
        self._text = io.TextIOWrapper(file, self.encoding, errors, newline="")
        self.number = 0

    def __iter__(self) -> Iterator[str | None]:
        """The lines with their ends; None for one that is longer than the limit, which is then passed over.

        Raises:
            TextError: the file ends within a character, or is not of its encoding at all.
        """
        while line := self._line():
            self.number += 1
            if self._is_too_long(line):
                yield None
                while line and not line.endswith(("\n", "\r")):
                    line = self._line()
            else:
                yield line.removeprefix(_BOM) if self.number == 1 else line

    def _line(self) -> str:
        try:
            return self._text.readline(self._limit + 1)
        except UnicodeError as error:
            raise TextError(f"expected {self.name}, got bytes that are none: {error}"[:200]) from error

    def _is_too_long(self, line: str) -> bool:
        if len(line) > self._limit:
            return True
        return not line.isascii() and len(line.encode("utf-8", "surrogatepass")) > self._limit

    def undecoded(self, text: str) -> str | None:
        """What some text of a line holds that is none, such as a byte; None if it is sound."""
        if "\0" in text:
            return "expected text, got a NUL character"
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            mark = ord(text[error.start])
            what = f"the byte 0x{mark - 0xDC00:02x}" if 0xDC80 <= mark <= 0xDCFF else "half a character"
            place = f"behind {text[: error.start][-20:]!r}" if error.start else "at its beginning"
            hint = "; if the file is in another encoding, name it" if self._is_guessed else ""
            return f"expected {self.name}, got {what} {place}{hint}"
        return None


def _detected(file: BinaryIO, limit: int) -> str:
    """By a byte order mark, by zeros, and else UTF-8, unless cp1252 explains the bytes better."""
    head = file.read(PROBED_BYTES)
    for bom, encoding in _BOMS.items():
        if head.startswith(bom):
            return encoding
    first = head[:64]
    if len(first) >= 4 and (found := _without_bom(first)) is not None:
        return found
    file.seek(0)
    return "utf-8" if _is_utf8(file, limit) or not _is_cp1252(file) else "cp1252"


def _without_bom(first: bytes) -> str | None:
    """UTF-16 by the zeros that ASCII, as column names are, has in every second place."""
    even, odd = first[::2], first[1::2]
    if odd.count(0) * 2 > len(odd) and 0 not in even:
        return "utf-16-le"
    if even.count(0) * 2 > len(even) and 0 not in odd:
        return "utf-16-be"
    return None


def _is_utf8(file: BinaryIO, limit: int) -> bool:
    """Whether all of a file is, or all before a line that is too long to be read."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    size = max(limit, _CHUNK) + 1
    try:
        while chunk := file.read(size):
            decoder.decode(chunk)
            if len(chunk) == size and b"\n" not in chunk and b"\r" not in chunk:
                return True
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _is_cp1252(file: BinaryIO) -> bool:
    """Whether letters beyond ASCII are single bytes of cp1252: few are UTF-8, and few stand in long runs."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    valid = single = undefined = in_runs = read = 0
    while read < _COUNTED_BYTES and (chunk := file.read(_CHUNK)):
        read += len(chunk)
        text = decoder.decode(chunk)
        runs = _NO_UTF8.findall(text)
        valid += len(_UTF8.findall(text))
        single += sum(map(len, runs))
        in_runs += sum(len(run) for run in runs if len(run) >= _RUN)
        undefined += len(_UNDEFINED.findall(text))
    return valid * 10 <= single and in_runs * 2 <= single and undefined * 20 <= single

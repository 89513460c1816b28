"""Titles that hold Python's way of printing bytes."""

import re

_BYTES_LITERAL = re.compile(rb"""b(["'])(.*)\1""", re.DOTALL)
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[nrt\\'\"])")
_MEANING = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def decode_byte_escapes(title: str) -> str:
    r"""Undo Python's way of printing bytes, which Kaggle's data holds as text.

    Titles like `Nescafe \xc3\x89clair` (the escapes being eight characters of text) or `b"L'Oreal"` become what the
    bytes mean in UTF-8. A title whose escapes are not UTF-8 stays as it is: then they were no such bytes.

    >>> decode_byte_escapes(r"Nescafe \xc3\x89clair Latte")
    'Nescafe Éclair Latte'
    >>> decode_byte_escapes('b"L\'Oreal"')
    "L'Oreal"
    >>> decode_byte_escapes(r"50\xff")
    '50\\xff'
    """
    raw = title.encode("utf-8")
    if literal := _BYTES_LITERAL.fullmatch(raw):
        raw = literal[2]
    try:
        return _ESCAPE.sub(_unescape, raw).decode("utf-8")
    except UnicodeDecodeError:
        return title


def encode_byte_escapes(title: str) -> str:
    r"""A text that `decode_byte_escapes` makes a title of, whatever the title is.

    >>> encode_byte_escapes("b'x' \\ 1")
    'b"b\'x\' \\\\ 1"'
    """
    escaped = title.replace("\\", "\\\\").replace("\0", "\\x00")
    return f'b"{escaped}"'


def _unescape(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    if code.startswith(b"x"):
        return bytes.fromhex(code[1:].decode("ascii"))
    return _MEANING.get(code, code)

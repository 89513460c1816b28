"""Titles as sellers' tools leave them made text: entities and tags of HTML, other escapes, mojibake."""

import re
from html.entities import html5
from urllib.parse import unquote

_MOST_ROUNDS = 8
_AMPERSANDS = re.compile(r"&(?>(?:(?:amp|#0*38|#x0*26);)+)", re.IGNORECASE)
# behind a name without a semicolon HTML wants neither a letter nor a digit nor =, or R&Design would be R with a sign
_ENTITY = re.compile(r"&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z][a-z0-9]{1,31})(?:(?=;)|(?![a-z0-9=])));?", re.IGNORECASE)
_CODE_POINTS = re.compile(r"(?>(?:\\u[0-9a-fA-F]{4})+)")
_PERCENTS = re.compile(r"%(?>(?:25)+)")
_ENCODED = re.compile(r"%(?:2[0-9a-f]|3[a-f]|40|5[b-e]|60|7[b-e])", re.IGNORECASE)
_BEHIND_LETTER = re.compile(rf"(?<=[^\W\d_]){_ENCODED.pattern}", re.IGNORECASE)
_UTF8 = re.compile(r"(?>(?:%[c-f][0-9a-f](?>(?:%[89ab][0-9a-f])+))+)", re.IGNORECASE)
_TAG = re.compile(
    r"</?+(?:a|b|big|br|center|div|em|font|h[1-6]|hr|i|img|li|mark|ol|p|small|span|strong|sub|sup|table|td|tr|u|ul)"
    r"(?:[\s/][^<>]*+)?>",
    re.IGNORECASE,
)
_PRINTED, _LAST = 0x20, 0x10FFFF
_BEHIND_BYTES = range(0x80, 0xA0)
_SURROGATES = range(0xD800, 0xE000)


def unescaped(title: str) -> str:
    r"""A title with its escapes decoded, however often it was encoded; what is no escape stays as it is.

    >>> unescaped("Nescaf&amp;amp;eacute; &lt;b&gt;24&quot;&lt;/b&gt; AT&T R&D")
    'Nescafé  24"  AT&T R&D'
    >>> unescaped(r"Nescaf\u00e9, Nescaf%C3%A9, 50%"), unescaped("NescafÃ©")
    ('Nescafé, Nescafé, 50%', 'Nescafé')
    """
    for _ in range(_MOST_ROUNDS):
        if title == (title := _decoded(title)):
            break
    return title


def _decoded(title: str) -> str:
    if "&" in title:
        title = _ENTITY.sub(_character, _AMPERSANDS.sub("&", title))
    if "\\u" in title:
        title = _CODE_POINTS.sub(_code_points, title)
    if "%" in title:
        title = _without_percents(_UTF8.sub(_bytes, title))
    if "<" in title:
        title = _TAG.sub(" ", title)
    return title if title.isascii() else _without_mojibake(title)


def _without_percents(title: str) -> str:
    """Signs and blanks that are percent-encoded decoded, in a title that is.

    One is that has such an escape directly behind a letter, where no percentage stands, or that has no blank and no %
    but of escapes: `50%20pcs off` is not. Where no blank is %20 either, as in forms, a + is one.
    """
    whole = not any(map(str.isspace, title)) and len(_ENCODED.findall(title)) == title.count("%")
    if whole and "%20" not in title and "%2520" not in title:
        title = title.replace("+", " ")
    if whole or _BEHIND_LETTER.search(title):
        return _ENCODED.sub(lambda escape: unquote(escape[0]), _PERCENTS.sub("%", title))
    return title


def _character(entity: re.Match[str]) -> str:
    """What an entity stands for, or the entity itself."""
    hexadecimal, decimal, name = entity.groups()
    if name:
        named = entity[0].endswith(";")
        keys = [f"{spelling}{';' * named}" for spelling in (name, name.lower())]
        return next((html5[key] for key in keys if key in html5), entity[0])
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    if code < _PRINTED:  # a tabulator or the end of a line; without its semicolon, as in &#1, more likely a rank
        return " " if entity[0].endswith(";") else entity[0]
    if code in _BEHIND_BYTES:  # which HTML reads as Windows' bytes: &#146; is ’
        return bytes([code]).decode("cp1252", "replace")
    return chr(code) if code <= _LAST and code not in _SURROGATES else entity[0]


def _code_points(escapes: re.Match[str]) -> str:
    """What escapes of JSON stand for; those beyond 16 bits are two."""
    units = bytes.fromhex(escapes[0].replace("\\u", ""))
    try:
        return units.decode("utf-16-be")
    except UnicodeDecodeError:
        return escapes[0]


def _bytes(escapes: re.Match[str]) -> str:
    try:
        return unquote(escapes[0], errors="strict")
    except UnicodeDecodeError:
        return escapes[0]


def _without_mojibake(title: str) -> str:
    """UTF-8 that was read as Windows-1252 made UTF-8 again, where all of the title is such."""
    try:
        return title.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return title

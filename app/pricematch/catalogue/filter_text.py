"""Filters as they are written: JSON, or a short form for addresses.

    seller=acme;price=10..20;brand=lg|"L;G";colour;!returned;size!=38

Conditions with `;` between, all of which hold. After `=` or `!=` stands a value, several with `|` between, or a range
with `..`, its ends included, of which one may be absent; a name alone asks whether the field is there, with `!` whether
it is not. What has such signs in it is written as a text of JSON, and is a text then; any other value is a text, or,
where it is written like one, also a number, true or false.
"""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from pricematch.catalogue.filter_json import filter_of_json, read_json_filter
from pricematch.catalogue.filters import (
    NO_TEXT,
    Every,
    Filter,
    Has,
    Not,
    OneOf,
    Present,
    Range,
    Value,
    check_size,
    field_path,
    range_of,
    value_of,
)
from pricematch.errors import FilterInvalid

_JSON = json.JSONDecoder()
_NAME = re.compile(r'[^=!;|"]+')
_BARE = re.compile(r'(?:(?!\.\.)[^;|"])+')
_BLANK = re.compile(r"\s*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_TRUTH = {"true": True, "false": False}
_SHOWN = 20


def read_filter(given: str | dict[str, object], max_bytes: int) -> Filter:
    """The filter of a text, which is JSON where it begins with `{`, or of an object of JSON.

    Args:
        given: text or object.
        max_bytes: of the text in UTF-8, or of the object as JSON.

    Raises:
        FilterInvalid: it is none; says where.
    """
    text = json.dumps(given, ensure_ascii=False, separators=(",", ":")) if isinstance(given, dict) else given
    if (size := len(text.encode("utf-8", "surrogatepass"))) > max_bytes:
        raise FilterInvalid(f"filter: expected at most {max_bytes} bytes, got {size}")
    if isinstance(given, dict):
        return filter_of_json(given)
    return read_json_filter(text) if text.lstrip().startswith("{") else _Reader(text).read()


class _Written(NamedTuple):
    """A value as it is written: a text of JSON, which is quoted, or anything else."""

    text: str
    quoted: bool

    def values(self) -> Iterator[Value]:
        """What it may be: its text, and where it is not quoted the number or truth value that it is written like."""
        yield Value("text", self.text)
        if not self.quoted and self.text in _TRUTH:
            yield value_of(_TRUTH[self.text])
        if (number := self.number) is not None:
            yield number

    @property
    def number(self) -> Value | None:
        """The number that it is written like."""
        if self.quoted or not _NUMBER.fullmatch(self.text) or float(self.text) in {float("inf"), float("-inf")}:
            return None
        return value_of(float(self.text))


class _Reader:
    """Reads the short form of a text from left to right."""

    def __init__(self, text: str) -> None:
        self._text, self._place = text, 0

    def read(self) -> Filter:
        """The filter; raises FilterInvalid, which names the character."""
        if surrogate := NO_TEXT.search(self._text):
            self._place = surrogate.start()
            raise self._expected("text")
        parts = [self._condition()]
        while self._took(";"):
            parts.append(self._condition())
        if self._place < len(self._text):
            raise self._expected("; or the end")
        found = parts[0] if len(parts) == 1 else Every(tuple(parts))
        check_size(found)
        return found

    def _condition(self) -> Filter:
        if self._took("!"):
            return Not(Has(self._name(), Present()))
        field = self._name()
        if self._took("!="):
            return Not(Has(field, self._test()))
        return Has(field, self._test() if self._took("=") else Present())

    def _name(self) -> str:
        start = self._place
        written = self._quoted() or self._matched(_NAME)
        if written is None:
            raise self._expected("the name of a field")
        return field_path(written.text, f"filter, character {start + 1}")

    def _test(self) -> OneOf | Range:
        start = self._place
        first = self._value()
        if self._took(".."):
            return self._range(first, self._value(), start)
        if first is None:
            raise self._expected("a value")
        values = dict.fromkeys(first.values())
        while self._took("|"):
            if (more := self._value()) is None:
                raise self._expected("a value")
            values |= dict.fromkeys(more.values())
        return OneOf(tuple(values))

    def _range(self, first: _Written | None, last: _Written | None, start: int) -> Range:
        """A range of numbers where both ends are written like one, else of texts."""
        ends = [None if it is None else it.number for it in (first, last)]
        if any(it is not None and number is None for it, number in zip((first, last), ends, strict=True)):
            ends = [None if it is None else Value("text", it.text) for it in (first, last)]
        if ends == [None, None]:
            raise self._expected("where the range begins or ends")
        return range_of(ends[0], ends[1], f"filter, character {start + 1}", with_low=True, with_high=True)

    def _value(self) -> _Written | None:
        return self._quoted() or self._matched(_BARE)

    def _matched(self, pattern: re.Pattern[str]) -> _Written | None:
        """What a pattern finds here, without blanks around it; None for nothing."""
        found = pattern.match(self._text, self._place)
        if found is None or not found[0].strip():
            return None
        self._place = found.end()
        return _Written(found[0].strip(), quoted=False)

    def _quoted(self) -> _Written | None:
        """A text of JSON; None where none begins here."""
        self._skip_blanks()
        if not self._text.startswith('"', self._place):
            return None
        try:
            text, end = _JSON.raw_decode(self._text, self._place)
        except json.JSONDecodeError as error:
            self._place = error.pos
            raise self._expected(f"a text of JSON ({error.msg})") from None
        if NO_TEXT.search(text):
            raise self._expected("a text of JSON of characters only")
        self._place = end
        return _Written(text, quoted=True)

    def _took(self, sign: str) -> bool:
        """Whether a sign stood here, behind which it goes on."""
        self._skip_blanks()
        there = self._text.startswith(sign, self._place)
        self._place += len(sign) if there else 0
        return there

    def _skip_blanks(self) -> None:
        blanks = _BLANK.match(self._text, self._place)
        self._place = self._place if blanks is None else blanks.end()

    def _expected(self, what: str) -> FilterInvalid:
        got = self._text[self._place : self._place + _SHOWN]
        return FilterInvalid(
            f"filter, character {self._place + 1}: expected {what}, got {repr(got) if got else 'the end'}"
        )

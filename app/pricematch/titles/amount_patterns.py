"""Patterns of numbers and units in folded titles, one for titles in ASCII and one for all others."""

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from pricematch.titles.folding import MARKS
from pricematch.titles.units import GRAM, UNITS

TIMES = "x×*х"
"""Signs of multiplication, one of them Cyrillic."""
_ELSEWHERE = {"%", "°", '"', "'", "'s", "in", "m2", "deg", "degree", "degrees", "derajat", GRAM}
"""Units that do not stand wherever others do: `m2` only directly behind its number (a MacBook Air 13 M2)."""
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Scripts whose words stand without blanks between, or directly behind a number."""
_ANGLE = r"(?!\s?+(?:[cf]|cel[cs]ius|fahrenheit)(?![^\W_]))"
# each begins with a letter of its own, by which it is skipped
_COMPOUNDS = (
    r"fl(?:uid|\.)?\s?(?:oz|ounces?)|sq(?:uare\s?|\.\s?|\s)(?:f(?:ee|oo)?t|met(?:er|re)s?|m|cm|inch(?:es)?|in)"
    r"|c(?:m\^[23]|m\spersegi)|ft\^2|m(?:m?\^2|(?:eter)?\spersegi|ill?i\slit(?:er|re)s?)"
    rf"|d(?:eg(?:rees?)?|erajat)(?![^\W_]){_ANGLE}"
)
_OTHER_COMPOUNDS = rf"м\^2|кв\.?\s?м|ตร\.\s?ม|(?<!\b(?:19|20)\d\d)(?<!\b(?:19|20)\d\d\s){GRAM}"
# "in" is a word as well: a unit where it is joined to its number, ends what is written, or stands behind a fraction
_IN = r"(?:in(?!\s?\d)|\s(?:in(?=\s*+(?:$|[^\w\s]|x\s?\d))|(?:(?<=[/⁄]\d\s)|(?<=[/⁄]\d\d\s))in(?!\s?\d)))"
# 8+128 GB, but not a Note 20+256GB, which has a plus
_MEMORY = r"\+(?:(?<=\b[123468].)|(?<=\b1[268].))"
_DECIMAL = r"(?>(?:(?<![a-wyz\d_.,])\.(?=\d))?)\d++(?>(?:[.,]\d++)*)"


class Patterns(NamedTuple):
    """Patterns of amounts.

    Attributes:
        amount: numbers that stand together.
        piece: one of them, in groups `joined`, `number` and `unit`.
    """

    amount: re.Pattern[str]
    piece: re.Pattern[str]


def unit_of(written: str) -> str:
    """The key in `UNITS` of a unit as a pattern found it.

    >>> unit_of(" fl. oz"), unit_of("-inch"), unit_of("square feet"), unit_of(" m^2")
    ('floz', 'inch', 'sqfeet', 'm2')
    """
    unit = written.strip(" -")
    return unit if unit in UNITS else re.sub(r"(?<=fl)uid|(?<=sq)uare|[.\s^]", "", unit)


def _any_of(words: Iterable[str]) -> str:
    """Pattern of any of some words, the longest first; words that begin alike are tried together."""
    tails: dict[str, list[str]] = {}
    for word in words:
        tails.setdefault(word[:1], []).append(word[1:])
    ends = "?" if tails.pop("", None) else ""
    branches = "|".join(first + _any_of(rest) for first, rest in tails.items())
    return f"(?:{branches}){ends}" if branches else ""


@cache
def patterns(*, plain: bool) -> Patterns:
    """Those for titles in ASCII, or for others.

    What is possessive (++, *+, ?+) or atomic (?>…) is never tried in another way, so the time is linear in the title.
    Groups are atomic, since Python 3.11 before 3.11.5 does not step back from a possessive group that fails.
    """
    known = [word for word in UNITS if word not in _ELSEWHERE and (word.isascii() or not plain)]
    latin, others = ([word for word in known if word.isascii() is plain_word] for plain_word in (True, False))
    # 80 g/m² of paper is no mass
    within = r"[^\W_]|\^\d|/m\^?2" if plain else rf"[^\W_]|\^\d|/m\^?2|[{MARKS}]"
    stops = rf"(?:(?!{within})|(?=x\d))" if plain else rf"(?:(?!{within})|(?=[xх]\d|[装裝入]))"
    ends = stops if plain else rf"(?:{stops}|(?=[{_UNSPACED}]))"
    word = rf"(?:{_COMPOUNDS}|{_any_of(latin)}){ends}"
    if others:
        word = rf"(?:{word}|(?:{_OTHER_COMPOUNDS}|{_any_of(others)}){stops})"
    long = rf"(?:{_any_of(it for it in known if len(it) > 1)}|degrees?{_ANGLE})"
    unit = rf"(?:\s?+{word}|-{long}{stops}|(?:\s?+'s|{_IN}|'){stops}|m2{stops}|\s?+(?:[%\"]|°{_ANGLE}))"
    inch = rf"(?:(?:[\s-]?+(?:inch(?:es)?|inchi|inci)|{_IN}){stops}|\")"
    number = _number(known, inch, stops)
    part = rf"{number}(?:{unit}|{stops})"
    joined = rf"(?:\.?+\s?+[{TIMES}]\s?+|\s?+[-~±]\s?+|/|{_MEMORY}(?=\d{{2,4}}\s?[gt]b{stops}))"
    # not inside a number or a code; but behind a word of four letters, as in vitamin200mg, or isi, as in isi3pcs
    behind = r"(?<=[^\W\d_]{4})|(?<=\bisi)" if plain else rf"(?<=[^\W\d_]{{4}})|(?<=\bisi)|(?<=[{_UNSPACED}])"
    begins = rf"(?=[\d.])(?:(?<![^\W_])(?<!\d[.,])|{behind})"
    return Patterns(
        re.compile(rf"{begins}{part}(?>(?:{joined}{part})*)"),
        re.compile(rf"(?P<joined>{joined})?(?P<number>{number})(?P<unit>{unit})?"),
    )


def _number(known: Iterable[str], inch: str, stops: str) -> str:
    """Pattern of a number: feet and inches, a fraction that people measure in, or a decimal.

    4/64 GB and 38/39 are lists, and so is 1/2 of no unit.
    """
    halved = _any_of(it for it in known if UNITS[it].dimension in {"volume", "mass", "length", "power"})
    before_unit = (
        rf"(?>(?:\s?[{TIMES}~-]\s?[\d.,/⁄ ]{{1,9}}+){{0,2}})"
        rf"(?:[\s-]?+(?:{halved}|{_COMPOUNDS}|lusin|dozens?){stops}|{inch}|'(?!\w))"
    )
    fraction = (
        rf"(?:\d{{1,3}}⁄[1-9]\d{{0,2}}+|(?<![\d/⁄])(?:(?:1/2|[12]/3|[13]/4|[1357]/8)(?={before_unit})"
        rf"|(?:1?[13579]/16|[12]?[13579]/32|[1-6]?[13579]/64)(?={inch})))"
    )
    mixed = rf"(?>(?:(?<![\d.,/⁄])\d{{1,3}}(?:\s(?:&\s|and\s|\s)?|-\s?|\.))?){fraction}"
    feet = rf"\d{{1,2}}\s?(?:'|ft|feet|foot)[\s-]?(?:{mixed}|{_DECIMAL})(?={inch})"
    return rf"(?:{feet}|{mixed}|{_DECIMAL})"

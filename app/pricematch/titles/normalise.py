"""Titles parsed: their words, and the attributes that they state."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pricematch.titles.escapes import unescaped
from pricematch.titles.folding import WORD, fold, runs
from pricematch.titles.lexicon import VARIANTS, VARIANTS_OF
from pricematch.titles.measures import Measure, number_value, sides, written
from pricematch.titles.quantities import Amount, amounts, quantity
from pricematch.titles.units import BASES

KINDS = (*BASES, "extent", "number", "model", "size", *VARIANTS)
"""All kinds of attributes: the dimensions of quantities, of which `count` is the pack size, and what is no quantity."""

_SIZE = r"(?:x{1,4}[sl]|[sml]|[2-9]xl)"
_PACK = re.compile(
    r"(?<![^\W_])(?:(?:isi|contains|contents?|(?:packs?|set|box|case|bundle|lot|caja|caixa|kit)\s?+(?:of|de|com|con))[:@\s]{0,3}+(?P<after>\d{1,4})"
    r"|(?P<times>\d{1,3})x|(?P<one>single|satuan))(?![^\W_])|\(\s?+x\s?+(?P<inside>\d{1,3})\s?+\)"
)
_FUNCTIONS = re.compile(r"(\d(?<![^\W_].)\d?)[\s-]?+in[\s-]?+1(?![^\W_])")
_SIZES = re.compile(
    rf"(?<![^\W_])(?:(?:size|sz|ukuran|uk|fit\s?+to|fit)\W{{0,3}}+{_SIZE}(?>(?:\s?+[-/,&]\s?+{_SIZE})*)"
    rf"|{_SIZE}(?>(?:\s?+[-/,&]\s?+{_SIZE})+)|x{{1,4}}[sl]|[2-9]xl)(?![^\W_])"
)
_ONE_SIZE = re.compile(rf"(?<![^\W_]){_SIZE}(?![^\W_])")
_TOKEN = {plain: re.compile(rf"(?>(?:{word}|\d++)+)(?>(?:-(?>(?:{word}|\d++)+))*)") for plain, word in WORD.items()}
_DIGITS, _LETTERS = re.compile(r"\d++"), re.compile(WORD[False])
_NUMBER = re.compile(r"\d++(?>(?:[.,]\d++)?)")
_PREFIX, _LONGEST_CODE = 4, 24


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a title; two are equal if they are of one kind and value, however they are written.

    Attributes:
        kind: one of `KINDS`.
        value: the same for all ways to write it, such as `500 ml` or `sma515f`.
        shown: as people are shown it, such as `SM-A515F`.
        measure: of a mass, a volume, a length, an area, a time or an extent.
        fluid: of plain ounces, the volume that they are if they are fluid ones.
    """

    kind: str
    value: str
    shown: str = field(compare=False)
    measure: Measure | None = field(default=None, compare=False)
    fluid: "Attribute | None" = field(default=None, compare=False)

    def agrees(self, others: Iterable["Attribute"]) -> bool:
        """Whether one of some others states the same, be it in the units of another system."""
        return any(self == other or (self.kind == other.kind and self._rounded(other)) for other in others)

    def _rounded(self, other: "Attribute") -> bool:
        return self.measure is not None and other.measure is not None and self.measure.equals(other.measure)


def _extract_attributes(folded: str, amounts: Sequence[Amount]) -> list[Attribute]:
    """The attributes of a title, each once: quantities, pack sizes, sizes, numbers, then those that words tell.

    Args:
        folded: the title, see `folding.fold`.
        amounts: its numbers, see `quantities.amounts`.

    >>> from pricematch.titles.quantities import amounts
    >>> title = "galaxy sm-a515f hitam 128gb (2 pcs)"
    >>> [(found.kind, found.shown) for found in _extract_attributes(title, amounts(title))]
    [('storage', '128 GB'), ('count', '2'), ('model', 'SM-A515F'), ('number', '515'), ('colour', 'black')]
    """
    measured = [amount for amount in amounts if amount.quantities or amount.extents]
    numbers = [amount for amount in amounts if not (amount.quantities or amount.extents)]
    found = [attribute for amount in measured for attribute in _of_amount(amount)]
    rest = _without(folded, [(amount.start, amount.stop) for amount in measured])
    for rule, read in ((_FUNCTIONS, _functions), (_PACK, _pack), (_SIZES, _sizes)):
        matches = [*rule.finditer(rest)]
        found += [attribute for match in matches for attribute in read(match)]
        rest = _without(rest, [match.span() for match in matches])
    plain = [amount for amount in numbers if not rest[amount.start].isspace() and not _coded(rest, amount)]
    found += [attribute for amount in plain for attribute in _of_amount(amount)]
    rest = _without(rest, [(amount.start, amount.stop) for amount in plain])
    found += [fact for token in _TOKEN[rest.isascii()].findall(rest) for fact in _of_token(token)]
    return _once(found)


def _once(found: list[Attribute]) -> list[Attribute]:
    """Attributes, each once, without those that state in ounces or inches what others state in metric units."""
    customary = {id(it) for it in found if it.measure and it.measure.customary}
    if customary and len(found) > 1:
        metric = [it for it in found if id(it) not in customary]
        volumes = [it for it in found if it.kind == "volume"]
        found = [it for it in found if id(it) not in customary or not _repeats(it, metric, volumes)]
    return list(dict.fromkeys(found))


def _repeats(stated: Attribute, metric: Sequence[Attribute], volumes: Sequence[Attribute]) -> bool:
    return stated.agrees(metric) or (stated.fluid is not None and stated.fluid.agrees(volumes))


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """A text with blanks in the place of some spans, which are in order and apart."""
    pieces, done = [], 0
    for start, stop in spans:
        pieces += [text[done:start], " " * (stop - start)]
        done = stop
    return "".join([*pieces, text[done:]])


def _coded(text: str, amount: Amount) -> bool:
    """A number that a hyphen makes part of a code, as in `KAD-06`."""
    return amount.start > 1 and text[amount.start - 1] == "-" and text[amount.start - 2].isalpha()


def _of_amount(amount: Amount) -> Iterator[Attribute]:
    for it in amount.quantities:
        if (it.dimension, it.value) != ("percentage", 100):  # 100% original says nothing
            fluid = Attribute("volume", it.fluid.token, it.fluid.shown, it.fluid.measure) if it.fluid else None
            yield Attribute(it.dimension, it.token, it.shown, it.measure, fluid)
    for extent in amount.extents:
        shown = " x ".join(map(written, extent.sizes)) + " cm"
        yield Attribute("extent", " x ".join(map(written, sides(extent))) + " cm", shown, extent)
    for number in amount.numbers:
        parts = [number] if _NUMBER.fullmatch(number) else _DIGITS.findall(number)
        yield from (_attribute("number", written(number_value(part))) for part in parts)


def _functions(match: re.Match[str]) -> Iterator[Attribute]:
    yield Attribute("model", f"{match[1]}in1", f"{match[1]} in 1")


def _pack(match: re.Match[str]) -> Iterator[Attribute]:
    count = match["after"] or match["times"] or match["inside"] or "1"
    packed = quantity("count", float(count))
    yield Attribute("count", packed.token, packed.shown)


def _sizes(match: re.Match[str]) -> Iterator[Attribute]:
    for size in _ONE_SIZE.findall(match[0]):
        crosses = size.count("x")
        plain = f"{crosses}x{size[-1]}" if crosses > 1 else size
        yield Attribute("size", plain, plain.upper())


def _of_token(token: str) -> Iterator[Attribute]:
    digits, letters = ([], [token]) if token.isalpha() else (_DIGITS.findall(token), _LETTERS.findall(token))
    if digits and letters:
        whole = all(len(run) <= _PREFIX for run in letters)
        for code in [token] if whole else token.split("-"):
            value = code.replace("-", "")
            if not value.isdigit() and not value.isalpha() and len(value) <= _LONGEST_CODE:
                yield Attribute("model", value, code.upper())
    yield from (_attribute("number", written(number_value(run))) for run in digits)
    for word in letters:
        if names := VARIANTS_OF.get(word):
            shown = "/".join(dict.fromkeys(names.values()))
            yield from (Attribute(kind, name, shown) for kind, name in names.items())


def _attribute(kind: str, value: str) -> Attribute:
    return Attribute(kind, value, value)


@dataclass(frozen=True, slots=True)
class ParsedTitle:
    """A title and what is read from it, once for all that compare titles.

    Attributes:
        text: the title without escapes (see `escapes.unescaped`), "" where there is none.
        words: runs of letters, runs of digits, and quantities in their base unit, folded, in order.
        runs: runs of letters and runs of digits, folded, in order, with quantities as they are written.
        attributes: what the title states, each once; see `_extract_attributes`.
    """

    text: str
    words: tuple[str, ...]
    runs: tuple[str, ...]
    attributes: tuple[Attribute, ...]

    @property
    def fluid(self) -> tuple[Attribute, ...]:
        """The attributes if plain ounces are fluid ones, as of drinks; none where there are no plain ounces."""
        if not any(it.fluid for it in self.attributes):
            return ()
        return tuple(dict.fromkeys(it.fluid or it for it in self.attributes))


def parse_title(text: str) -> ParsedTitle:
    """Decode and fold a title, and read its words and attributes.

    >>> title = parse_title("Nescafé Éclair LATTE 0,22 liter (isi 3pcs) SM-A515F")
    >>> title.words
    ('nescafe', 'eclair', 'latte', '220ml', 'isi', '3pcs', 'sm', 'a', '515', 'f')
    >>> title.runs[2:6]
    ('latte', '0', '22', 'liter')
    >>> [f"{attribute.kind}: {attribute.shown}" for attribute in title.attributes]
    ['volume: 220 ml', 'count: 3', 'model: SM-A515F', 'number: 515']
    """
    plain = unescaped(text)
    folded = fold(plain)
    numbers = amounts(folded)
    # interned: titles of one catalogue have most of their words in common
    words, written_runs = (tuple(map(sys.intern, found)) for found in (_words(folded, numbers), runs(folded)))
    return ParsedTitle(plain, words, written_runs, tuple(_extract_attributes(folded, numbers)))


@lru_cache(maxsize=1 << 14)
def parse_shown_title(text: str) -> ParsedTitle:
    """What `parse_title` returns, kept for the titles asked for last: many a stored posting is shown again and again.

    About a kilobyte each.
    """
    return parse_title(text)


def parse_titles(texts: Sequence[str]) -> list[ParsedTitle]:
    """Parse some titles, in order."""
    return [parse_title(text) for text in texts]


def _words(folded: str, numbers: Sequence[Amount]) -> list[str]:
    """The words of a folded title, in order, repeated ones as often as they occur."""
    found: list[str] = []
    done = 0
    for amount in numbers:
        if amount.quantities:
            found += runs(folded, done, amount.start)
            found += _tokens(amount)
            done = amount.stop
    return found + runs(folded, done)


def _tokens(amount: Amount) -> list[str]:
    quantities = [it.token for it in amount.quantities]
    lengths = [written(length) for extent in amount.extents for length in sides(extent)]
    return quantities + lengths + [run for number in amount.numbers for run in runs(number)]

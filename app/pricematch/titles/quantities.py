"""Quantities in a title, in base units: `0,5 Liter`, `½ l` and `500ml` are the same."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pricematch.titles.measures import Measure, as_packed, measured, value_of, written
from pricematch.titles.units import BASES, SHOWN_IN, SMALLEST, UNITS


def _any_of(words: Iterable[str]) -> str:
    """Pattern of any of some words, the longest first."""
    return "|".join(sorted((word for word in words if word.isalpha() and word != "in"), key=len, reverse=True))


# what is possessive (++, *+, ?+) is never tried in another way, so the time is linear in the title
_STOPS = r"(?:(?![^\W_])|(?=x\d))"
_FLUID = r"fl(?:uid|\.)?\s?(?:oz|ounces?)"
# "in" is a word as well: a unit where it is joined to its number, ends what is written, or stands behind a fraction
_IN = r"(?:in(?!\s?\d)|\s(?:in(?=\s*+(?:$|[^\w\s]|x\s?\d))|(?:(?<=[/⁄]\d\s)|(?<=[/⁄]\d\d\s))in(?!\s?\d)))"
_LONG = _any_of(word for word in UNITS if len(word) > 1)
_UNIT = rf"(?:(?:\s?+(?:{_any_of(UNITS)}|{_FLUID})|-(?:{_LONG})){_STOPS}|(?:\s?+'s|{_IN}|'){_STOPS}|\s?+[%\"])"
_INCH = rf"(?:(?:[\s-]?+(?:inch(?:es)?|inchi|inci)|{_IN}){_STOPS}|\")"
_DECIMAL = r"(?:(?<![a-wyz\d_.,])\.(?=\d))?+\d++(?:[.,]\d++)*+"
# fractions that people measure in; 4/64 GB and 38/39 are lists, and so is 1/2 of no unit
_HALVED = _any_of(word for word, unit in UNITS.items() if unit.dimension in {"volume", "mass", "length", "power"})
_BEFORE_UNIT = (
    r"(?:\s?[x×*~-]\s?[\d.,/⁄ ]{1,9}+){0,2}+"
    rf"(?:[\s-]?+(?:{_HALVED}|{_FLUID}|lusin|dozens?){_STOPS}|{_INCH}|'(?!\w))"
)
_FRACTION = (
    rf"(?:\d{{1,3}}⁄[1-9]\d{{0,2}}+|(?<![\d/⁄])(?:(?:1/2|[12]/3|[13]/4|[1357]/8)(?={_BEFORE_UNIT})"
    rf"|(?:1?[13579]/16|[12]?[13579]/32|[1-6]?[13579]/64)(?={_INCH})))"
)
_MIXED = rf"(?:(?<![\d.,/⁄])\d{{1,3}}(?:\s(?:&\s|and\s|\s)?|-\s?|\.))?+{_FRACTION}"
_FEET = rf"\d{{1,2}}\s?(?:'|ft|feet|foot)[\s-]?(?:{_MIXED}|{_DECIMAL})(?={_INCH})"
_NUMBER = rf"(?:{_FEET}|{_MIXED}|{_DECIMAL})"
_PART = rf"{_NUMBER}(?:{_UNIT}|{_STOPS})"
_JOINED = r"(?:\s?+[x×*х]\s?+|\s?+[-~]\s?+|/)"
# not inside a number or a code; but behind a word of four letters, as in vitamin200mg, or isi, as in isi3pcs
_BEGINS = r"(?=[\d.])(?:(?<![^\W_])(?<!\d[.,])|(?<=[^\W\d_]{4})|(?<=\bisi))"
_AMOUNT = re.compile(rf"{_BEGINS}{_PART}(?:{_JOINED}{_PART})*+")
_PIECE = re.compile(rf"(?P<joined>{_JOINED})?(?P<number>{_NUMBER})(?P<unit>{_UNIT})?")
_MOST_TIMES = 999


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value of a dimension.

    Attributes:
        dimension: one of `BASES`.
        value: in its base unit, ≥ 0.
        token: the quantity as one word, in the base unit; one of ounces or inches rounded, as such are on packages.
        shown: in a unit that people use: 1500 ml are 1.5 l.
        measure: of a mass, a volume, a length or a time.
    """

    dimension: str
    value: float
    token: str
    shown: str
    measure: Measure | None = None


@dataclass(frozen=True, slots=True)
class Amount:
    """Numbers that stand together, such as `2 x 100 ml`, `28x48 cm` or `26-30`.

    Attributes:
        start, stop: where, in the folded title.
        quantities: numbers that have a unit, and how many times they are there.
        extents: lengths multiplied with each other, in cm; cm are assumed where there is no unit.
        numbers: without a unit, as they are written.
    """

    start: int
    stop: int
    quantities: tuple[Quantity, ...]
    extents: tuple[Measure, ...]
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    number: str
    unit: str | None
    joined: str


def quantity(dimension: str, value: float) -> Quantity:
    """The quantity of a value in the base unit of a dimension."""
    units = SHOWN_IN[dimension]
    size, unit = next((unit for unit in units if unit[0] <= value), units[-1])
    return Quantity(dimension, value, f"{written(value)}{BASES[dimension]}", f"{written(value / size)}{unit}")


def amounts(folded: str) -> list[Amount]:
    """The numbers of a folded title (see `folding.fold`), from left to right."""
    return [_amount(found) for found in _AMOUNT.finditer(folded)]


def _amount(found: re.Match[str]) -> Amount:
    quantities: list[Quantity] = []
    extents: list[Measure] = []
    numbers: list[str] = []
    for product in _products([*_pieces(found[0])]):
        if extent := _extent(product):
            extents.append(extent)
            continue
        for piece in product:
            if piece.unit:
                quantities.append(_quantity(piece.number, piece.unit))
            elif len(product) > 1 and (times := value_of(piece.number, "cm")) <= _MOST_TIMES:
                quantities.append(quantity("count", times))
            else:
                numbers.append(piece.number)
    return Amount(found.start(), found.end(), tuple(quantities), tuple(extents), tuple(numbers))


def _pieces(amount: str) -> Iterator[_Piece]:
    for found in _PIECE.finditer(amount):
        unit = found["unit"].strip(" -") if found["unit"] else None
        if unit and unit.startswith("fl"):
            unit = re.sub(r"uid|[.\s]", "", unit)
        yield _Piece(found["number"], unit, found["joined"] or "")


def _products(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """Pieces that are multiplied; in `50-80 kg` and `4/64 GB` the first has the unit of the second."""
    products: list[list[_Piece]] = []
    for piece in pieces:
        if products and piece.joined.strip() in {"x", "×", "*", "х"}:
            products[-1].append(piece)
        else:
            products.append([piece])
    for left, right in reversed([*pairwise(products)]):
        if len(left) == len(right) == 1 and left[0].unit is None and _ranges(left[0], right[0]):
            left[0] = replace(left[0], unit=right[0].unit)
    return products


def _ranges(left: _Piece, right: _Piece) -> bool:
    """Whether the unit behind a second number is that of the first as well.

    With blanks between only where it is a fraction or a time, as in `1 - 7 tahun`: `Note 8 - 64 GB` are two things.
    """
    if right.unit is None or right.joined == right.joined.strip():
        return right.unit is not None
    if "/" in left.number or "⁄" in left.number:
        return True
    return UNITS[right.unit].dimension == "time" and value_of(left.number, "day") < value_of(right.number, "day")


def _extent(product: Sequence[_Piece]) -> Measure | None:
    """Lengths in cm, if that is what is multiplied."""
    units = [piece.unit for piece in product if piece.unit]
    if len(product) < 2 or any(UNITS[unit].dimension != "length" for unit in units):
        return None
    lengths = []
    unit = units[-1] if units else "cm"
    for piece in reversed(product):
        unit = piece.unit or unit
        [size], [slack], customary = measured(piece.number, unit)
        lengths.append((round(size / UNITS["cm"].factor, 6), slack / UNITS["cm"].factor, customary))
    sizes, slacks, systems = zip(*sorted(lengths), strict=True)
    return Measure(sizes, slacks, any(systems))


def _quantity(number: str, unit: str) -> Quantity:
    """The quantity of a number of units."""
    dimension, measure = UNITS[unit].dimension, measured(number, unit)
    [size] = measure.sizes
    plain = quantity(dimension, size)
    if dimension not in (*SMALLEST, "time"):
        return plain
    packed = measure.customary and dimension in SMALLEST
    token = f"{written(as_packed(dimension, size))}{BASES[dimension]}" if packed else plain.token
    shown = plain.shown if size.is_integer() else quantity(dimension, float(f"{size:.4g}")).shown
    return replace(plain, token=token, shown=shown, measure=measure)

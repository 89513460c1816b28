"""Numbers as titles write them, and what they measure: its size, and how precisely it is stated."""

import re
from math import ceil, log10
from typing import NamedTuple

from pricematch.titles.units import CUSTOMARY, DAYS, SMALLEST, UNITS

_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:([.,])\d{3})(?:\1\d{3})*|[1-9]\d?(?:,\d\d)+,\d{3}")
_POINTED = re.compile(r"\d{1,3}(?:,\d{3})*\.\d+|\d+\.\d+")
_THREE_DECIMALS = re.compile(r"\d+[.,]\d{3}")
_COMPOUND = re.compile(r"(?>(?:(\d+)\s?(?:'|ft|feet|foot)[\s-]?)?)(?:(?:(\d+)\D+?)?(\d+)[/⁄](\d+)|(.+))")
_BINARY = ("mb", "gb")
_LARGE = 1000
_MOST = 1e300
_FEW = 3
_MOST_DECIMALS = 4
_SLACK = 0.02
_EXACT = 1.5e-4
_SMALLEST = 1e-4


class Measure(NamedTuple):
    """What is measured, and how precisely: a mass, a volume, a length, an area, a time, or the sides of something.

    Attributes:
        sizes: in the base unit, or in cm for sides; these ascending.
        slacks: of each, half of the last place that is written, 2 % of the size at most.
        customary: whether it is in units of the United States, or was converted from them, or is in days.
    """

    sizes: tuple[float, ...]
    slacks: tuple[float, ...]
    customary: bool

    def equals(self, other: "Measure") -> bool:
        """Whether one is the other, rounded to the precision of either; in one system of units they must be equal."""
        if len(self.sizes) != len(other.sizes) or self.customary == other.customary:
            return self.sizes == other.sizes
        pairs = zip(self.sizes, other.sizes, self.slacks, other.slacks, strict=True)
        return all(abs(one - another) <= max(slacks) for one, another, *slacks in pairs)


def measured(number: str, unit: str) -> Measure:
    """A number of units in the base unit."""
    dimension, factor = UNITS[unit]
    value = value_of(number, unit)
    size = round(value * factor, 6)
    slack = min(factor / 10 ** _decimals(value) / 2, _SLACK * size)
    return Measure((size,), (slack,), unit in CUSTOMARY | DAYS or _is_conversion(dimension, size))


def value_of(number: str, unit: str) -> float:
    """The value of a number as it may stand before a unit: `1 1/2`, `1.250`, `.5`, `5'10` of inches.

    Of ounces, inches and the like a point is the decimal one.
    """
    compound = _COMPOUND.fullmatch(number)
    if compound is None:
        return number_value(number)
    feet, whole, numerator, denominator, plain = compound.groups()
    if plain is None:
        value = int(whole or 0) + int(numerator) / int(denominator)
    elif unit in CUSTOMARY and _POINTED.fullmatch(plain):
        value = float(plain.replace(",", ""))
    else:
        value = _decimal_value(plain, unit)
    if unit in _BINARY and not value % 1024:  # 1024 MB are 1 GB
        value *= 1000 / 1024
    return min(_MOST, value + 12 * int(feet or 0))


def _decimal_value(number: str, unit: str) -> float:
    dimension, factor = UNITS[unit]
    if factor >= _LARGE:
        return number_value(number, large=True)
    if unit not in CUSTOMARY and _THREE_DECIMALS.fullmatch(number):
        decimal = float(number.replace(",", "."))
        if _is_conversion(dimension, factor * decimal):  # 453.592 g are a pound, not 453 kg
            return decimal
    # .5 g is half a gram; the point of .500 g is a stray one
    return number_value(number if len(number) <= _FEW else number.lstrip("."))


def number_value(text: str, *, large: bool = False) -> float:
    """The value of a written number, whether its point or its comma is the decimal one.

    A separator before three digits marks thousands (1.000, 12,500), unless zero stands before it (0.125) or the unit is
    a large one (1.250 kg). Of several unequal separators the last is the decimal one. What is no number in either
    reading (1.2.3) is its last part.

    >>> number_value("1.000"), number_value("0,125"), number_value("1.250", large=True), number_value("1.250,5")
    (1000.0, 0.125, 1.25, 1250.5)
    """
    if _THOUSANDS.fullmatch(text) and not (large and len(text) <= 7):
        return float(re.sub("[.,]", "", text))
    whole, separator, decimals = _last_separator(text)
    if not separator:
        return float(text)
    if re.fullmatch(r"\d*", whole):
        return float(f"{whole}.{decimals}")
    if separator not in whole and _THOUSANDS.fullmatch(whole):
        return float(re.sub("[.,]", "", whole) + "." + decimals)
    return float(decimals)


def as_packed(dimension: str, size: float, unit: float = 1) -> float:
    """A customary amount as metric packages state it: rounded to a whole unit, or less where that tells more apart.

    >>> as_packed("mass", 16 * 28.349523), as_packed("length", 8.5 * 25.4, 10)
    (454.0, 216.0)
    """
    smallest = SMALLEST[dimension]
    count = round(size / smallest, _MOST_DECIMALS - 1)
    if not count:
        return size
    step = smallest / unit / 10 ** _decimals(count)
    return round(round(size / unit, max(0, ceil(-log10(step)))) * unit, 6)


def sides(extent: Measure) -> tuple[float, ...]:
    """The sides of an extent in cm, of one in inches as metric packages state them."""
    if not extent.customary:
        return extent.sizes
    factor = UNITS["cm"].factor
    return tuple(as_packed("length", size * factor, factor) / factor for size in extent.sizes)


def _is_conversion(dimension: str, size: float) -> bool:
    """Whether an amount in fractions of grams, millilitres or millimetres is one of whole ounces or half inches."""
    if size.is_integer() or dimension not in SMALLEST:
        return False
    unit = SMALLEST[dimension] / (2 if dimension == "length" else 1)
    return abs(round(size / unit) * unit - size) <= _EXACT * size


def _decimals(value: float) -> int:
    return min(_MOST_DECIMALS, len(written(value).partition(".")[2]))


def written(value: float) -> str:
    """A value without needless digits.

    >>> written(500.0), written(0.125), written(1234567.0), written(0.000025)
    ('500', '0.125', '1234567', '0.000025')
    """
    return f"{value:.10g}" if value >= _SMALLEST or not value else f"{value:.6f}".rstrip("0")


def _last_separator(text: str) -> tuple[str, str, str]:
    place = max(text.rfind("."), text.rfind(","))
    return (text[:place], text[place], text[place + 1 :]) if place >= 0 else (text, "", "")

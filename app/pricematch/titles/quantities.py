"""Quantities in a title, in base units: `0,5 Liter` and `500ml` are the same."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple


class Unit(NamedTuple):
    """What a unit measures, and how many base units it is."""

    dimension: str
    factor: float


BASES = {
    "volume": "ml",
    "mass": "g",
    "length": "mm",
    "power": "w",
    "voltage": "v",
    "charge": "mah",
    "storage": "gb",
    "frequency": "hz",
    "percentage": "%",
    "time": "days",
    "layers": "ply",
    "colours": "colours",
    "count": "pcs",
}
"""The base unit of each dimension."""

SHOWN_IN: dict[str, tuple[tuple[float, str], ...]] = {
    **{dimension: ((1, f" {base}"),) for dimension, base in BASES.items()},
    "volume": ((1000, " l"), (1, " ml")),
    "mass": ((1000, " kg"), (1, " g")),
    "length": ((1000, " m"), (10, " cm"), (1, " mm")),
    "power": ((1, " W"),),
    "voltage": ((1, " V"),),
    "charge": ((1, " mAh"),),
    "storage": ((1000, " TB"), (1, " GB")),
    "frequency": ((1e9, " GHz"), (1e6, " MHz"), (1e3, " kHz"), (1, " Hz")),
    "percentage": ((1, "%"),),
    "time": ((360, " years"), (30, " months"), (1, " days")),
    "count": ((1, ""),),
}
"""Units that people are shown values in, with how many base units they are, descending: the first that is not larger
than the value, or the last."""

_SPELLINGS: dict[tuple[str, float], str] = {
    ("volume", 1): "ml mili mililiter milliliter milliliters millilitre millilitres cc",
    ("volume", 10): "cl",
    ("volume", 1000): "l lt ltr litr liter liters litre litres",
    ("volume", 29.5735): "floz",
    ("mass", 0.001): "mg milligram milligrams",
    ("mass", 1): "g gr grm grms gm gms gram grams",
    ("mass", 28.3495): "oz ounce ounces",
    ("mass", 100): "ons",
    ("mass", 453.592): "lb lbs pound pounds",
    ("mass", 1000): "kg kgs kilo kilogram kilograms",
    ("length", 1): "mm milimeter millimeter millimetre",
    ("length", 10): "cm centimeter centimetre sentimeter",
    ("length", 25.4): 'inch inches inci inchi in "',
    ("length", 304.8): "ft feet",
    ("length", 914.4): "yard yards",
    ("length", 1000): "m mtr meter meters metre metres",
    ("power", 1): "w wat watt watts",
    ("power", 1000): "kw",
    ("voltage", 1): "v volt volts vdc vac",
    ("charge", 1): "mah",
    ("charge", 1000): "ah",
    ("storage", 0.001): "mb",
    ("storage", 1): "gb giga gigabyte",
    ("storage", 1000): "tb",
    ("frequency", 1): "hz",
    ("frequency", 1e3): "khz",
    ("frequency", 1e6): "mhz",
    ("frequency", 1e9): "ghz",
    ("percentage", 1): "% persen percent",
    ("time", 1): "hari day days",
    ("time", 7): "minggu week weeks",
    ("time", 30): "bulan bln month months",
    ("time", 360): "tahun thn th year years yr yrs",
    ("layers", 1): "ply lapis layer layers susun tingkat tier tiers",
    ("colours", 1): "warna color colors colour colours",
    ("count", 1): (
        "pcs pc pce piece pieces biji bj buah bh lembar lbr sheet sheets sachet sachets saset tablet tablets kapsul "
        "capsule capsules kaplet caplet caplets butir strip strips pasang psg pair pairs pack packs pak bks bungkus "
        "botol bottle bottles box boxes dus set sets stel roll rolls rol kotak item items pads ea renceng count ct 's"
    ),
    ("count", 12): "lusin dozen dozens",
    ("count", 20): "kodi",
}

UNITS = {word: Unit(*unit) for unit, words in _SPELLINGS.items() for word in words.split()}
"""Each way of writing a unit, casefolded. Twelve months of 30 days are one year, as in ages: 12 months are 1 year."""

# what is possessive (++, *+, ?+) is never tried in another way, so the time is linear in the title
_NUMBER = r"\d++(?:[.,]\d++)*+"
_UNIT_WORDS = "|".join(sorted((word for word in UNITS if word.isalpha() and word != "in"), key=len, reverse=True))
_STOPS = r"(?:(?![^\W_])|(?=x\d))"
_UNIT = rf"""(?:\s?+(?:{_UNIT_WORDS}){_STOPS}|(?:\s?+'s|in(?!\s?\d)){_STOPS}|\s?+[%"])"""
_PART = rf"{_NUMBER}(?:{_UNIT}|{_STOPS})"
_JOINED = r"(?:\s?+[x×*]\s?+|\s?+[-–~]\s?+|/)"
# not inside a number or a code; but behind a word of four letters, as in vitamin200mg, or isi, as in isi3pcs
_BEGINS = r"(?:(?<![^\W_])(?<!\d[.,])|(?<=[^\W\d_]{4})|(?<=\bisi))"
_AMOUNT = re.compile(rf"{_BEGINS}{_PART}(?:{_JOINED}{_PART})*+")
_PIECE = re.compile(rf"(?P<joined>{_JOINED})?(?P<number>{_NUMBER})(?P<unit>{_UNIT})?")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:([.,])\d{3})(?:\1\d{3})*")
_LARGE = 1000
_MOST_TIMES = 999


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value of a dimension.

    Attributes:
        dimension: one of `BASES`.
        value: in its base unit, ≥ 0.
        token: the quantity as one word, in the base unit.
        shown: in a unit that people use: 1500 ml are 1.5 l.
    """

    dimension: str
    value: float
    token: str
    shown: str


@dataclass(frozen=True, slots=True)
class Amount:
    """Numbers that stand together, such as `2 x 100 ml`, `28x48 cm` or `26-30`.

    Attributes:
        start, stop: where, in the folded title.
        quantities: numbers that have a unit, and how many times they are there.
        extents: lengths multiplied with each other, in cm, ascending; cm are assumed where there is no unit.
        numbers: without a unit, as they are written.
    """

    start: int
    stop: int
    quantities: tuple[Quantity, ...]
    extents: tuple[tuple[float, ...], ...]
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
    extents: list[tuple[float, ...]] = []
    numbers: list[str] = []
    for product in _products([*_pieces(found[0])]):
        if lengths := _extent(product):
            extents.append(lengths)
            continue
        for piece in product:
            if piece.unit:
                quantities.append(quantity(*_measured(piece.number, piece.unit)))
            elif len(product) > 1 and (times := number_value(piece.number)) <= _MOST_TIMES:
                quantities.append(quantity("count", times))
            else:
                numbers.append(piece.number)
    return Amount(found.start(), found.end(), tuple(quantities), tuple(extents), tuple(numbers))


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
    if re.fullmatch(r"\d+", whole):
        return float(f"{whole}.{decimals}")
    if separator not in whole and _THOUSANDS.fullmatch(whole):
        return float(re.sub("[.,]", "", whole) + "." + decimals)
    return float(decimals)


def written(value: float) -> str:
    """A value without needless digits.

    >>> written(500.0), written(0.125), written(1234567.0)
    ('500', '0.125', '1234567')
    """
    return f"{value:.10g}"


def _last_separator(text: str) -> tuple[str, str, str]:
    place = max(text.rfind("."), text.rfind(","))
    return (text[:place], text[place], text[place + 1 :]) if place >= 0 else (text, "", "")


def _pieces(amount: str) -> Iterator[_Piece]:
    for found in _PIECE.finditer(amount):
        unit = found["unit"].strip() if found["unit"] else None
        yield _Piece(found["number"], unit, found["joined"] or "")


def _products(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """Pieces that are multiplied; in `50-80 kg` and `4/64 GB` the first has the unit of the second."""
    products: list[list[_Piece]] = []
    for piece in pieces:
        if products and piece.joined.strip() in {"x", "×", "*"}:
            products[-1].append(piece)
        else:
            products.append([piece])
    for left, right in reversed([*pairwise(products)]):
        if len(left) == len(right) == 1 and left[0].unit is None and _ranges(left[0], right[0]):
            left[0] = replace(left[0], unit=right[0].unit)
    return products


def _ranges(left: _Piece, right: _Piece) -> bool:
    """Whether the unit behind a second number is that of the first as well.

    With blanks between only where it is a time, as in `1 - 7 tahun`: `Note 8 - 64 GB` are two things.
    """
    if right.unit is None or right.joined == right.joined.strip():
        return right.unit is not None
    return UNITS[right.unit].dimension == "time" and number_value(left.number) < number_value(right.number)


def _extent(product: Sequence[_Piece]) -> tuple[float, ...]:
    """Lengths in cm, ascending, if that is what is multiplied, or nothing."""
    units = [piece.unit for piece in product if piece.unit]
    if len(product) < 2 or any(UNITS[unit].dimension != "length" for unit in units):
        return ()
    lengths = []
    unit = units[-1] if units else "cm"
    for piece in reversed(product):
        unit = piece.unit or unit
        lengths.append(_measured(piece.number, unit)[1] / UNITS["cm"].factor)
    return tuple(sorted(lengths))


def _measured(number: str, unit: str) -> tuple[str, float]:
    """The dimension of a unit, and a number of it in the base unit."""
    dimension, factor = UNITS[unit]
    return dimension, round(number_value(number, large=factor >= _LARGE) * factor, 6)

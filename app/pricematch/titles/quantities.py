"""Quantities in a title, in base units: `0,5 Liter`, `½ l` and `500ml` are the same."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from pricematch.titles.amount_patterns import TIMES, patterns, unit_of
from pricematch.titles.measures import Measure, as_packed, measured, value_of, written
from pricematch.titles.units import BASES, OUNCES, SHOWN_IN, SMALLEST, UNITS

_MOST_TIMES = 999


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value of a dimension.

    Attributes:
        dimension: one of `BASES`.
        value: in its base unit, ≥ 0.
        token: the quantity as one word, in the base unit; one of ounces or inches rounded, as such are on packages.
        shown: in a unit that people use: 1500 ml are 1.5 l.
        measure: of a mass, a volume, a length, an area or a time.
        fluid: of plain ounces, the volume that they are if they are fluid ones.
    """

    dimension: str
    value: float
    token: str
    shown: str
    measure: Measure | None = None
    fluid: "Quantity | None" = None


class Amount(NamedTuple):
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


class _Piece(NamedTuple):
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
    amount, piece = patterns(plain=folded.isascii())
    return [_amount(found, piece) for found in amount.finditer(folded)]


def _amount(found: re.Match[str], piece_of: re.Pattern[str]) -> Amount:
    quantities: list[Quantity] = []
    extents: list[Measure] = []
    numbers: list[str] = []
    for product in _products([*_pieces(found[0], piece_of)]):
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


def _pieces(amount: str, piece_of: re.Pattern[str]) -> Iterator[_Piece]:
    for found in piece_of.finditer(amount):
        yield _Piece(found["number"], unit_of(found["unit"]) if found["unit"] else None, found["joined"] or "")


def _products(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """Pieces that are multiplied; in `50-80 kg` and `4/64 GB` the first has the unit of the second."""
    products: list[list[_Piece]] = []
    for piece in pieces:
        if products and piece.joined and piece.joined.strip(" .") in TIMES:
            products[-1].append(piece)
        else:
            products.append([piece])
    for left, right in reversed([*pairwise(products)]):
        if len(left) == len(right) == 1 and left[0].unit is None and _ranges(left[0], right[0]):
            left[0] = left[0]._replace(unit=right[0].unit)
    return products


def _ranges(left: _Piece, right: _Piece) -> bool:
    """Whether the unit behind a second number is that of the first as well.

    With blanks between only where it is a fraction, a tolerance or a time, as in `1 - 7 tahun`: `Note 8 - 64 GB` are
    two things.
    """
    if right.unit is None or (sign := right.joined.strip()) == right.joined or sign == "±":
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
    fluid = _quantity(number, "floz") if unit in OUNCES else None
    return replace(plain, token=token, shown=shown, measure=measure, fluid=fluid)

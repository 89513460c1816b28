"""Units of measure: how each is written, and how many base units of its dimension it is."""

from typing import NamedTuple

from pricematch.titles.folding import fold
from pricematch.titles.unit_spellings import CUSTOMARY as _CUSTOMARY
from pricematch.titles.unit_spellings import LATIN, OTHER_SCRIPTS, Spellings


class Unit(NamedTuple):
    """What a unit measures, and how many base units it is."""

    dimension: str
    factor: float


BASES = {
    "volume": "ml",
    "mass": "g",
    "length": "mm",
    "area": "sqcm",
    "power": "w",
    "voltage": "v",
    "charge": "mah",
    "storage": "gb",
    "frequency": "hz",
    "percentage": "%",
    "angle": "deg",
    "time": "days",
    "layers": "ply",
    "colours": "colours",
    "count": "pcs",
}
"""The base unit of each dimension."""

SHOWN_IN: dict[str, tuple[tuple[float, str], ...]] = {
    **{dimension: ((1, f" {base}"),) for dimension, base in BASES.items()},
    "volume": ((1000, " l"), (1, " ml")),
    "mass": ((1000, " kg"), (1, " g"), (1e-3, " mg")),
    "length": ((1000, " m"), (10, " cm"), (1, " mm")),
    "area": ((10_000, " m²"), (1, " cm²"), (0.01, " mm²")),
    "power": ((1, " W"),),
    "voltage": ((1, " V"),),
    "charge": ((1, " mAh"),),
    "storage": ((1000, " TB"), (1, " GB")),
    "frequency": ((1e9, " GHz"), (1e6, " MHz"), (1e3, " kHz"), (1, " Hz")),
    "percentage": ((1, "%"),),
    "angle": ((1, "°"),),
    "time": ((360, " years"), (30, " months"), (1, " days")),
    "count": ((1, ""),),
}
"""Units that people are shown values in, with how many base units they are, descending: the first that is not larger
than the value, or the last."""


def _words(spellings: Spellings) -> dict[str, Unit]:
    return {fold(word): Unit(*unit) for unit, words in spellings.items() for word in words.split()}


GRAM = fold("Г")
"""Of Russian: a gram, and behind 1900 to 2099 a year."""
UNITS = _words(LATIN) | _words(OTHER_SCRIPTS) | _words(_CUSTOMARY) | {GRAM: Unit("mass", 1)}
"""Each way of writing a unit, folded. Twelve months of 30 days are one year, as in ages: 12 months are 1 year."""
CUSTOMARY = frozenset(_words(_CUSTOMARY))
"""Those of the customary system of the United States, from which amounts are rounded to metric ones and back."""
OUNCES = frozenset(word for word, unit in UNITS.items() if unit == UNITS["oz"])
"""Plain ones, which of drinks are fluid ounces."""
DAYS = frozenset(word for word, unit in UNITS.items() if unit.dimension == "time" and unit.factor < 30)
"""Units of time that months and years are rounded to and from: 365 days and 52 weeks are a year."""
SMALLEST = {"volume": 29.5735295625, "mass": 28.349523125, "length": 25.4, "area": 929.0304}
"""By dimension the unit that amounts of that system are whole or simple multiples of: fluid ounce, ounce, inch, square
foot."""

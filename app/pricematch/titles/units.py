"""Units of measure: how each is written, and how many base units of its dimension it is."""

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
    ("mass", 0.001): "mg milligram milligrams",
    ("mass", 1): "g gr grm grms gm gms gram grams",
    ("mass", 100): "ons",
    ("mass", 1000): "kg kgs kilo kilogram kilograms",
    ("length", 1): "mm milimeter millimeter millimetre",
    ("length", 10): "cm centimeter centimetre sentimeter",
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

_CUSTOMARY: dict[tuple[str, float], str] = {
    ("volume", 29.5735295625): "floz flounce flounces",
    ("volume", 473.176473): "pint pints",
    ("volume", 946.352946): "qt qts quart quarts",
    ("volume", 3785.411784): "gal gals gallon gallons",
    ("mass", 28.349523125): "oz ounce ounces",
    ("mass", 453.59237): "lb lbs pound pounds",
    ("length", 25.4): 'inch inches inci inchi in "',
    ("length", 304.8): "ft foot feet '",
    ("length", 914.4): "yd yds yard yards",
}

UNITS = {word: Unit(*unit) for unit, words in (_SPELLINGS | _CUSTOMARY).items() for word in words.split()}
"""Each way of writing a unit, casefolded. Twelve months of 30 days are one year, as in ages: 12 months are 1 year."""


CUSTOMARY = frozenset(word for words in _CUSTOMARY.values() for word in words.split())
"""Those of the customary system of the United States, from which amounts are rounded to metric ones and back."""
DAYS = frozenset(word for word, unit in UNITS.items() if unit.dimension == "time" and unit.factor < 30)
"""Units of time that months and years are rounded to and from: 365 days and 52 weeks are a year."""
SMALLEST = {"volume": 29.5735295625, "mass": 28.349523125, "length": 25.4}
"""By dimension the unit that amounts of that system are whole or simple multiples of: fluid ounce, ounce, inch."""

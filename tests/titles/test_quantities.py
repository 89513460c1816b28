"""Numbers and units in titles."""

from math import inf

import pytest

from pricematch.titles.folding import fold
from pricematch.titles.measures import number_value
from pricematch.titles.quantities import amounts
from pricematch.titles.units import BASES, SHOWN_IN, UNITS


def quantities(text: str) -> list[tuple[str, float]]:
    return [(it.dimension, it.value) for amount in amounts(text) for it in amount.quantities]


@pytest.mark.parametrize(
    "text", ["500 ml", "500ml", "0,5 liter", "0.5l", "500 cc", "50 cl", "0,5 ltr", "500ml.", "(500ml)"]
)
def test_half_a_litre_is_500_millilitres_however_it_is_written(text: str) -> None:
    assert quantities(text) == [("volume", 500)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250gr", ("mass", 250)),
        ("0.25 kg", ("mass", 250)),
        ("1.000 gram", ("mass", 1000)),
        ("1.250 kg", ("mass", 1250)),
        ("200 mg", ("mass", 0.2)),
        ("18in", ("length", 457.2)),
        ('5.5"', ("length", 139.7)),
        ("6 inch", ("length", 152.4)),
        ("28 watt", ("power", 28)),
        ("10.000mah", ("charge", 10000)),
        ("1tb", ("storage", 1000)),
        ("2.4ghz", ("frequency", 2.4e9)),
        ("75%", ("percentage", 75)),
        ("12 bulan", ("time", 360)),
        ("1 tahun", ("time", 360)),
        ("3ply", ("layers", 3)),
        ("12 warna", ("colours", 12)),
        ("10 lembar", ("count", 10)),
        ("50's", ("count", 50)),
        ("2 lusin", ("count", 24)),
    ],
)
def test_a_quantity_is_in_the_base_unit_of_its_dimension(text: str, expected: tuple[str, float]) -> None:
    assert quantities(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 x 100 ml", [("count", 2), ("volume", 100)]),
        ("5x24gr", [("count", 5), ("mass", 24)]),
        ("24 g x 5", [("mass", 24), ("count", 5)]),
        ("100mlx2", [("volume", 100), ("count", 2)]),
        ("55-80kg", [("mass", 55_000), ("mass", 80_000)]),
        ("1 - 7 tahun", [("time", 360), ("time", 2520)]),
        ("4/64gb", [("storage", 4), ("storage", 64)]),
        ("80gr/200gr", [("mass", 80), ("mass", 200)]),
    ],
)
def test_numbers_that_stand_together_are_read_together(text: str, expected: list[tuple[str, float]]) -> None:
    assert quantities(text) == expected


@pytest.mark.parametrize("text", ["note 8 - 64gb", "note 8, 64gb"])
def test_a_number_apart_from_a_quantity_does_not_get_its_unit(text: str) -> None:
    assert quantities(text) == [("storage", 64)]


@pytest.mark.parametrize(
    ("text", "extent"),
    [
        ("70x135 cm", (70, 135)),
        ("135 x 70", (70, 135)),
        ("700x1350mm", (70, 135)),
        ("70cm x 1,35 m", (70, 135)),
        ("32x28x16 cm", (16, 28, 32)),
        ("24 mm x 4m", (2.4, 400)),
    ],
)
def test_multiplied_lengths_are_an_extent_in_centimetres_whatever_comes_first(
    text: str, extent: tuple[float, ...]
) -> None:
    assert [it.sizes for amount in amounts(text) for it in amount.extents] == [extent]


def test_several_extents_may_stand_together() -> None:
    [amount] = amounts("160x200/180x200")
    assert [it.sizes for it in amount.extents] == [(160, 200), (180, 200)]


@pytest.mark.parametrize(
    "text", ["3in1", "3 in 1", "2-in-1", "36-l", "ax60r5080wd", "a5s", "4x", "mp3", "2in 1", "5 sendok"]
)
def test_codes_and_words_are_no_quantities(text: str) -> None:
    assert quantities(text) == []


def test_a_number_without_unit_stays_as_it_is_written() -> None:
    (only,) = amounts("spf 30")
    assert only.numbers == ("30",)
    assert (only.start, only.stop) == (4, 6)


def test_a_quantity_may_follow_a_word_directly() -> None:
    assert quantities("vanilla130gram") == [("mass", 130)]
    assert quantities("mx130g") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1.5", 1.5),
        ("1,5", 1.5),
        ("12,500", 12500),
        ("1.000.000", 1e6),
        ("0,125", 0.125),
        ("1,000.5", 1000.5),
    ],
)
def test_points_and_commas_are_distinct(text: str, value: float) -> None:
    assert number_value(text) == value


def test_every_unit_has_a_dimension_with_a_base_unit() -> None:
    assert {unit.dimension for unit in UNITS.values()} == set(BASES) == set(SHOWN_IN)
    for dimension, base in BASES.items():
        if base in UNITS:
            assert UNITS[base] == (dimension, 1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("1500ml", "1.5 l"), ("6 inch", "15.24 cm"), ("1-7 tahun", "7 years"), ("128gb", "128 GB"), ("3 pcs", "3")],
)
def test_people_are_shown_units_they_use(text: str, shown: str) -> None:
    assert [it.shown for amount in amounts(text) for it in amount.quantities][-1] == shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("½ kg", [("mass", 500)]),
        ("½kg", [("mass", 500)]),
        ("1/2 kg", [("mass", 500)]),
        ("1/2kg", [("mass", 500)]),
        ("1⁄2 kg", [("mass", 500)]),
        ("¹⁄₂ kg", [("mass", 500)]),
        ("１/２ kg", [("mass", 500)]),
        (".5 kg", [("mass", 500)]),
        ("٠٫٥ kg", [("mass", 500)]),
        ("¼ kg", [("mass", 250)]),
        ("⅛ kg", [("mass", 125)]),
        ("1½ l", [("volume", 1500)]),
        ("1 1/2 liter", [("volume", 1500)]),
        ("1-1/2 liter", [("volume", 1500)]),
        ("1 and 1/2 liter", [("volume", 1500)]),
        ("2¹⁄₂ l", [("volume", 2500)]),
        ("2 ¼ l", [("volume", 2250)]),
        ("1.1/2 inch", [("length", 38.1)]),
        ("1-1/2 in", [("length", 38.1)]),
        ('3/4"', [("length", 19.05)]),
        ("1.125 inch", [("length", 28.575)]),
        ("1 1/8 in", [("length", 28.575)]),
        ("5/16 inch", [("length", 7.9375)]),
        ("1/4 W", [("power", 0.25)]),
        ("1/2 lusin", [("count", 6)]),
        ("2 x 1/2 kg", [("count", 2), ("mass", 500)]),
        ("1/2-1 kg", [("mass", 500), ("mass", 1000)]),
        ("1/2 - 3/4 kg", [("mass", 500), ("mass", 750)]),
        ("3-1/2-inch", [("length", 88.9)]),
        ("3.5-inch", [("length", 88.9)]),
        ("1024 MB", [("storage", 1)]),
        ("2−3 kg", [("mass", 2000), ("mass", 3000)]),
        (".500 g", [("mass", 500)]),
        ("1 000 g", [("mass", 1000)]),
        ("1'000 g", [("mass", 1000)]),
        ("1\u202f000 g", [("mass", 1000)]),
        ("1,00,000 mah", [("charge", 100_000)]),
        ("1,000 lb", [("mass", 453592.37)]),
        ("453.592 g", [("mass", 453.592)]),
        ("12.500 g", [("mass", 12_500)]),
    ],
)
def test_fractions_and_decimals_are_one_amount(text: str, expected: list[tuple[str, float]]) -> None:
    """A fraction of a measured amount is one number, in all its spellings (fault C1)."""
    assert quantities(fold(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4/64 GB", [("storage", 4), ("storage", 64)]),
        ("6/128gb", [("storage", 6), ("storage", 128)]),
        ("1/2 gb", [("storage", 1), ("storage", 2)]),
        ("2/3 pcs", [("count", 2), ("count", 3)]),
        ("1/2/3 kg", [("mass", 1000), ("mass", 2000), ("mass", 3000)]),
        ("1/5 kg", [("mass", 1000), ("mass", 5000)]),
        ("3/2 kg", [("mass", 3000), ("mass", 2000)]),
        ("1/2 tahun", [("time", 360), ("time", 720)]),
        ("38/39/40", []),
        ("36/37 24/7 12/2026 1/18 1/2/3", []),
        ("1/2 zip 3/4 lengan", []),
    ],
)
def test_lists_are_no_fractions(text: str, expected: list[tuple[str, float]]) -> None:
    """Sizes, dates, scales and fractions that nobody measures in are several numbers (fault C1)."""
    assert quantities(fold(text)) == expected


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("5'", 1524),
        ("5′", 1524),
        ("5 ft", 1524),
        ('5"', 127),
        ("5''", 127),
        ("5″", 127),
        ("5’’", 127),
        ("5'10\"", 1778),
        ("5 ft 10 in", 1778),
        ("24 in (b)", 609.6),
        ('14 "LED', 355.6),
    ],
)
def test_primes_are_feet_and_inches(text: str, size: float) -> None:
    """One prime is feet, two are inches, however they are typed (fault C4)."""
    assert quantities(fold(text)) == [("length", size)]


@pytest.mark.parametrize("text", ['"best seller 24" tas', "'kelas 5' buku", 'tema 8 "buku"', "3 in 1", "10 in black"])
def test_quotes_and_words_are_no_lengths(text: str) -> None:
    """Quotes around words and the word in are no units (fault C4)."""
    assert quantities(fold(text)) == []


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("16 oz", "454g"),
        ("1 lb", "454g"),
        ("453.592 g", "454g"),
        ("453.6 g", "454g"),
        ("454 g", "454g"),
        ("453 g", "453g"),
        ("8 oz", "227g"),
        ("1/4 lb", "113g"),
        ("0.5 oz", "14g"),
        ("0.51 oz", "14.5g"),
        ("12 fl oz", "355ml"),
        ("12 fl. oz.", "355ml"),
        ("12 fluid ounces", "355ml"),
        ("1 gallon", "3785ml"),
        ("2 pints", "946ml"),
        ("1 quart", "946ml"),
        ("1 inch", "25mm"),
        ("2.54 cm", "25mm"),
        ("5.5 inch", "140mm"),
        ("12 inch", "305mm"),
        ("1 ft", "305mm"),
        ("0.25 inch", "6.3mm"),
        ("1/4 inch", "6.3mm"),
        ("0 oz", "0g"),
    ],
)
def test_customary_amounts_are_words_of_packages(text: str, token: str) -> None:
    """Ounces, pounds and inches are the rounded metric amounts that packages state, each its own (fault C4)."""
    assert [it.token for amount in amounts(fold(text)) for it in amount.quantities] == [token]


def test_endless_numbers_are_finite() -> None:
    """A number of any length is a quantity."""
    [amount] = amounts("1" * 400 + " oz " + "1" * 400 + " kg")[:1]
    assert amount.quantities[0].value < inf

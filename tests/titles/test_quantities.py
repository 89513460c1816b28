"""Numbers and units in titles."""

import pytest

from pricematch.titles.quantities import BASES, SHOWN_IN, UNITS, amounts, number_value


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
    assert [amount.extents for amount in amounts(text)] == [(extent,)]


def test_several_extents_may_stand_together() -> None:
    assert [amount.extents for amount in amounts("160x200/180x200")] == [((160, 200), (180, 200))]


@pytest.mark.parametrize("text", ["3in1", "3 in 1", "ax60r5080wd", "a5s", "4x", "mp3", "2in 1", "5 sendok"])
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

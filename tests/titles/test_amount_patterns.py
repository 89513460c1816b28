"""Numbers and units found in titles."""

import pytest

from pricematch.titles.folding import fold
from pricematch.titles.quantities import amounts


def found(title: str) -> list[tuple[str, float]]:
    """The quantities of a title."""
    return [(it.dimension, it.value) for amount in amounts(fold(title)) for it in amount.quantities]


@pytest.mark.parametrize(
    "title",
    ["5 m²", "5m2", "5 ㎡", "5 m^2", "5 sqm", "5 sq. m", "5 square metres", "5 м²", "5 кв. м", "5 ตร.ม.", "50.000 cm²"],
)
def test_areas_are_read(title: str) -> None:
    """Square metres in their usual spellings (fault C1)."""
    assert found(title) == [("area", 50_000)]


@pytest.mark.parametrize("title", ["100 sq ft", "100 sqft", "100 sq. ft.", "100 square feet", "100 ft²", "100ft2"])
def test_square_feet_are_areas(title: str) -> None:
    """Square feet in their usual spellings (fault C4)."""
    assert found(title) == [("area", 92903.04)]


@pytest.mark.parametrize("title", ["MacBook Air 13 M2", "isi 10 M3", "baut M2 x 10"])
def test_chips_and_screws_are_no_areas(title: str) -> None:
    """An M2 that stands apart is no square metre (fault C1)."""
    assert found(title) == []


@pytest.mark.parametrize("title", ["45°", "45 °", "45º", "45˚", "45 derajat", "45 degrees", "45-degree", "45 deg"])
def test_angles_are_read(title: str) -> None:
    """Degrees, however their sign is typed (fault C4)."""
    assert found(title) == [("angle", 45)]


@pytest.mark.parametrize("title", ["45°C", "45 ºC", "45 ℃", "45 °F", "45 derajat celcius", "1º", "45 deg F"])
def test_temperatures_are_no_angles(title: str) -> None:
    """Nor are ordinals (fault C4)."""
    assert found(title) == []


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("±5%", [("percentage", 5)]),
        ("20±2 cm", [("length", 200), ("length", 20)]),
        ("20 ± 2cm", [("length", 200), ("length", 20)]),
        ("20+/-2 cm", [("length", 200), ("length", 20)]),
        ("20cm+-2cm", [("length", 200), ("length", 20)]),
        ("4+64GB", [("storage", 4), ("storage", 64)]),
        ("8+128 GB", [("storage", 8), ("storage", 128)]),
        ("12+256GB", [("storage", 12), ("storage", 256)]),
        ("Note 20+256GB", [("storage", 256)]),
        ("iPhone 7+32GB", [("storage", 32)]),
        ("1+1 kg", [("mass", 1000)]),
        ("600 ml.x12 pcs", [("volume", 600), ("count", 12)]),
        ("可乐330ml×24罐", [("volume", 330), ("count", 24)]),
        ("200克*5包", [("mass", 200), ("count", 5)]),
        ("330млх6", [("volume", 330), ("count", 6)]),
        ("น้ำดื่ม600มล.x12ขวด", [("volume", 600), ("count", 12)]),
        ("kabel 3x2.5mm²", [("count", 3), ("area", 0.025)]),
        ("Ø20mm", [("length", 20)]),
    ],
)
def test_numbers_are_joined_by_signs(title: str, expected: list[tuple[str, float]]) -> None:
    """Tolerances, memory and packs, in scripts without blanks as well (fault C1)."""
    assert found(title) == expected

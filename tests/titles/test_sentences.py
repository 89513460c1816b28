"""What people are told of two titles."""

import pytest

from pricematch.titles.sentences import agreements, differences, one_sided


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("Toner 100ml", "Toner 0.2L", ["100 ml against 200 ml"]),
        ("Tisu isi 3", "Tisu 1 pcs", ["pack of 3 against 1"]),
        ("Tisu isi 3", "Tisu", ["pack of 3 against no number"]),
        ("Tisu", "Tisu isi 3", ["no number against pack of 3"]),
        ("Tisu 1 pcs", "Tisu", []),
        ("Galaxy SM-A515F", "Galaxy SM-A715F", ["number 515 against 715", "model SM-A515F against SM-A715F"]),
        ("kaos S/M hitam", "kaos size XL putih", ["size S, M against XL", "black against white"]),
        ("krim 80gr/200gr", "krim 200 gram", []),
        ("krim 80gr/200gr", "krim 200 gram 50 g", ["80 g against 50 g"]),
        ("susu coklat", "susu stroberi", ["brown/chocolate against strawberry"]),
        ("sepatu coklat", "sepatu hitam", ["brown/chocolate against black"]),
        ("case a1 a2 a3 a4 a5", "case z9", ["number 1, 2, 3, 4, … against 9", "model A1, A2, A3, A4, … against Z9"]),
        ("kopi", "teh", []),
    ],
)
def test_differences_are_told_where_each_title_states_what_the_other_does_not(
    left: str, right: str, expected: list[str]
) -> None:
    assert [*differences(left, right).values()] == expected


def test_agreements_are_told_as_the_first_title_writes_them() -> None:
    assert agreements("Galaxy SM-A515F 128GB hitam", "samsung sma515f 128 gb black") == {
        "storage": "both say 128 GB",
        "number": "both say number 515",
        "model": "both say model SM-A515F",
        "colour": "both say black",
    }
    assert agreements("Tisu isi 3", "Tisu 3 pcs") == {"count": "both say pack of 3"}
    assert agreements("sapu", "sapu") == {}


def test_what_one_title_alone_states_is_told_of_either() -> None:
    assert one_sided("Tisu putih isi 3", "Tisu isi 3") == one_sided("Tisu isi 3", "Tisu putih isi 3")
    assert one_sided("Tisu putih isi 3", "Tisu isi 3") == {"colour": "only one says white"}
    assert one_sided("case a1 hitam", "case a1 b2") == {
        "number": "only one says number 2",
        "model": "only one says model B2",
        "colour": "only one says black",
    }
    assert one_sided("sapu", "ember") == {}

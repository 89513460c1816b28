"""Facts that titles state."""

import pytest

from pricematch.titles.statements import KINDS, statements
from pricematch.titles.variants import VARIANTS, VARIANTS_OF


def facts(title: str, kind: str) -> set[str]:
    return {fact.shown for fact in statements(title) if fact.kind == kind}


@pytest.mark.parametrize(
    "title",
    ["isi 3", "isi: 3", "isi3pcs", "3 pcs", "3pcs", "pack of 3", "Set of 3", "3x", "(x3)", "3 buah", "3 x 20 ml"],
)
def test_a_pack_of_three_is_three_however_it_is_written(title: str) -> None:
    assert facts(f"sabun {title}", "count") == {"3"}


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("SM-A515F", {"SM-A515F"}),
        ("sma515f", {"SMA515F"}),
        ("KAD-06", {"KAD-06"}),
        ("iPhone 6s", {"6S"}),
        ("A3s/A5s", {"A3S", "A5S"}),
        ("Charger 4in1", {"4 in 1"}),
        ("Charger 4 in 1", {"4 in 1"}),
        ("1100-6", set()),
        ("x" * 20 + "12345", set()),
    ],
)
def test_model_codes_mix_letters_and_digits(title: str, expected: set[str]) -> None:
    assert facts(title, "model") == expected


def test_a_code_is_the_same_with_and_without_hyphen() -> None:
    one, other = statements("KAD-06"), statements("kad06")
    assert one == other
    assert {fact.value for fact in one} == {"kad06", "6"}


@pytest.mark.parametrize("title", ["KAD 06", "KAD06", "KAD-06", "KAD 6"])
def test_the_digits_of_a_code_are_a_number_so_that_a_blank_in_it_does_no_harm(title: str) -> None:
    assert facts(title, "number") == {"6"}


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("kaos size M", {"M"}),
        ("kaos S/M/L", {"S", "M", "L"}),
        ("kaos XXL", {"2XL"}),
        ("kaos 2XL, ukuran: XS", {"2XL", "XS"}),
        ("fit to L", {"L"}),
        ("L A M A N D E L", set()),
        ("l'oreal", set()),
    ],
)
def test_sizes_are_letters_where_they_can_mean_nothing_else(title: str, expected: set[str]) -> None:
    assert facts(title, "size") == expected


@pytest.mark.parametrize(
    ("title", "kind", "expected"),
    [
        ("tas hitam / black", "colour", {"black"}),
        ("susu stroberi", "flavour", {"strawberry"}),
        ("kaos pria wanita", "audience", {"men", "women"}),
        ("redmi note 8 pro", "edition", {"pro"}),
        ("hitamkan", "colour", set()),
    ],
)
def test_variants_are_told_in_either_language(title: str, kind: str, expected: set[str]) -> None:
    assert facts(title, kind) == expected


def test_numbers_of_quantities_packs_and_sizes_are_no_bare_numbers() -> None:
    assert facts("500 ml isi 3 40x60 4 in 1 2XL 100%", "number") == set()


def test_one_hundred_per_cent_says_nothing() -> None:
    assert facts("100% original, 70% alkohol", "percentage") == {"70%"}


def test_lists_of_numbers_and_decimals_are_told_apart() -> None:
    assert facts("iphone 6,7,8 qc 3.0", "number") == {"6", "7", "8", "3"}


def test_a_fact_stated_twice_is_one() -> None:
    assert len(statements("100 ml 0,1 liter")) == 1


def test_titles_without_facts_have_none() -> None:
    assert statements("") == statements("😀 !!!") == statements("sapu ijuk") == []


def test_a_word_that_is_colour_and_flavour_is_both_and_says_so() -> None:
    assert facts("susu coklat", "colour") == facts("susu coklat", "flavour") == {"brown/chocolate"}
    assert statements("coklat") == statements("chocolate") != statements("brown")


def test_no_spelling_is_of_two_variants_of_a_kind_and_every_kind_is_listed() -> None:
    for names in VARIANTS.values():
        spellings = [word for line in names.values() for word in line.split()]
        assert len(spellings) == len(set(spellings))
        assert set(spellings) <= set(VARIANTS_OF)
    assert set(VARIANTS) < set(KINDS)

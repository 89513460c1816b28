"""Titles normalised: folding, words, runs."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.titles.comparison import TitleAttributes, compare
from pricematch.titles.folding import fold
from pricematch.titles.lexicon import VARIANTS, VARIANTS_OF
from pricematch.titles.normalise import KINDS, Attribute, parse_shown_title, parse_title, parse_titles

NASTY = [
    "1" * 10_000,
    "1." * 5_000,
    "1x" * 4_999 + "1a",
    "1 x " * 2_500,
    "1-" * 4_999 + "a",
    "1/1a" * 2_500,
    "12ml" * 2_500,
    "9,9" * 3_000,
    "a1-" * 3_333,
    "s/" * 5_000,
    "xl - " * 2_000,
    "(x" * 5_000,
    "isi " * 2_500,
    "size " * 2_000,
    " " * 10_000,
    "é" * 10_000,
    "😀" * 10_000,
    "1 1/2-" * 1_666,
    "1½ " * 3_333,
    "5'10\"" * 2_000,
    "&amp;" * 2_000,
    "<b " * 3_333,
    '" a' * 3_333,
    "น้" * 5_000,
    "%20" * 3_333,
    "%25" * 3_333,
    "a%2520" * 1_666,
    "1 sq " * 2_000,
    "1±" * 5_000,
    "1+64gb" * 1_666,
    "1️⃣" * 3_333,
    "1กก" * 3_333,
    "s1 + " * 2_000,
]


@pytest.mark.parametrize(
    "title",
    [
        "Susu Coklat 500 ML",
        "SUSU coklat, 500ml!!",
        "susu/coklat 0,5 Liter",
        "★ Susu ★ Coklat ★ 0.5L",
        "ｓｕｓｕ 𝐜𝐨𝐤𝐥𝐚𝐭 500cc",
    ],
)
def test_writing_does_not_matter(title: str) -> None:
    """Titles that differ in case, punctuation, letter forms and units only have the same words."""
    assert parse_title(title).words == ("susu", "coklat", "500ml")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("", []),
        ("!!! 😀 ***", []),
        ("007", ["007"]),
        ("L’Oréal", ["l", "oreal"]),
        ("Straße", ["strasse"]),
        ("Brand™ X®", ["brand", "x"]),
        ("SM-A515F", ["sm", "a", "515", "f"]),
        ("isi 3 x 2,5kg", ["isi", "3pcs", "2500g"]),
        ("sprei 180 x 200 cm", ["sprei", "180", "x", "200", "cm"]),
        ("قهوة 500 ml", ["قهوة", "500ml"]),
        ("コーヒー 豆", ["コーヒー", "豆"]),
    ],
)
def test_words_are_letters_digits_and_quantities(title: str, expected: list[str]) -> None:
    """A word is a run of letters, a run of digits, or a quantity in its base unit."""
    assert list(parse_title(title).words) == expected


def test_runs_keep_quantities_as_written() -> None:
    """Runs are the same letters and digits without any unit conversion."""
    assert parse_title("LATTE 0,22 liter").runs == ("latte", "0", "22", "liter")


def test_other_scripts_keep_their_marks() -> None:
    """Only Latin letters lose their accents."""
    assert fold("кофейный й") == "кофейный й"


def test_a_title_is_folded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words, runs and attributes are read from one folded text."""
    folded: list[str] = []

    def counting(title: str) -> str:
        folded.append(title)
        return fold(title)

    monkeypatch.setattr("pricematch.titles.normalise.fold", counting)
    texts = ["Kopi 200 ml", "Teh isi 3"]
    assert [title.text for title in parse_titles(texts)] == folded == texts


@given(st.text())
def test_any_text_is_parsed(title: str) -> None:
    """No text is refused, and no word has a blank in it."""
    assert not any(word.isspace() or " " in word or not word for word in parse_title(title).words)


@given(st.text(alphabet="0123456789xX.,-/ mlgrkcs%'\"()isa"))
def test_any_jumble_of_quantities_is_parsed(title: str) -> None:
    """Numbers and units in any order are read, and a title does not contradict itself."""
    attributes, itself = TitleAttributes.of([parse_title(title)]), np.array([0])
    found = compare(attributes, itself, attributes, itself)
    assert not found.contradicting.any()
    assert not found.packed.any()


@pytest.mark.parametrize("title", NASTY, ids=lambda title: repr(title[:8]))
def test_parsing_takes_linear_time(title: str) -> None:
    """A quadratic rule would take a hundred times as long for ten thousand characters as for a thousand."""

    def seconds(text: str) -> float:
        before = time.process_time()
        parse_title(text)
        return time.process_time() - before

    assert min(seconds(title) for _ in range(2)) < max(0.1, 40 * seconds(title[:1000]))


def stated(title: str) -> tuple[Attribute, ...]:
    """All attributes of a title."""
    return parse_title(title).attributes


def shown(title: str, kind: str) -> set[str]:
    """The values of one kind, as people are shown them."""
    return {attribute.shown for attribute in stated(title) if attribute.kind == kind}


@pytest.mark.parametrize(
    "title",
    ["isi 3", "isi: 3", "isi3pcs", "3 pcs", "3pcs", "pack of 3", "Set of 3", "3x", "(x3)", "3 buah", "3 x 20 ml"],
)
def test_pack_sizes_are_read_however_written(title: str) -> None:
    """A pack of three is a count of three in each usual spelling."""
    assert shown(f"sabun {title}", "count") == {"3"}


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
    """Codes have letters and digits, and are not too long."""
    assert shown(title, "model") == expected


def test_hyphens_in_codes_do_not_matter() -> None:
    """A code with a hyphen equals the one without."""
    one, other = stated("KAD-06"), stated("kad06")
    assert one == other
    assert {attribute.value for attribute in one} == {"kad06", "6"}


@pytest.mark.parametrize("title", ["KAD 06", "KAD06", "KAD-06", "KAD 6"])
def test_digits_of_a_code_are_a_number(title: str) -> None:
    """So a blank or a hyphen within a code does no harm."""
    assert shown(title, "number") == {"6"}


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
def test_sizes_are_unambiguous_letters(title: str, expected: set[str]) -> None:
    """Letters are sizes only where they can mean nothing else."""
    assert shown(title, "size") == expected


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
def test_variants_are_bilingual(title: str, kind: str, expected: set[str]) -> None:
    """Variants are read in English and Indonesian, as whole words."""
    assert shown(title, kind) == expected


def test_measured_numbers_are_no_bare_numbers() -> None:
    """A number that has a unit, a pack or a size is not stated twice."""
    assert shown("500 ml isi 3 40x60 4 in 1 2XL 100%", "number") == set()


def test_one_hundred_per_cent_is_ignored() -> None:
    """100 % is praise, 70 % is an attribute."""
    assert shown("100% original, 70% alkohol", "percentage") == {"70%"}


def test_lists_and_decimals_differ() -> None:
    """Commas between whole numbers make a list, a point a decimal."""
    assert shown("iphone 6,7,8 qc 3.0", "number") == {"6", "7", "8", "3"}


def test_an_attribute_stated_twice_is_one() -> None:
    """Two spellings of one quantity are one attribute."""
    assert len(stated("100 ml 0,1 liter")) == 1


def test_plain_words_state_nothing() -> None:
    """Titles of plain words have no attributes."""
    assert stated("") == stated("😀 !!!") == stated("sapu ijuk") == ()


def test_a_joined_plus_is_the_edition() -> None:
    """S21Plus is the model S21 and the edition Plus, as S21+ is (fault C4)."""
    assert stated("S21Plus") == stated("S21 +") == stated("S21 Plus") != stated("S21")


def test_ounces_beside_their_volume_are_no_mass() -> None:
    """Plain ounces are left out beside the volume or the mass that they are (fault C4)."""
    assert stated("12 oz 355 ml") == stated("12 oz 12 fl oz") == stated("355 ml")
    assert [it.fluid for it in stated("12 oz 340 g")] == [None]
    assert shown("12 oz 500 ml", "mass") == {"340.2 g"}


def test_coklat_is_colour_and_flavour() -> None:
    """A word of two kinds states both and is shown as both."""
    assert shown("susu coklat", "colour") == shown("susu coklat", "flavour") == {"brown/chocolate"}
    assert stated("coklat") == stated("chocolate") != stated("brown")


def test_spellings_are_unique_in_a_kind() -> None:
    """No spelling names two variants of one kind, and every kind is listed."""
    for names in VARIANTS.values():
        spellings = [word for line in names.values() for word in line.split()]
        assert len(spellings) == len(set(spellings))
        assert set(spellings) <= set(VARIANTS_OF)
    assert set(VARIANTS) < set(KINDS)


def test_shown_titles_are_parsed_once() -> None:
    """And say what they say when parsed anew."""
    text = "Nescafé Éclair LATTE 0,22 liter (isi 3pcs) SM-A515F"
    assert parse_shown_title(text) == parse_title(text)
    assert parse_shown_title(text) is parse_shown_title(str(text.encode(), "utf-8"))

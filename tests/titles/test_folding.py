"""Characters of titles made one: marks, accents, digits, quotes, signs."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.titles.escapes import unescaped
from pricematch.titles.folding import fold
from pricematch.titles.normalise import parse_title, parse_titles
from pricematch.titles.vectors import TfIdf

DIFFERENT = [
    ("น้ำ", "นา"),
    ("ข่าว", "ข้าว"),
    ("कि", "की"),
    ("हिंदी", "हद"),
    ("কলা", "কালি"),
    ("பால்", "பல"),
    ("ខ្មែរ", "ខមរ"),
    ("မြန်မာ", "မနမ"),
    ("قَلَم", "قِلْم"),
    ("عِلم", "عَلَم"),
    ("שָׁלוֹם", "שלום"),
    ("སྐད", "སད"),
    ("ක්‍රී", "ක"),
    ("がき", "かき"),
    ("ﾊﾟﾝ", "ﾊﾝ"),
    ("가나", "각나"),
    ("мой", "мои"),
    ("ї", "і"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_marks_make_other_words(one: str, other: str) -> None:
    """Vowels, tones and other marks are parts of words, and split none (fault C2)."""
    titles = [parse_title(f"brand {word} 500 ml") for word in (one, other)]
    assert titles[0].words != titles[1].words
    assert titles[0].runs != titles[1].runs
    assert all(len(title.words) == 3 for title in titles)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Nescafé Éclair", "NESCAFE eclair"),
        ("Tiếng Việt", "tieng viet"),
        ("Ǿrsted", "ørsted"),
        ("Καφές", "ΚΑΦΕΣ"),
        ("ᾳ", "αι"),
        ("ёлка замо́к", "ЕЛКА замок"),
        ("か\u3099", "が"),
        ("か゛", "が"),
        ("ｶﾞｷﾞ", "ガギ"),
        ("\u1112\u1161\u11ab", "한"),
        ("choco\u00adlate", "chocolate"),
        ("می\u200cخواهم", "میخواهم"),
        ("क्\u200dष", "क्ष"),
        ("قـــهوة", "قهوة"),
        ("א\u034fב", "אב"),
        ("５００ｍｌ", "500 ml"),
        ("٥٠٠ ml", "500 ml"),
        ("५०० ml ०٫५ l", "500ml 0,5l"),
        ("㎏ 5㎖", "kg 5 ml"),
    ],
)
def test_writing_of_characters_does_not_matter(one: str, other: str) -> None:
    """Accents of Latin, Greek and Cyrillic, forms of letters and digits, and what nobody sees do not (fault C2)."""
    assert parse_title(one).words == parse_title(other).words


def test_scripts_without_blanks_are_compared_by_grams() -> None:
    """Titles of one long run share their characters in a row (fault C2)."""
    thai = ["บะหมี่กึ่งสำเร็จรูปรสหมูสับ", "บะหมี่กึ่งสำเร็จรูปรสต้มยำ", "น้ำยาล้างจานกลิ่นมะนาว"]
    japanese = ["ミルクチョコレート大袋", "ミルクチョコレート", "しょうゆ"]
    vectors = TfIdf(parse_titles([*thai, *japanese])).vectors
    cosines = (vectors @ vectors.T).toarray()
    assert cosines[0, 1] > 0.3 + cosines[0, 2]
    assert cosines[3, 4] > 0.3 + cosines[3, 5]


@given(st.text())
def test_forms_of_unicode_are_read_alike(title: str) -> None:
    """Composed, decomposed and folded titles are one (fault C2)."""
    folded = fold(title)
    assert fold(unicodedata.normalize("NFC", title)) == fold(unicodedata.normalize("NFD", title)) == folded
    assert fold(folded) == folded


@given(st.text(alphabet="abcxyzKGML 0123456789.,/+-'\"%()½").filter(lambda title: unescaped(title) == title))
def test_full_width_titles_are_read_alike(title: str) -> None:
    """Full-width letters, digits and signs are plain ones (fault C2)."""
    wide = "".join(chr(ord(it) + 0xFEE0) if "!" <= it <= "~" else it for it in title)
    assert parse_title(wide).words == parse_title(title).words


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("S21+", ["s", "21", "plus"]),
        ("S21⁺", ["s", "21", "plus"]),
        ("(iPhone 8+)", ["iphone", "8", "plus"]),
        ("V5+/V7+", ["v", "5", "plus", "v", "7", "plus"]),
        ("A+ 18+", ["a", "plus", "18", "plus"]),
        ("S21 +", ["s", "21", "plus"]),
        ("S21Plus", ["s", "21", "plus"]),
        ("(S21 +) S21 +/S22 +, case", ["s", "21", "plus", "s", "21", "plus", "s", "22", "plus", "case"]),
        ("S21 + case 2 + 1", ["s", "21", "case", "2", "1"]),
        ("SPF 50 + PA +++", ["spf", "50", "plus", "pa", "+++"]),
        ("SPF50+ PA+++", ["spf", "50", "plus", "pa", "+++"]),
        ("PA++++", ["pa", "++++"]),
        ("C++", ["c", "++"]),
        ("C# c002# Mini#Tas", ["c", "sharp", "c", "002", "mini", "tas"]),
        ("kopi + gula", ["kopi", "gula"]),
        ("USB+LED 1+1 +62", ["usb", "led", "1", "1", "62"]),
        ("+++ promo +++", ["promo"]),
        ("lens -2.50", ["lens", "minus", "2", "50"]),
        ("lens \u22122,50", ["lens", "minus", "2", "50"]),
        ("lens +2.50", ["lens", "plus", "2", "50"]),
        ("note 8 -64 a-1", ["note", "8", "64", "a", "1"]),
    ],
)
def test_signs_that_tell_products_apart_are_words(title: str, words: list[str]) -> None:
    """A plus behind a letter or digit, a sharp, and the sign of a decimal (fault C4)."""
    assert list(parse_title(title).words) == words


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Kopi❤️Susu🔥200ml", ["kopi", "susu", "200ml"]),
        ("👍🏽kaos👩‍👩‍👧anak🇮🇩", ["kaos", "anak"]),
        ("ℹ️info🈶㊙️Ⓜ️™️", ["info"]),
        ("1️⃣kaos 5️⃣0️⃣ml", ["1", "kaos", "50ml"]),
        ("①kopi②❸susu", ["1", "kopi", "2", "3", "susu"]),
        ("Ø20mm φ5mm Ørsted", ["20mm", "5mm", "ørsted"]),
    ],
)
def test_symbols_are_no_words(title: str, words: list[str]) -> None:
    """Emoji neither are words nor join those around them, and digits in circles are numbers (fault C2)."""
    assert list(parse_title(title).words) == words

"""Units as languages and scripts write them."""

import pytest

from pricematch.titles.normalise import parse_title
from pricematch.titles.unit_spellings import CUSTOMARY, LATIN, OTHER_SCRIPTS
from pricematch.titles.units import UNITS


def stated(title: str) -> list[tuple[str, str]]:
    """The kind and value of what a title states in units."""
    return [
        (it.kind, it.value) for it in parse_title(title).attributes if it.kind not in {"number", "model", "flavour"}
    ]


@pytest.mark.parametrize(
    ("titles", "expected"),
    [
        ("кофе 0,25 кг|кофе 250 г.|кофе 250гр|กาแฟ ๒๕๐ กรัม|กาแฟ 0.25 กก.|咖啡250克装|咖啡 0.25公斤", ("mass", "250g")),
        (
            "コーヒー 250グラム|커피 250그램|قهوة ٢٥٠ جم|कॉफी 250 ग्राम|قهوه ۲۵۰ گرم|cà phê 250 gam|café 250 gramos",
            ("mass", "250g"),
        ),
        ("сок 0,5 л|сок 500 мл|น้ำ 500 มล.|น้ำ0.5ลิตร|水500毫升|水 0.5 公升|물 500밀리리터", ("volume", "500ml")),
        ("ماء ٠٫٥ لتر|पानी 500 मिली|nước 0,5 lít|leche 0,5 litros|500 mili liter|½ litro|500cm³", ("volume", "500ml")),
        ("кабель 2 м|кабель 200 см|สาย 2 เมตร|2公尺|2メートル|cabo 2 metros", ("length", "2000mm")),
        ("шуруп 25 мм|สกรู 25 มม.|25毫米|2,5センチ", ("length", "25mm")),
        (
            "12 шт.|12штук|12 ชิ้น|12个|12個入り|12枚|12개입|12 قطعة",
            ("count", "12pcs"),
        ),
        (
            "12 cái|12 unidades|12 piezas|12 peças|12 Stück|1 docena|Pack de 12|caixa com 12",
            ("count", "12pcs"),
        ),
        ("500 mcg|500 µg|500 μg|500ug|0,5 mg|500 мкг", ("mass", "0.0005g")),
        ("лампа 10 Вт|หลอดไฟ 10 วัตต์|10瓦", ("power", "10w")),
        ("от 3 лет|3 ปี|36 мес.|36個月", ("time", "1080days")),
        ("флешка 64 ГБ", ("storage", "64gb")),
        ("抽纸3层|กระดาษ 3 ชั้น|салфетки 3 слоя", ("layers", "3ply")),
    ],
)
def test_units_of_languages_are_units(titles: str, expected: tuple[str, str]) -> None:
    """One amount in many languages is one attribute (fault C1)."""
    assert {title: stated(title) for title in titles.split("|")} == {title: [expected] for title in titles.split("|")}


@pytest.mark.parametrize(
    "title",
    [
        "2021 г.",
        "1999г",
        "3 в 1",
        "12 ก.ค. 5 ม.3",
        "5升级版",
        "3D打印",
        "2024年 第2代",
        "5 มล็",
        "Galaxy 7 Tab",
        "AC 1.5 PK",
        "10 bar",
        "Kaleng 2 galon",
        "1斤",
        "A4 80 g/m²",
        "kertas 70gr/m2",
    ],
)
def test_words_of_two_meanings_are_no_units(title: str) -> None:
    """Years, months, prepositions, tablets and horsepower are no amounts (fault C1)."""
    assert stated(title) == []


def test_grams_of_four_digits_are_no_years() -> None:
    """Only 1900 to 2099 are years."""
    assert stated("1000 г") == [("mass", "1000g")]


def test_spellings_are_unique() -> None:
    """No word is two units, and none is there twice."""
    words = [word for table in (LATIN, OTHER_SCRIPTS, CUSTOMARY) for line in table.values() for word in line.split()]
    assert len(words) == len(set(words)) == len(UNITS) - 1

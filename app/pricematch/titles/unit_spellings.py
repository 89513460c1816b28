"""How units are written: in Latin letters, in other scripts, and those of the United States.

By dimension and how many of its base unit one is. Words that mean something else as well are left out, so that no
number gets a unit that it has not: `tab` (Galaxy Tab), `bar` (pressure), `pk` (horsepower, or a pack), `can`, `un`, `В`
(volt, and "in" in Russian), `ก.` (gram, and half of "July"), `斤` (500 g here and 600 g there), `galon` (19 l in
Indonesia).
"""

from collections.abc import Mapping
from typing import TypeAlias

Spellings: TypeAlias = Mapping[tuple[str, float], str]

LATIN: Spellings = {
    ("volume", 1): (
        "ml mls mili mililiter mililiters mililitre mililitres milliliter milliliters millilitre millilitres mililit "
        "mililitro mililitros cc ccm cm3"
    ),
    ("volume", 10): "cl",
    ("volume", 1000): "l lt lts ltr ltrs lit litr liter liters litre litres litro litros litri",
    ("mass", 0.000001): "mcg ug",
    ("mass", 0.001): "mg milligram milligrams miligram miligramos miligramas",
    ("mass", 1): "g gr grs grm grms gm gms gram grams gramm gramme grammes gramo gramos grama gramas grammi gam",
    ("mass", 100): "ons",
    ("mass", 1000): "kg kgs kilo kilos quilo quilos kilogram kilograms kilogramo kilogramos",
    ("length", 1): "mm milimeter millimeter millimetre milimetro milimetros",
    ("length", 10): "cm cms centimeter centimeters centimetre centimetres sentimeter centimetro centimetros",
    ("length", 1000): "m mtr mts meter meters metre metres metro metros metri",
    ("area", 0.01): "mm2 sqmm",
    ("area", 1): "cm2 sqcm cmpersegi",
    ("area", 10_000): "m2 sqm sqmtr sqmeter sqmeters sqmetre sqmetres mpersegi meterpersegi",
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
    ("angle", 1): "° deg degree degrees derajat",
    ("time", 1): "hari day days dias",
    ("time", 7): "minggu week weeks semanas",
    ("time", 30): "bulan bln month months meses",
    ("time", 360): "tahun thn th year years yr yrs",
    ("layers", 1): "ply lapis layer layers susun tingkat tier tiers",
    ("colours", 1): "warna color colors colour colours",
    ("count", 1): (
        "pcs pc pce piece pieces biji bj buah bh lembar lbr sheet sheets sachet sachets saset tablet tablets kapsul "
        "capsule capsules kaplet caplet caplets butir strip strips pasang psg pair pairs pack packs pak bks bungkus "
        "botol bottle bottles box boxes dus set sets stel roll rolls rol kotak item items pads ea renceng count ct 's "
        "keping helai potong btl caps softgel softgels pouch pouches bags teabags sticks cans jars unidad unidades "
        "unidade unid unids uds pieza piezas pza pzas pz pzs pezzi peças comprimidos cápsulas paquetes pacotes cajas "
        "caixas frascos rollos rolos pares cái chiếc gói túi viên miếng lon stk stück szt sztuk adet"
    ),
    ("count", 12): "lusin dozen dozens docena docenas dúzia dúzias",
    ("count", 20): "kodi",
}

OTHER_SCRIPTS: Spellings = {
    ("volume", 1): (
        "мл миллилитр миллилитра миллилитров มล มิลลิลิตร มิลลิ ซีซี 毫升 ミリリットル 밀리리터 مل ملل میلی मिली मिलीलीटर"
    ),
    ("volume", 1000): "л литр литра литров літр літра літрів ลิตร 升 公升 リットル 리터 لتر ليتر لیتر लीटर ליטר",
    ("mass", 0.000001): "μg мкг",
    ("mass", 0.001): "мг มก มิลลิกรัม 毫克 ミリグラム 밀리그램 ملجم ملغ",
    ("mass", 1): "гр грамм грамма граммов грам грамів กรัม 克 公克 グラム 그램 جم جرام غرام گرم ग्राम גרם",
    (
        "mass",
        1000,
    ): "кг килограмм กก กิโล กิโลกรัม 公斤 千克 キロ キログラム 킬로 كجم كغ كيلو کیلو کیلوگرم किलो",
    ("length", 1): "мм มม มิลลิเมตร 毫米 ミリ ミリメートル",
    ("length", 10): "см ซม เซนติเมตร 厘米 公分 センチ センチメートル 센티 سم",
    ("length", 1000): "м метр метра метров เมตร 公尺 メートル 미터 متر मीटर",
    ("area", 10_000): "м2 квм ตรม ตารางเมตร 平方米",
    ("power", 1): "вт ватт วัตต์ 瓦 ワット 와트 وات वाट",
    ("power", 1000): "квт",
    ("charge", 1): "мач 毫安",
    ("storage", 0.001): "мб",
    ("storage", 1): "гб",
    ("storage", 1000): "тб",
    ("time", 1): "день дня дней วัน",
    ("time", 30): "мес месяц месяца месяцев เดือน 个月 個月 ヶ月 か月 カ月 개월 महीने",
    ("time", 360): "год года лет ปี 歳",
    ("layers", 1): "слоя слоев ชั้น 层 層",
    ("colours", 1): "цветов цвета สี 色",
    ("count", 1): (
        "шт штук штуки штука уп упак капсул таблеток пар "
        "ชิ้น ขวด แพ็ค แพค ซอง กล่อง เม็ด แคปซูล แผ่น คู่ อัน ถุง ม้วน ชุด กระป๋อง "
        "个 個 片 包 盒 瓶 罐 袋 支 条 條 双 雙 件 套 枚 本 箱 錠 粒 颗 顆 张 張 卷 入 缶 個入 パック セット "
        "개 개입 매 매입 봉지 병 캔 팩 캡슐 عدد قطعة قطع حبة عبوة علبة पीस नग יחידות"
    ),
    ("count", 12): "โหล ダース",
}
"""Units of scripts other than Latin; `г` of Russian is in `units.GRAM`, since it is a year as well."""

CUSTOMARY: Spellings = {
    ("volume", 29.5735295625): "floz flounce flounces",
    ("volume", 473.176473): "pint pints",
    ("volume", 946.352946): "qt qts quart quarts",
    ("volume", 3785.411784): "gal gals gallon gallons",
    ("mass", 28.349523125): "oz ounce ounces onza onzas",
    ("mass", 453.59237): "lb lbs pound pounds",
    (
        "length",
        25.4,
    ): 'inch inches inci inchi in " pulgada pulgadas polegada polegadas zoll дюйм дюймов นิ้ว 英寸 インチ',
    ("length", 304.8): "ft foot feet ' ฟุต 英尺",
    ("length", 914.4): "yd yds yard yards",
    ("area", 6.4516): "sqin sqinch sqinches",
    ("area", 929.0304): "ft2 sqft sqfoot sqfeet",
}

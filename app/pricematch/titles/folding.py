"""The characters of titles made one: case, forms of letters and digits, accents, quotes, signs; and words of them."""

import re
import unicodedata

_WITH_MARKS = ((0x300, 0x3400), (0xA600, 0xAC00), (0xFB00, 0xFF00), (0x10000, 0x12000), (0x16000, 0x1F000))
"""Where Unicode has marks and digits of other scripts."""
_ACCENT_BLOCKS = r"\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
# of Cyrillic stress and the dots of ё: й, ї, ў, ѓ and ќ are letters of their own
_ACCENTS = re.compile(
    rf"(?<=[a-zß-ʯα-ω])[{_ACCENT_BLOCKS}]++|(?<=[аиоуыэюяіѵѣ])[\u0300\u0301]++|(?<=е)[\u0300\u0301\u0308]++"
)
_BLANKS = "™®©℠\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_IGNORED = (
    *(0xAD, 0x34F, 0x61C, 0x640, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x200C, 0x200D, 0x3164, 0xFEFF, 0xFFA0),
    *(*range(0x180B, 0x1810), *range(0x2060, 0x2065), *range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000)),
)
"""Characters that nobody sees, and the stretched line of Arabic: where they stand no word ends."""
_WRITTEN_AS = {
    "'": "’‘‛`´′‵ʹʼ",
    '"': "”“„‟″‶ʺ",
    "-": "‐‑‒–—―−⁃",
    "x": "✕✖╳⨯",
    "/": "∕",
    ".": "٫",
    ",": "٬",
    "%": "٪",
    "°": "˚∘",
    "\u3099": "゛",
    "\u309a": "゜",
    "": "\u2009\u202f",
}
_SMALL_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_UPPER = re.compile(rf"(?<=\d)(?=[{_SMALL_DIGITS}]++[⁄/])")
_SQUARED = re.compile(r"(?<=[mtм])(?=²)")
_RING = re.compile(r"(?<=\d)(?:[ºᵒ](?=\s?[cf](?![^\W_]))|(?<=\d\d)[ºᵒ](?![^\W_]))", re.IGNORECASE)
_EMOJI = re.compile(r"[^\w#*\s]\ufe0f")
_KEYCAP = re.compile(r"\ufe0f?\u20e3(?=\d\ufe0f?\u20e3)")
_DIAMETER = re.compile(r"(?<![^\W_])[øφ](?=\d)")
_NUMBERED = (*range(0x2460, 0x2474), *range(0x24EB, 0x24FF), *range(0x2776, 0x2794))
"""Digits in circles."""
_PICTURES = (0x2139, *range(0x1F200, 0x1F266))
"""Emoji that are made of letters."""
_SQUARES = {0x339F: "mm^2", 0x33A0: "cm^2", 0x33A1: "m^2"}
_QUOTED = re.compile(r"""["'](?<![^\s(\[{,;:/-].)(?:(?<=")(?=[^\s"])([^"]*+)"|(?<=')(?=[^\s'])([^']*+)'(?![^\W_]))""")
_THOUSANDS = re.compile(r"(?<![\w.,'])(\d{1,3})(?:'(?=\d{3}(?!\d))|\s(?=000(?!\d)))")
_SUFFIX = re.compile(
    r"\+(?<=[^\W_].)(?![^\W_]|\+)|\s\+(?:(?<=\d..)(?=\s?+(?:$|[,;/|)\]]))|(?<=spf\d\d..)(?!\S)|(?<=spf\s\d\d..)(?!\S))"
)
_PLUS = re.compile(r"(?<=\d)plus(?![^\W_])")
_PROTECTION = re.compile(r"(?<![^\W_])pa\s(?=\+)")
_TOLERANCE = re.compile(r"\+/?-(?=\s?\d)")
_SHARP = re.compile(r"#(?<=[a-g].)(?<![^\W_]..)(?![^\W_])")
_SIGNED = re.compile(r"[-+](?<![^\s(\[].)(?<!\d\s.)(?=\d++[.,]\d)")
_SIGNS = {"-": "minus ", "+": "plus "}


def _characters() -> tuple[str, dict[int, str]]:
    """The marks of all scripts, for a class of a regular expression; what each of some characters is written as."""
    marks, table = list[str](), dict.fromkeys(_IGNORED, "") | dict.fromkeys([*map(ord, _BLANKS), *_PICTURES], " ")
    for code in (code for first, last in _WITH_MARKS for code in range(first, last)):
        letter = chr(code)
        category = unicodedata.category(letter)
        if category in ("Mn", "Mc") and code not in table:
            marks.append(letter)
        elif category == "Nd":
            table[code] = str(unicodedata.decimal(letter))
    table |= {ord(letter): plain for plain, letters in _WRITTEN_AS.items() for letter in letters}
    # a blank before, or 1½ would be 11⁄2
    fractions = (chr(code) for code in (*range(0xBC, 0xBF), *range(0x2150, 0x2160), 0x2189))
    table |= _SQUARES | {ord(it): f" {unicodedata.normalize('NFKC', it)}" for it in fractions}
    return "".join(marks), table | {code: f" {unicodedata.numeric(chr(code)):.0f} " for code in _NUMBERED}


MARKS, _TABLE = _characters()
"""Of all scripts, for a class of a regular expression; and what each of some characters is written as."""
_LETTERS = r"[^\W\d_]++"
WORD = {True: _LETTERS, False: rf"{_LETTERS}(?>(?:[{MARKS}]++[^\W\d_]*+)*)"}
"""Pattern of a word of letters, in a text that is ASCII and in one that is not.

Marks, such as the vowels of Thai and Hindi, are letters of a word, though `\\w` lacks them."""
_RUN = {plain: re.compile(rf"{word}|\d++|(?<=[^\W_])\+\++") for plain, word in WORD.items()}


def fold(title: str) -> str:
    """A title in one case and one way of writing each character.

    NFKC, casefolded; Latin and Greek letters without accents, Cyrillic ones without stress, all others with their
    marks; digits of every script as ours, quotes straight, what nobody sees left out. Signs that tell products apart
    are words: `S21+` is `s21 plus`. Quotes that are left are units (5' and 5"), those around words are blanks.

    >>> fold("L’Oréal™ ＳＡＬＥ"), fold("Galaxy S21+ 1½ l"), fold('"Best" 24"')
    ("l'oreal  sale", 'galaxy s21 plus  1 1⁄2 l', ' best  24"')
    """
    if title.isascii():
        plain = title.lower()
    else:
        plain = _symbols(unicodedata.normalize("NFC", title)).translate(_TABLE)
        # again what NFKC has made of others, as a plain minus of a small one
        plain = unicodedata.normalize("NFKC", plain).translate(_TABLE).casefold()
        plain = unicodedata.normalize("NFKD", plain)
        plain = unicodedata.normalize("NFC", _ACCENTS.sub("", plain))
        if "ø" in plain or "φ" in plain:
            plain = _DIAMETER.sub(" ", plain)
    return _signs(plain)


def runs(folded: str, start: int = 0, stop: int | None = None) -> list[str]:
    """Words of letters, runs of digits and of two + or more in a part of a folded title, in order."""
    return _RUN[folded.isascii()].findall(folded, start, len(folded) if stop is None else stop)


def _symbols(title: str) -> str:
    """A title whose symbols are told from the letters and digits that NFKC makes of them."""
    if "\ufe0f" in title or "\u20e3" in title:
        title = _KEYCAP.sub("", _EMOJI.sub(" ", title)).replace("\u20e3", " ")
    if "º" in title or "ᵒ" in title:
        title = _RING.sub("°", title)
    return _UPPER.sub(" ", _SQUARED.sub("^", title) if "²" in title else title)


def _signs(folded: str) -> str:
    """Signs made words, and quotes units."""
    if "`" in folded or "'" in folded or '"' in folded:
        folded = _QUOTED.sub(_between_blanks, folded.replace("`", "'").replace("''", '"'))
    if "'" in folded or " 000" in folded:
        folded = _THOUSANDS.sub(r"\1", folded)
    if "plus" in folded:
        folded = _PLUS.sub(" plus ", folded)
    if "+" in folded:
        folded = _PROTECTION.sub("pa", _TOLERANCE.sub("±", folded))
    if "+" in folded or "-" in folded:
        folded = _SIGNED.sub(lambda sign: _SIGNS[sign[0]], folded)
    if "+" in folded:
        folded = _SUFFIX.sub(" plus ", folded)
    return _SHARP.sub(" sharp ", folded) if "#" in folded else folded


def _between_blanks(quoted: re.Match[str]) -> str:
    return f" {quoted[1] or quoted[2]} "

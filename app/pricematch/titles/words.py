"""Titles made alike, and their words: case, accents, punctuation, and the ways to write a quantity."""

import re
import unicodedata

from pricematch.titles.quantities import Amount, amounts, written

_SIGNS = re.compile(r"[™®©℠\u200b-\u200f\u2060\ufe00-\ufe0f]")
_ACCENTS = re.compile(r"(?<=[a-z])[\u0300-\u036f]++")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "”": '"', "“": '"', "″": '"'})
_RUN = re.compile(r"[^\W\d_]+|\d+")


def fold(title: str) -> str:
    """A title in one case and one way of writing each letter: NFKC, casefolded, Latin letters without accents.

    Full-width and styled letters become plain ones, signs such as ™ and invisible characters blanks, quotes straight.
    Letters of other scripts keep their marks.

    >>> fold("L’Oréal™ ＳＡＬＥ")
    "l'oreal  sale"
    """
    plain = unicodedata.normalize("NFKC", _SIGNS.sub(" ", title.translate(_QUOTES))).casefold()
    if plain.isascii():
        return plain
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", plain)))


def words(title: str) -> list[str]:
    """The words of a title, in order, repeated ones as often as they are there.

    A word is a run of letters, a run of digits, or a quantity in its base unit.

    >>> words("Nescafé Éclair LATTE 0,22 liter (isi 3pcs) SM-A515F")
    ['nescafe', 'eclair', 'latte', '220ml', 'isi', '3pcs', 'sm', 'a', '515', 'f']
    """
    folded = fold(title)
    found: list[str] = []
    done = 0
    for amount in amounts(folded):
        if amount.quantities:
            found += _RUN.findall(folded, done, amount.start)
            found += _tokens(amount)
            done = amount.stop
    return found + _RUN.findall(folded, done)


def runs(title: str) -> list[str]:
    """A title's runs of letters and runs of digits, folded, in order, with quantities as they are written.

    >>> runs("LATTE 0,22 liter")
    ['latte', '0', '22', 'liter']
    """
    return _RUN.findall(fold(title))


def _tokens(amount: Amount) -> list[str]:
    quantities = [quantity.token for quantity in amount.quantities]
    lengths = [written(length) for extent in amount.extents for length in extent]
    return quantities + lengths + [run for number in amount.numbers for run in _RUN.findall(number)]

"""Titles normalised and parsed: case, accents, punctuation, the ways to write a quantity; words and attributes."""

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pricematch.titles.attributes import Attribute, extract_attributes
from pricematch.titles.quantities import Amount, amounts, written

_SIGNS = re.compile(r"[™®©℠\u200b-\u200f\u2060\ufe00-\ufe0f]")
_ACCENTS = re.compile(r"(?<=[a-z])[\u0300-\u036f]++")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "”": '"', "“": '"', "″": '"'})
_RUN = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True, slots=True)
class ParsedTitle:
    """A title and what is read from it, once for all that compare titles.

    Attributes:
        text: the title as it was given, "" where there is none.
        words: runs of letters, runs of digits, and quantities in their base unit, folded, in order.
        runs: runs of letters and runs of digits, folded, in order, with quantities as they are written.
        attributes: what the title states, each once; see `extract_attributes`.
    """

    text: str
    words: tuple[str, ...]
    runs: tuple[str, ...]
    attributes: tuple[Attribute, ...]


def parse_title(text: str) -> ParsedTitle:
    """Fold a title and read its words and attributes.

    >>> title = parse_title("Nescafé Éclair LATTE 0,22 liter (isi 3pcs) SM-A515F")
    >>> title.words
    ('nescafe', 'eclair', 'latte', '220ml', 'isi', '3pcs', 'sm', 'a', '515', 'f')
    >>> title.runs[2:6]
    ('latte', '0', '22', 'liter')
    >>> [f"{attribute.kind}: {attribute.shown}" for attribute in title.attributes]
    ['volume: 220 ml', 'count: 3', 'model: SM-A515F', 'number: 515']
    """
    folded = fold(text)
    numbers = [*amounts(folded)]
    # interned: titles of one catalogue have most of their words in common
    words, runs = (tuple(map(sys.intern, found)) for found in (_words(folded, numbers), _RUN.findall(folded)))
    return ParsedTitle(text, words, runs, tuple(extract_attributes(folded, numbers)))


def parse_titles(texts: Iterable[str]) -> list[ParsedTitle]:
    """Parse some titles, in order."""
    return [parse_title(text) for text in texts]


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


def _words(folded: str, numbers: Sequence[Amount]) -> list[str]:
    """The words of a folded title, in order, repeated ones as often as they occur."""
    found: list[str] = []
    done = 0
    for amount in numbers:
        if amount.quantities:
            found += _RUN.findall(folded, done, amount.start)
            found += _tokens(amount)
            done = amount.stop
    return found + _RUN.findall(folded, done)


def _tokens(amount: Amount) -> list[str]:
    quantities = [quantity.token for quantity in amount.quantities]
    lengths = [written(length) for extent in amount.extents for length in extent]
    return quantities + lengths + [run for number in amount.numbers for run in _RUN.findall(number)]

"""How long titles are, and which words they hold."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"[^\W_]{2,}")


@dataclass(frozen=True, eq=False)
class TitleFacts:
    """Of m titles.

    Attributes:
        characters: int64 [m], the length of each.
        words: int64 [m], the number of words between white space.
        common: the commonest words and how many titles hold them, descending, equal ones in alphabetical order.
    """

    characters: NDArray[np.int64]
    words: NDArray[np.int64]
    common: tuple[tuple[str, int], ...]


def describe_titles(titles: Sequence[str], common: int) -> TitleFacts:
    """Lengths of titles, and their `common` commonest words."""
    characters = np.array([len(title) for title in titles], np.int64)
    words = np.array([len(title.split()) for title in titles], np.int64)
    holding = Counter(word for title in titles for word in words_of(title))
    ranked = sorted(holding.items(), key=lambda item: (-item[1], item[0]))
    return TitleFacts(characters, words, tuple(ranked[:common]))


def words_of(title: str) -> set[str]:
    """The words of a title in lower case: runs of at least two letters or digits.

    >>> sorted(words_of("Kaos POLOS pria_XL, 2 pcs (100% cotton)"))
    ['100', 'cotton', 'kaos', 'pcs', 'polos', 'pria', 'xl']
    """
    return set(_WORD.findall(title.lower()))

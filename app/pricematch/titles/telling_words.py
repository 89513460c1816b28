"""The words that say most of two titles: those that both hold, and those that only one of them holds."""

from collections.abc import Callable, Sequence

from pricematch.titles.variants import VARIANTS_OF
from pricematch.titles.words import words

MOST_WORDS = 3
_LONGEST = 24
_RARE_SHARE, _ALWAYS_RARE = 0.002, 5


def told(left: str, right: str, held: Callable[[str], int], size: float, *, speaks_for: bool) -> str | None:
    """A sentence on the words of two titles that fits what it speaks for; None where there is none.

    Args:
        left: one title.
        right: the other.
        held: how many titles of the catalogue hold a word.
        size: postings of the catalogue.
        speaks_for: whether it is to speak for the same product, or against it.
    """
    ours, theirs = words(left), words(right)
    if not ours or not theirs:
        return None
    return _shared(ours, theirs, held, size) if speaks_for else _apart(ours, theirs, held)


def _shared(ours: Sequence[str], theirs: Sequence[str], held: Callable[[str], int], size: float) -> str | None:
    if ours == theirs:
        return "titles have the same words"
    shared = _rarest(ours, set(theirs).__contains__, held)
    if not shared:
        return None
    rare = [word for word in shared if _is_rare(held(word), size)]
    return f"titles share the {'rare ' if rare else ''}{_quoted(rare or shared)}"


def _apart(ours: Sequence[str], theirs: Sequence[str], held: Callable[[str], int]) -> str | None:
    if not set(ours) & set(theirs):
        return "titles share no word"
    ours_alone = _rarest(ours, lambda word: word not in theirs, held)
    theirs_alone = _rarest(theirs, lambda word: word not in ours, held)
    if ours_alone and theirs_alone:
        return f"titles differ: {_listed(ours_alone)} against {_listed(theirs_alone)}"
    alone = ours_alone or theirs_alone
    return f"only one title has the {_quoted(alone)}" if alone else None


def _rarest(candidates: Sequence[str], kept: Callable[[str], bool], held: Callable[[str], int]) -> list[str]:
    """Words of letters, the rarest first, but such that one posting at most has behind all others.

    Those are misspelled more often than they tell products apart. Quantities, models and variants are left out, being
    facts, which are told by themselves.
    """
    found = [word for word in dict.fromkeys(candidates) if kept(word) and _tells(word)]
    counts = {word: held(word) for word in found}
    return sorted(found, key=lambda word: (counts[word] < 2, counts[word]))[:MOST_WORDS]


def _tells(word: str) -> bool:
    return word.isalpha() and word not in VARIANTS_OF and not (word.isascii() and len(word) < 2)


def _is_rare(count: int, size: float) -> bool:
    return count <= max(_ALWAYS_RARE, _RARE_SHARE * size) and 4 * count <= size


def _quoted(found: Sequence[str]) -> str:
    return f"word{'s' if len(found) > 1 else ''} {_listed(found)}"


def _listed(found: Sequence[str]) -> str:
    return ", ".join(f"'{word if len(word) <= _LONGEST else word[: _LONGEST - 1] + '…'}'" for word in found)

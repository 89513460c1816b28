"""Two titles compared in words for people: their attributes, and the words that tell most."""

from collections.abc import Callable, Mapping, Sequence

from pricematch.titles.lexicon import VARIANTS_OF
from pricematch.titles.normalise import KINDS, Attribute, ParsedTitle

MOST_WORDS = 3
"""Words of one title in a sentence."""
_CALLED = {"count": "pack of ", "number": "number ", "model": "model ", "size": "size "}
_MOST_VALUES = 4
_LONGEST = 24
_RARE_SHARE, _ALWAYS_RARE = 0.002, 5


def agreements(left: ParsedTitle, right: ParsedTitle) -> dict[str, str]:
    """What both titles state, by kind in the order of `KINDS`.

    >>> from pricematch.titles.normalise import parse_title
    >>> left, right = parse_title("Galaxy SM-A515F black 128GB"), parse_title("Samsung SM A515F / SM-A515F hitam")
    >>> agreements(left, right)
    {'number': 'both say number 515', 'model': 'both say model SM-A515F', 'colour': 'both say black'}
    """
    ours, theirs = _by_kind(left), _by_kind(right)
    shared = {kind: [stated for stated in ours[kind] if stated in theirs[kind]] for kind in KINDS}
    return {kind: f"both say {_named(kind, both)}" for kind, both in shared.items() if both}


def differences(left: ParsedTitle, right: ParsedTitle) -> dict[str, str]:
    """Where two titles contradict each other, by kind in the order of `KINDS`: each states what the other does not.

    A pack of several is also a difference to a title that does not say how many.

    >>> from pricematch.titles.normalise import parse_title
    >>> bottles = parse_title("Teh botol 200ml isi 3")
    >>> differences(bottles, parse_title("Teh botol 0,35 L 1pcs"))
    {'volume': '200 ml against 350 ml', 'count': 'pack of 3 against 1'}
    >>> differences(bottles, parse_title("Teh botol"))
    {'count': 'pack of 3 against no number'}
    >>> differences(parse_title("Teh mawar rasa lemon"), parse_title("Teh mawar rasa leci"))
    {'flavour': 'lemon against lychee'}
    """
    ours, theirs = _by_kind(left), _by_kind(right)
    found = {}
    for kind in KINDS:
        one, other = ours[kind], theirs[kind]
        left_alone, right_alone = _without(one, other), _without(other, one)
        if left_alone and right_alone:
            found[kind] = f"{_named(kind, left_alone)} against {_values(right_alone)}"
        elif kind == "count" and any(attribute.shown != "1" for attribute in [*one, *other]) and not (one and other):
            left_says, right_says = (_named(kind, stated) if stated else "no number" for stated in (one, other))
            found[kind] = f"{left_says} against {right_says}"
    return found


def one_sided(left: ParsedTitle, right: ParsedTitle) -> dict[str, str]:
    """What one title states and the other does not, by kind in the order of `KINDS`.

    >>> from pricematch.titles.normalise import parse_title
    >>> one_sided(parse_title("Galaxy SM-A515F black 128GB"), parse_title("Galaxy SM-A515F"))
    {'storage': 'only one says 128 GB', 'colour': 'only one says black'}
    """
    ours, theirs = _by_kind(left), _by_kind(right)
    found = {}
    for kind in KINDS:
        if apart := [*_without(ours[kind], theirs[kind]), *_without(theirs[kind], ours[kind])]:
            found[kind] = f"only one says {_named(kind, apart)}"
    return found


def word_sentence(
    left: ParsedTitle, right: ParsedTitle, titles_with: Callable[[str], int], size: float, *, speaks_for: bool
) -> str | None:
    """A sentence on the words of two titles, for the same product or against it; None where there is none.

    Args:
        left: one title.
        right: the other.
        titles_with: how many titles of the catalogue hold a word.
        size: postings of the catalogue.
        speaks_for: whether the sentence is to speak for the same product, or against it.
    """
    if not left.words or not right.words:
        return None
    if speaks_for:
        return _shared(left.words, right.words, titles_with, size)
    return _apart(left.words, right.words, titles_with)


def _by_kind(title: ParsedTitle) -> Mapping[str, Sequence[Attribute]]:
    """The attributes of a title by kind."""
    found: dict[str, list[Attribute]] = {kind: [] for kind in KINDS}
    for attribute in title.attributes:
        found[attribute.kind].append(attribute)
    return found


def _without(attributes: Sequence[Attribute], others: Sequence[Attribute]) -> list[Attribute]:
    return [attribute for attribute in attributes if attribute not in others]


def _named(kind: str, attributes: Sequence[Attribute]) -> str:
    return _CALLED.get(kind, "") + _values(attributes)


def _values(attributes: Sequence[Attribute]) -> str:
    """Values with commas between; beyond four, that there are more."""
    more = ["…"] if len(attributes) > _MOST_VALUES else []
    return ", ".join([attribute.shown for attribute in attributes[:_MOST_VALUES]] + more)


def _shared(ours: Sequence[str], theirs: Sequence[str], titles_with: Callable[[str], int], size: float) -> str | None:
    if ours == theirs:
        return "titles have the same words"
    shared = _rarest(ours, set(theirs).__contains__, titles_with)
    if not shared:
        return None
    rare = [word for word in shared if _is_rare(titles_with(word), size)]
    return f"titles share the {'rare ' if rare else ''}{_quoted(rare or shared)}"


def _apart(ours: Sequence[str], theirs: Sequence[str], titles_with: Callable[[str], int]) -> str | None:
    if not set(ours) & set(theirs):
        return "titles share no word"
    ours_alone = _rarest(ours, lambda word: word not in theirs, titles_with)
    theirs_alone = _rarest(theirs, lambda word: word not in ours, titles_with)
    if ours_alone and theirs_alone:
        return f"titles differ: {_listed(ours_alone)} against {_listed(theirs_alone)}"
    alone = ours_alone or theirs_alone
    return f"only one title has the {_quoted(alone)}" if alone else None


def _rarest(words: Sequence[str], kept: Callable[[str], bool], titles_with: Callable[[str], int]) -> list[str]:
    """Words of letters, the rarest first, but such that one posting at most has behind all others.

    Those are misspelled more often than they tell products apart. Quantities, models and variants are left out: they
    have sentences of their own, as attributes.
    """
    found = [word for word in dict.fromkeys(words) if kept(word) and _tells(word)]
    counts = {word: titles_with(word) for word in found}
    return sorted(found, key=lambda word: (counts[word] < 2, counts[word]))[:MOST_WORDS]


def _tells(word: str) -> bool:
    return word.isalpha() and word not in VARIANTS_OF and not (word.isascii() and len(word) < 2)


def _is_rare(count: int, size: float) -> bool:
    return count <= max(_ALWAYS_RARE, _RARE_SHARE * size) and 4 * count <= size


def _quoted(found: Sequence[str]) -> str:
    return f"word{'s' if len(found) > 1 else ''} {_listed(found)}"


def _listed(found: Sequence[str]) -> str:
    return ", ".join(f"'{word if len(word) <= _LONGEST else word[: _LONGEST - 1] + '…'}'" for word in found)

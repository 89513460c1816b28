"""Sentences on the titles of a pair: their words, and the facts that they state.

Families of facts are the groups of attributes that titles are compared by.
"""

from collections.abc import Mapping, Sequence
from math import exp
from typing import TypeAlias

from pricematch.titles.comparison import GROUPS
from pricematch.titles.lexicon import VARIANTS_OF
from pricematch.titles.normalise import Attribute, ParsedTitle

PART_OF = {"number": "model"}
"""Numbers are parts of model codes, which are named instead of them."""
FACTS = tuple(group for group in GROUPS if group not in PART_OF)
"""Families of facts that titles state."""
MOST_WORDS = 3
"""Words of one title in a sentence."""

_KINDS_OF = {
    family: (*GROUPS[family], *(kind for part, whole in PART_OF.items() if whole == family for kind in GROUPS[part]))
    for family in FACTS
}
_ALIKE_BLENDS = 0.5
_CALLED = {"count": "pack of ", "number": "number ", "model": "model ", "size": "size "}
_MOST_VALUES = 4
_LONGEST = 24
_RARE_SHARE, _ALWAYS_RARE = 0.002, 5

Both: TypeAlias = tuple[str | None, str | None]
"""A sentence for the same product, and one against it; None where there is none."""
_Words: TypeAlias = Sequence[str]


def title_sentences(
    values: Mapping[str, float], left: ParsedTitle, right: ParsedTitle, counts: Mapping[str, int]
) -> Both:
    """On the words of both titles.

    Args:
        values: by name the features of the pair that are known.
        left: the one title,
        right: and the other.
        counts: by word, how many titles of the catalogue hold it.
    """
    shared = apart = None
    if left.words and right.words:
        shared = _shared(left.words, right.words, counts, exp(values["catalogue_size"]))
        apart = _apart(left.words, right.words, counts)
    plain, blended = (values.get(f"{name}_similarity", 0) for name in ("words", "blend"))
    if shared is None and left.text and right.text and plain < _ALIKE_BLENDS <= blended:
        shared = "postings like these two have titles alike"
    return shared, apart


def facts_sentences(left: Sequence[Attribute], right: Sequence[Attribute]) -> tuple[dict[str, Both], set[str]]:
    """On the attributes of both titles by family of facts, of each the first kind that gives a sentence.

    For the same product speaks what both state; against it a contradiction, or else what only one states. It is a
    contradiction where each states what the other does not, and where only one says how many are in its pack, unless
    that is one.

    Returns:
        The sentences, and the families that hold a contradiction.
    """
    ours, theirs = _by_kind(left), _by_kind(right)
    agreed, contradictions, one_sided = dict[str, str](), dict[str, str](), dict[str, str]()
    for kind in ours.keys() | theirs.keys():
        one, other = ours.get(kind, ()), theirs.get(kind, ())
        own, others = [it for it in one if not it.agrees(other)], [it for it in other if not it.agrees(one)]
        if both := [it for it in one if it.agrees(other)]:
            agreed[kind] = f"both say {_named(kind, both)}"
        if own or others:
            one_sided[kind] = f"only one says {_named(kind, [*own, *others])}"
        if own and others:
            contradictions[kind] = f"{_named(kind, own)} against {_values(others)}"
        elif kind == "count" and not (one and other) and any(it.shown != "1" for it in (*one, *other)):
            packs = (_named(kind, stated) if stated else "no number" for stated in (one, other))
            contradictions[kind] = " against ".join(packs)
    sentences_of = {
        family: (_first(kinds, agreed), _first(kinds, contradictions) or _first(kinds, one_sided))
        for family, kinds in _KINDS_OF.items()
    }
    return sentences_of, {family for family, kinds in _KINDS_OF.items() if not contradictions.keys().isdisjoint(kinds)}


def _first(kinds: Sequence[str], texts: Mapping[str, str]) -> str | None:
    """The text of the first kind that has one."""
    return next((texts[kind] for kind in kinds if kind in texts), None) if texts else None


def _by_kind(attributes: Sequence[Attribute]) -> Mapping[str, Sequence[Attribute]]:
    found: dict[str, list[Attribute]] = {}
    for attribute in attributes:
        found.setdefault(attribute.kind, []).append(attribute)
    return found


def _named(kind: str, attributes: Sequence[Attribute]) -> str:
    return _CALLED.get(kind, "") + _values(attributes)


def _values(attributes: Sequence[Attribute]) -> str:
    """Values with commas between; beyond four, that there are more."""
    more = ["…"] if len(attributes) > _MOST_VALUES else []
    return ", ".join([attribute.shown for attribute in attributes[:_MOST_VALUES]] + more)


def _shared(ours: _Words, theirs: _Words, counts: Mapping[str, int], size: float) -> str | None:
    if ours == theirs:
        return "titles have the same words"
    if not (shared := _rarest(ours, set(ours) & set(theirs), counts)):
        return None
    most = min(max(_ALWAYS_RARE, _RARE_SHARE * size), size / 4)
    rare = [word for word in shared if counts.get(word, 0) <= most]
    return f"titles share the {'rare ' if rare else ''}{_quoted(rare or shared)}"


def _apart(ours: _Words, theirs: _Words, counts: Mapping[str, int]) -> str | None:
    one, other = set(ours), set(theirs)
    if not one & other:
        return "titles share no word"
    left, right = _rarest(ours, one - other, counts), _rarest(theirs, other - one, counts)
    if left and right:
        return f"titles differ: {_listed(left)} against {_listed(right)}"
    return f"only one title has the {_quoted(left or right)}" if left or right else None


def _rarest(words: _Words, kept: set[str], counts: Mapping[str, int]) -> list[str]:
    """Words of letters, the rarest first, but such that one posting at most has behind all others.

    Those are misspelled more often than they tell products apart. Quantities, models and variants are left out: they
    have sentences of their own, as attributes.
    """
    found = [
        word
        for word in dict.fromkeys(words)
        if word in kept and word.isalpha() and word not in VARIANTS_OF and not (word.isascii() and len(word) < 2)
    ]
    return sorted(found, key=lambda word: (counts.get(word, 0) < 2, counts.get(word, 0)))[:MOST_WORDS]


def _quoted(found: Sequence[str]) -> str:
    return f"word{'s' if len(found) > 1 else ''} {_listed(found)}"


def _listed(found: Sequence[str]) -> str:
    return ", ".join(f"'{word if len(word) <= _LONGEST else word[: _LONGEST - 1] + '…'}'" for word in found)

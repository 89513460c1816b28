"""What the facts of two titles say of the pair, in words for people."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from pricematch.titles.statements import KINDS, Fact, statements

_CALLED = {"count": "pack of ", "number": "number ", "model": "model ", "size": "size "}
_MOST_VALUES = 4


def agreements(left: str, right: str) -> dict[str, str]:
    """What both titles state, by kind in the order of `KINDS`.

    >>> agreements("Galaxy SM-A515F black 128GB", "Samsung SM A515F / SM-A515F hitam")
    {'number': 'both say number 515', 'model': 'both say model SM-A515F', 'colour': 'both say black'}
    """
    ours, theirs = _by_kind(left), _by_kind(right)
    shared = {kind: [fact for fact in ours[kind] if fact in theirs[kind]] for kind in KINDS}
    return {kind: f"both say {_named(kind, facts)}" for kind, facts in shared.items() if facts}


def differences(left: str, right: str) -> dict[str, str]:
    """Where two titles contradict each other, by kind in the order of `KINDS`: each states what the other does not.

    A pack of several is also a difference to a title that does not say how many.

    >>> differences("Teh botol 200ml isi 3", "Teh botol 0,35 L 1pcs")
    {'volume': '200 ml against 350 ml', 'count': 'pack of 3 against 1'}
    >>> differences("Teh botol 200ml isi 3", "Teh botol")
    {'count': 'pack of 3 against no number'}
    >>> differences("Teh mawar rasa lemon", "Teh mawar rasa leci")
    {'flavour': 'lemon against lychee'}
    """
    ours, theirs = _by_kind(left), _by_kind(right)
    found = {}
    for kind in KINDS:
        one, other = ours[kind], theirs[kind]
        left_alone, right_alone = _without(one, other), _without(other, one)
        if left_alone and right_alone:
            found[kind] = f"{_named(kind, left_alone)} against {_values(right_alone)}"
        elif kind == "count" and any(fact.shown != "1" for fact in [*one, *other]) and not (one and other):
            left_says, right_says = (_named(kind, facts) if facts else "no number" for facts in (one, other))
            found[kind] = f"{left_says} against {right_says}"
    return found


def one_sided(left: str, right: str) -> dict[str, str]:
    """What one title states and the other does not, by kind in the order of `KINDS`.

    >>> one_sided("Galaxy SM-A515F black 128GB", "Galaxy SM-A515F")
    {'storage': 'only one says 128 GB', 'colour': 'only one says black'}
    """
    ours, theirs = _by_kind(left), _by_kind(right)
    found = {}
    for kind in KINDS:
        if apart := [*_without(ours[kind], theirs[kind]), *_without(theirs[kind], ours[kind])]:
            found[kind] = f"only one says {_named(kind, apart)}"
    return found


@lru_cache(maxsize=1024)
def _by_kind(title: str) -> Mapping[str, Sequence[Fact]]:
    """The facts of a title; kept, since one title is compared with many."""
    stated = statements(title)
    return MappingProxyType({kind: tuple(fact for fact in stated if fact.kind == kind) for kind in KINDS})


def _without(facts: Sequence[Fact], others: Sequence[Fact]) -> list[Fact]:
    return [fact for fact in facts if fact not in others]


def _named(kind: str, facts: Sequence[Fact]) -> str:
    return _CALLED.get(kind, "") + _values(facts)


def _values(facts: Sequence[Fact]) -> str:
    """Values with commas between; beyond four, that there are more."""
    more = ["…"] if len(facts) > _MOST_VALUES else []
    return ", ".join([fact.shown for fact in facts[:_MOST_VALUES]] + more)

"""Verdicts that cannot all be true: what is the same as the same is the same."""

from collections import deque
from collections.abc import Container, Sequence
from dataclasses import dataclass

from pricematch.catalogue.disjoint_sets import DisjointSets
from pricematch.catalogue.verdicts import Verdicts


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two postings that somebody said are different, and a chain of verdicts by which they are the same.

    Attributes:
        first, second: the two, first < second.
        chain: posting_ids from first to second, each said to be the same as the next; no chain is shorter.
    """

    first: str
    second: str
    chain: Sequence[str]


def contradictions(verdicts: Verdicts) -> list[Contradiction]:
    """All of them, by their ids; time grows with the verdicts, and with those of a chain for each that there is."""
    sets = DisjointSets[str]()
    for one, other, said in verdicts:
        if said == "same":
            sets.join(one, other)
    return [
        Contradiction(one, other, _chain(verdicts, one, other))
        for one, other, said in verdicts
        if said == "different" and sets.find(one) == sets.find(other)
    ]


def among(found: Sequence[Contradiction], posting_ids: Container[str]) -> list[Contradiction]:
    """Those whose two postings are both among some; the chain between them may lead over others."""
    return [it for it in found if it.first in posting_ids and it.second in posting_ids]


def _chain(verdicts: Verdicts, first: str, second: str) -> list[str]:
    """The shortest way from one to another over verdicts that say the same; of equally short ones, by lower ids."""
    before: dict[str, str] = {first: first}
    waiting = deque([first])
    while second not in before:
        one = waiting.popleft()
        for other, said in sorted(verdicts.of(one).items()):
            if said == "same" and other not in before:
                before[other] = one
                waiting.append(other)
    chain = [second]
    while chain[-1] != first:
        chain.append(before[chain[-1]])
    return chain[::-1]

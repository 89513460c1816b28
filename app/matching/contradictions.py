"""Verdicts that cannot all be true: what is the same as the same is the same."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.matching.verdicts import Verdicts


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
    group = _groups(verdicts)
    apart = [(one, other) for one, other, said in verdicts if said == "different"]
    return [
        Contradiction(one, other, _chain(verdicts, one, other))
        for one, other in apart
        if group.get(one, one) == group.get(other, other)
    ]


def _groups(verdicts: Verdicts) -> Mapping[str, str]:
    """What stands for all that are the same as a posting, by posting_id; one that is the same as no other is absent."""
    stands: dict[str, str] = {}

    def root(posting_id: str) -> str:
        while stands.get(posting_id, posting_id) != posting_id:
            stands[posting_id] = stands[stands[posting_id]]  # halves the way for whoever comes next
            posting_id = stands[posting_id]
        return posting_id

    for one, other, said in verdicts:
        if said == "same":
            stands.setdefault(one, one)
            stands.setdefault(other, other)
            stands[root(one)] = root(other)
    return {posting_id: root(posting_id) for posting_id in stands}


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

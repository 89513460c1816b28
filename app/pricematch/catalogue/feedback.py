"""People's feedback on pairs of postings: must-links, cannot-links, contradictions, corrected label groups."""

from collections import Counter, deque
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeAlias, TypeVar

from pricematch.catalogue.records import Decision, FeedbackChange

T = TypeVar("T", bound=Hashable)
_NOTHING: Mapping[str, Decision] = MappingProxyType({})
_Node: TypeAlias = tuple[bool, str]
"""A label group (True, its label), or a set of must-linked postings (False, its representative)."""


class Feedback:
    """People's decisions on pairs of postings, whether these are in the catalogue or not. Immutable.

    Args:
        decisions: by posting_id, the decision on each other posting; symmetric.
    """

    def __init__(self, decisions: Mapping[str, Mapping[str, Decision]] = MappingProxyType({})) -> None:
        self._decisions = decisions

    def __len__(self) -> int:
        return sum(len(others) for others in self._decisions.values()) // 2

    def __iter__(self) -> Iterator[tuple[str, str, Decision]]:
        """Each pair once, the lower id first, in ascending order."""
        pairs = ((one, other, it) for one, others in self._decisions.items() for other, it in others.items())
        return iter(sorted(pair for pair in pairs if pair[0] < pair[1]))

    def of(self, posting_id: str) -> Mapping[str, Decision]:
        """The decisions on a posting and others, by their ids."""
        return self._decisions.get(posting_id, _NOTHING)

    def changed(self, changes: Iterable[FeedbackChange]) -> "Feedback":
        """The feedback after some changes."""
        decisions = dict(self._decisions)
        for change in changes:
            for one, other in ((change.first, change.second), (change.second, change.first)):
                others = {key: decision for key, decision in decisions.get(one, _NOTHING).items() if key != other}
                if change.decision is not None:
                    others[other] = change.decision
                decisions[one] = MappingProxyType(others)
                if not others:
                    del decisions[one]
        return Feedback(decisions)


NO_FEEDBACK = Feedback()


class DisjointSets(Generic[T]):
    """Sets that only ever join (Galler and Fischer: An improved equivalence algorithm, 1964).

    Each item is in one set; one that was never joined is in a set of its own.
    """

    def __init__(self) -> None:
        self._parent: dict[T, T] = {}

    def find(self, item: T) -> T:
        """The representative of an item's set."""
        parents = self._parent
        while (parent := parents.get(item, item)) != item:
            parents[item] = parents.get(parent, parent)  # path halving
            item = parent
        return item

    def join(self, one: T, other: T) -> None:
        """Make one set of two."""
        self._parent[self.find(one)] = self.find(other)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A cannot-link between two postings that must-links connect.

    Attributes:
        first, second: the ids of the two, first < second.
        chain: posting_ids from first to second, each must-linked to the next; no chain is shorter.
    """

    first: str
    second: str
    chain: Sequence[str]


def contradictions(feedback: Feedback) -> list[Contradiction]:
    """All contradictions, by their ids; time grows with the feedback, and with the links of each one's chain."""
    sets = DisjointSets[str]()
    for one, other, decision in feedback:
        if decision == "same":
            sets.join(one, other)
    return [
        Contradiction(one, other, _chain(feedback, one, other))
        for one, other, decision in feedback
        if decision == "different" and sets.find(one) == sets.find(other)
    ]


def among(found: Sequence[Contradiction], posting_ids: Container[str]) -> list[Contradiction]:
    """The contradictions whose two postings are both given; the chain between them may lead over others."""
    return [it for it in found if it.first in posting_ids and it.second in posting_ids]


def _chain(feedback: Feedback, first: str, second: str) -> list[str]:
    """The shortest path of must-links from one posting to another; of equally short ones, by lower ids."""
    before: dict[str, str] = {first: first}
    waiting = deque([first])
    while second not in before:
        one = waiting.popleft()
        for other, decision in sorted(feedback.of(one).items()):
            if decision == "same" and other not in before:
                before[other] = one
                waiting.append(other)
    chain = [second]
    while chain[-1] != first:
        chain.append(before[chain[-1]])
    return chain[::-1]


@dataclass(frozen=True)
class CorrectedLabels:
    """Label groups after feedback.

    Attributes:
        labels: [n], the label group of each posting; None where neither a label nor feedback gives one.
        used: how many decisions on two of the postings are followed.
        contradicting: contradictions among the postings; their cannot-links are not followed.
    """

    labels: Sequence[str | None]
    used: int
    contradicting: Sequence[Contradiction]


def corrected_labels(posting_ids: Sequence[str], labels: Sequence[str | None], feedback: Feedback) -> CorrectedLabels:
    """Join label groups whose postings are must-linked, and split groups that hold a cannot-link.

    Of two postings of one group with a cannot-link, the one with more cannot-links in the group leaves, of two alike
    the one with the higher id; what is must-linked to it leaves with it. A posting with feedback but no label gets a
    group of its own: what no must-link connects to it counts as different.

    Args:
        posting_ids: of n postings.
        labels: the label group of each; None where it is not known.
        feedback: on these postings; decisions on others do not matter.
    """
    known = dict(zip(posting_ids, labels, strict=True))
    pairs = {(one, other): decision for one, other, decision in feedback if one in known and other in known}
    against = among(contradictions(feedback), known)
    ignored = {(found.first, found.second) for found in against}
    same = [pair for pair, decision in pairs.items() if decision == "same"]
    apart = [pair for pair, decision in pairs.items() if decision == "different" and pair not in ignored]
    atoms = _atoms(same, apart)
    groups = _split(_Groups(known, atoms), [(atoms[one], atoms[other]) for one, other in apart])
    return CorrectedLabels([groups.label(posting_id) for posting_id in posting_ids], len(same) + len(apart), against)


def _atoms(same: Sequence[tuple[str, str]], apart: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """The representative of the must-linked set of each posting that has feedback, by posting_id."""
    sets = DisjointSets[str]()
    for one, other in same:
        sets.join(one, other)
    return {posting_id: sets.find(posting_id) for pair in (*same, *apart) for posting_id in pair}


class _Groups:
    """Which postings are one product by their labels and by must-links.

    Args:
        known: label by posting_id; None where there is none.
        atoms: representative of its must-linked set, by posting_id.
        left: representatives of the sets that have left the groups of their labels.
    """

    def __init__(
        self, known: Mapping[str, str | None], atoms: Mapping[str, str], left: frozenset[str] = frozenset()
    ) -> None:
        self._known, self._atoms, self._left = known, atoms, left
        self._sets = DisjointSets[_Node]()
        for posting_id, atom in atoms.items():
            label = known[posting_id]
            if label is not None and atom not in left:
                self._sets.join((False, atom), (True, label))
        self._names: dict[_Node, str] = {}
        for label in sorted({label for label in known.values() if label is not None}, reverse=True):
            self._names[self._sets.find((True, label))] = label

    def without(self, atom: str) -> "_Groups":
        """The same after a must-linked set has left the groups of its labels."""
        return _Groups(self._known, self._atoms, self._left | {atom})

    def together(self, one: str, other: str) -> bool:
        """Whether two must-linked sets are in one group."""
        return self._sets.find((False, one)) == self._sets.find((False, other))

    def label(self, posting_id: str) -> str | None:
        """The group of a posting, by the lowest label of all that are in it."""
        atom, label = self._atoms.get(posting_id), self._known[posting_id]
        if atom is not None:
            return self._names.get(self._sets.find((False, atom)), f"verdicts on {atom}")
        return None if label is None else self._names[self._sets.find((True, label))]


def _split(groups: _Groups, apart: Sequence[tuple[str, str]]) -> _Groups:
    """The groups after as many must-linked sets have left as it takes that no group holds a cannot-link."""
    while crowded := [pair for pair in apart if groups.together(*pair)]:
        counts = Counter(atom for pair in crowded for atom in pair)
        groups = groups.without(max(counts, key=lambda atom: (counts[atom], atom)))
    return groups

"""Label groups as people's verdicts have them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pricematch.catalogue.contradictions import Contradiction, contradictions
from pricematch.catalogue.disjoint_sets import DisjointSets
from pricematch.catalogue.verdicts import Verdicts

_Node: TypeAlias = tuple[bool, str]
"""A label group (True, its label), or postings that verdicts hold together (False, what stands for them)."""


@dataclass(frozen=True)
class DecidedLabels:
    """What verdicts make of label groups.

    Attributes:
        labels: [n], the label group of each posting; None where neither a label nor a verdict tells of it.
        used: how many verdicts on two of the postings are heeded.
        contradicting: verdicts that cannot all be true; those that say different are not heeded.
    """

    labels: Sequence[str | None]
    used: int
    contradicting: Sequence[Contradiction]


def decided_labels(posting_ids: Sequence[str], labels: Sequence[str | None], verdicts: Verdicts) -> DecidedLabels:
    """Join label groups whose postings somebody said are the same, and split those of which some are different.

    Of two postings of one group that are different the one leaves that more others are different from, of two alike the
    one with the higher id; those that are the same as it by a verdict go with it. A posting without a label that a
    verdict tells of gets a group: what nobody said is the same as it counts as different.

    Args:
        posting_ids: of n postings.
        labels: the label group of each; None where it is not known.
        verdicts: on these postings; those on others do not matter.
    """
    known = dict(zip(posting_ids, labels, strict=True))
    said = [(one, other, decision) for one, other, decision in verdicts if one in known and other in known]
    against = [found for found in contradictions(verdicts) if found.first in known and found.second in known]
    same = [(one, other) for one, other, decision in said if decision == "same"]
    untrue = {(found.first, found.second) for found in against}
    apart = [(one, other) for one, other, decision in said if decision == "different" and (one, other) not in untrue]
    atoms = _atoms(same, apart)
    groups = _Groups(known, atoms)
    groups = _split(groups, [(atoms[one], atoms[other]) for one, other in apart])
    return DecidedLabels([groups.label(posting_id) for posting_id in posting_ids], len(same) + len(apart), against)


def _atoms(same: Sequence[tuple[str, str]], apart: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """What stands for all that are the same as a posting, by posting_id of those that verdicts tell of."""
    sets = DisjointSets[str]()
    for one, other in same:
        sets.join(one, other)
    return {posting_id: sets.find(posting_id) for pair in (*same, *apart) for posting_id in pair}


class _Groups:
    """Which postings are one product by their labels and by verdicts.

    Args:
        known: label by posting_id; None where there is none.
        atoms: what stands for all that a verdict says are the same, by posting_id.
        left: atoms that their labels do not hold any more.
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
        """The same where the postings of an atom have left the groups of their labels."""
        return _Groups(self._known, self._atoms, self._left | {atom})

    def together(self, one: str, other: str) -> bool:
        """Whether two atoms are of one group."""
        return self._sets.find((False, one)) == self._sets.find((False, other))

    def label(self, posting_id: str) -> str | None:
        """The group of a posting, by the lowest label of all that are in it."""
        atom, label = self._atoms.get(posting_id), self._known[posting_id]
        if atom is not None:
            return self._names.get(self._sets.find((False, atom)), f"verdicts on {atom}")
        return None if label is None else self._names[self._sets.find((True, label))]


def _split(groups: _Groups, apart: Sequence[tuple[str, str]]) -> _Groups:
    """The groups where so many atoms have left that no two are of one group that are different."""
    while crowded := [pair for pair in apart if groups.together(*pair)]:
        counts = Counter(atom for pair in crowded for atom in pair)
        groups = groups.without(max(counts, key=lambda atom: (counts[atom], atom)))
    return groups

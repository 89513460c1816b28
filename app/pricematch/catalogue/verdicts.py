"""What people said of pairs of postings."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from pricematch.catalogue.records import Decision, VerdictChange

_NOTHING: Mapping[str, Decision] = MappingProxyType({})


class Verdicts:
    """The verdicts on pairs of postings, whether these are there or not. Immutable.

    Args:
        said: by posting_id, the decision on each other posting; symmetric.
    """

    def __init__(self, said: Mapping[str, Mapping[str, Decision]] = MappingProxyType({})) -> None:
        self._said = said

    def __len__(self) -> int:
        return sum(len(others) for others in self._said.values()) // 2

    def __iter__(self) -> Iterator[tuple[str, str, Decision]]:
        """Each pair once, the lower id first, in ascending order."""
        pairs = ((one, other, said) for one, others in self._said.items() for other, said in others.items())
        return iter(sorted(pair for pair in pairs if pair[0] < pair[1]))

    def of(self, posting_id: str) -> Mapping[str, Decision]:
        """The decisions on a posting and others, by their ids."""
        return self._said.get(posting_id, _NOTHING)

    def changed(self, changes: Iterable[VerdictChange]) -> "Verdicts":
        """The verdicts after some changes."""
        said = dict(self._said)
        for change in changes:
            for one, other in ((change.first, change.second), (change.second, change.first)):
                others = {key: decision for key, decision in said.get(one, _NOTHING).items() if key != other}
                if change.decision is not None:
                    others[other] = change.decision
                said[one] = MappingProxyType(others)
                if not others:
                    del said[one]
        return Verdicts(said)


NO_VERDICTS = Verdicts()

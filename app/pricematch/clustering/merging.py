"""Merges items into clusters, those of the highest average weight first; time grows with the weights that are told."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TypeAlias

_Entry: TypeAlias = tuple[float, int, int, int, int]
"""−average, lower and higher name of two clusters (these order the queue), and the clusters."""


@dataclass(slots=True)
class _Link:
    """Two clusters' weight in all, and the one entry of the queue that counts for them, if any."""

    weight: int
    queued: _Entry | None = None


class MergingClusters:
    """Clusters while they merge, called by one of their items.

    Two clusters merge that have the highest average weight between their items; items that were told no weight have 0.
    Of equal averages the one comes first whose clusters' last items (by rank) come first.

    The queue is lazy. Whatever merges, the average to a third cluster is between the two there were, and names only
    rise; so an entry may come too early, never too late, and is put back where it belongs when it comes up.

    Args:
        ranks: of each item, each another.
        lowest: the average below which nothing merges, above 0.
    """

    def __init__(self, ranks: list[int], lowest: int) -> None:
        self._names = ranks  # of a cluster: the highest rank within
        self._sizes = [1] * len(ranks)
        self._links: defaultdict[int, dict[int, _Link]] = defaultdict(dict)
        self._queue: list[_Entry] = []
        self._lowest = lowest

    def add(self, one: int, other: int, weight: int) -> None:
        """Tell the weight between two items, at most once."""
        link = self._links[one][other] = self._links[other][one] = _Link(weight)
        self._offer(one, other, link)

    def merges(self) -> Iterator[tuple[int, int, float]]:
        """Join clusters, the highest average first; yields the two and their average."""
        while self._queue:
            entry = heappop(self._queue)
            one, other = entry[3:]
            link = self._links[one].get(other) if one in self._links else None
            if link is None or link.queued is not entry:
                continue
            link.queued = None
            if self._entry(one, other, link)[:3] != entry[:3]:
                self._offer(one, other, link)
                continue
            yield one, other, -entry[0]
            self._join(one, other)

    def _entry(self, one: int, other: int, link: _Link) -> _Entry:
        average = link.weight / (self._sizes[one] * self._sizes[other])
        name, second = self._names[one], self._names[other]
        return (-average, name, second, one, other) if name < second else (-average, second, name, one, other)

    def _offer(self, one: int, other: int, link: _Link) -> None:
        entry = self._entry(one, other, link)
        if -entry[0] >= self._lowest and (link.queued is None or entry < link.queued):
            link.queued = entry
            heappush(self._queue, entry)

    def _join(self, one: int, other: int) -> None:
        if len(self._links[one]) < len(self._links[other]):
            one, other = other, one
        kept, absorbed = self._links[one], self._links.pop(other)
        del kept[other], absorbed[one]
        self._sizes[one] += self._sizes[other]
        self._names[one] = max(self._names[one], self._names[other])
        for third, link in absorbed.items():
            links = self._links[third]
            del links[other]
            shared = kept.get(third)
            if shared is None:
                link.queued = None
                shared = kept[third] = links[one] = link
            else:
                shared.weight += link.weight
            self._offer(one, third, shared)

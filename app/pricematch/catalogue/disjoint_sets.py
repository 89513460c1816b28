"""Sets that only ever join (Galler and Fischer: An improved equivalence algorithm, 1964)."""

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class DisjointSets(Generic[T]):
    """Each item is in one set; one that was never joined is in a set of its own."""

    def __init__(self) -> None:
        self._stands: dict[T, T] = {}

    def find(self, item: T) -> T:
        """What stands for the whole set of an item."""
        stands = self._stands
        while (above := stands.get(item, item)) != item:
            stands[item] = stands.get(above, above)  # halves the way for whoever comes next
            item = above
        return item

    def join(self, one: T, other: T) -> None:
        """Make one set of two."""
        self._stands[self.find(one)] = self.find(other)

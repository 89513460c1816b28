"""The last few results of what is computed of an immutable catalogue."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Result = TypeVar("Result")


class LastResults(Generic[Result]):
    """Results by what was asked; the least recently used goes first.

    Safe to use from several threads: those that come while one is computed wait for it.

    Args:
        most: results that are kept.
    """

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._kept: OrderedDict[Hashable, Result] = OrderedDict()

    def get(self, asked: Hashable, compute: Callable[[], Result]) -> Result:
        """The result that is kept, or else computed; what that raises is raised, and not kept."""
        with self._lock:
            if asked not in self._kept:
                self._kept[asked] = compute()
                if len(self._kept) > self._most:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(asked)
            return self._kept[asked]

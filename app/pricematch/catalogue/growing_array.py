"""Arrays that grow at their end while others read them."""

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)
_ROOM = 1.5
_LEAST_ROOM = 64


class _Buffer(Generic[T]):
    """Memory for more rows than are used."""

    def __init__(self, memory: NDArray[T], used: int) -> None:
        self.memory, self.used = memory, used


class GrowingArray(Generic[T]):
    """An array [n, …] that grows at its end while others go on reading it. Immutable.

    `extended` gives a longer one that shares memory with this one where there is room, so that adding costs what is
    added, and whoever holds the shorter one sees no more than before. Of threads that extend the same array one at a
    time may.

    Args:
        values: copied.
    """

    def __init__(self, values: NDArray[T]) -> None:
        self._fill(_Buffer(_with_room(values, len(values)), len(values)))

    def _fill(self, buffer: _Buffer[T]) -> None:
        self._buffer, self._count = buffer, buffer.used
        self.values: NDArray[T] = buffer.memory[: buffer.used]
        self.values.flags.writeable = False

    def __len__(self) -> int:
        return self._count

    def extended(self, more: NDArray[T]) -> "GrowingArray[T]":
        """This array and more rows behind it."""
        buffer, count = self._buffer, self._count + len(more)
        if buffer.used != self._count or count > len(buffer.memory):
            buffer = _Buffer(_with_room(self.values, count), self._count)
        buffer.memory[self._count : count] = more
        buffer.used = count
        longer = GrowingArray.__new__(GrowingArray)
        longer._fill(buffer)
        return longer


def _with_room(values: NDArray[T], count: int) -> NDArray[T]:
    """A copy of values with memory for `count` rows and some more."""
    memory = np.empty((int(max(count, _LEAST_ROOM) * _ROOM), *values.shape[1:]), values.dtype)
    memory[: len(values)] = values
    return memory

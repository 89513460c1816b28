"""Arrays that grow at their end while others go on reading them."""

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)
_ROOM = 1.5
_LEAST = 64


class _Buffer(Generic[T]):
    """Memory for more rows than are used."""

    def __init__(self, memory: NDArray[T], used: int) -> None:
        self.memory, self.used = memory, used


class GrowingRows(Generic[T]):
    """The rows of an array, [n, …]; immutable.

    `extended` gives longer ones that share memory with these where there is room, so that adding costs what is added,
    and whoever holds the shorter ones sees no more than before. Of threads that extend the same rows one at a time may.

    Args:
        rows: copied.
    """

    def __init__(self, rows: NDArray[T]) -> None:
        self._fill(_Buffer(_with_room(rows, len(rows)), len(rows)))

    def _fill(self, buffer: _Buffer[T]) -> None:
        self._buffer, self._count = buffer, buffer.used
        self.rows: NDArray[T] = buffer.memory[: buffer.used]
        self.rows.flags.writeable = False

    def __len__(self) -> int:
        return self._count

    def extended(self, more: NDArray[T]) -> "GrowingRows[T]":
        """These and some more behind them."""
        buffer, count = self._buffer, self._count + len(more)
        if buffer.used != self._count or count > len(buffer.memory):
            buffer = _Buffer(_with_room(self.rows, count), self._count)
        buffer.memory[self._count : count] = more
        buffer.used = count
        longer = GrowingRows.__new__(GrowingRows)
        longer._fill(buffer)
        return longer


def _with_room(rows: NDArray[T], count: int) -> NDArray[T]:
    """A copy of rows with memory for `count` of them and some more."""
    memory = np.empty((int(max(count, _LEAST) * _ROOM), *rows.shape[1:]), rows.dtype)
    memory[: len(rows)] = rows
    return memory

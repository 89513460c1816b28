"""What catalogues of one descent share: values by row, in chunks, and the rows that each id has had."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
NOWHERE = -1
_CHUNK = 256
"""Rows that are copied together where one of them gets another value."""


class Chunks(Generic[T]):
    """Values by row. Immutable: a change copies the chunks that it is in, and shares the others.

    Args:
        chunks: of `_CHUNK` values each, but for the last.
    """

    __slots__ = ("_chunks",)

    def __init__(self, chunks: tuple[tuple[T, ...], ...]) -> None:
        self._chunks = chunks

    @classmethod
    def of(cls, values: Sequence[T]) -> "Chunks[T]":
        """Those of some values."""
        return cls(tuple(tuple(values[first : first + _CHUNK]) for first in range(0, len(values), _CHUNK)))

    def __getitem__(self, row: int) -> T:
        return self._chunks[row // _CHUNK][row % _CHUNK]

    def extended(self, values: Sequence[T]) -> "Chunks[T]":
        """With some more behind the last."""
        full = len(self._chunks) - bool(self._chunks and len(self._chunks[-1]) < _CHUNK)
        begun = [value for chunk in self._chunks[full:] for value in chunk]
        return Chunks(self._chunks[:full] + Chunks.of([*begun, *values])._chunks)

    def unlike(self, earlier: "Chunks[T]") -> NDArray[np.intp]:
        """The rows whose value is another object than in earlier chunks, or new, ascending."""
        rows = list[int]()
        for number, (now, before) in enumerate(zip_longest(self._chunks, earlier._chunks, fillvalue=())):
            if now is not before:
                pairs = enumerate(zip_longest(now, before[: len(now)]), start=number * _CHUNK)
                rows += [row for row, (one, other) in pairs if one is not other]
        return np.array(rows, np.intp)

    def replaced(self, values: Mapping[int, T]) -> "Chunks[T]":
        """With others in some rows."""
        copies: dict[int, list[T]] = {}
        for row, value in values.items():
            number = int(row) // _CHUNK
            copies.setdefault(number, list(self._chunks[number]))[row % _CHUNK] = value
        chunks = list(self._chunks)
        for number, copy in copies.items():
            chunks[number] = tuple(copy)
        return Chunks(tuple(chunks))


class RowLog:
    """The rows that all catalogues of one descent have had, by the ids of their postings.

    Attributes:
        latest: last row of each id.
        previous: by row, the row that the id had before; `NOWHERE` for none.
    """

    def __init__(self, posting_ids: Sequence[str]) -> None:
        self.latest = {posting_id: row for row, posting_id in enumerate(posting_ids)}
        self.previous = [NOWHERE] * len(posting_ids)

    def extended(self, posting_ids: Sequence[str], span: int) -> "RowLog":
        """Itself with more rows; raises ValueError if it has been extended beyond a span."""
        if len(self.previous) != span:
            raise ValueError(
                f"expected the newest catalogue, got one of {span} rows where there are {len(self.previous)}"
            )
        for row, posting_id in enumerate(posting_ids, start=span):
            self.previous.append(self.latest.get(posting_id, NOWHERE))
            self.latest[posting_id] = row
        return self

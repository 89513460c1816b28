"""The answer to a query: matches in descending similarity."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Match:
    """One posting that resembles the query; `similarity` is the cosine, −1…1."""

    posting_id: str
    similarity: float


class Matches:
    """Matches in descending similarity, each posting once. Immutable.

    Raises:
        ValueError: similarities out of order or out of −1…1, or a posting named twice.
    """

    def __init__(self, matches: Sequence[Match]) -> None:
        self._matches = tuple(matches)
        similarities = [match.similarity for match in self._matches]
        if any(earlier < later for earlier, later in pairwise(similarities)):
            raise ValueError(f"expected descending similarities, got {similarities}")
        if not all(-1 <= similarity <= 1 for similarity in similarities):
            raise ValueError(f"expected similarities in −1…1, got {similarities}")
        if len({match.posting_id for match in self._matches}) != len(self._matches):
            raise ValueError("expected each posting once")

    def __len__(self) -> int:
        return len(self._matches)

    def __iter__(self) -> Iterator[Match]:
        return iter(self._matches)

    def __getitem__(self, position: int) -> Match:
        return self._matches[position]

    def without(self, posting_id: str) -> "Matches":
        """All but this posting."""
        return Matches([match for match in self._matches if match.posting_id != posting_id])

    def at_least(self, similarity: float) -> "Matches":
        """Those with at least this similarity."""
        return Matches([match for match in self._matches if match.similarity >= similarity])

    def top(self, limit: int) -> "Matches":
        """The first `limit`."""
        return Matches(self._matches[:limit])

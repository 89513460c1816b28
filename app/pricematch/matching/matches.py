"""The answer to a query: matches, the surest first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from pricematch.pairs.explanation import Reason
from pricematch.pairs.match_types import MatchType


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a posting is said to be the same product.

    Attributes:
        signals: similarity by each signal that both postings have something for, higher is closer.
        reasons: what weighed most, for and against, the weightiest first.
    """

    signals: Mapping[str, float]
    reasons: Sequence[Reason]


@dataclass(frozen=True, slots=True)
class Match:
    """One posting that resembles the query.

    Attributes:
        posting_id: which.
        similarity: cosine of the pictures' embeddings, −1…1; None where one of the two has none.
        probability: that both are the same product, 0…1; None where no trained matcher judged them, as are
        level: how the two are the same, and
        evidence: what the probability rests on.
        verdict: `same` where a person said so; then the probability is 1.
    """

    posting_id: str
    similarity: float | None = None
    probability: float | None = None
    level: MatchType | None = None
    evidence: Evidence | None = None
    verdict: Literal["same"] | None = None


class Matches:
    """Matches in descending probability, or in descending similarity where nobody judged them. Immutable.

    Those that a person said are the same come first, in any order.

    Raises:
        ValueError: out of order, out of range, only some of them judged, or a posting named twice.
    """

    def __init__(self, matches: Sequence[Match]) -> None:
        self._matches = tuple(matches)
        judged = [match.probability for match in self._matches if match.probability is not None]
        similar = [match.similarity for match in self._matches if match.similarity is not None]
        if not all(-1 <= similarity <= 1 for similarity in similar):
            raise ValueError(f"expected similarities in −1…1, got {similar}")
        computed = [match for match in self._matches if match.verdict is None]
        if any(match.verdict is not None for match in self._matches[len(self._matches) - len(computed) :]):
            raise ValueError("expected those that a person decided on first")
        if judged:
            _check_order(judged, "probabilities", len(self._matches))
        else:
            _check_order([m.similarity for m in computed if m.similarity is not None], "similarities", len(computed))
        if not all(0 <= probability <= 1 for probability in judged):
            raise ValueError(f"expected probabilities in 0…1, got {judged}")
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
        """Those with at least this similarity; one that has none is left out. Verdicts stay."""
        return Matches(
            [
                match
                for match in self._matches
                if match.verdict or (match.similarity is not None and match.similarity >= similarity)
            ]
        )

    def top(self, limit: int) -> "Matches":
        """The first `limit`."""
        return Matches(self._matches[:limit])


def _check_order(values: Sequence[float], what: str, count: int) -> None:
    if len(values) != count:
        raise ValueError(f"expected {what} of all {count} matches, got {len(values)}")
    if any(earlier < later for earlier, later in pairwise(values)):
        raise ValueError(f"expected descending {what}, got {values}")

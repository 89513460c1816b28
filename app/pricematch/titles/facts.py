"""The facts of many titles, and where those of two titles agree and contradict each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from pricematch.titles.quantities import Quantity
from pricematch.titles.statements import KINDS, statements

MOST_FACTS = 255
"""Facts of one title that are compared; more than any sensible title has."""
_VALUE_BITS, _KIND_BITS, _PAIR_BITS = 39, 6, 18
_COUNT, _SINGLE = KINDS.index("count"), Quantity("count", 1).token
_BLOCK_PAIRS = 1 << _PAIR_BITS


@dataclass(frozen=True, eq=False)
class FactAgreement:
    """How the facts of m pairs of titles go together, by kind in the order of `KINDS`; the same for (a, b) and (b, a).

    Attributes:
        shared: uint8 [m, kinds], facts that both state.
        contradicting: uint8 [m, kinds], facts that one states and the other does not, though it states others of the
            kind.
        unanswered: uint8 [m, kinds], facts that one states and the other does not, stating none of the kind.
        packed: bool [m], whether one states a pack of several and the other no pack size at all.
    """

    shared: NDArray[np.uint8]
    contradicting: NDArray[np.uint8]
    unanswered: NDArray[np.uint8]
    packed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.shared)


@dataclass(frozen=True, eq=False)
class TitleFacts:
    """The facts of n titles.

    Attributes:
        starts: int64 [n + 1]; the facts of title i stand at positions starts[i] to starts[i + 1] of `facts`.
        facts: int64, the kind and 39 bits of a BLAKE2b digest of the value, ascending in each title, each once. They
            are the same in every process; two values of a kind are taken for one with a probability of 2⁻³⁹.
        counts: uint8 [n, kinds], how many of each kind.
        several: bool [n], whether one of them is a pack of several.
    """

    starts: NDArray[np.int64]
    facts: NDArray[np.int64]
    counts: NDArray[np.uint8]
    several: NDArray[np.bool_]

    @classmethod
    def of(cls, titles: Sequence[str]) -> "TitleFacts":
        """Read them from titles."""
        lines = [sorted({_key(fact.kind, fact.value) for fact in statements(title)[:MOST_FACTS]}) for title in titles]
        starts = np.concatenate([[0], np.cumsum([len(line) for line in lines], dtype=np.int64)])
        facts = np.fromiter((key for line in lines for key in line), np.int64, int(starts[-1]))
        return cls(starts, facts, _counts(starts, facts), _several(starts, facts))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def select(self, rows: NDArray[np.integer]) -> "TitleFacts":
        """The facts of some titles, in the order given."""
        places, lines = _gathered(self.starts, rows)
        starts = np.searchsorted(lines, np.arange(len(rows) + 1)).astype(np.int64)
        return TitleFacts(starts, self.facts[places], self.counts[rows], self.several[rows])

    def joined(self, more: "TitleFacts") -> "TitleFacts":
        """These and some more behind them."""
        starts = np.concatenate([self.starts, more.starts[1:] + self.starts[-1]])
        facts, counts = np.concatenate([self.facts, more.facts]), np.concatenate([self.counts, more.counts])
        return TitleFacts(starts, facts, counts, np.concatenate([self.several, more.several]))


def compare(
    left: TitleFacts, left_rows: NDArray[np.integer], right: TitleFacts, right_rows: NDArray[np.integer]
) -> FactAgreement:
    """Compare pairs of titles, a quarter of a million at a time.

    Args:
        left: facts of the first titles of the pairs; may be the same object as `right`.
        left_rows: [m], which of them.
        right: facts of the second.
        right_rows: [m], which of them.
    """
    shared = np.empty((len(left_rows), len(KINDS)), np.uint8)
    for first in range(0, len(left_rows), _BLOCK_PAIRS):
        piece = slice(first, first + _BLOCK_PAIRS)
        shared[piece] = _shared(left, left_rows[piece], right, right_rows[piece])
    ours, theirs = left.counts[left_rows], right.counts[right_rows]
    both = (ours > 0) & (theirs > 0)
    # the two are counted apart, since their sum may be above 255
    apart = np.minimum((ours - shared).astype(np.uint16) + (theirs - shared), MOST_FACTS).astype(np.uint8)
    packed = (left.several[left_rows] != right.several[right_rows]) & ~both[:, _COUNT]
    return FactAgreement(shared, apart * both, apart * ~both, packed)


def _shared(
    left: TitleFacts, left_rows: NDArray[np.integer], right: TitleFacts, right_rows: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """How many facts the two of each pair share, by kind, uint8 [m, kinds] for m ≤ 2¹⁸."""
    keys = np.concatenate([_keys(left, left_rows), _keys(right, right_rows)])
    keys.sort(kind="stable")  # which merges two ascending runs in linear time
    twice = keys[1:][keys[1:] == keys[:-1]]
    kind = (twice >> _VALUE_BITS) & ((1 << _KIND_BITS) - 1)
    cell = (twice >> (_VALUE_BITS + _KIND_BITS)) * len(KINDS) + kind
    return np.bincount(cell, minlength=len(left_rows) * len(KINDS)).astype(np.uint8).reshape(-1, len(KINDS))


def _keys(titles: TitleFacts, rows: NDArray[np.integer]) -> NDArray[np.int64]:
    """The facts of some titles with the number of the pair before each, ascending."""
    places, pairs = _gathered(titles.starts, rows)
    keys: NDArray[np.int64] = titles.facts[places] | (pairs << (_VALUE_BITS + _KIND_BITS))
    return keys


def _gathered(starts: NDArray[np.int64], rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The positions of the facts of some titles one after the other, and which of the titles each belongs to."""
    first, lengths = starts[rows], starts[rows + 1] - starts[rows]
    before = np.cumsum(lengths) - lengths
    lines = np.repeat(np.arange(len(rows)), lengths)
    return np.arange(len(lines)) + (first - before)[lines], lines


def _counts(starts: NDArray[np.int64], facts: NDArray[np.int64]) -> NDArray[np.uint8]:
    lines = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    cells = np.bincount(lines * len(KINDS) + (facts >> _VALUE_BITS), minlength=(len(starts) - 1) * len(KINDS))
    return cells.astype(np.uint8).reshape(-1, len(KINDS))


def _several(starts: NDArray[np.int64], facts: NDArray[np.int64]) -> NDArray[np.bool_]:
    lines = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    packs = (facts >> _VALUE_BITS == _COUNT) & (facts != _key("count", _SINGLE))
    return np.bincount(lines[packs], minlength=len(starts) - 1) > 0


@lru_cache(maxsize=1 << 16)
def _key(kind: str, value: str) -> int:
    digest = int.from_bytes(blake2b(value.encode(), digest_size=8).digest(), "big") >> (64 - _VALUE_BITS)
    return KINDS.index(kind) << _VALUE_BITS | digest

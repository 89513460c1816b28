"""Postings that come after a catalogue was judged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.matching.probability_graph import FirstPairs
from pricematch.pairs.model import JudgedPairs
from pricematch.pairs.side import Side
from pricematch.titles.normalise import ParsedTitle


@dataclass(frozen=True, eq=False)
class Added:
    """m postings that came after n had been judged together.

    Attributes:
        side: what they are compared by, knowing of each other.
        first: their pairs, with the earlier ones and with each other; ends from n on are these postings.
        probabilities: float64 [p], of these pairs.
    """

    side: Side
    first: FirstPairs
    probabilities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.side.images)


@dataclass(frozen=True, eq=False)
class Newcomers:
    """k postings judged against a catalogue that does not hold them, and with each other, as if it held them all.

    Attributes:
        titles: k.
        side: what they are compared by, knowing of each other and of what was added.
        others: what was added, knowing of them.
        pairs: none twice. Lines and rows are rows of the catalogue, or its span + the position of a newcomer; lines are
            newcomers.
        first: float64 [p], what the first scorer says.
    """

    titles: Sequence[ParsedTitle]
    side: Side
    others: Side
    pairs: JudgedPairs
    first: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.titles)

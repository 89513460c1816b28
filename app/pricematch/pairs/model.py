"""A model of pairs: from evidence to the probability that both postings are the same product.

Two scorers, one after the other. The first judges each pair by itself; the second sees what the first says of the
neighbours of both postings as well. A calibration makes a probability of what the second says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pricematch.pairs.calibration import Calibration
from pricematch.pairs.graph_features import AGREEMENT, ProbabilityRows, agreement, symmetric_rows
from pricematch.pairs.reference import Reference, feature_names

_BLOCK = 128 * 1024


class Scorer(Protocol):
    """Judges pairs by their features. Safe to call from several threads."""

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores in 0…1, float64 [m], of features [m, f]; higher is surer."""
        ...

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to the log odds of each pair, float64 [m, f]."""
        ...


class Learner(Protocol):
    """Learns a scorer from pairs whose truth is known."""

    def fit(
        self,
        features: NDArray[np.float32],
        truth: NDArray[np.bool_],
        weights: NDArray[np.float32],
        names: Sequence[str],
    ) -> Scorer:
        """A scorer of features [m, f] of these names, learned from their truth [m] and weights [m]."""
        ...


@dataclass(frozen=True, eq=False)
class PairModel:
    """Both scorers and the calibration.

    Attributes:
        signals: what it needs to know of postings.
        first: of the features `feature_names(signals)`.
        second: of those, and of `AGREEMENT` behind them.
        calibration: from the second's scores to probabilities.
    """

    signals: tuple[str, ...]
    first: Scorer
    second: Scorer
    calibration: Calibration

    @property
    def features(self) -> tuple[str, ...]:
        """Names of what the second scorer judges by."""
        return (*feature_names(self.signals), *AGREEMENT)

    def judge(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities float64 [m] of pairs from all that is known of them, [m, f]."""
        return self.calibration(self.second.predict(features))


@dataclass(frozen=True, eq=False)
class JudgedPairs:
    """Pairs of new postings and a catalogue's, or of either among themselves, and what a model makes of them.

    Attributes:
        lines, rows: int32 [m].
        features: float32 [m, f], `PairModel.features`.
        probabilities: float64 [m], between 0 and 1.
    """

    lines: NDArray[np.int32]
    rows: NDArray[np.int32]
    features: NDArray[np.float32]
    probabilities: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Judgements:
    """What a model says of all candidate pairs of a catalogue, in the order of `Reference.pairs`.

    Attributes:
        first: float64 [m], by the first scorer.
        probabilities: float64 [m].
    """

    first: NDArray[np.float64]
    probabilities: NDArray[np.float64]


class JudgedCatalogue:
    """A catalogue all of whose candidate pairs are judged. Immutable, safe to use from several threads.

    Args:
        reference: the catalogue.
        model: of the same signals.
        kept: what the model said of this very catalogue before, which saves most of the time.
        told: called with how many blocks of pairs are judged, of how many.

    Attributes:
        lines, rows: int32 [m], the unordered candidate pairs, lines < rows, ascending.
        probabilities: float64 [m].
    """

    def __init__(
        self,
        reference: Reference,
        model: PairModel,
        kept: Judgements | None = None,
        told: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self.reference, self.model = reference, model
        self.lines, self.rows = reference.pairs()
        self._first = first = self._judged_first(told) if kept is None else kept.first
        self._graph = symmetric_rows(self.lines, self.rows, first, len(reference))
        self.probabilities = self._judged_second(told) if kept is None else kept.probabilities
        both = np.concatenate([self.lines, self.rows]), np.concatenate([self.rows, self.lines])
        order = np.lexsort((both[1], -np.concatenate([self.probabilities, self.probabilities]), both[0]))
        self._starts = np.searchsorted(both[0][order], np.arange(len(reference) + 1))
        self._pairs, self._others = order % max(1, len(first)), both[1][order]

    def __len__(self) -> int:
        return len(self.reference)

    def of(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The candidates of a row of the catalogue and their probabilities, descending, equal ones by row."""
        place = slice(self._starts[row], self._starts[row + 1])
        return self._others[place], self.probabilities[self._pairs[place]]

    @property
    def judgements(self) -> Judgements:
        """What to keep for the next time."""
        return Judgements(self._first, self.probabilities)

    @property
    def graph(self) -> ProbabilityRows:
        """What the first scorer says of all pairs."""
        return self._graph

    def _judged_first(self, told: Callable[[int, int], None]) -> NDArray[np.float64]:
        found, pieces = np.empty(len(self.lines)), _pieces(len(self.lines))
        for done, piece in enumerate(pieces, start=1):
            found[piece] = self.model.first.predict(self._evidence(piece))
            told(done, 2 * len(pieces))
        return found

    def _judged_second(self, told: Callable[[int, int], None]) -> NDArray[np.float64]:
        found, pieces = np.empty(len(self.lines)), _pieces(len(self.lines))
        for done, piece in enumerate(pieces, start=1):
            features = np.concatenate([self._evidence(piece), self._agreement(piece)], axis=1)
            found[piece] = self.model.judge(features)
            told(len(pieces) + done, 2 * len(pieces))
        return found

    def _evidence(self, pairs: "slice | NDArray[np.integer]") -> NDArray[np.float32]:
        return self.reference.evidence(self.reference.side, self.lines[pairs], self.rows[pairs])

    def _agreement(self, pairs: "slice | NDArray[np.integer]") -> NDArray[np.float32]:
        return agreement(self._graph, self._graph, self.lines[pairs], self.rows[pairs], self._first[pairs])


def _pieces(count: int) -> list[slice]:
    return [slice(first, first + _BLOCK) for first in range(0, count, _BLOCK)]

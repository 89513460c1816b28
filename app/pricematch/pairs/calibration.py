"""Raw scores as probabilities: what share of the pairs with such a score is right.

A map is fitted in log odds, ln(p / (1 − p)), and never changes the order of scores: Platt's straight line (Platt:
Probabilistic outputs for support vector machines, 1999), or an isotonic step function (Zadrozny, Elkan: Transforming
classifier scores into accurate multiclass probability estimates, 2002) that is made strictly monotone by straight lines
between the middles of its steps. Which of the two is measured, see `pricematch.learning.calibration`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PLATT, ISOTONIC = "platt", "isotonic"
MAX_KNOTS = 256
_EDGE = 1e-12
"""Raw scores nearer than this to 0 or 1 count as this near; their log odds are finite."""
_LARGEST = 1e6
"""Log odds of a knot, and slope, at most; none that is fitted comes near, and sums of these stay finite."""
_FLATTEST = 1e-6
"""Slope, at least: with flatter ones all scores get one probability."""
_FARTHEST = 36.0
"""Log odds of a probability, at most; from 37 on float64 holds 1 for the probability."""


@dataclass(frozen=True)
class Calibration:
    """A strictly increasing map of the log odds of raw scores: straight between knots, and beyond them with one slope.

    Attributes:
        method: `platt` (one knot, so a straight line) or `isotonic`.
        raw: log odds of raw scores at the knots, ascending; 1 to 256 of them.
        log_odds: what they are mapped to, ascending.
        slope: 1e-6 to 1e6, to the left of the first knot and to the right of the last.

    Raises:
        ValueError: they are not like that.
    """

    method: str
    raw: tuple[float, ...]
    log_odds: tuple[float, ...]
    slope: float

    def __post_init__(self) -> None:
        if self.method not in (PLATT, ISOTONIC):
            raise ValueError(f"expected a calibration by {PLATT} or {ISOTONIC}, got {self.method!r}")
        most = 1 if self.method == PLATT else MAX_KNOTS
        if len(self.raw) != len(self.log_odds) or not 1 <= len(self.raw) <= most:
            raise ValueError(f"expected 1 to {most} knots, got {len(self.raw)} and {len(self.log_odds)}")
        if not _FLATTEST <= self.slope <= _LARGEST:
            raise ValueError(f"expected a slope from {_FLATTEST:g} to {_LARGEST:g}, got {self.slope}")
        for values in (self.raw, self.log_odds):
            if not ((np.abs(values) <= _LARGEST).all() and (np.diff(values) > 0).all()):
                raise ValueError(f"expected knots with ascending log odds of at most {_LARGEST:g}")

    def __call__(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of raw scores.

        Args:
            raw: [m], 0 to 1.

        Returns:
            float64 [m], above 0 and below 1. A higher raw score never gets a lower probability, and gets a higher one
            unless the two lie so near to each other, or to 0 or 1, that float64 cannot hold the difference.

        Raises:
            ValueError: a score is out of range, or no number.
        """
        values = log_odds(raw)
        first, last = self.raw[0], self.raw[-1]
        mapped = np.interp(values, self.raw, self.log_odds)
        mapped += self.slope * (np.minimum(values - first, 0) + np.maximum(values - last, 0))
        probabilities: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(mapped, -_FARTHEST, _FARTHEST)))
        return probabilities

    def shrunk(self, share: float) -> "Calibration":
        """What lies a share, 0 to 1, of the way from leaving scores as they are to this one, in log odds."""
        mapped = tuple(
            share * after + (1 - share) * before for before, after in zip(self.raw, self.log_odds, strict=True)
        )
        return Calibration(self.method, self.raw, mapped, share * self.slope + (1 - share))

    def describe(self) -> dict[str, Any]:
        """Its values as JSON holds them; the inverse of `from_description`."""
        return {
            "method": self.method,
            "raw_log_odds": list(self.raw),
            "log_odds": list(self.log_odds),
            "slope": self.slope,
        }

    @classmethod
    def from_description(cls, description: object) -> "Calibration":
        """The calibration that `describe` described.

        Raises:
            ValueError: it is none; the message says what was expected.
        """
        if not isinstance(description, Mapping) or set(description) != {"method", "raw_log_odds", "log_odds", "slope"}:
            raise ValueError("expected a calibration with method, raw_log_odds, log_odds and slope")
        raw, mapped = _numbers(description["raw_log_odds"]), _numbers(description["log_odds"])
        return cls(description["method"], raw, mapped, *_numbers([description["slope"]]))


def log_odds(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln(p / (1 − p)) of scores [m] from 0 to 1, finite: those within 1e-12 of 0 or 1 count as that near.

    Raises:
        ValueError: a score is out of range, or no number.

    >>> log_odds(np.array([0.0, 0.5, 1.0])).round(3).tolist()
    [-27.631, 0.0, 27.631]
    """
    if not ((raw >= 0) & (raw <= 1)).all():
        raise ValueError("expected raw scores from 0 to 1")
    inside = np.clip(raw, _EDGE, 1 - _EDGE)
    odds: NDArray[np.float64] = np.log(inside) - np.log1p(-inside)
    return odds


def _numbers(values: object) -> tuple[float, ...]:
    """A list of JSON numbers; raises ValueError for anything else, True and False included."""
    if not isinstance(values, list) or not all(type(value) in {int, float} for value in values):
        raise ValueError("expected numbers in a calibration")
    try:
        return tuple(float(value) for value in values)
    except OverflowError as error:
        raise ValueError("expected finite numbers in a calibration") from error

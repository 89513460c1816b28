"""Targets, thresholds by catalogue size, and the decision rule that they make.

In a larger catalogue more postings look alike and are not, so that the threshold of the best F1 rises: thresholds are
picked at some sizes (`pricematch.learning.thresholds`), stored, and interpolated between them.
"""

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.pairs.bounds import allowed, ordinary
from pricematch.pairs.calibration import log_odds
from pricematch.search.candidates import Candidates, Lists

_PRECISION = re.compile(r"precision:(0?\.[0-9]{1,17})")


@dataclass(frozen=True)
class Target:
    """What a threshold is picked for: the best F1, or the most matches of which a share is right.

    Attributes:
        precision: that share, above 0 and below 1; None for the best F1.
    """

    precision: float | None = None

    def __post_init__(self) -> None:
        if self.precision is not None and not 0 < self.precision < 1:
            raise ValueError(f"expected a precision above 0 and below 1, got {self.precision:g}")

    def __str__(self) -> str:
        if self.precision is None:
            return "f1"
        short = f"{self.precision:.2f}"
        exact = np.format_float_positional(self.precision)  # without an exponent, which `parse` does not take
        return f"precision:{short if float(short) == self.precision else exact}"

    @classmethod
    def parse(cls, text: str) -> "Target":
        """The target that a text names; the inverse of `str`.

        Raises:
            ValueError: it names none.

        >>> str(Target.parse("precision:0.9")), Target.parse("f1").precision
        ('precision:0.90', None)
        """
        if text == "f1":
            return cls()
        given = _PRECISION.fullmatch(text)
        if given is None or not 0 < float(given[1]) < 1:
            raise ValueError(f"expected f1, or a precision such as precision:0.95, got {text!r}")
        return cls(float(given[1]))


F1 = Target()
TARGETS = (F1, Target(0.9), Target(0.95), Target(0.99))


@dataclass(frozen=True)
class Thresholds:
    """From which probability on a candidate is a match.

    Attributes:
        match: of any candidate; inf takes none.
        fallback: of the best candidate of a posting that has no match otherwise; `match` at most, and where it is that
            very value, such a posting stays without one.
    """

    match: float
    fallback: float

    def __post_init__(self) -> None:
        if not 0 <= self.fallback <= self.match:
            got = f"{self.fallback}, {self.match}"
            raise ValueError(f"expected thresholds of 0 or more, alone at most match, got {got}")

    def moved(self, towards: "Thresholds", share: float) -> "Thresholds":
        """What lies a share, 0 to 1, of the way from here to others, in log odds; of inf the nearer one's."""
        match = _between_odds(self.match, towards.match, share)
        return Thresholds(match, min(match, _between_odds(self.fallback, towards.fallback, share)))

    def lists(self, candidates: Candidates) -> Lists:
        """Each posting's matches: itself, then those candidates, whose similarities are probabilities."""
        found = candidates.similarities >= self.match
        if found.shape[1]:
            found[:, 0] |= candidates.similarities[:, 0] >= self.fallback
        every = np.column_stack([np.arange(len(candidates), dtype=np.int32), candidates.rows])
        kept = np.column_stack([np.ones(len(candidates), bool), found])
        return Lists(np.concatenate([[0], np.cumsum(kept.sum(axis=1))]), every[kept])


@dataclass(frozen=True)
class DecisionRule:
    """Which candidates of a posting are its matches.

    Attributes:
        target: what the thresholds were picked for; None where a probability was given instead.
        thresholds: themselves.
    """

    target: Target | None
    thresholds: Thresholds

    def count(self, probabilities: NDArray[np.float64], *, fallback: bool = True) -> int:
        """How many of the candidates of one posting are matches.

        Args:
            probabilities: [m], descending.
            fallback: whether the best one may be a match by the fallback threshold.
        """
        found = int((probabilities >= self.thresholds.match).sum())
        if fallback and found == 0 and len(probabilities) and probabilities[0] >= self.thresholds.fallback:
            return 1
        return found


@dataclass(frozen=True)
class SizeThresholds:
    """Thresholds at any catalogue size: linear in ln n between the sizes known, constant beyond them.

    Where one of two neighbouring sizes has no threshold (inf: no precision like that was reached), neither has any size
    between them.

    Attributes:
        sizes: postings n, ascending, at least one.
        thresholds: for each target, `f1` among them, one a size.
        bounded: whether they were picked on probabilities within bounds (`pricematch.pairs.bounds`); those of earlier
            versions were not, and are mapped as probabilities are.

    Raises:
        ValueError: they are not like that, or no probabilities.
    """

    sizes: tuple[int, ...]
    thresholds: Mapping[Target, Sequence[Thresholds]]
    bounded: bool = True

    def __post_init__(self) -> None:
        if not self.sizes or self.sizes[0] < 1 or not (np.diff(self.sizes) > 0).all():
            raise ValueError(f"expected catalogue sizes from 1 on, ascending, got {list(self.sizes)}")
        if F1 not in self.thresholds:
            raise ValueError("expected thresholds for f1 among them")
        for target, points in self.thresholds.items():
            if len(points) != len(self.sizes):
                raise ValueError(f"expected {len(self.sizes)} thresholds for {target}, got {len(points)}")
            if not all(value <= 1 or value == inf for point in points for value in (point.match, point.fallback)):
                raise ValueError(f"expected probabilities as thresholds for {target}")

    def at(self, target: Target, postings: int) -> Thresholds:
        """The thresholds for a target in a catalogue of so many postings, at least 1; see `bounds.allowed`.

        Raises:
            ValueError: none were picked for that target; the message names those there are.

        >>> two = SizeThresholds((100, 10_000), {F1: [Thresholds(0.25, 0.125), Thresholds(0.5, 0.25)]})
        >>> two.at(F1, 10), round(two.at(F1, 1_000).match, 4)
        (Thresholds(match=0.25, fallback=0.125), 0.375)
        """
        if target not in self.thresholds:
            known = ", ".join(map(str, self.thresholds))
            raise ValueError(f"no thresholds for {target}; there are some for {known}")
        if postings < 1:
            raise ValueError(f"expected at least one posting, got {postings}")
        points = self.thresholds[target]
        match, fallback = (
            self._allowed(self._between(values, postings))
            for values in ([point.match for point in points], [point.fallback for point in points])
        )
        # two straight lines that lie apart at their ends do not cross, but may by a rounding
        return Thresholds(match, min(match, fallback))

    def _allowed(self, threshold: float) -> float:
        return allowed(threshold if self.bounded or threshold == inf else float(ordinary(np.array(threshold))))

    def _between(self, values: Sequence[float], postings: int) -> float:
        place = bisect_left(self.sizes, postings)
        if place == len(self.sizes) or place == 0 or self.sizes[place] == postings:
            return values[min(place, len(values) - 1)]
        low, high = values[place - 1 : place + 1]
        smaller, larger = self.sizes[place - 1 : place + 1]
        return inf if inf in (low, high) else low + (high - low) * log(postings / smaller) / log(larger / smaller)

    def describe(self) -> list[dict[str, Any]]:
        """One entry a size, as JSON holds it, null for inf; the inverse of `from_description`."""
        return [
            {
                "postings": size,
                "thresholds": {
                    str(target): {"match": _finite(points[place].match), "alone": _finite(points[place].fallback)}
                    for target, points in self.thresholds.items()
                },
            }
            for place, size in enumerate(self.sizes)
        ]

    @classmethod
    def from_description(cls, description: object, *, bounded: bool = True) -> "SizeThresholds":
        """The thresholds that `describe` described; it does not say whether they are `bounded`.

        Raises:
            ValueError: they are none; the message says what was expected.
        """
        if not isinstance(description, list) or not all(_is_entry(entry) for entry in description):
            raise ValueError("expected a list of catalogue sizes, each with postings and thresholds")
        named = [entry["thresholds"] for entry in description]
        if len({frozenset(names) for names in named}) > 1:
            raise ValueError("expected thresholds for the same targets at every catalogue size")
        found = {Target.parse(name): [_thresholds(names[name]) for names in named] for name in (named or [{}])[0]}
        return cls(tuple(entry["postings"] for entry in description), found, bounded)


def _between_odds(one: float, other: float, share: float) -> float:
    if inf in (one, other):
        return one if share < 0.5 else other
    odds = log_odds(np.array([one, other]))
    return float(1 / (1 + np.exp(-((1 - share) * odds[0] + share * odds[1]))))


def _finite(threshold: float) -> float | None:
    return float(threshold) if isfinite(threshold) else None


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, Mapping)
        and set(entry) == {"postings", "thresholds"}
        and type(entry["postings"]) is int
        and entry["postings"] < 2**53  # beyond it has no logarithm in NumPy
        and isinstance(entry["thresholds"], Mapping)
        and all(isinstance(name, str) for name in entry["thresholds"])
    )


def _thresholds(entry: object) -> Thresholds:
    """Two thresholds out of JSON; raises ValueError."""
    if not isinstance(entry, Mapping) or set(entry) != {"match", "alone"}:
        raise ValueError(f"expected thresholds match and alone, got {entry!r}")
    values = entry["match"], entry["alone"]
    if not all(value is None or (type(value) in {int, float} and 0 <= value <= 1) for value in values):
        raise ValueError(f"expected probabilities, or null, as thresholds, got {entry!r}")
    match, fallback = (inf if value is None else float(value) for value in values)
    return Thresholds(match, fallback)

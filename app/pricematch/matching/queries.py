"""What is asked of a matcher, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pricematch.errors import ImageError
from pricematch.matching.matches import Matches
from pricematch.pairs.thresholds import Target

DecidedBy: TypeAlias = Literal["probability", "similarity"]


@dataclass(frozen=True, slots=True)
class Query:
    """A posting that is not of the catalogue: a picture, a title, or both."""

    image: bytes | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which matches are asked for.

    Attributes:
        limit: how many at most, at least 1.
        min_similarity: cosine below which none is given, −1…1; None: any, or without a matcher the encoder's threshold.
        min_probability: probability below which none is given, 0…1.
        target: what the threshold of the probability was picked for; F1 where neither is given.
        encoder: whose similarity; None for the default.
    """

    limit: int = 10
    min_similarity: float | None = None
    min_probability: float | None = None
    target: Target | None = None
    encoder: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Matches, and what decided which they are.

    Attributes:
        matches: the surest, or without a matcher the most similar, first.
        decided_by: what the threshold is of.
        target: what it was picked for; None where it was asked for, or is of similarity.
        threshold: from which on a candidate is a match; inf where none can be.
        alone: from which on the best candidate is one where no other is; the threshold where that makes no difference.
        models: name and version of each model involved.
    """

    matches: Matches
    decided_by: DecidedBy
    target: Target | None
    threshold: float
    alone: float
    models: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answers:
    """Matches of several pictures.

    Attributes:
        common: what decided them all; without matches.
        each: per picture its matches, or why it is bad.
    """

    common: Answer
    each: Sequence[Matches | ImageError]

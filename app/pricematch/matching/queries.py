"""Match query, options and result types."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pricematch.catalogue.image_features import ImageFeatures
from pricematch.matching.matches import Matches
from pricematch.pairs.thresholds import Target

DecidedBy: TypeAlias = Literal["probability", "similarity"]


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A posting that is not of the catalogue.

    Attributes:
        title: decoded text, "" where it has none.
        image: features of its image; None where it has none.
    """

    title: str = ""
    image: ImageFeatures | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """Which matches are wanted.

    Attributes:
        limit: matches at most, at least 1.
        min_similarity: lowest cosine of a match, −1…1; None: any, or without a pair model the encoder's threshold.
        min_probability: lowest probability of a match, 0…1; None: the threshold of `target`.
        target: what the threshold of the probability was picked for; None: F1.
        encoder: name of the encoder whose similarity is meant; None: the default one.
    """

    limit: int = 10
    min_similarity: float | None = None
    min_probability: float | None = None
    target: Target | None = None
    encoder: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision rule that a result was made by.

    Attributes:
        by: what the thresholds are of.
        target: what they were picked for; None where one was given, or they are of similarity.
        threshold: lowest value of a match; inf where nothing can be one.
        fallback: lowest value of the best candidate where no other is a match; equal to `threshold` where that makes
            no difference.
        models: name and version of each model involved.
    """

    by: DecidedBy
    target: Target | None
    threshold: float
    fallback: float
    models: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Result:
    """Matches, and the decision rule that chose them.

    Attributes:
        matches: the most probable, or without a pair model the most similar, first.
        decision: the rule.
    """

    matches: Matches
    decision: Decision

"""Requests to the matcher and their results: query, options, matches, decision rule."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from pricematch.catalogue.features import ImageFeatures
from pricematch.catalogue.filters import Filter
from pricematch.catalogue.metadata import NO_METADATA, Metadata
from pricematch.matching.stock_images import StockImage
from pricematch.pairs.explanation import MatchType, Reason
from pricematch.pairs.thresholds import Target


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a posting is a match.

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
        similarity: cosine of the images' embeddings, −1…1; None where one of the two has none.
        probability: that both are the same product, 0…1; None where no matcher scored them, as are
        match_type: how the two are the same, and
        evidence: what the probability rests on.
        feedback: `same` where a person decided so; then the probability is 1.
        stock_image: whether its image is a stock image, which is no evidence; of several images, whether one of them
            is and none is evidence.
        one_colour: whether its image is of one colour, which is none either; of several the same.
        image_pair: which images of the query and of the posting, by their places from 0, are the nearest; None where
            both have one at most, or nothing compares them.
    """

    posting_id: str
    similarity: float | None = None
    probability: float | None = None
    match_type: MatchType | None = None
    evidence: Evidence | None = None
    feedback: Literal["same"] | None = None
    stock_image: bool = False
    one_colour: bool = False
    image_pair: tuple[int, int] | None = None


class Matches:
    """Matches in descending probability, or in descending similarity where they have no probability. Immutable.

    Those that are the same by feedback come first, in any order.

    Raises:
        ValueError: out of order, out of range, only some of them with a probability, or a posting named twice.
    """

    def __init__(self, matches: Sequence[Match]) -> None:
        self._matches = tuple(matches)
        probabilities = [match.probability for match in self._matches if match.probability is not None]
        similar = [match.similarity for match in self._matches if match.similarity is not None]
        if not all(-1 <= similarity <= 1 for similarity in similar):
            raise ValueError(f"expected similarities in −1…1, got {similar}")
        computed = [match for match in self._matches if match.feedback is None]
        if any(match.feedback is not None for match in self._matches[len(self._matches) - len(computed) :]):
            raise ValueError("expected those that a person decided on first")
        if probabilities:
            _check_order(probabilities, "probabilities", len(self._matches))
        else:
            _check_order([m.similarity for m in computed if m.similarity is not None], "similarities", len(computed))
        if not all(0 <= probability <= 1 for probability in probabilities):
            raise ValueError(f"expected probabilities in 0…1, got {probabilities}")
        if len({match.posting_id for match in self._matches}) != len(self._matches):
            raise ValueError("expected each posting once")

    def __len__(self) -> int:
        return len(self._matches)

    def __iter__(self) -> Iterator[Match]:
        return iter(self._matches)

    def __getitem__(self, position: int) -> Match:
        return self._matches[position]


def _check_order(values: Sequence[float], what: str, count: int) -> None:
    if len(values) != count:
        raise ValueError(f"expected {what} of all {count} matches, got {len(values)}")
    if any(earlier < later for earlier, later in pairwise(values)):
        raise ValueError(f"expected descending {what}, got {values}")


DecidedBy: TypeAlias = Literal["probability", "similarity"]
Calibrated: TypeAlias = Literal["estimated", "calibrated"]


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A posting that is not of the catalogue.

    Attributes:
        title: decoded text, "" where it has none.
        image: features of its image; None where it has none.
        metadata: its own, of which those that are evidence are compared.
        more_images: features of its images behind the first; none where it has no first.
    """

    title: str = ""
    image: ImageFeatures | None = None
    metadata: Metadata = NO_METADATA
    more_images: tuple[ImageFeatures, ...] = ()

    @property
    def images(self) -> tuple[ImageFeatures, ...]:
        """Features of all its images, each in its place."""
        return () if self.image is None else (self.image, *self.more_images)


@dataclass(frozen=True, slots=True)
class Options:
    """Which matches are wanted.

    Attributes:
        limit: matches at most, at least 1.
        min_similarity: lowest cosine of a match, −1…1; None: any, or without a pair model the encoder's threshold.
        min_probability: lowest probability of a match, 0…1; None: the threshold of `target`.
        target: what the threshold of the probability was picked for; None: F1.
        encoder: name of the encoder whose similarity is meant; None: the default one.
        first: how many matches are passed over, those of the pages before.
        filter: what holds of every match; None: anything.
    """

    limit: int = 10
    min_similarity: float | None = None
    min_probability: float | None = None
    target: Target | None = None
    encoder: str | None = None
    first: int = 0
    filter: Filter | None = None

    @property
    def last(self) -> int:
        """How many matches there are up to the end of the page, at most."""
        return self.first + self.limit


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
        probabilities: whether label groups or verdicts of this catalogue have taught them; None where similarity
            decides.
    """

    by: DecidedBy
    target: Target | None
    threshold: float
    fallback: float
    models: Mapping[str, str]
    probabilities: Calibrated | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Matches, and the decision rule that chose them.

    Attributes:
        matches: the most probable, or without a pair model the most similar, first.
        decision: the rule.
        next: how many matches come before the next page; None where there is none.
        stock: the stock image of the posting or query, which was no evidence; None where it has none, or has another
            image that was evidence.
        one_colour: whether its image is of one colour, which was none either; of several images, whether one of them
            is and none was evidence.
    """

    matches: Matches
    decision: Decision
    next: int | None = None
    stock: StockImage | None = None
    one_colour: bool = False

    @classmethod
    def page(cls, every: Sequence[Match], options: Options, decision: Decision) -> "Result":
        """The page that options name of all matches, or of all to behind its last."""
        more = options.last if len(every) > options.last else None
        return cls(Matches(every[options.first : options.last]), decision, more)

"""The attributes of a few titles, and how those of two agree."""

from collections.abc import Sequence

import numpy as np

from pricematch.titles.comparison import AttributeAgreement, TitleAttributes, compare
from pricematch.titles.normalise import KINDS, parse_titles


def attributes_of(titles: Sequence[str]) -> TitleAttributes:
    """The attributes of some titles."""
    return TitleAttributes.of(parse_titles(titles))


def kind(found: AttributeAgreement, pair: int, name: str) -> tuple[int, int, int]:
    """Shared, contradicting and unanswered attributes of one kind."""
    place = KINDS.index(name)
    return tuple(int(part[pair, place]) for part in (found.shared, found.contradicting, found.unanswered))  # type: ignore[return-value]


def compared(left: str, right: str) -> AttributeAgreement:
    """One pair of titles."""
    zero = np.zeros(1, np.intp)
    return compare(attributes_of([left]), zero, attributes_of([right]), zero)

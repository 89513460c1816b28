"""The catalogues that a model of pairs is learned from: the whole one, and random parts of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.evaluation.splits import each_its_own, whole_groups

LEAST = 150
"""Postings of the smallest part."""
MOST_REPEATS = 3
_LACKING = 0.2


@dataclass(frozen=True, eq=False)
class Sample:
    """One catalogue to learn from.

    Attributes:
        rows: intp [n], which postings of the whole catalogue are in it, ascending.
        postings: their features.
        whole: whether they carry all they have; False where some were robbed of their title or picture.
    """

    rows: NDArray[np.intp]
    postings: Features
    whole: bool


def samples(postings: Features, groups: NDArray[np.intp], signals: tuple[str, ...], seed: int) -> Iterator[Sample]:
    """The whole catalogue; random halves, quarters and so on of whole groups; a half that lacks titles and pictures.

    The last one teaches what is left of the evidence where a posting has a title or a picture alone: of its postings a
    fifth has no title and a fifth no picture, where the signals take both.

    Args:
        postings: their features, n.
        groups: [n], the number of each posting's label group; those without one share a negative number.
        signals: the names of the signals.
        seed: of the choice.
    """
    yield Sample(np.arange(len(postings)), postings, whole=True)
    each = each_its_own(groups)
    size, repeats = len(postings) // 2, 1
    while size >= LEAST:
        for repeat in range(repeats):
            rows = whole_groups(each, size, seed + 1000 * repeats + repeat)
            yield Sample(rows, postings.select(rows), whole=True)
        size, repeats = size // 2, min(2 * repeats, MOST_REPEATS)
    if "title" in signals and len(signals) > 1:
        rows = whole_groups(each, max(LEAST, len(postings) // 2), seed + 1)
        order = np.random.default_rng(seed).permutation(len(rows))
        cut = int(_LACKING * len(rows))
        part = postings.select(rows)
        yield Sample(rows, part.without_titles(order[:cut]).without_images(order[cut : 2 * cut]), whole=False)

"""Which two images of a query and of a match are the nearest, where one of both has several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.catalogue.hashes import Hashes
from pricematch.catalogue.layers import Layered, best_pairs
from pricematch.catalogue.postings import Catalogue
from pricematch.matching.queries import Matches, Result
from pricematch.matching.similarity import SimilaritySearch
from pricematch.matching.stock_images import StockImages

Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True, eq=False)
class ShownImages:
    """The images of one posting, stored or not.

    Attributes:
        count: how many there are.
        hashes: of this one posting; of images that do not count there is none.
        embeddings: gives those by an encoder, [count, d], zeros where one does not count; None where none is known.
    """

    count: int
    hashes: Layered[Hashes]
    embeddings: Callable[[SimilaritySearch], Embeddings | None]


def nearest_images(
    shown: ShownImages,
    catalogue: Catalogue,
    stock: StockImages,
    searches: Sequence[SimilaritySearch],
    rows: NDArray[np.integer],
) -> list[Pair | None]:
    """The places, from 0, of the nearest images of a posting and of each of some rows [m].

    Images are compared by the first encoder that knows both, else by their hashes. None where both have one image at
    most, or nothing compares them.
    """
    several = [place for place, row in enumerate(rows.tolist()) if max(shown.count, len(catalogue[row].images)) > 1]
    found: list[Pair | None] = [None] * len(rows)
    for search in searches if several else ():
        if (vectors := shown.embeddings(search)) is not None:
            several = _filled(found, several, search.nearest_images(vectors, rows[several])[1])
    if several:
        stored, these = stock.counted_hashes, rows[several]
        alike, places = best_pairs(shown.hashes, stored, np.zeros(len(these), np.intp), these, _likeness)
        known = [None if np.isnan(it) else pair for it, pair in zip(alike, _pairs(places), strict=True)]
        _filled(found, several, known)
    return found


def nearest_pair(one: ShownImages, other: ShownImages, searches: Sequence[SimilaritySearch]) -> Pair | None:
    """The same of two postings, stored or not."""
    if max(one.count, other.count) < 2:
        return None
    for search in searches:
        left, right = one.embeddings(search), other.embeddings(search)
        if left is not None and right is not None:
            cosines = left.astype(np.float64) @ right.T.astype(np.float64)
            cosines[~left.any(axis=1)], cosines[:, ~right.any(axis=1)] = -np.inf, -np.inf
            place, number = np.unravel_index(cosines.argmax(), cosines.shape)
            return int(place), int(number)
    this = np.zeros(1, np.intp)
    alike, places = best_pairs(one.hashes, other.hashes, this, this, _likeness)
    return None if np.isnan(alike[0]) else _pairs(places)[0]


def with_nearest_images(
    result: Result,
    shown: ShownImages,
    catalogue: Catalogue,
    stock: StockImages,
    searches: Sequence[SimilaritySearch],
) -> Result:
    """A result whose matches say which images are the nearest."""
    rows = np.array([catalogue.row(match.posting_id) for match in result.matches], np.intp)
    pairs = nearest_images(shown, catalogue, stock, searches, rows)
    if not any(pairs):
        return result
    matches = [replace(match, image_pair=pair) for match, pair in zip(result.matches, pairs, strict=True)]
    return replace(result, matches=Matches(matches))


def _filled(found: list[Pair | None], places: Sequence[int], pairs: Sequence[Pair | None]) -> list[int]:
    """Put pairs into their places; those that are still empty."""
    for place, pair in zip(places, pairs, strict=True):
        found[place] = pair
    return [place for place, pair in zip(places, pairs, strict=True) if pair is None]


def _pairs(places: NDArray[np.intp]) -> list[Pair]:
    return [(one, other) for one, other in places.tolist()]


def _likeness(
    left: Hashes, right: Hashes, left_rows: NDArray[np.integer], right_rows: NDArray[np.integer]
) -> NDArray[np.float32]:
    """How alike pairs of hashes are: 0 less the bits that are not equal, float32 [m]; NaN where one is not known."""
    unequal = np.bitwise_count(left.values[left_rows] ^ right.values[right_rows])
    known = left.known[left_rows] & right.known[right_rows]
    return np.where(known, -unequal.astype(np.float32), np.nan).astype(np.float32)

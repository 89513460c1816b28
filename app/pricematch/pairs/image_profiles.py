"""Profiles of the images of postings: their hashes, how often the catalogue has these, and their image keys."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.hashes import Hashes
from pricematch.catalogue.image_arrays import same_pairs
from pricematch.catalogue.layers import Layered, best_pairs
from pricematch.pairs.equal_values import Shown, occurrences
from pricematch.pairs.neighbours import low_high


@dataclass(frozen=True, eq=False)
class CountedHashes:
    """Hashes of k images, and how many postings show the same.

    Attributes:
        hashes: k.
        repeats: intp [k], postings of the catalogue with that hash, the image's own included; anything where it has no
            hash.
    """

    hashes: Hashes
    repeats: NDArray[np.intp]

    @classmethod
    def among(cls, hashes: Hashes, ascending: NDArray[np.uint64], *, new: bool) -> "CountedHashes":
        """Hashes counted among those of a catalogue, ascending; `new` ones come on top of it, each by itself."""
        return cls(hashes, occurrences(hashes.values, ascending) + new)

    def __len__(self) -> int:
        return len(self.repeats)

    def __getitem__(self, rows: NDArray[np.integer]) -> "CountedHashes":
        return CountedHashes(self.hashes.select(rows), self.repeats[rows])

    def joined(self, more: "CountedHashes") -> "CountedHashes":
        """These and some more behind them."""
        return CountedHashes(self.hashes.joined(more.hashes), np.concatenate([self.repeats, more.repeats]))

    def counting(self, ascending: NDArray[np.uint64], sign: int, *, own: bool) -> "CountedHashes":
        """The same once further postings with hashes, ascending, have come (1), or have gone (-1).

        `own`: whether they are these very postings, each of which counts itself already.
        """
        # of an image without a hash the count means nothing, and no feature is made of it
        more = occurrences(self.hashes.values, ascending) - own
        return replace(self, repeats=self.repeats + sign * more)


@dataclass(frozen=True, eq=False)
class ImageProfiles:
    """The images of n postings prepared for comparison.

    Attributes:
        hashes: None where hashes are no signal.
        keys: uint64, image keys, 0 where there is none.
    """

    hashes: Layered[CountedHashes] | None
    keys: Layered[NDArray[np.uint64]]

    def __len__(self) -> int:
        return len(self.keys)

    def joined(self, more: "ImageProfiles") -> "ImageProfiles":
        """The images of these postings, and of more behind them."""
        hashes = None if self.hashes is None or more.hashes is None else self.hashes.joined(more.hashes)
        return ImageProfiles(hashes, self.keys.joined(more.keys))

    def counting(
        self, others: "ImageProfiles", rows: NDArray[np.integer] | None, sign: int, *, own: bool
    ) -> "ImageProfiles":
        """The same once others, or some rows of them, have come or gone; see `CountedHashes.counting`."""
        if self.hashes is None or others.hashes is None:
            return self
        counted = others.hashes if rows is None else others.hashes.select(rows)
        ascending = np.sort(shown_hashes(counted.made(lambda it: it.hashes))[1])
        return replace(self, hashes=self.hashes.made(lambda it: it.counting(ascending, sign, own=own)))

    def shown(self, rows: NDArray[np.integer] | None = None) -> Shown | None:
        """The hashes of all postings, or of some, by position; None where hashes are no signal."""
        if self.hashes is None:
            return None
        hashes = self.hashes.made(lambda it: it.hashes)
        return shown_hashes(hashes if rows is None else hashes.select(rows))


def shown_hashes(hashes: Layered[Hashes]) -> Shown:
    """The hashes that postings show; one of two equal images of a posting is left out."""
    every = hashes.values
    known = np.flatnonzero(every.known)
    rows, values = hashes.rows[known] if hashes.more else known, every.values[known]
    if hashes.more:
        order = np.lexsort((values, rows))
        rows, values = rows[order], values[order]
        once = np.ones(len(rows), np.bool_)
        once[1:] = (rows[1:] != rows[:-1]) | (values[1:] != values[:-1])
        rows, values = rows[once], values[once]
    return rows, values


def repeat_features(
    left: Layered[CountedHashes],
    right: Layered[CountedHashes],
    left_rows: NDArray[np.integer],
    right_rows: NDArray[np.integer],
) -> NDArray[np.float32]:
    """How often the catalogue has the hashes of pairs [m], the lower and the higher of both ends, float32 [m, 2].

    Of a posting with several images that is the commonest hash. Where both ends show the same hash, both repeat what
    the left one's says of it, of several the commonest: a new posting is counted there, at a stored one it is not.
    """
    shared = best_pairs(left, right, left_rows, right_rows, _shared)[0]
    one, other = _most(left, left_rows), _most(right, right_rows)
    equal = ~np.isnan(shared)
    both = low_high(np.where(equal, shared, one), np.where(equal, shared, other))
    return np.asarray(np.column_stack(both), np.float32)


def same_image_features(
    left: ImageProfiles, right: ImageProfiles, left_rows: NDArray[np.integer], right_rows: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Whether any two images of pairs [m] are the same bytes, float32 [m]; NaN where none of both was read."""
    return best_pairs(left.keys, right.keys, left_rows, right_rows, same_pairs)[0]


def _shared(
    left: CountedHashes, right: CountedHashes, left_rows: NDArray[np.integer], right_rows: NDArray[np.integer]
) -> NDArray[np.float32]:
    """The repeats of the hash that pairs of images share, float32 [p]; NaN where they share none."""
    known = left.hashes.known[left_rows] & right.hashes.known[right_rows]
    equal = known & (left.hashes.values[left_rows] == right.hashes.values[right_rows])
    return np.where(equal, left.repeats[left_rows], np.nan).astype(np.float32)


def _most(counted: Layered[CountedHashes], rows: NDArray[np.integer]) -> NDArray[np.float64]:
    """The repeats of the commonest hash of postings [m], float64 [m]; NaN where they have none."""
    found = np.full(len(rows), np.nan)
    for _, values, held, places in counted.places(rows):
        repeats = np.where(values.hashes.known[places], values.repeats[places], np.nan)
        found[held] = np.fmax(found[held], repeats)
    return found

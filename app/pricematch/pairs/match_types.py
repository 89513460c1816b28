"""How two postings of one product show it: with the very same picture, nearly the same picture, or another one."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.hashes import BITS

Level = Literal["identical", "near", "same_product"]

NEAR_BITS = 8
"""Bits by which the hashes of nearly the same picture differ, at most.

Of pictures encoded again, made smaller or written across, 96 to 100 % differ by this little; of those cropped by 2 to
10 % about 60 %, framed 40 to 55 %, under a banner 30 to 45 %. So do 0.1 % of photos of different products that look
alike, and none in a hundred other photos of the same product. Two bits more find another 10 to 15 % of the cropped and
marked, but also the back and the front of a jacket. The cosine of embeddings is no help: where copies end and other
photos begin depends on the encoder, and each of two encoders mixes them up.
"""


def levels(
    same_image: NDArray[np.floating], hash_similarity: NDArray[np.floating], same_title: NDArray[np.floating]
) -> list[Level]:
    """The level of m pairs.

    `identical`: the same bytes, or equal hashes and equal titles; equal hashes alone are not enough, since flat
    pictures of all kinds share one. `near`: hashes within `NEAR_BITS`. `same_product`: all others.

    Args:
        same_image: [m], 1 where both pictures are the same bytes, 0 where not, NaN where unknown.
        hash_similarity: [m], share of equal bits, NaN where a hash is lacking; see `hashes.similarity_of`.
        same_title: [m], 1 where both titles have the same words, 0 where not, NaN where one has none.

    >>> none = np.nan
    >>> levels(np.array([1, 0, none, none]), np.array([none, 1, 0.9375, 0.5]), np.array([0, 1, none, 1]))
    ['identical', 'identical', 'near', 'same_product']
    """
    identical = (same_image == 1) | ((hash_similarity == 1) & (same_title == 1))
    near = hash_similarity >= 1 - NEAR_BITS / BITS
    return [
        "identical" if is_identical else "near" if is_near else "same_product"
        for is_identical, is_near in zip(identical, near, strict=True)
    ]


def levels_of(names: Sequence[str], features: NDArray[np.float32]) -> list[Level]:
    """The level of m pairs by their features [m, f] of these names (`PairModel.features`).

    What the names lack is unknown: without the signal hash nothing is near.
    """
    columns = {name: column for column, name in enumerate(names)}
    unknown = np.full(len(features), np.nan, np.float32)
    same_image, hash_similarity, same_title = (
        features[:, columns[name]] if name in columns else unknown
        for name in ("same_image", "hash_similarity", "same_title")
    )
    return levels(same_image, hash_similarity, same_title)

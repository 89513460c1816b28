"""Match types: whether two postings of one product show the same image, nearly the same image, or different ones."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import BITS

MatchType = Literal["identical", "near", "same_product"]

NEAR_BITS = 8
"""Bits by which the hashes of nearly the same image differ, at most.

Of images encoded again, made smaller or written across, 96 to 100 % differ by this little; of those cropped by 2 to
10 % about 60 %, framed 40 to 55 %, under a banner 30 to 45 %. So do 0.1 % of photos of different products that look
alike, and none in a hundred other photos of the same product. Two bits more find another 10 to 15 % of the cropped and
marked, but also the back and the front of a jacket. The cosine of embeddings is no help: where copies end and other
photos begin depends on the encoder, and each of two encoders mixes them up.
"""


def match_types(names: Sequence[str], features: NDArray[np.float32]) -> list[MatchType]:
    """The match types of m pairs.

    `identical`: the same bytes, or equal hashes and equal titles; equal hashes alone are not enough, since flat images
    of all kinds share one. `near`: hashes within `NEAR_BITS`. `same_product`: all others. What the names lack is
    unknown: without the signal hash nothing is near.

    Args:
        names: of the f features, `PairModel.feature_names`.
        features: [m, f], of which `same_image`, `hash_similarity` and `same_title` count; NaN where unknown.

    >>> names = ("same_image", "hash_similarity", "same_title")
    >>> match_types(names, np.array([[1, np.nan, 0], [0, 1, 1], [np.nan, 0.9375, 0], [np.nan, 0.5, 1]], np.float32))
    ['identical', 'identical', 'near', 'same_product']
    """
    columns = {name: column for column, name in enumerate(names)}
    unknown = np.full(len(features), np.nan, np.float32)
    same_image, hash_similarity, same_title = (
        features[:, columns[name]] if name in columns else unknown
        for name in ("same_image", "hash_similarity", "same_title")
    )
    identical = (same_image == 1) | ((hash_similarity == 1) & (same_title == 1))
    near = hash_similarity >= 1 - NEAR_BITS / BITS
    return [
        "identical" if is_identical else "near" if is_near else "same_product"
        for is_identical, is_near in zip(identical, near, strict=True)
    ]

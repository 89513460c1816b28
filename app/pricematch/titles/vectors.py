"""Titles as weighted words: how alike two of them are.

TF-IDF (Spärck Jones: A Statistical Interpretation of Term Specificity, 1972) as scikit-learn computes it, with each
word counted once a title. A word is a run of letters or of digits, in lower case, so `500ml` and `500 ml` are the same.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.search.candidates import Candidates, ranked, stacked

_WORD = r"[^\W\d_]+|\d+"
_DECIMALS = 12
_BLOCK_PAIRS = 4 * 1024 * 1024


def nearest_titles(titles: Sequence[str], count: int) -> Candidates:
    """The `count` titles with the highest cosine of their word weights to each title, above 0.

    Cosines are in 0…1, rounded to 12 decimals: what differs by less is a tie. Titles without a word have no candidates
    and are none. All pairs with a word in common are compared, at most four million at a time.
    """
    vectors = title_vectors(titles)
    columns = vectors.T.tocsr()
    block = max(1, _BLOCK_PAIRS // max(1, len(titles)))
    parts = [_nearest(vectors[first : first + block] @ columns, first, count) for first in range(0, len(titles), block)]
    return stacked(parts, count)


def title_vectors(titles: Sequence[str]) -> csr_array:
    """Word weights of each title, float64 [n, words], rows of unit length; a row of zeros for a title without a word.

    A word's weight is 1 + ln((1 + n) / (1 + titles with the word)), before the row is scaled.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(token_pattern=_WORD, binary=True)
    words = vectorizer.build_analyzer()
    if not any(words(title) for title in titles):
        return csr_array((len(titles), 0))
    return csr_array(vectorizer.fit_transform(titles))


def _nearest(similarity: csr_array, first: int, count: int) -> Candidates:
    """Candidates of a block of titles, the first of them in row `first`, from their cosines [block, n]."""
    lines = similarity.shape[0]
    line = np.repeat(np.arange(lines), np.diff(similarity.indptr))
    row, cosine = similarity.indices, np.minimum(np.round(similarity.data, _DECIMALS), 1)
    # one more than asked for, since a title is nearest to itself; sorting all pairs would take most of the time
    last = np.array([_largest(cosine[start:stop], count + 1) for start, stop in pairwise(similarity.indptr)])
    kept = (cosine >= last[line]) & (cosine > 0) & (line + first != row)
    return ranked(line[kept], row[kept], cosine[kept], lines, count)


def _largest(values: NDArray[np.float64], place: int) -> float:
    """The value at a place, from 1, in descending order; −inf where there are fewer."""
    return float(np.partition(values, len(values) - place)[len(values) - place]) if len(values) >= place else -np.inf

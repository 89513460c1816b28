"""Titles blended with their neighbours, against dense arithmetic."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.search.candidates import Candidates
from pricematch.search.hamming import similarity_of
from pricematch.search.sparse import SparseIndex, cosines
from pricematch.titles.normalise import parse_titles
from pricematch.titles.vectors import TfIdf, expand, expand_few, hash_shares, title_shares

TITLES = ["kerupuk kulit", "kerupuk kulit rambak sapi", "rambak sapi", "teh botol", ""]


def unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows at unit length; those of zeros stay."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    scaled: NDArray[np.float64] = np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)
    return scaled


def candidates(rows: list[list[int]], similarities: list[list[float]]) -> Candidates:
    """Candidates from lists."""
    return Candidates(np.array(rows, np.int32), np.array(similarities))


def plain() -> SparseIndex:
    """The titles as they are."""
    return SparseIndex(TfIdf(parse_titles(TITLES)).vectors)


def blended() -> SparseIndex:
    """The titles blended."""
    index = plain()
    shares = title_shares(index.nearest_others(10), len(TITLES))
    return SparseIndex(expand(index.vectors, shares, index.vectors))


def test_titles_meet_through_a_third() -> None:
    """Titles without a common word find each other through one that shares words with both."""
    assert 2 not in plain().nearest_others(4).rows[0]
    assert blended().nearest_others(4).rows[0, :2].tolist() == [1, 2]


def test_blends_are_weighted_sums() -> None:
    """A blend is the title and its neighbours times their shares, without what is small."""
    index = plain()
    shares = csr_array(np.array([[0, 0.5, 0, 0.012, 0], *[[0] * 5] * 4], np.float32))
    dense = index.vectors.toarray().astype(np.float64)
    expected = unit(dense + shares.toarray() @ dense)
    assert ((expected > 0) & (expected < 0.01)).any()
    found = expand(index.vectors, shares, index.vectors).toarray()
    np.testing.assert_allclose(found, unit(np.where(expected < 0.01, 0, expected)), atol=1e-6)


def test_titles_without_neighbours_stay() -> None:
    """A title without neighbours stays as it is, and an empty one has no candidates."""
    found = blended()
    np.testing.assert_allclose(found.vectors[3:].toarray(), plain().vectors[3:].toarray(), atol=1e-6)
    assert (found.nearest_others(2).rows[4] == -1).all()


def test_new_titles_are_blended_alike() -> None:
    """A new title is blended as those of the catalogue are."""
    fitted = TfIdf(parse_titles(TITLES))
    index, found = SparseIndex(fitted.vectors), blended()
    queries = fitted.transform(parse_titles(["kulit kerupuk"]))
    blends = expand(queries, title_shares(index.nearest(queries, 10), len(TITLES)), index.vectors)
    nearest = found.nearest(blends, 3)
    assert sorted(nearest.rows[0].tolist()) == [0, 1, 2]
    similarities = cosines(blends, np.zeros(3, np.intp), found.vectors, nearest.rows[0])
    np.testing.assert_allclose(similarities, nearest.similarities[0], atol=1e-6)


def test_title_shares() -> None:
    """The share of a title is twice its squared cosine, from 0.3 on."""
    shares = title_shares(candidates([[1, 2, -1], [2, -1, -1]], [[0.5, 0.29, -np.inf], [0.3, -np.inf, -np.inf]]), 3)
    np.testing.assert_allclose(shares.toarray(), [[0, 2 * 0.5**2, 0], [0, 0, 2 * 0.3**2]], rtol=1e-6)


def test_hash_shares() -> None:
    """The share of a hash is its share of equal bits, up to 6 that differ."""
    alike, apart = (float(similarity_of(np.array(bits))) for bits in (6, 7))
    shares = hash_shares(candidates([[1, 2]], [[alike, apart]]), 3)
    np.testing.assert_allclose(shares.toarray(), [[0, 58 / 64, 0]], rtol=1e-6)


def test_ten_neighbours_at_most() -> None:
    """Ten neighbours at most have a share."""
    rows = np.arange(1, 13, dtype=np.int32)[np.newaxis]
    shares = title_shares(Candidates(rows, np.full((1, 12), 0.9)), 13)
    assert shares.indices.tolist() == list(range(1, 11))


def test_empty_catalogue() -> None:
    """An empty catalogue can be blended and searched."""
    index = SparseIndex(TfIdf([]).vectors)
    found = SparseIndex(expand(index.vectors, title_shares(index.nearest_others(10), 0), index.vectors))
    assert found.nearest_others(3).rows.shape == (0, 3)


@pytest.mark.parametrize("with_hashes", [True, False])
@pytest.mark.parametrize("new", [[], [""], ["rambak", "", "kerupuk sapi teh baru", "kata lain", "kerupuk kulit"]])
def test_few_titles_are_blended_as_many_are(new: list[str], *, with_hashes: bool) -> None:
    """Where a neighbour is one by title and hash, where there is none, and where the title has no word."""
    terms = TfIdf(parse_titles(TITLES))
    index, queries = SparseIndex(terms.vectors), terms.transform(parse_titles(new))
    near = index.nearest(queries, 10)
    rows = [[1, 3], [0, -1], [1, 0], [-1, -1], [2, 3]][: len(new)]
    similarities = np.where(np.array(rows).reshape(-1, 2) < 0, -np.inf, np.array([1.0, 0.5]))
    hashes = Candidates(np.array(rows, np.int32).reshape(-1, 2), similarities) if with_hashes else None
    shares = title_shares(near, len(TITLES))
    if hashes is not None:
        shares = csr_array(shares + hash_shares(hashes, len(TITLES)))
    expected = expand(queries, shares, terms.vectors)
    found = expand_few(queries, near, hashes, terms.vectors)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.toarray(), expected.toarray(), rtol=1e-6)
    assert found.nnz == expected.nnz

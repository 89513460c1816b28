"""Titles blended with their neighbours, against dense arithmetic."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.search.candidates import Candidates
from pricematch.search.hamming import similarity_of
from pricematch.search.sparse import VectorIndex
from pricematch.titles.blends import BlendedIndex, hash_shares, title_shares
from pricematch.titles.grams import TitleGrams

TITLES = ["kerupuk kulit", "kerupuk kulit rambak sapi", "rambak sapi", "teh botol", ""]


def unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    scaled: NDArray[np.float64] = np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)
    return scaled


def candidates(rows: list[list[int]], similarities: list[list[float]]) -> Candidates:
    return Candidates(np.array(rows, np.int32), np.array(similarities))


def plain() -> VectorIndex:
    return VectorIndex(TitleGrams(TITLES).vectors)


def blended() -> BlendedIndex:
    index = plain()
    return BlendedIndex(index, title_shares(index.nearest_others(10), len(TITLES)))


def test_titles_without_a_common_word_find_each_other_through_a_third() -> None:
    assert 2 not in plain().nearest_others(4).rows[0]
    assert blended().nearest_others(4).rows[0, :2].tolist() == [1, 2]


def test_a_blend_is_the_title_and_its_neighbours_times_their_shares_without_what_is_small() -> None:
    index = plain()
    shares = csr_array(np.array([[0, 0.5, 0, 0.012, 0], *[[0] * 5] * 4], np.float32))
    dense = index.vectors.toarray().astype(np.float64)
    expected = unit(dense + shares.toarray() @ dense)
    assert ((expected > 0) & (expected < 0.01)).any()
    found = BlendedIndex(index, shares).vectors.toarray()
    np.testing.assert_allclose(found, unit(np.where(expected < 0.01, 0, expected)), atol=1e-6)


def test_a_title_without_neighbours_stays_as_it_is_and_an_empty_one_has_no_candidates() -> None:
    found = blended()
    np.testing.assert_allclose(found.vectors[3:].toarray(), plain().vectors[3:].toarray(), atol=1e-6)
    assert (found.nearest_others(2).rows[4] == -1).all()


def test_a_new_title_is_blended_as_those_of_the_catalogue_are() -> None:
    grams = TitleGrams(TITLES)
    index = VectorIndex(grams.vectors)
    found = blended()
    queries = grams.weigh(["kulit kerupuk"])
    blends = found.blend(queries, title_shares(index.nearest(queries, 10), len(TITLES)))
    nearest = found.nearest(blends, 3)
    assert sorted(nearest.rows[0].tolist()) == [0, 1, 2]
    np.testing.assert_allclose(
        found.similarities(blends, np.zeros(3, np.intp), nearest.rows[0]), nearest.similarities[0], atol=1e-6
    )


def test_the_share_of_a_title_is_twice_its_squared_cosine_from_0_3_on() -> None:
    shares = title_shares(candidates([[1, 2, -1], [2, -1, -1]], [[0.5, 0.29, -np.inf], [0.3, -np.inf, -np.inf]]), 3)
    np.testing.assert_allclose(shares.toarray(), [[0, 2 * 0.5**2, 0], [0, 0, 2 * 0.3**2]], rtol=1e-6)


def test_the_share_of_a_hash_is_its_equal_bits_up_to_6_that_differ() -> None:
    alike, apart = (float(similarity_of(np.array(bits))) for bits in (6, 7))
    shares = hash_shares(candidates([[1, 2]], [[alike, apart]]), 3)
    np.testing.assert_allclose(shares.toarray(), [[0, 58 / 64, 0]], rtol=1e-6)


def test_ten_neighbours_at_most_have_a_share() -> None:
    rows = np.arange(1, 13, dtype=np.int32)[np.newaxis]
    shares = title_shares(Candidates(rows, np.full((1, 12), 0.9)), 13)
    assert shares.indices.tolist() == list(range(1, 11))


def test_an_empty_catalogue_can_be_blended_and_searched() -> None:
    index = VectorIndex(TitleGrams([]).vectors)
    found = BlendedIndex(index, title_shares(index.nearest_others(10), 0))
    assert found.nearest_others(3).rows.shape == (0, 3)

"""Match types of pairs, by bytes, hashes and titles."""

import numpy as np
import pytest

from pricematch.catalogue.features import BITS
from pricematch.pairs.match_types import NEAR_BITS, MatchType, match_types
from pricematch.search.hamming import similarity_of

UNKNOWN = np.nan


def match_type(same_image: float, bits: float, same_title: float) -> MatchType:
    similarity = UNKNOWN if np.isnan(bits) else float(similarity_of(np.array(int(bits))))
    names = ("same_image", "hash_similarity", "same_title")
    [found] = match_types(names, np.array([[same_image, similarity, same_title]], np.float32))
    return found


@pytest.mark.parametrize("bits", [UNKNOWN, 0, 40])
@pytest.mark.parametrize("same_title", [UNKNOWN, 0, 1])
def test_the_same_bytes_are_identical(bits: float, same_title: float) -> None:
    """Whatever else is known."""
    assert match_type(1, bits, same_title) == "identical"


def test_equal_hashes_and_titles_are_identical() -> None:
    """Though the bytes differ or were not read."""
    assert match_type(0, 0, 1) == "identical"
    assert match_type(UNKNOWN, 0, 1) == "identical"


@pytest.mark.parametrize("same_title", [UNKNOWN, 0])
def test_equal_hashes_alone_are_near(same_title: float) -> None:
    """Flat images of all kinds share one hash."""
    assert match_type(0, 0, same_title) == "near"


@pytest.mark.parametrize(("bits", "expected"), [(1, "near"), (NEAR_BITS, "near"), (NEAR_BITS + 1, "same_product")])
@pytest.mark.parametrize("same_title", [UNKNOWN, 0, 1])
def test_images_are_near_up_to_some_bits(bits: int, same_title: float, expected: MatchType) -> None:
    """Whatever the titles say."""
    assert match_type(0, bits, same_title) == expected


@pytest.mark.parametrize("same_image", [UNKNOWN, 0])
def test_equal_titles_alone_are_the_same_product(same_image: float) -> None:
    """Where images are unlike, or unknown."""
    assert match_type(same_image, UNKNOWN, 1) == "same_product"
    assert match_type(same_image, 30, 1) == "same_product"


def test_columns_are_found_by_name() -> None:
    """In any order, among others."""
    names = ("same_title", "words_similarity", "hash_similarity", "same_image")
    near = 1 - NEAR_BITS / BITS
    features = np.array([[1, 0, 1, 0], [0, 1, near, UNKNOWN], [0, 1, near - 1 / BITS, 0], [0, 0, 0, 1]], np.float32)
    assert match_types(names, features) == ["identical", "near", "same_product", "identical"]


def test_missing_columns_are_unknown() -> None:
    """Without hashes and titles only the same bytes are identical."""
    assert match_types(("image_similarity", "same_image"), np.array([[1, 0], [0.5, 1]], np.float32)) == [
        "same_product",
        "identical",
    ]
    assert match_types(("same_image",), np.empty((0, 1), np.float32)) == []

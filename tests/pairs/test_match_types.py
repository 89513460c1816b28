"""Levels of pairs: by bytes, hashes and titles."""

import numpy as np
import pytest

from pricematch.catalogue.hashes import BITS
from pricematch.pairs.match_types import NEAR_BITS, Level, levels, levels_of
from pricematch.search.hamming import similarity_of

UNKNOWN = np.nan


def level_of(same_image: float, bits: float, same_title: float) -> Level:
    similarity = similarity_of(np.array([0 if np.isnan(bits) else int(bits)]))
    similarity[0] = UNKNOWN if np.isnan(bits) else similarity[0]
    [level] = levels(np.array([same_image]), similarity, np.array([same_title]))
    return level


@pytest.mark.parametrize("bits", [UNKNOWN, 0, 40])
@pytest.mark.parametrize("same_title", [UNKNOWN, 0, 1])
def test_the_same_bytes_are_identical_whatever_else_is_known(bits: float, same_title: float) -> None:
    assert level_of(1, bits, same_title) == "identical"


def test_equal_hashes_and_titles_are_identical_though_the_bytes_differ_or_were_not_read() -> None:
    assert level_of(0, 0, 1) == "identical"
    assert level_of(UNKNOWN, 0, 1) == "identical"


@pytest.mark.parametrize("same_title", [UNKNOWN, 0])
def test_equal_hashes_alone_are_near_since_flat_pictures_of_all_kinds_share_one(same_title: float) -> None:
    assert level_of(0, 0, same_title) == "near"


@pytest.mark.parametrize(("bits", "expected"), [(1, "near"), (NEAR_BITS, "near"), (NEAR_BITS + 1, "same_product")])
@pytest.mark.parametrize("same_title", [UNKNOWN, 0, 1])
def test_pictures_are_near_up_to_some_bits_whatever_the_titles_say(
    bits: int, same_title: float, expected: Level
) -> None:
    assert level_of(0, bits, same_title) == expected


@pytest.mark.parametrize("same_image", [UNKNOWN, 0])
def test_equal_titles_without_a_likeness_of_pictures_are_the_same_product(same_image: float) -> None:
    assert level_of(same_image, UNKNOWN, 1) == "same_product"
    assert level_of(same_image, 30, 1) == "same_product"


def test_levels_of_features_find_their_columns_by_name_in_float32() -> None:
    names = ("same_title", "words_similarity", "hash_similarity", "same_image")
    near = 1 - NEAR_BITS / BITS
    features = np.array([[1, 0, 1, 0], [0, 1, near, UNKNOWN], [0, 1, near - 1 / BITS, 0], [0, 0, 0, 1]], np.float32)
    assert levels_of(names, features) == ["identical", "near", "same_product", "identical"]


def test_without_features_of_hashes_and_titles_only_the_same_bytes_tell() -> None:
    assert levels_of(("image_similarity", "same_image"), np.array([[1, 0], [0.5, 1]], np.float32)) == [
        "same_product",
        "identical",
    ]
    assert levels_of(("same_image",), np.empty((0, 1), np.float32)) == []

"""What postings carry, and parts of it."""

import numpy as np

from pricematch.catalogue.features import carried, image_keys
from pricematch.pairs.retrievers import IMAGE_SPACES
from tests.support.drawn import drawn


def test_some_postings_carry_what_they_did_in_the_order_given() -> None:
    every, rows = drawn(9), np.array([7, 0, 3])
    part = every.select(rows)
    assert part.titles == [every.titles[row] for row in rows]
    np.testing.assert_array_equal(part.hashes.values, every.hashes.values[rows])
    np.testing.assert_array_equal(part.hashes.known, every.hashes.known[rows])
    np.testing.assert_array_equal(part.images, every.images[rows])
    for name in IMAGE_SPACES:
        np.testing.assert_array_equal(part.embeddings[name], every.embeddings[name][rows])


def test_without_titles_or_pictures_the_rest_stays() -> None:
    every, rows = drawn(9, lacking=0), np.array([1, 2, 5])
    others = np.setdiff1d(np.arange(9), rows)
    untitled, pictureless = every.without_titles(rows), every.without_pictures(rows)
    assert [row for row, title in enumerate(untitled.titles) if not title] == rows.tolist()
    assert untitled.hashes is every.hashes
    assert pictureless.titles is every.titles
    assert not pictureless.hashes.known[rows].any()
    assert not pictureless.images[rows].any()
    np.testing.assert_array_equal(pictureless.images[others], every.images[others])
    for name in IMAGE_SPACES:
        assert not pictureless.embeddings[name][rows].any()
        np.testing.assert_array_equal(pictureless.embeddings[name][others], every.embeddings[name][others])
        assert every.embeddings[name].any(axis=1).all()


def test_pictures_are_known_by_the_first_64_bits_of_their_digest() -> None:
    digests = [bytes(range(32)), None, b"\xff" * 32]
    expected = [0x0001020304050607, 0, 2**64 - 1]
    assert image_keys(digests).tolist() == expected
    assert carried([""] * 3, [None] * 3, images=digests).images.tolist() == expected
    assert carried([""] * 3, [None] * 3).images.tolist() == [0] * 3

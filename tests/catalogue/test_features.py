"""Features of postings, and parts of them."""

import numpy as np

from pricematch.catalogue.features import Features, image_keys
from pricematch.pairs.retrievers import IMAGE_SPACES
from tests.support.drawn import drawn


def test_selected_rows_keep_their_features_in_the_order_given() -> None:
    """`select` picks titles, hashes, embeddings and image keys alike."""
    every, rows = drawn(9), np.array([7, 0, 3])
    part = every.select(rows)
    assert part.titles == [every.titles[row] for row in rows]
    np.testing.assert_array_equal(part.hashes.values, every.hashes.values[rows])
    np.testing.assert_array_equal(part.hashes.known, every.hashes.known[rows])
    np.testing.assert_array_equal(part.images, every.images[rows])
    for name in IMAGE_SPACES:
        np.testing.assert_array_equal(part.embeddings[name], every.embeddings[name][rows])


def test_features_without_titles_or_images_keep_the_rest() -> None:
    """Only what is taken away at the given rows changes, in a copy."""
    every, rows = drawn(9, lacking=0), np.array([1, 2, 5])
    others = np.setdiff1d(np.arange(9), rows)
    untitled, imageless = every.without_titles(rows), every.without_images(rows)
    assert [row for row, title in enumerate(untitled.titles) if not title] == rows.tolist()
    assert untitled.hashes is every.hashes
    assert imageless.titles is every.titles
    assert not imageless.hashes.known[rows].any()
    assert not imageless.images[rows].any()
    np.testing.assert_array_equal(imageless.images[others], every.images[others])
    for name in IMAGE_SPACES:
        assert not imageless.embeddings[name][rows].any()
        np.testing.assert_array_equal(imageless.embeddings[name][others], every.embeddings[name][others])
        assert every.embeddings[name].any(axis=1).all()


def test_image_keys_are_the_first_64_bits_of_digests() -> None:
    """Without a digest the key is 0."""
    digests = [bytes(range(32)), None, b"\xff" * 32]
    expected = [0x0001020304050607, 0, 2**64 - 1]
    assert image_keys(digests).tolist() == expected
    assert Features.of([""] * 3, [None] * 3, images=digests).images.tolist() == expected
    assert Features.of([""] * 3, [None] * 3).images.tolist() == [0] * 3

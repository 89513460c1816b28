"""Features of postings, and arrays that grow, against arrays that are copied each time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from pricematch.catalogue.features import Features, unit_rows
from pricematch.catalogue.growing_array import GrowingArray
from pricematch.catalogue.hashes import ONE_COLOUR, decisive_hashes
from pricematch.catalogue.image_arrays import image_keys, same_images
from pricematch.errors import ModelOutputError
from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from tests.support.catalogues import drawn


def test_selected_rows_keep_their_features_in_the_order_given() -> None:
    """`select` picks titles, hashes, embeddings and image keys alike."""
    every, rows = drawn(9), np.array([7, 0, 3])
    part = every.select(rows)
    assert part.titles == [every.titles[row] for row in rows]
    np.testing.assert_array_equal(part.hashes.values, every.hashes.values[rows])
    np.testing.assert_array_equal(part.hashes.known, every.hashes.known[rows])
    np.testing.assert_array_equal(part.images, every.images[rows])
    for name in IMAGE_RETRIEVERS:
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
    for name in IMAGE_RETRIEVERS:
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


def noise(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((count, 3)).astype(np.float32)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=8))
def test_extended_arrays_hold_all_parts(sizes: list[int]) -> None:
    """One after the other."""
    parts = [noise(size, seed) for seed, size in enumerate(sizes)]
    growing = GrowingArray(parts[0])
    for end, part in enumerate(parts[1:], start=2):
        growing = growing.extended(part)
        np.testing.assert_array_equal(growing.values, np.concatenate(parts[:end]))
        assert len(growing) == len(growing.values) == sum(sizes[:end])


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 50)), max_size=15))
def test_growing_arrays_never_change(
    steps: list[tuple[int, int]],
) -> None:
    """Whatever they are extended by, and however often."""
    held = [(GrowingArray(noise(5, 0)), noise(5, 0))]
    for seed, (chosen, size) in enumerate(steps, start=1):
        growing, rows = held[chosen % len(held)]
        more = noise(size, seed)
        held.append((growing.extended(more), np.concatenate([rows, more])))
    for growing, rows in held:
        np.testing.assert_array_equal(growing.values, rows)
        assert len(growing) == len(rows)


def test_two_extensions_of_one_array_do_not_mix() -> None:
    """Each has its own rows behind the shared ones."""
    rows = GrowingArray(np.zeros((3, 2), np.int64))
    ones, twos = rows.extended(np.full((2, 2), 1)), rows.extended(np.full((4, 2), 2))
    assert ones.extended(np.full((1, 2), 3)).values[:, 0].tolist() == [0, 0, 0, 1, 1, 3]
    assert (ones.values[:, 0].tolist(), twos.values[:, 0].tolist()) == ([0, 0, 0, 1, 1], [0, 0, 0, 2, 2, 2, 2])


def test_growing_arrays_are_read_only() -> None:
    """And share no memory with what they were made of."""
    given_rows = np.zeros((2, 1))
    growing = GrowingArray(given_rows)
    given_rows[:] = 7
    assert growing.values.tolist() == [[0], [0]]
    for rows in (growing.values, growing.extended(np.ones((1, 1))).values):
        with pytest.raises(ValueError, match="read-only"):
            rows[0] = 1


def test_adding_one_by_one_seldom_copies() -> None:
    """Two thousand additions move the rows fewer than twelve times."""
    growing, moved = GrowingArray(np.zeros(0)), 0
    for value in range(2000):
        longer = growing.extended(np.array([float(value)]))
        moved += not np.shares_memory(longer.values, growing.values) and value > 0
        growing = longer
    assert growing.values.tolist() == list(range(2000))
    assert moved < 12


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=FLOATS))
def test_rows_get_length_one_and_keep_their_direction(values: NDArray[np.float32]) -> None:
    values[~values.any(axis=1), 0] = 1
    unit = unit_rows(values, values.shape[1])
    assert unit.dtype == np.float32
    assert unit.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    exact = values.astype(np.float64)
    cosine = (unit * exact).sum(axis=1) / np.linalg.norm(exact, axis=1)
    np.testing.assert_allclose(cosine, 1, atol=1e-6)


def test_integers_are_scaled_as_well() -> None:
    np.testing.assert_allclose(unit_rows([[3, 4], [0, -2]], 2), [[0.6, 0.8], [0.0, -1.0]], atol=1e-7)


def test_no_rows_stay_no_rows() -> None:
    assert unit_rows(np.empty((0, 3)), 3).shape == (0, 3)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 1), ()])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelOutputError, match=r"expected embeddings of shape \[n, 3\]"):
        unit_rows(np.ones(shape), 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ModelOutputError, match="finite"):
        unit_rows([[1.0, 0.0], [1.0, bad]], 2)


def test_a_row_of_zeros_is_refused() -> None:
    with pytest.raises(ModelOutputError, match="direction"):
        unit_rows([[1, 0], [0, 0]], 2)


def test_a_posting_of_one_colour_is_as_one_without_an_image() -> None:
    """Its title stays, and a hash of its own does not help: fault C7."""
    digest, vectors = b"\1" * 32, np.eye(3, dtype=np.float32)
    hashes = decisive_hashes(["0" * 16, "f" * 16, None], ["1" * 16, ONE_COLOUR, "2" * 16])
    assert hashes == ["0" * 16, ONE_COLOUR, "2" * 16]
    found = Features.of(["one", "two", "three"], hashes, {"image": vectors, "colours": vectors}, [digest] * 3)
    assert found.titles == ["one", "two", "three"]
    np.testing.assert_array_equal(found.hashes.known, [True, False, True])
    np.testing.assert_array_equal(found.images != 0, [True, False, True])
    for of in found.embeddings.values():
        np.testing.assert_array_equal(of.any(axis=1), [True, False, True])


def test_keys_say_whether_images_are_the_same() -> None:
    """Also keys whose highest bit is set; nothing is known where an image was not read."""
    high = 2**63 + 5
    one, other = np.array([high, high, 0, high], np.uint64), np.array([high, 7, 0, 0], np.uint64)
    np.testing.assert_array_equal(same_images(one, other), [1, 0, np.nan, np.nan])
    np.testing.assert_array_equal(same_images(one, high), [1, 1, np.nan, 1])
    np.testing.assert_array_equal(same_images(one, 0), [np.nan] * 4)

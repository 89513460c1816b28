"""Augmentations: amounts, limits, seeds and what they leave alone."""

import colorsys

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.training.augmentation import (
    augment,
    augment_batch,
    clahe,
    flip,
    gamma,
    seller_view,
    seller_views,
    shift_hue_and_saturation,
    variants,
)
from tests.support.fakes import scene

PIXELS = np.asarray(scene((32, 24)))


def test_flip_mirrors_left_and_right_and_twice_is_nothing() -> None:
    np.testing.assert_array_equal(flip(PIXELS)[:, 0], PIXELS[:, -1])
    np.testing.assert_array_equal(flip(flip(PIXELS)), PIXELS)


@pytest.mark.parametrize("exponent", [1.0, 2.0, 4.0, 0.5])
def test_gamma_raises_each_channel_to_its_exponent(exponent: float) -> None:
    expected = np.rint(255 * (PIXELS / 255) ** exponent)
    np.testing.assert_array_equal(gamma(PIXELS, exponent), expected)


def test_gamma_one_is_nothing() -> None:
    np.testing.assert_array_equal(gamma(PIXELS, 1), PIXELS)


@given(st.tuples(*[st.integers(0, 255)] * 3), st.integers(-100, 100), st.integers(-30, 30))
def test_hue_turns_by_two_degrees_a_unit_and_saturation_is_added(
    colour: tuple[int, int, int], hue: int, saturation: int
) -> None:
    shifted = shift_hue_and_saturation(np.full((1, 1, 3), colour, np.uint8), hue, saturation)[0, 0]
    h, s, v = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    expected = colorsys.hsv_to_rgb((h + hue / 180) % 1, min(1, max(0, s + saturation / 255)), v)
    # OpenCV keeps the hue in steps of 2°, each of which is up to 255 / 30 of a channel
    np.testing.assert_allclose(shifted, [255 * channel for channel in expected], atol=255 / 30 + 2)


def test_a_whole_turn_of_the_hue_is_nothing() -> None:
    for turn in (180, -180, 360):
        np.testing.assert_array_equal(shift_hue_and_saturation(PIXELS, turn, 0), shift_hue_and_saturation(PIXELS, 0, 0))
    assert np.abs(shift_hue_and_saturation(PIXELS, 0, 0).astype(int) - PIXELS).max() <= 6  # rounding of the hue


def test_the_hue_of_red_turned_by_a_third_is_green() -> None:
    red = np.full((4, 4, 3), (255, 0, 0), np.uint8)
    assert (shift_hue_and_saturation(red, 60, 0) == (0, 255, 0)).all()
    assert (shift_hue_and_saturation(red, -60, 0) == (0, 0, 255)).all()


def test_grey_has_no_hue_to_turn() -> None:
    grey = np.full((4, 4, 3), 90, np.uint8)
    np.testing.assert_array_equal(shift_hue_and_saturation(grey, 77, 0), grey)


def test_clahe_spreads_lightness_and_keeps_colour() -> None:
    dull = (100 + PIXELS.astype(int) // 16).astype(np.uint8)
    dull = np.ascontiguousarray(np.repeat(np.repeat(dull, 8, axis=0), 8, axis=1))
    before, after = (cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(int) for pixels in (dull, clahe(dull)))
    assert np.ptp(before[:, :, 0]) < np.ptp(after[:, :, 0]) < 2 * np.ptp(before[:, :, 0])  # the clip limit
    assert np.abs(after[:, :, 1:] - before[:, :, 1:]).max() <= 2


@pytest.mark.parametrize("seed", range(20))
def test_augment_is_one_of_the_compositions_by_seed(seed: int) -> None:
    once, again = (augment(PIXELS, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert once.shape == PIXELS.shape
    assert once.dtype == np.uint8


def test_augment_leaves_a_sixteenth_of_the_images_alone_and_flips_half() -> None:
    lone = np.zeros((16, 16, 3), np.uint8)
    lone[:, :8] = 255
    drawn = [augment(lone, np.random.default_rng(seed)) for seed in range(400)]
    flipped = sum(bool(pixels[:, 0].max() < pixels[:, -1].max()) for pixels in drawn)
    assert 160 < flipped < 240  # 4 standard deviations of 10 around 200
    same = sum(bool(np.array_equal(augment(PIXELS, np.random.default_rng(seed)), PIXELS)) for seed in range(400))
    assert 6 < same < 45  # 4 standard deviations of 4.8 around 25


def test_augment_does_not_write_into_its_input() -> None:
    before = PIXELS.copy()
    for seed in range(10):
        augment(PIXELS, np.random.default_rng(seed))
    np.testing.assert_array_equal(PIXELS, before)


def test_what_happens_to_a_row_depends_on_seed_and_epoch_only() -> None:
    batch = np.stack([PIXELS] * 3)
    together = augment_batch(batch, np.array([7, 8, 9]), seed=1, epoch=2)
    for position, row in enumerate([7, 8, 9]):
        alone = augment_batch(batch[:1], np.array([row]), seed=1, epoch=2)
        np.testing.assert_array_equal(together[position], alone[0])
    others = [augment_batch(batch, np.array([7, 8, 9]), seed=s, epoch=e) for s, e in ((1, 3), (2, 2))]
    assert not any(np.array_equal(together, other) for other in others)


def test_variants_are_captioned_and_begin_with_the_original() -> None:
    drawn = variants(PIXELS, np.random.default_rng(0))
    captions = list(drawn)
    assert captions[0] == "original"
    np.testing.assert_array_equal(drawn["original"], PIXELS)
    np.testing.assert_array_equal(drawn["flip"], flip(PIXELS))
    np.testing.assert_array_equal(drawn["gamma 4"], gamma(PIXELS, 4))
    assert captions[-4:] == [f"as in training {number}" for number in (1, 2, 3, 4)]
    assert len(drawn) == 12


def pixels(side: int = 48) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(scene((side, side)))


def test_a_view_is_an_image_of_the_same_size() -> None:
    original = pixels()
    for seed in range(50):
        view = seller_view(original, np.random.default_rng(seed))
        assert view.shape == original.shape
        assert view.dtype == np.uint8
    assert (original == pixels()).all()


def test_views_differ_but_are_nearer_to_their_image_than_noise_is() -> None:
    original = pixels().astype(float)
    views = [seller_view(pixels(), np.random.default_rng(seed)).astype(float) for seed in range(30)]
    assert len({view.tobytes() for view in views}) == 30
    noise = np.abs(np.random.default_rng(0).integers(0, 256, original.shape) - original).mean()
    away = [min(np.abs(view - original).mean(), np.abs(view[:, ::-1] - original).mean()) for view in views]
    assert np.median(away) < noise


def test_what_a_view_is_depends_on_seed_turn_and_row_only() -> None:
    batch = np.stack([pixels()] * 3)
    together = seller_views(batch, np.array([4, 5, 6]), seed=1, turn=2)
    assert (seller_views(batch[:1], np.array([5]), seed=1, turn=2)[0] == together[1]).all()
    others = [
        seller_views(batch[:1], np.array([row]), seed=seed, turn=turn)[0]
        for row, seed, turn in ((4, 1, 2), (5, 0, 2), (5, 1, 3))
    ]
    assert all((other != together[1]).any() for other in others)


@pytest.mark.parametrize("side", [8, 224])
def test_the_smallest_images_have_views_too(side: int) -> None:
    for seed in range(20):
        assert seller_view(pixels(side), np.random.default_rng(seed)).shape == (side, side, 3)

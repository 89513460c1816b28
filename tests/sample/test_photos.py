"""Backdrops, shots, photographs and what sellers do to them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pricematch.sample.backdrops import LAID, UPRIGHT, backdrop
from pricematch.sample.kinds import KINDS, Kind
from pricematch.sample.listings import choose_side, finish
from pricematch.sample.photos import Pixels, photograph
from pricematch.sample.shots import Shot, seller_shot, stock_shot

PLAIN = replace(
    stock_shot(np.random.default_rng(0), KINDS[0]),
    backdrop="white",
    corners=((0.0, 0.0),) * 4,
    angle=0.0,
    shift=(0.0, 0.0),
    doubled=False,
    falloff=0.0,
)


@pytest.fixture
def square() -> Pixels:
    """A square whose left half is red and whose right half is blue, so that mirrors show."""
    pixels = np.zeros((100, 100, 4), dtype=np.uint8)
    pixels[20:80, 20:80, 3] = 255
    pixels[20:80, 20:50, 0] = 255
    pixels[20:80, 50:80, 2] = 255
    return pixels


@pytest.mark.parametrize("name", sorted({*UPRIGHT, *LAID}))
def test_a_backdrop_is_the_same_scene_at_every_size(name: str) -> None:
    small, large = (backdrop(name, side, side, np.random.default_rng(4)) for side in (160, 320))
    shrunk = large.reshape(160, 2, 160, 2, 3).mean(axis=(1, 3))
    assert small.dtype == np.float32
    assert 0 <= small.min() <= small.max() <= 1
    assert np.abs(small - shrunk).mean() < 0.04


@pytest.mark.parametrize("aspect", [(1.0, 1.0), (0.75, 1.0), (1.0, 0.75)])
def test_a_photo_has_the_frame_of_its_shot(square: Pixels, aspect: tuple[float, float]) -> None:
    photo = photograph(square, 1, replace(PLAIN, aspect=aspect), 400)
    assert photo.shape == (round(400 * aspect[1]), round(400 * aspect[0]), 3)


def test_an_article_laid_straight_stands_in_the_middle(square: Pixels) -> None:
    photo = photograph(square, 1, replace(PLAIN, upright=False, exposure=1.0, warmth=0.0, fill=0.5), 400)
    assert photo[200, 150].tolist() == [255, 0, 0]
    assert photo[200, 250].tolist() == [0, 0, 255]
    assert photo[30, 30].min() > 240


def test_a_mirrored_shot_swaps_left_and_right(square: Pixels) -> None:
    shot = replace(PLAIN, upright=False, exposure=1.0, warmth=0.0, fill=0.5, mirrored=True)
    assert photograph(square, 1, shot, 400)[200, 150].tolist() == [0, 0, 255]


@pytest.mark.parametrize("pack", [2, 3, 6])
def test_a_pack_shows_more_pieces_than_one(square: Pixels, pack: int) -> None:
    shot = replace(PLAIN, upright=False, exposure=1.0, warmth=0.0, fill=0.8)

    def runs(photo: Pixels) -> int:
        """How often the middle row turns red."""
        red = (photo[photo.shape[0] // 2].astype(int) @ (1, -1, -1)) > 200
        return int((np.diff(red.astype(int)) > 0).sum())

    assert runs(photograph(square, 1, shot, 600)) == 1
    assert runs(photograph(square, pack, shot, 600)) > 1


@pytest.mark.parametrize("upright", [True, False])
def test_an_article_throws_a_shadow(square: Pixels, upright: bool) -> None:
    shot = replace(PLAIN, upright=upright, exposure=1.0, warmth=0.0, fill=0.5)
    photo = photograph(square, 1, shot, 400).astype(int)
    grey = (photo.max(axis=2) - photo.min(axis=2) < 12) & (photo.max(axis=2) < 215)
    assert grey.sum() > 100


@pytest.mark.parametrize("take", [stock_shot, seller_shot])
def test_every_shot_has_a_backdrop_that_suits_it(take: Callable[[np.random.Generator, Kind], Shot]) -> None:
    for seed in range(300):
        kind = KINDS[seed % len(KINDS)]
        shot = take(np.random.default_rng(seed), kind)
        assert shot.backdrop in (UPRIGHT if shot.upright else LAID)
        assert kind.standing or not shot.upright


def test_a_plain_finish_keeps_the_image() -> None:
    grey = np.full((320, 320, 3), 128, dtype=np.uint8)
    plain = finish(grey, "a", np.random.default_rng(0), plain=True)
    edited = [finish(grey, "a", np.random.default_rng(seed), plain=False) for seed in range(20)]
    assert plain.phash in {image.phash for image in edited}
    assert len({image.phash for image in edited}) > 3


def test_files_are_mostly_jpeg_with_some_png_and_webp() -> None:
    grey = np.full((300, 300, 3), 128, dtype=np.uint8)
    names = [finish(grey, "a", np.random.default_rng(seed), plain=True).name for seed in range(120)]
    assert {name.rpartition(".")[2] for name in names} == {"jpg", "png", "webp"}
    assert sum(name.endswith("jpg") for name in names) > 90


def test_images_are_between_300_and_900_pixels() -> None:
    rng = np.random.default_rng(0)
    sides = {choose_side(rng) for _ in range(200)}
    assert min(sides) == 300
    assert max(sides) == 900

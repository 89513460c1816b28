"""Decoded images in memory, on disk or nowhere: the same pixels."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pricematch.encoding.ports import ImageSource, Pixels
from pricematch.errors import ImageEmpty, ImageUnavailable
from pricematch.training.pixel_cache import PixelCache
from tests.support.fakes import SIDE, FolderlessImages, tiny_decoder, tiny_images

SIZE = SIDE * SIDE * 3
NAMES = list(tiny_images().contents)
EXPECTED = np.stack([tiny_decoder().decode(content) for content in tiny_images().contents.values()])


class CountingImages(FolderlessImages):
    """Counts how often each image is read."""

    def __init__(self) -> None:
        super().__init__(tiny_images().contents)
        self.read_names: Counter[str] = Counter()

    def read(self, name: str) -> bytes:
        self.read_names[name] += 1
        return super().read(name)


def cache(folder: Path, images: ImageSource, *, memory: int, disk: int, names: list[str] = NAMES) -> PixelCache:
    """A cache that has room for some images in memory and some on disk, filled."""
    made = PixelCache(
        names, images, tiny_decoder(), SIDE, memory_bytes=memory * SIZE, disk_bytes=disk * SIZE, folder=folder
    )
    made.fill(2, lambda *_: None)
    return made


@pytest.mark.parametrize(("memory", "disk"), [(100, 0), (0, 100), (0, 0), (3, 2), (3, 100)])
def test_wherever_images_are_kept_their_pixels_are_the_same(tmp_path: Path, memory: int, disk: int) -> None:
    images = CountingImages()
    filled = cache(tmp_path, images, memory=memory, disk=disk)
    assert len(filled) == len(NAMES)
    for rows in (np.arange(len(NAMES)), np.array([6, 0, 3, 3])):
        pixels: Pixels = filled.rows(rows)
        np.testing.assert_array_equal(pixels, EXPECTED[rows])
    kept = NAMES[: memory + disk]
    assert all(images.read_names[name] == 1 for name in kept)
    assert all(images.read_names[name] > 1 for name in NAMES[len(kept) :])


def test_room_for_less_than_one_image_is_no_room(tmp_path: Path) -> None:
    images = CountingImages()
    made = PixelCache(NAMES, images, tiny_decoder(), SIDE, memory_bytes=SIZE - 1, disk_bytes=SIZE - 1, folder=tmp_path)
    made.fill(1, lambda *_: None)
    made.rows(np.array([0]))
    assert images.read_names[NAMES[0]] == 2


def test_what_is_kept_on_disk_has_no_name_there(tmp_path: Path) -> None:
    filled = cache(tmp_path, CountingImages(), memory=0, disk=100)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 — hidden names too
    np.testing.assert_array_equal(filled.rows(np.array([1])), EXPECTED[[1]])


def test_bad_images_are_named_and_left_out_of_the_good_rows(tmp_path: Path) -> None:
    images = FolderlessImages({"a": tiny_images().contents["p0.png"], "b": b"", "d": tiny_images().contents["p1.png"]})
    filled = cache(tmp_path, images, memory=100, disk=0, names=["a", "b", "c", "d"])
    errors = filled.fill(2, lambda *_: None)
    assert {name: type(error) for name, error in errors.items()} == {"b": ImageEmpty, "c": ImageUnavailable}
    assert filled.good_rows().tolist() == [0, 3]
    np.testing.assert_array_equal(filled.rows(filled.good_rows()), EXPECTED[:2])


def test_the_digest_depends_on_names_contents_and_order(tmp_path: Path) -> None:
    images = FolderlessImages(tiny_images().contents | {"empty": b""})
    digest = cache(tmp_path, images, memory=100, disk=0).digest()
    assert cache(tmp_path, images, memory=0, disk=0).digest() == digest
    assert cache(tmp_path, images, memory=0, disk=0, names=[*NAMES, "empty"]).digest() == digest
    changed = FolderlessImages(images.contents | {"p0.png": images.contents["p1.png"]})
    others = {
        cache(tmp_path, images, memory=0, disk=0, names=NAMES[:-1]).digest(),
        cache(tmp_path, images, memory=0, disk=0, names=NAMES[::-1]).digest(),
        cache(tmp_path, changed, memory=0, disk=0).digest(),
    }
    assert len(others | {digest}) == 4


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    reported: list[tuple[str, int, int]] = []
    made = PixelCache(NAMES, tiny_images(), tiny_decoder(), SIDE, memory_bytes=0, disk_bytes=0, folder=tmp_path)
    made.fill(2, lambda what, done, total: reported.append((what, done, total)))
    assert reported[-1] == ("Decoding images", len(NAMES), len(NAMES))

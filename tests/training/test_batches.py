"""The input pipeline."""

from pathlib import Path

import numpy as np
import pytest

from pricematch.training.augmentation import augment_batch
from pricematch.training.pixel_cache import PixelCache
from tests.support.fakes import SIDE, tiny_decoder, tiny_images

pytestmark = pytest.mark.tensorflow


def filled_cache(folder: Path) -> PixelCache:
    images = tiny_images()
    cache = PixelCache(
        list(images.contents), images, tiny_decoder(), SIDE, memory_bytes=1 << 20, disk_bytes=0, folder=folder
    )
    cache.fill(2, lambda *_: None)
    return cache


def test_shuffling_keeps_the_rows_and_depends_on_seed_and_epoch() -> None:
    from pricematch.training.batches import shuffled

    rows = np.arange(10, 110)
    once = shuffled(rows, 1, 2)
    assert sorted(once) == rows.tolist()
    np.testing.assert_array_equal(once, shuffled(rows, 1, 2))
    assert not any(np.array_equal(once, other) for other in (rows, shuffled(rows, 1, 3), shuffled(rows, 2, 2)))


@pytest.mark.parametrize(
    ("count", "share", "held_out"), [(10, 0, 0), (10, 0.1, 1), (10, 0.25, 2), (7, 0.5, 4), (10, 0.9, 9), (1, 0.9, 0)]
)
def test_a_split_holds_out_its_share_but_never_everything(count: int, share: float, held_out: int) -> None:
    from pricematch.training.batches import split

    training, validation = split(count, share, 3)
    assert len(validation) == held_out
    assert sorted([*training, *validation]) == list(range(count))
    assert training.tolist() == sorted(training)
    assert validation.tolist() == sorted(validation)
    assert [rows.tolist() for rows in split(count, share, 3)] == [training.tolist(), validation.tolist()]


def test_pixels_come_in_the_order_requested_scaled_to_one(tmp_path: Path) -> None:
    from pricematch.training.batches import PixelBatches

    cache = filled_cache(tmp_path)
    batches = PixelBatches(cache, np.array([0, 2, 4, 6]), SIDE, seed=0, augment=False)
    assert len(batches) == 4
    loaded = [batch.numpy() for batch in batches.dataset(np.array([3, 1, 0]), 2, epoch=0)]
    assert [batch.shape for batch in loaded] == [(2, SIDE, SIDE, 3), (1, SIDE, SIDE, 3)]
    assert loaded[0].dtype == np.float32
    np.testing.assert_allclose(np.concatenate(loaded), cache.rows(np.array([6, 2, 0])) / 255, atol=1e-7)


def test_pixels_are_augmented_by_row_and_epoch_where_requested(tmp_path: Path) -> None:
    from pricematch.training.batches import PixelBatches

    cache = filled_cache(tmp_path)
    batches = PixelBatches(cache, np.arange(7), SIDE, seed=5, augment=True)
    rows = np.array([2, 6, 1])
    [loaded] = [batch.numpy() for batch in batches.dataset(rows, 3, epoch=4)]
    np.testing.assert_allclose(loaded, augment_batch(cache.rows(rows), rows, 5, 4) / 255, atol=1e-7)


def test_pixels_outside_of_an_epoch_are_never_augmented(tmp_path: Path) -> None:
    from pricematch.training.batches import PixelBatches

    cache = filled_cache(tmp_path)
    batches = PixelBatches(cache, np.arange(7), SIDE, seed=5, augment=True)
    rows = np.array([2, 6, 1])
    [loaded] = [batch.numpy() for batch in batches.dataset(rows, 3, epoch=None)]
    np.testing.assert_allclose(loaded, cache.rows(rows) / 255, atol=1e-7)


def test_the_rest_of_an_interrupted_epoch_is_the_same(tmp_path: Path) -> None:
    from pricematch.training.batches import PixelBatches, shuffled

    batches = PixelBatches(filled_cache(tmp_path), np.arange(7), SIDE, seed=5, augment=True)
    order = shuffled(np.arange(7), 5, 3)
    whole = [batch.numpy() for batch in batches.dataset(order, 2, epoch=3)]
    rest = [batch.numpy() for batch in batches.dataset(order[2 * 2 :], 2, epoch=3)]
    for one, other in zip(rest, whole[2:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_latents_come_in_the_order_requested() -> None:
    from pricematch.training.batches import LatentBatches

    latents = np.random.default_rng(0).random((5, 3), np.float32)
    batches = LatentBatches(latents)
    assert len(batches) == 5
    loaded = [batch.numpy() for batch in batches.dataset(np.array([4, 0, 2]), 2, epoch=0)]
    assert [len(batch) for batch in loaded] == [2, 1]
    np.testing.assert_array_equal(np.concatenate(loaded), latents[[4, 0, 2]])

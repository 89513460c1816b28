"""The input pipeline: shuffled batches that are made ready while the network trains on the last one."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pricematch.training.augmentation import augment_batch
from pricematch.training.pixel_cache import PixelCache


class Batches(Protocol):
    """Inputs to train on, by row."""

    def __len__(self) -> int:
        """How many rows there are."""
        ...

    def dataset(self, rows: NDArray[np.int64], batch: int, epoch: int | None) -> tf.data.Dataset:
        """Float32 batches of these rows in this order, as they are in an epoch; None gives them never augmented."""
        ...


def shuffled(rows: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """The rows in an order that depends on seed and epoch only, so that a training can be resumed within an epoch."""
    return np.random.default_rng((seed, epoch)).permutation(rows)


def split(count: int, validation_share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on and rows held out, ascending; at least one row is left to train on."""
    held_out = min(round(count * validation_share), count - 1)
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


@dataclass(frozen=True, eq=False)
class PixelBatches:
    """Images scaled to [0, 1], [b, side, side, 3], perhaps augmented, by a seed.

    `good` int64 [m] are the rows of the cache to use; the rows of these batches count from 0 to m − 1.
    """

    cache: PixelCache
    good: NDArray[np.int64]
    side: int
    seed: int
    augment: bool

    def __len__(self) -> int:
        return len(self.good)

    def dataset(self, rows: NDArray[np.int64], batch: int, epoch: int | None) -> tf.data.Dataset:
        """See `Batches.dataset`; images are gathered in parallel."""

        def gather(chosen: NDArray[np.int64]) -> NDArray[np.uint8]:
            pixels = self.cache.rows(self.good[chosen])
            if epoch is None or not self.augment:
                return pixels
            return augment_batch(pixels, chosen, self.seed, epoch)

        def load(chosen: Any) -> Any:
            pixels = tf.numpy_function(gather, [chosen], tf.uint8)
            pixels = tf.ensure_shape(pixels, (None, self.side, self.side, 3))
            return tf.cast(pixels, tf.float32) / 255.0

        return (
            tf.data.Dataset.from_tensor_slices(rows)
            .batch(batch)
            .map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            .prefetch(tf.data.AUTOTUNE)
        )


@dataclass(frozen=True, eq=False)
class LatentBatches:
    """Latents [b, width] from an array in memory."""

    latents: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.latents)

    def dataset(self, rows: NDArray[np.int64], batch: int, epoch: int | None) -> tf.data.Dataset:  # noqa: ARG002 — the port's
        """See `Batches.dataset`."""
        return tf.data.Dataset.from_tensor_slices(self.latents[rows]).batch(batch).prefetch(tf.data.AUTOTUNE)

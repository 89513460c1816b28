"""What a network gives for the pictures of a catalogue and for their augmented views."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pricematch.training.pixel_cache import PixelCache
from pricematch.training.seller_views import seller_views

BATCH = 32


@dataclass(frozen=True, eq=False)
class Pictures:
    """The m good pictures of a cache, counted from 0.

    Attributes:
        cache: holds them.
        good: int64 [m], their rows in the cache.
        seed: of their views.
    """

    cache: PixelCache
    good: NDArray[np.int64]
    seed: int

    def __len__(self) -> int:
        return len(self.good)

    def view(self, rows: NDArray[np.int64], turn: int) -> NDArray[np.uint8]:
        """Pixels uint8 [b, side, side, 3] of some of them: as they are for turn 0, as another seller's for others."""
        pixels = self.cache.rows(self.good[rows])
        return seller_views(pixels, rows, self.seed, turn) if turn else pixels


class PixelFunction:
    """A network with its scaling, in inference: uint8 pixels [n, side, side, 3] → float32 [n, d]."""

    def __init__(self, network: keras.Model, scale: Callable[[Any], Any]) -> None:
        signature = tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8)
        self._call = tf.function(
            lambda pixels: network(scale(tf.cast(pixels, tf.float32)), training=False), input_signature=[signature]
        )

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the network gives."""
        return np.asarray(self._call(pixels))

    def of_all(self, pictures: Pictures, turn: int, told: Callable[[int], None]) -> NDArray[np.float32]:
        """What it gives for a view of all pictures, [m, d]; `told` how many are done after each batch of 32."""
        parts = []
        for first in range(0, len(pictures), BATCH):
            rows = np.arange(first, min(first + BATCH, len(pictures)))
            parts.append(self(pictures.view(rows, turn)))
            told(int(rows[-1]) + 1)
        return np.concatenate(parts)


def kept(file: Path, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    """The array of a file, mapped into memory; where there is none, it is made first, and kept whole or not at all."""
    if not file.exists():
        temporary = file.with_suffix(".writing")
        with temporary.open("wb") as opened:
            np.save(opened, make(), allow_pickle=False)
            opened.flush()
            os.fsync(opened.fileno())
        temporary.replace(file)
    array: NDArray[np.float32] = np.load(file, mmap_mode="r", allow_pickle=False)
    return array

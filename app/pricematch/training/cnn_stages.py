"""The stages of the encoder cnn that run its network: features, linear embedding, fine-tuning."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pricematch.encoding.whitening import Linear
from pricematch.formats.atomic_writes import whole_file
from pricematch.training.augmentation import seller_views
from pricematch.training.fit import Fitted
from pricematch.training.label_groups import TrainedGroups
from pricematch.training.metric_learning import Course, MetricLearning
from pricematch.training.networks import build_head
from pricematch.training.pixel_cache import PixelCache
from pricematch.training.pretrained import Backbone
from pricematch.training.recipes import CnnTrainingRecipe
from pricematch.training.trainer import Training

_BATCH = 32


@dataclass(frozen=True, eq=False)
class ImageViews:
    """The m good images of a cache, counted from 0.

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
        """Outputs of the network, float32 [n, d]."""
        return np.asarray(self._call(pixels))

    def of_all(self, views: ImageViews, turn: int, report: Callable[[int], None]) -> NDArray[np.float32]:
        """Outputs for a view of all images, float32 [m, d]; `report` gets the number done after each batch."""
        parts = []
        for first in range(0, len(views), _BATCH):
            rows = np.arange(first, min(first + _BATCH, len(views)))
            parts.append(self(views.view(rows, turn)))
            report(int(rows[-1]) + 1)
        return np.concatenate(parts)


def cached(file: Path, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    """The array of a file, mapped into memory; a missing file is made first and written by one rename."""
    if not file.exists():
        with whole_file(file) as opened:
            np.save(opened, make(), allow_pickle=False)
    array: NDArray[np.float32] = np.load(file, mmap_mode="r", allow_pickle=False)
    return array


def fit_head(
    linear: Linear,
    features: list[NDArray[np.float32]],
    groups: TrainedGroups,
    course: Course,
    training: Training[CnnTrainingRecipe],
) -> tuple[Linear, Fitted]:
    """Train an embedding further than its closed form; see `MetricLearning`.

    What is trained is a square layer behind the given embedding (f values to d), from the identity on, and merged into
    it: on whitened values no direction is steeper than the others. The features are those of n images and of their
    augmented views, each [n, f].
    """
    length = np.linalg.norm(linear(features[0]), axis=1).mean()
    values = [(linear(view) / length).astype(np.float32) for view in features]
    dimension = values[0].shape[1]
    head = build_head(dimension, dimension)
    head.set_weights([np.eye(dimension, dtype=np.float32), np.zeros(dimension, np.float32)])

    def inputs(rows: NDArray[np.int64], epoch: int) -> NDArray[Any]:
        turns = np.random.default_rng((training.options.seed, epoch, int(rows[0]))).integers(0, len(values), len(rows))
        return np.stack([values[turn][row] for turn, row in zip(turns, rows, strict=True)])

    fitted = MetricLearning(
        "cnn",
        head,
        head.trainable_variables,
        inputs,
        lambda: np.asarray(head(values[0], training=False)),
        groups.learnt,
        groups.held_out,
        course,
        training.options.seed,
        training.watch,
        training.interrupted,
    ).run()
    kernel, bias = (weights.astype(np.float64) for weights in head.get_weights())
    return Linear(linear.kernel / length, linear.bias / length).then(Linear(kernel, bias)), fitted


def fine_tune(
    encoder: keras.Model,
    backbone: Backbone,
    views: ImageViews,
    groups: TrainedGroups,
    training: Training[CnnTrainingRecipe],
) -> Fitted:
    """Train the last layers of the backbone on the label groups of m images; the linear embedding is frozen.

    Changes the weights of the encoder (scaled pixels → embeddings), whose part the backbone is.

    Raises:
        TrainingInterrupted: `training.interrupted` returned true.
    """
    cnn = training.recipe.cnn
    layers = [layer for layer in backbone.network.layers if layer.trainable_variables]
    course = Course(
        cnn.fine_tune_epochs, cnn.fine_tune_patience, cnn.batch, cnn.per_group, cnn.fine_tune_rate, cnn.temperature
    )
    encode = PixelFunction(encoder, backbone.scale)

    def inputs(rows: NDArray[np.int64], epoch: int) -> NDArray[Any]:
        pixels = views.view(rows, epoch + 1 if cnn.augment else 0)
        return np.asarray(backbone.scale(pixels.astype(np.float32)))

    def embed() -> NDArray[np.float32]:
        return encode.of_all(views, 0, lambda done: training.report("Evaluating embeddings", done, len(views)))

    return MetricLearning(
        "upper layers of the cnn",
        encoder,
        [variable for layer in layers[-cnn.fine_tune_layers :] for variable in layer.trainable_variables],
        inputs,
        embed,
        groups.learnt,
        groups.held_out,
        course,
        training.options.seed,
        training.watch,
        training.interrupted,
    ).run()

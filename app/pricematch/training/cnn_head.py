"""The linear embedding of the CNN, trained on label groups by cached features."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.training.cnn_recipe import CnnTrainingRecipe
from pricematch.training.fit import Fitted
from pricematch.training.label_groups import TrainedGroups
from pricematch.training.metric_learning import Course, MetricLearning
from pricematch.training.networks.cnn import build_head
from pricematch.training.trainer import Training
from pricematch.training.whitening import Linear


def learn_head(
    linear: Linear,
    features: list[NDArray[np.float32]],
    groups: TrainedGroups,
    course: Course,
    training: Training[CnnTrainingRecipe],
) -> tuple[Linear, Fitted]:
    """Train an embedding further than its closed form; see `MetricLearning`.

    What is trained is a square layer behind the given embedding, from the identity on, and merged into it: on whitened
    values no direction is steeper than the others.

    Args:
        linear: the embedding to begin with, f values to d.
        features: of n pictures and of their augmented views, each [n, f].
        groups: of the n pictures.
        course: how long and how fast.
        training: whose seed and watchers.

    Returns:
        The embedding, f values to d, and what came of it.
    """
    length = np.linalg.norm(linear(features[0]), axis=1).mean()
    values = [(linear(view) / length).astype(np.float32) for view in features]
    dimension = values[0].shape[1]
    head = build_head(dimension, dimension)
    head.set_weights([np.eye(dimension, dtype=np.float32), np.zeros(dimension, np.float32)])

    def inputs(rows: NDArray[np.int64], epoch: int) -> NDArray[Any]:
        turns = np.random.default_rng((training.seed, epoch, int(rows[0]))).integers(0, len(values), len(rows))
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
        training.seed,
        training.watch,
        training.interrupted,
    ).run()
    kernel, bias = (weights.astype(np.float64) for weights in head.get_weights())
    return Linear(linear.kernel / length, linear.bias / length).then(Linear(kernel, bias)), fitted

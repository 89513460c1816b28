"""Goes on with the upper layers of the CNN's backbone."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pricematch.training.cnn_features import Pictures, PixelFunction
from pricematch.training.cnn_recipe import CnnTrainingRecipe
from pricematch.training.fit import Fitted
from pricematch.training.label_groups import TrainedGroups
from pricematch.training.metric_learning import Course, MetricLearning
from pricematch.training.pretrained import Backbone
from pricematch.training.trainer import Training


def fine_tune(
    encoder: keras.Model,
    backbone: Backbone,
    pictures: Pictures,
    groups: TrainedGroups,
    training: Training[CnnTrainingRecipe],
) -> Fitted:
    """Train the last layers of the backbone by label groups, the linear embedding staying as it is.

    Args:
        encoder: scaled pixels → embeddings; its weights are changed.
        backbone: its lower part.
        pictures: m of them.
        groups: of the m pictures.
        training: whose recipe, seed and watchers.

    Raises:
        TrainingInterrupted: somebody asked to stop.
    """
    cnn = training.recipe.cnn
    layers = [layer for layer in backbone.network.layers if layer.trainable_variables]
    encode = PixelFunction(encoder, backbone.scale)

    def inputs(rows: NDArray[np.int64], epoch: int) -> NDArray[Any]:
        pixels = pictures.view(rows, epoch + 1 if cnn.augment else 0)
        return np.asarray(backbone.scale(pixels.astype(np.float32)))

    def embed() -> NDArray[np.float32]:
        return encode.of_all(pictures, 0, lambda done: training.report("Judging embeddings", done, len(pictures)))

    return MetricLearning(
        "upper layers of the cnn",
        encoder,
        [variable for layer in layers[-cnn.fine_tune_layers :] for variable in layer.trainable_variables],
        inputs,
        embed,
        groups.learnt,
        groups.held_out,
        Course(
            cnn.fine_tune_epochs,
            cnn.fine_tune_patience,
            cnn.batch,
            cnn.per_group,
            cnn.fine_tune_rate,
            cnn.temperature,
        ),
        training.seed,
        training.watch,
        training.interrupted,
    ).run()

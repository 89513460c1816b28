"""The encoder `cnn`: a backbone, generalised-mean pooling, a linear embedding, unit length."""

import keras
from keras import layers, ops

LEAST = 1e-6
"""What smaller activations are raised to: the mean is defined for positive numbers."""


class GeneralisedMean(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """(mean over height and width of x^p)^(1/p): the average for p = 1, towards the maximum as p grows.

    float32 [n, height, width, channels] → [n, channels]; activations below 1e-6 count as that.
    """

    def __init__(self, power: float, **options: object) -> None:
        super().__init__(**options)
        self.power = power

    def call(self, feature_map: keras.KerasTensor) -> keras.KerasTensor:
        """Pool a feature map."""
        positive = ops.maximum(feature_map, LEAST)
        largest = ops.max(positive, axis=(1, 2), keepdims=True)  # taken out, so that no power overflows
        powers = ops.mean(ops.power(positive / largest, self.power), axis=(1, 2))
        return largest[:, 0, 0] * ops.power(powers, 1.0 / self.power)


def build_pooled(backbone: keras.Model, power: float) -> keras.Model:
    """A backbone whose feature map is pooled and scaled to unit length.

    Args:
        backbone: float32 [n, side, side, 3] → feature map [n, h, w, c].
        power: of the generalised mean.

    Returns:
        float32 [n, side, side, 3] → features float32 [n, c] of unit length; shares the backbone's weights.
    """
    pooled = GeneralisedMean(power, name="pooled")(backbone.output)
    return keras.Model(backbone.input, layers.UnitNormalization(name="features")(pooled), name="cnn_pooled")


def build_head(width: int, dimension: int) -> keras.Model:
    """The embedding's rows: float32 [n, width] → [n, dimension] of unit length, by one linear layer named `linear`."""
    features = keras.Input((width,), name="features")
    embedding = layers.Dense(dimension, name="linear")(features)
    return keras.Model(features, layers.UnitNormalization(name="embedding")(embedding), name="cnn")


def build_encoder(pooled: keras.Model, head: keras.Model) -> keras.Model:
    """Both in a row, sharing their weights: float32 [n, side, side, 3] → [n, dimension] of unit length."""
    return keras.Model(pooled.input, head(pooled.output), name="cnn")

"""Generalised-mean pooling (Radenović, Tolias and Chum, 2018)."""

import keras
from keras import ops

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

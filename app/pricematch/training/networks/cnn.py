"""The encoder `cnn`: a backbone, generalised-mean pooling, a linear embedding, unit length."""

import keras
from keras import layers

from pricematch.training.networks.gem import GeneralisedMean


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

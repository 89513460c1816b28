"""The trainable networks: the notebook's two autoencoders, and the encoder `cnn`."""

import keras
from keras import layers, ops

from pricematch.training.recipes import AutoencoderRecipe, CaeRecipe

_LEAST = 1e-6
"""What smaller activations are raised to: the mean is defined for positive numbers."""


def build_cae(recipe: CaeRecipe) -> tuple[keras.Model, keras.Model]:
    """The autoencoder and its encoder, which share their weights.

    With the default recipe: input float32 [n, 256, 256, 3] in [0, 1]; Conv 3×3 same ReLU with 32, 16, 16, 8 filters,
    each followed by 2×2 average pooling; Flatten to 16·16·8 = 2,048 latents. Then Reshape, Conv 8, 16, 16, 32 ReLU,
    each followed by 2× up-sampling, and Conv 3 sigmoid: output like the input.

    Returns:
        autoencoder: pixels → pixels; encoder: pixels → latents float32 [n, 2048].
    """
    pixels = keras.Input((recipe.side, recipe.side, 3), name="pixels")
    feature_map = pixels
    for filters in recipe.filters:
        feature_map = _convolution(filters, recipe.kernel)(feature_map)
        feature_map = layers.AveragePooling2D(2, padding="same")(feature_map)
    latents = layers.Flatten(name="latents")(feature_map)
    rebuilt = layers.Reshape(feature_map.shape[1:])(latents)
    for filters in reversed(recipe.filters):
        rebuilt = _convolution(filters, recipe.kernel)(rebuilt)
        rebuilt = layers.UpSampling2D(2)(rebuilt)
    rebuilt = layers.Conv2D(3, recipe.kernel, padding="same", activation="sigmoid")(rebuilt)
    return keras.Model(pixels, rebuilt, name="cae"), keras.Model(pixels, latents, name="cae_encoder")


def _convolution(filters: int, kernel: int) -> layers.Layer:
    return layers.Conv2D(filters, kernel, padding="same", activation="relu")


def build_autoencoder(recipe: AutoencoderRecipe, width: int) -> tuple[keras.Model, keras.Model]:
    """The autoencoder float32 [n, width] → [n, width] and its encoder → [n, 64], which share their weights.

    With the default recipe: Dense 2048, 64 | Dense 512, `width`, each followed by LeakyReLU with slope 0.3. The width
    is 2,048 for the CAE's latents.
    """
    latents = keras.Input((width,), name="latents")
    values = _dense(latents, recipe.encoder_units, recipe.negative_slope)
    rebuilt = _dense(values, (*recipe.decoder_units, width), recipe.negative_slope)
    return (
        keras.Model(latents, rebuilt, name="autoencoder"),
        keras.Model(latents, values, name="autoencoder_encoder"),
    )


def _dense(values: keras.KerasTensor, units: tuple[int, ...], negative_slope: float) -> keras.KerasTensor:
    for width in units:
        values = layers.LeakyReLU(negative_slope)(layers.Dense(width)(values))
    return values


class GeneralisedMean(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """(mean over height and width of x^p)^(1/p): the average for p = 1, towards the maximum as p grows.

    float32 [n, height, width, channels] → [n, channels]; activations below 1e-6 count as that.
    """

    def __init__(self, power: float, **options: object) -> None:
        super().__init__(**options)
        self.power = power

    def call(self, feature_map: keras.KerasTensor) -> keras.KerasTensor:
        """Pool a feature map."""
        positive = ops.maximum(feature_map, _LEAST)
        largest = ops.max(positive, axis=(1, 2), keepdims=True)  # taken out, so that no power overflows
        powers = ops.mean(ops.power(positive / largest, self.power), axis=(1, 2))
        return largest[:, 0, 0] * ops.power(powers, 1.0 / self.power)


def build_pooled(backbone: keras.Model, power: float) -> keras.Model:
    """A backbone whose feature map is pooled by `GeneralisedMean` and scaled to unit length; shares its weights.

    float32 [n, side, side, 3] → features float32 [n, c].
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

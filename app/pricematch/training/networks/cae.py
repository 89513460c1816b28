"""The notebook's convolutional autoencoder."""

import keras
from keras import layers

from pricematch.training.recipes import CaeRecipe


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

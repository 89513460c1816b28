"""The notebook's dense autoencoder on the latents of the CAE."""

import keras
from keras import layers

from pricematch.training.recipes import AutoencoderRecipe


def build_autoencoder(recipe: AutoencoderRecipe, width: int) -> tuple[keras.Model, keras.Model]:
    """The autoencoder and its encoder, which share their weights.

    With the default recipe: Dense 2048, 64 | Dense 512, `width`, each followed by LeakyReLU with slope 0.3.

    Args:
        recipe: the layers' widths.
        width: of the input and the output, 2,048 for the CAE's latents.

    Returns:
        autoencoder: float32 [n, width] → [n, width]; encoder: → [n, 64].
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

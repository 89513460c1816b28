"""Recipes: every hyper-parameter of a training, frozen, in one place."""

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class CaeRecipe:
    """The convolutional autoencoder.

    Attributes:
        side: height and width of the input.
        filters: of the encoder's convolutions, each halving the side; the decoder mirrors them as the notebook does.
        kernel: side of the convolutions.
        learning_rate: of Adam.
        batch: pictures a step.
        epochs: passes over the pictures, at most.
        validation_share: share of the pictures held out; 0 holds out none and never stops early.
        patience: epochs without a better validation loss before stopping; the best epoch's weights are kept.
        augment: train on CLAHE, hue and saturation, flip and gamma variants of the pictures.
    """

    side: int = 256
    filters: tuple[int, ...] = (32, 16, 16, 8)
    kernel: int = 3
    learning_rate: float = 1e-3
    batch: int = 32
    epochs: int = 1
    validation_share: float = 0.0
    patience: int = 0
    augment: bool = False


@dataclass(frozen=True)
class AutoencoderRecipe:
    """The dense autoencoder on the CAE's latents.

    Attributes:
        encoder_units, decoder_units: widths of the dense layers, before the output layer of the input's width.
        negative_slope: of LeakyReLU behind every dense layer.
        learning_rate: of Adam, in the first `constant_epochs` epochs.
        constant_epochs, decay: then the learning rate is multiplied by e^−decay each epoch.
        batch, epochs, validation_share, patience: as for the CAE.
    """

    encoder_units: tuple[int, ...] = (2048, 64)
    decoder_units: tuple[int, ...] = (512,)
    negative_slope: float = 0.3
    learning_rate: float = 1e-3
    constant_epochs: int = 10
    decay: float = 0.1
    batch: int = 32
    epochs: int = 30
    validation_share: float = 0.0
    patience: int = 0


@dataclass(frozen=True)
class Recipe:
    """Both networks, trained one after the other."""

    name: str
    cae: CaeRecipe
    autoencoder: AutoencoderRecipe

    def describe(self) -> dict[str, Any]:
        """All of it as plain values, for a manifest."""
        return asdict(self)


NOTEBOOK = Recipe("notebook", CaeRecipe(), AutoencoderRecipe())

DEFAULT = Recipe(
    "default",
    CaeRecipe(epochs=40, validation_share=0.1, patience=3),
    AutoencoderRecipe(epochs=60, validation_share=0.1, patience=5),
)

RECIPES = {recipe.name: recipe for recipe in (NOTEBOOK, DEFAULT)}


def override(
    recipe: Recipe,
    *,
    epochs: int | None = None,
    autoencoder_epochs: int | None = None,
    batch: int | None = None,
    learning_rate: float | None = None,
    validation_share: float | None = None,
    patience: int | None = None,
    augment: bool | None = None,
) -> Recipe:
    """The recipe with those values that are not None; batch, rate, share and patience hold for both networks."""
    both = {
        "batch": batch,
        "learning_rate": learning_rate,
        "validation_share": validation_share,
        "patience": patience,
    }
    cae = _given(both | {"epochs": epochs, "augment": augment})
    autoencoder = _given(both | {"epochs": autoencoder_epochs})
    return replace(recipe, cae=replace(recipe.cae, **cae), autoencoder=replace(recipe.autoencoder, **autoencoder))


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

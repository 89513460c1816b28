"""Recipes: every hyper-parameter of a training, frozen, in one place; and the other options of a training."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from pricematch.encoding.efficientnet_lite import IMAGENET, POWER
from pricematch.encoding.whitening import DIMENSION, SHRINKAGE
from pricematch.errors import SettingsError

_Count: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]
_Widths: TypeAlias = Annotated[tuple[_Count, ...], Field(min_length=1, max_length=16)]
_Rate: TypeAlias = Annotated[float, Field(gt=0, le=1)]
_Share: TypeAlias = Annotated[float, Field(ge=0, le=0.9)]
_NotNegative: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
_Slope: TypeAlias = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
_Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=4096)]
_Power: TypeAlias = Annotated[float, Field(ge=1, le=100)]
_Unit: TypeAlias = Annotated[float, Field(ge=0, le=1)]
_Side: TypeAlias = Annotated[int, Field(ge=0, le=2048)]
_AtLeastTwo: TypeAlias = Annotated[int, Field(ge=2, le=1_000)]


@dataclass(frozen=True)
class TrainOptions:
    """Options of a training: seed, version to write (None: the next), bytes of memory and disk for decoded images."""

    seed: int
    version: str | None
    memory_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class AnyRecipe:
    """A recipe: a name, and per network its hyper-parameters."""

    name: str

    def describe(self) -> dict[str, Any]:
        """All of it as plain values, for a manifest."""
        return asdict(self)


@dataclass(frozen=True)
class CaeRecipe:
    """The convolutional autoencoder.

    Attributes:
        side: height and width of the input.
        filters: of the encoder's convolutions, each halving the side; the decoder mirrors them as the notebook does.
        kernel: side of the convolutions.
        learning_rate: of Adam.
        batch: images a step.
        epochs: passes over the images, at most.
        validation_share: share of the images held out; 0 holds out none and never stops early.
        patience: epochs without a better validation loss before stopping; the best epoch's weights are kept.
        augment: train on CLAHE, hue and saturation, flip and gamma variants of the images.
    """

    side: _Count = 256
    filters: _Widths = (32, 16, 16, 8)
    kernel: _Count = 3
    learning_rate: _Rate = 1e-3
    batch: _Count = 32
    epochs: _Count = 1
    validation_share: _Share = 0.0
    patience: _NotNegative = 0
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

    encoder_units: _Widths = (2048, 64)
    decoder_units: _Widths = (512,)
    negative_slope: _Slope = 0.3
    learning_rate: _Rate = 1e-3
    constant_epochs: _NotNegative = 10
    decay: _Slope = 0.1
    batch: _Count = 32
    epochs: _Count = 30
    validation_share: _Share = 0.0
    patience: _NotNegative = 0


@dataclass(frozen=True)
class Recipe(AnyRecipe):
    """Both networks, trained one after the other."""

    cae: CaeRecipe
    autoencoder: AutoencoderRecipe


NOTEBOOK = Recipe("notebook", CaeRecipe(), AutoencoderRecipe())

DEFAULT = Recipe(
    "default",
    CaeRecipe(epochs=40, validation_share=0.1, patience=3),
    AutoencoderRecipe(epochs=60, validation_share=0.1, patience=5),
)

RECIPES = {recipe.name: recipe for recipe in (NOTEBOOK, DEFAULT)}


_R = TypeVar("_R", bound=AnyRecipe)


def override(recipe: _R, values: Mapping[str, Any]) -> _R:
    """The recipe with other hyper-parameters, by dotted name, such as `cae.epochs` or `autoencoder.decay`.

    Raises:
        SettingsError: no hyper-parameter has this name, or its value is of the wrong type or out of range.
    """
    described = recipe.describe()
    networks = [name for name, value in described.items() if isinstance(value, dict)]
    for name, value in values.items():
        network, _, parameter = name.partition(".")
        if network not in networks or parameter not in described[network]:
            known = [f"{each}.{parameter}" for each in networks for parameter in described[each]]
            raise SettingsError(f"expected a hyper-parameter among {', '.join(known)}, got {name!r}")
        described[network][parameter] = value
    try:
        changed = TypeAdapter(type(recipe)).validate_python(described)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc'][:2]))}: {fault['msg']}" for fault in error.errors())
        raise SettingsError("; ".join(faults)) from error
    if isinstance(changed, Recipe) and changed.cae.side % (step := 2 ** len(changed.cae.filters)):
        raise SettingsError(f"expected cae.side to be a multiple of {step}, 2 to the number of filters")
    return changed


@dataclass(frozen=True)
class CnnRecipe:
    """A backbone, pooled, and a linear embedding.

    Attributes:
        backbone: `efficientnet-lite0` to `-lite2`, or a network of `keras.applications`.
        weights: `imagenet`, `none` or a file.
        side: height and width of the images; 0 takes those of the backbone's ImageNet weights.
        power: of the generalised mean that pools.
        dimension: values of an embedding, at most.
        shrinkage: of the variances of all images' features before they are whitened.
        within_shrinkage: the same within label groups.
        train_share: share of the label groups to train on, seeded; 0 trains without labels.
        validation_share: share of those that is held out to choose by.
        views: augmented views of each image, whose features are used in training.
        augment: whether to train on them.
        batch, per_group: rows a step, and of one group in it.
        learning_rate, temperature: of Adam, and of the supervised contrastive loss.
        epochs, patience: of the embedding; epochs without a better held-out mAP@5 before stopping.
        fine_tune: go on with the backbone's last `fine_tune_layers` layers that have weights.
        fine_tune_rate, fine_tune_epochs, fine_tune_patience: as above.
    """

    backbone: _Text = "efficientnet-lite0"
    weights: _Text = IMAGENET
    side: _Side = 0
    power: _Power = POWER
    dimension: _Count = DIMENSION
    shrinkage: _Unit = SHRINKAGE
    within_shrinkage: _Rate = 0.2
    train_share: _Unit = 1.0
    validation_share: _Share = 0.2
    views: _NotNegative = 2
    augment: bool = True
    batch: _Count = 64
    per_group: _AtLeastTwo = 4
    learning_rate: _Rate = 3e-4
    temperature: _Rate = 0.1
    epochs: _NotNegative = 60
    patience: _Count = 10
    fine_tune: bool = False
    fine_tune_layers: _Count = 16
    fine_tune_rate: _Rate = 1e-4
    fine_tune_epochs: _Count = 10
    fine_tune_patience: _Count = 3


@dataclass(frozen=True)
class CnnTrainingRecipe(AnyRecipe):
    """The encoder `cnn`, trained alone."""

    cnn: CnnRecipe


CNN = CnnTrainingRecipe("cnn", CnnRecipe())

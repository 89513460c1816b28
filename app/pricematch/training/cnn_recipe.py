"""The recipe of the encoder `cnn`."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from pricematch.training.recipes import Count, NotNegative, Rate, Share

Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=4096)]
Power: TypeAlias = Annotated[float, Field(ge=1, le=100)]
Unit: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Side: TypeAlias = Annotated[int, Field(ge=0, le=2048)]
AtLeastTwo: TypeAlias = Annotated[int, Field(ge=2, le=1_000)]


@dataclass(frozen=True)
class CnnRecipe:
    """A backbone, pooled, and a linear embedding.

    Attributes:
        backbone: `efficientnet-lite0` to `-lite2`, or a network of `keras.applications`.
        weights: `imagenet`, `none` or a file.
        side: height and width of the pictures; 0 takes those of the backbone's ImageNet weights.
        power: of the generalised mean that pools.
        dimension: values of an embedding, at most.
        shrinkage: of the variances of all pictures' features before they are whitened.
        within_shrinkage: the same within label groups.
        train_share: share of the label groups to train on, seeded; 0 trains without labels.
        validation_share: share of those that is held out to choose by.
        views: augmented views of each picture, whose features are kept beside its own.
        augment: whether to train on them.
        batch, per_group: rows a step, and of one group in it.
        learning_rate, temperature: of Adam, and of the supervised contrastive loss.
        epochs, patience: of the embedding; epochs without a better held-out mAP@5 before stopping.
        fine_tune: go on with the backbone's last `fine_tune_layers` layers that have weights.
        fine_tune_rate, fine_tune_epochs, fine_tune_patience: as above.
    """

    backbone: Text = "efficientnet-lite0"
    weights: Text = "imagenet"
    side: Side = 0
    power: Power = 3.0
    dimension: Count = 256
    shrinkage: Unit = 0.3
    within_shrinkage: Rate = 0.2
    train_share: Unit = 1.0
    validation_share: Share = 0.2
    views: NotNegative = 2
    augment: bool = True
    batch: Count = 64
    per_group: AtLeastTwo = 4
    learning_rate: Rate = 3e-4
    temperature: Rate = 0.1
    epochs: NotNegative = 60
    patience: Count = 10
    fine_tune: bool = False
    fine_tune_layers: Count = 16
    fine_tune_rate: Rate = 1e-4
    fine_tune_epochs: Count = 10
    fine_tune_patience: Count = 3


@dataclass(frozen=True)
class CnnTrainingRecipe:
    """The encoder `cnn`, trained alone."""

    name: str
    cnn: CnnRecipe

    def describe(self) -> dict[str, Any]:
        """All of it as plain values, for a manifest."""
        return asdict(self)


CNN = CnnTrainingRecipe("cnn", CnnRecipe())

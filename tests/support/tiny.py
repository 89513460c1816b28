"""Tiny trainings: real ones, of seconds. Importing this imports no TensorFlow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pricematch.catalogue.postings import Posting
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.ports import ImageSource
from pricematch.errors import ImageError
from pricematch.formats.image_folder import ImageFolder
from pricematch.formats.manifest import Artefact, find_chain
from pricematch.training.recipes import AutoencoderRecipe, CaeRecipe, Recipe, TrainOptions
from tests.support.fakes import MAX_PIXELS, MIN_SIDE, SIDE, tiny_catalogue, tiny_images

if TYPE_CHECKING:
    from pricematch.training.fit import Step
    from pricematch.training.trainer import Trained

RECIPE = Recipe(
    "tiny",
    CaeRecipe(side=SIDE, filters=(4, 3), batch=4, epochs=2),
    AutoencoderRecipe(encoder_units=(12, 6), decoder_units=(8,), constant_epochs=1, batch=4, epochs=2),
)
"""16 × 16 × 3 pixels, 4 × 4 × 3 = 48 latents, 6 values an embedding; 2 steps an epoch for 7 images."""
LATENTS, EMBEDDING = 48, 6


@dataclass(frozen=True)
class TinyArtefacts:
    """One tiny training, for all tests that only read it.

    Attributes:
        models: holds version 1 of both encoders.
        csv_path, images: the catalogue they were trained on.
    """

    models: Path
    csv_path: Path
    images: Path

    def chain(self) -> list[Artefact]:
        """The CAE and the autoencoder."""
        return find_chain(self.models, "autoencoder")


def make_artefacts(folder: Path) -> TinyArtefacts:
    """Write the tiny catalogue and train on it."""
    csv_path, images = tiny_catalogue(folder / "catalogue")
    train(folder / "models", images=ImageFolder(images, 1 << 20))
    return TinyArtefacts(folder / "models", csv_path, images)


def train(
    models: Path,
    *,
    images: ImageSource | None = None,
    recipe: Recipe = RECIPE,
    seed: int = 0,
    version: str | None = None,
    memory_bytes: int = 1 << 20,
    watch: "Callable[[Step], None]" = lambda _: None,
    interrupted: Callable[[], bool] = lambda: False,
    check: Callable[[Mapping[str, ImageError]], None] = lambda _: None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    postings: Sequence[Posting] = (),
) -> "list[Trained]":
    """Train a recipe on the tiny catalogue's images; needs TensorFlow."""
    from pricematch.training.autoencoders import train_autoencoders
    from pricematch.training.trainer import Training, TrainingImages, make_deterministic

    make_deterministic()
    source, side = tiny_images(), recipe.cae.side
    decoder = PillowDecoder(side, MAX_PIXELS, MIN_SIDE)
    chosen = TrainingImages(list(source.contents), images or source, decoder, side, check, postings)
    options = TrainOptions(seed, version, memory_bytes, disk_bytes=0)
    training = Training(recipe, options, models, 2, progress, watch, interrupted)
    return train_autoencoders(training, chosen)

"""Train encoders on a catalogue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.bootstrap import decoder, image_folder, read_catalogue, skip_or_refuse
from pricematch.encoding.encoders import import_tensorflow
from pricematch.errors import ImageError
from pricematch.progress import Progress
from pricematch.settings import Settings

if TYPE_CHECKING:
    from pricematch.training.fit import Watch
    from pricematch.training.recipes import CnnTrainingRecipe, Recipe
    from pricematch.training.trainer import Trained


@dataclass(frozen=True)
class TrainOptions:
    """Options of a training beside its recipe: seed, version to write (None: the next), space for decoded images."""

    seed: int
    version: str | None
    memory_bytes: int
    disk_bytes: int


def train(
    settings: Settings,
    recipe: "Recipe | CnnTrainingRecipe",
    options: TrainOptions,
    progress: Progress,
    watch: "Watch",
    interrupted: Callable[[], bool],
) -> "list[Trained]":
    """Train a recipe on the catalogue and export it; needs TensorFlow.

    Raises:
        CatalogueError: bad rows, or bad images that are not to be skipped; nothing was trained.
        ArtefactExists, ArtefactError, SettingsError, TrainingInterrupted: see `AutoencoderTrainer` and `CnnTrainer`.
    """
    content, images = read_catalogue(settings), image_folder(settings)

    def check(errors: Mapping[str, ImageError]) -> None:
        skip_or_refuse(content, errors, skip=settings.skip_bad_images)

    import_tensorflow()
    from pricematch.training.autoencoders import AutoencoderTrainer
    from pricematch.training.cnn import CnnTrainer
    from pricematch.training.pretrained import side_of
    from pricematch.training.recipes import CnnTrainingRecipe
    from pricematch.training.trainer import make_deterministic

    make_deterministic()
    names = [str(posting.image) for posting in Catalogue(content.postings).one_per_image()]
    common = (
        options.seed,
        settings.models,
        options.version,
        options.memory_bytes,
        options.disk_bytes,
        settings.workers,
        progress,
        watch,
        interrupted,
    )
    if isinstance(recipe, CnnTrainingRecipe):
        side = side_of(recipe.cnn.backbone, recipe.cnn.side)
        return CnnTrainer(recipe, *common).run(names, images, decoder(settings, side), check, content.postings)
    return AutoencoderTrainer(recipe, *common).run(
        names, images, decoder(settings, recipe.cae.side), check, content.postings
    )

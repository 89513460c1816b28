"""Train encoders on a catalogue."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.catalogue_files import image_folder, read_to_learn, skip_or_refuse
from pricematch.encoding.decoder import decoder
from pricematch.encoding.tensorflow_import import check_tensorflow, import_tensorflow
from pricematch.errors import ImageError
from pricematch.progress import Progress
from pricematch.settings import Settings
from pricematch.training.recipes import CnnTrainingRecipe, Recipe, TrainOptions

if TYPE_CHECKING:
    from pricematch.training.fit import Watch
    from pricematch.training.trainer import Trained


def train(
    settings: Settings,
    recipe: Recipe | CnnTrainingRecipe,
    options: TrainOptions,
    progress: Progress,
    watch: "Watch",
    interrupted: Callable[[], bool],
) -> "list[Trained]":
    """Train a recipe on the catalogue and export it; needs TensorFlow.

    Raises:
        SettingsError: TensorFlow is not installed.
        CatalogueError: bad rows, or bad images that are not to be skipped; nothing was trained.
        ArtefactExists, ArtefactError, SettingsError, TrainingInterrupted: see `train_autoencoders` and `train_cnn`.
    """
    check_tensorflow()
    content, images = read_to_learn(settings), image_folder(settings)

    def check(errors: Mapping[str, ImageError]) -> None:
        skip_or_refuse(content, errors, skip=settings.skip_bad_images)

    import_tensorflow()
    from pricematch.training.autoencoders import train_autoencoders
    from pricematch.training.cnn import train_cnn
    from pricematch.training.pretrained import side_of
    from pricematch.training.trainer import Training, TrainingImages, make_deterministic

    make_deterministic()
    side = side_of(recipe.cnn.backbone, recipe.cnn.side) if isinstance(recipe, CnnTrainingRecipe) else recipe.cae.side
    names = [str(posting.image) for posting in Catalogue(content.postings).one_per_image()]
    chosen = TrainingImages(names, images, decoder(settings, side), side, check, content.postings)
    where = (options, settings.models, settings.workers, progress, watch, interrupted)
    if isinstance(recipe, CnnTrainingRecipe):
        return train_cnn(Training(recipe, *where), chosen)
    return train_autoencoders(Training(recipe, *where), chosen)

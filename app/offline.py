"""Composition of what runs without the service: training, and drawing what it does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.adapters.manifest import find_chain, side_of_pixels
from app.adapters.quiet_tensorflow import import_tensorflow
from app.bootstrap import decoder, image_folder, read_catalogue, skip_or_refuse
from app.errors import ImageError, SettingsError
from app.matching.ingest import Progress, check_images, chunks
from app.matching.postings import Catalogue
from app.settings import Settings

if TYPE_CHECKING:
    from app.training.fit import Watch
    from app.training.recipes import Recipe
    from app.training.train import Trained


@dataclass(frozen=True)
class TrainOptions:
    """What a training takes beside its recipe: seed, version to write (None: the next), room for decoded pictures."""

    seed: int
    version: str | None
    memory_bytes: int
    disk_bytes: int


def train(
    settings: Settings,
    recipe: "Recipe",
    options: TrainOptions,
    progress: Progress,
    watch: "Watch",
    interrupted: Callable[[], bool],
) -> "list[Trained]":
    """Train a recipe on the catalogue and export it; needs TensorFlow.

    Raises:
        CatalogueError: bad rows, or bad pictures that are not to be skipped; nothing was trained.
        ArtefactExists, ArtefactError, SettingsError, TrainingInterrupted: see `app.training.train.Trainer`.
    """
    content, images = read_catalogue(settings), image_folder(settings)

    def judge(errors: Mapping[str, ImageError]) -> None:
        skip_or_refuse(content, errors, skip=settings.skip_bad_images)

    import_tensorflow()
    from app.training.determinism import make_deterministic
    from app.training.train import Trainer

    make_deterministic()
    trainer = Trainer(
        recipe,
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
    names = [str(posting.image) for posting in Catalogue(content.postings).one_per_image()]
    return trainer.run(names, images, decoder(settings, recipe.cae.side), judge)


def show_augmentations(settings: Settings, image: Path, output: Path, seed: int) -> None:
    """Draw a picture beside its augmentations; raises SettingsError, ImageError."""
    from app.reports.sheets import Captioned, draw_sheet, save_sheet
    from app.training.augment import variants

    try:
        pixels = decoder(settings, side=256).decode(image.read_bytes())
    except OSError as error:
        raise SettingsError(f"{image} cannot be read ({error.strerror})") from error
    drawn = [Captioned(picture, caption) for caption, picture in variants(pixels, np.random.default_rng(seed)).items()]
    save_sheet(draw_sheet(list(chunks(drawn, 4))), output)


def show_reconstructions(settings: Settings, version: str | None, count: int, output: Path, seed: int) -> None:
    """Draw pictures of the catalogue above what the CAE rebuilds; raises as `load`, and ImageError."""
    content, images = read_catalogue(settings), image_folder(settings)
    content.refuse(content.problems)
    [cae] = find_chain(settings.models, "cae", version)
    decode, names = decoder(settings, side_of_pixels(cae)), content.names()
    chosen = [names[row] for row in np.sort(np.random.default_rng(seed).permutation(len(names))[:count])]
    errors = check_images(chosen, images, decode, workers=settings.workers, progress=lambda *_: None)
    content.refuse(content.image_problems(errors))
    pixels = np.stack([decode.decode(images.read(name)) for name in chosen])

    import_tensorflow()
    from app.adapters.saved_model import reconstruct
    from app.reports.sheets import Captioned, draw_sheet, save_sheet

    rebuilt = reconstruct(cae, pixels)
    pairs = [
        (Captioned(before, name[:32]), Captioned(after, f"by {cae.label}"))
        for name, before, after in zip(chosen, pixels, rebuilt, strict=True)
    ]
    rows = [[pair[line] for pair in group] for group in chunks(pairs, 8) for line in (0, 1)]
    save_sheet(draw_sheet(rows), output)

"""Tiny trainings of the encoder `cnn`: real ones, of seconds. Importing this imports no TensorFlow."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pricematch.catalogue.postings import Posting
from pricematch.encoding.decoder import PillowDecoder
from pricematch.errors import ImageError
from pricematch.training.recipes import CNN, CnnTrainingRecipe, TrainOptions
from tests.support.fakes import MAX_PIXELS, MIN_SIDE, FolderlessImages, encoded

if TYPE_CHECKING:
    from pricematch.training.fit import Step
    from pricematch.training.trainer import Trained

SIDE, GROUPS, PICTURES = 32, 8, 3


def labelled_images() -> tuple[FolderlessImages, dict[str, str]]:
    """Images of 8 products, 3 of each: stripes of one colour and width, shifted; and the product of each."""
    contents, labels = {}, {}
    for group in range(GROUPS):
        rng = np.random.default_rng(group)
        colours = rng.integers(0, 256, (2, 3))
        for number in range(PICTURES):
            stripes = (np.arange(64) + 5 * number) // (2 + group) % 2
            name = f"g{group}_{number}.png"
            contents[name] = encoded(Image.fromarray(np.tile(colours[stripes], (64, 1, 1)).astype(np.uint8)))
            labels[name] = f"group {group}"
    return FolderlessImages(contents), labels


def recipe(**changes: Any) -> CnnTrainingRecipe:
    """Random weights, 32 pixels, 6 values an embedding, 2 epochs."""
    tiny: dict[str, Any] = {
        "weights": "none",
        "side": SIDE,
        "dimension": 6,
        "epochs": 2,
        "batch": 8,
        "per_group": 2,
        "views": 1,
    }
    return CnnTrainingRecipe("cnn", replace(CNN.cnn, **(tiny | {"validation_share": 0.4} | changes)))


def train_cnn(
    models: Path,
    chosen: CnnTrainingRecipe | None = None,
    *,
    images: FolderlessImages | None = None,
    labels: Mapping[str, str] | None = None,
    seed: int = 0,
    version: str | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    watch: "Callable[[Step], None]" = lambda _: None,
    interrupted: Callable[[], bool] = lambda: False,
    check: Callable[[Mapping[str, ImageError]], None] = lambda _: None,
) -> "Trained":
    """Train a recipe on the labelled images; needs TensorFlow."""
    from pricematch.encoding.saved_model import use_precision
    from pricematch.training import cnn as network
    from pricematch.training.trainer import Training, TrainingImages, make_deterministic

    make_deterministic()
    use_precision("float32")  # another test may have served in bfloat16, which holds for the whole process
    source, known = labelled_images()
    source = images or source
    given = known if labels is None else labels
    postings = [Posting(name[:-4], name, label_group=given.get(name)) for name in source.contents]
    decoder = PillowDecoder(SIDE, MAX_PIXELS, MIN_SIDE)
    chosen_images = TrainingImages(list(source.contents), source, decoder, SIDE, check, postings)
    options = TrainOptions(seed, version, memory_bytes=1 << 20, disk_bytes=0)
    training = Training(chosen or recipe(), options, models, 2, progress, watch, interrupted)
    [trained] = network.train_cnn(training, chosen_images)
    return trained

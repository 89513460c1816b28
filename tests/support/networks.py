"""Tiny networks: trained within seconds, or exported as files that hold none. Importing this imports no TensorFlow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pricematch.catalogue.postings import Posting
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.ports import ImageSource
from pricematch.errors import ImageError
from pricematch.formats.exports import write_manifest
from pricematch.formats.image_folder import ImageFolder
from pricematch.formats.manifest import Artefact, Manifest, Origin, TensorDescription, digests, find_chain
from pricematch.training.recipes import CNN, AutoencoderRecipe, CaeRecipe, CnnTrainingRecipe, Recipe, TrainOptions
from tests.support.fakes import MAX_PIXELS, MIN_SIDE, SIDE, FolderlessImages, encoded, tiny_catalogue, tiny_images

if TYPE_CHECKING:
    from pricematch.training.fit import Step
    from pricematch.training.trainer import Trained


PIXELS_TENSOR = TensorDescription(name="pixels", shape=(None, 16, 16, 3), dtype="uint8")
LATENTS_TENSOR = TensorDescription(name="latents", shape=(None, 48), dtype="float32")
EMBEDDING_TENSOR = TensorDescription(name="embedding", shape=(None, 6), dtype="float32")

FILES = {"saved_model.pb": b"graph", "golden.npz": b"golden", "variables/variables.index": b"index"}


def export(models: Path, name: str, version: str, **changes: Any) -> Path:
    """Write a version whose files are whole and whose manifest fits them, but for the changes."""
    path = models / name / version
    for relative, content in FILES.items():
        (path / relative).parent.mkdir(parents=True, exist_ok=True)
        (path / relative).write_bytes(content)
    fields: dict[str, Any] = {
        "name": name,
        "version": version,
        "created": "2024-01-01T00:00:00+00:00",
        "recipe": {},
        "seed": 0,
        "input": PIXELS_TENSOR if name == "cae" else LATENTS_TENSOR,
        "output": LATENTS_TENSOR if name == "cae" else EMBEDDING_TENSOR,
        "losses": {"loss": [0.5]},
        "counts": {"images": 1},
        "catalogue_digest": "c",
        "weights_digest": f"weights of {name} {version}",
        "input_encoder": None,
        "libraries": {},
        "files": dict(digests(path)),
    }
    write_manifest(path, Manifest(**fields | changes))
    return path


def origin(models: Path, version: str = "1") -> Origin:
    return Origin(name="cae", version=version, weights_digest=f"weights of cae {version}")


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
    from pricematch.encoding.tensorflow_network import use_precision
    from pricematch.training.autoencoders import train_autoencoders
    from pricematch.training.trainer import Training, TrainingImages, make_deterministic

    make_deterministic()
    use_precision("float32")  # another test may have served in bfloat16, which holds for the whole process
    source, side = tiny_images(), recipe.cae.side
    decoder = PillowDecoder(side, MAX_PIXELS, MIN_SIDE)
    chosen = TrainingImages(list(source.contents), images or source, decoder, side, check, postings)
    options = TrainOptions(seed, version, memory_bytes, disk_bytes=0)
    training = Training(recipe, options, models, 2, progress, watch, interrupted)
    return train_autoencoders(training, chosen)


CNN_SIDE, GROUPS, PICTURES = 32, 8, 3


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
        "side": CNN_SIDE,
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
    from pricematch.encoding.tensorflow_network import use_precision
    from pricematch.training import cnn as network
    from pricematch.training.trainer import Training, TrainingImages, make_deterministic

    make_deterministic()
    use_precision("float32")  # another test may have served in bfloat16, which holds for the whole process
    source, known = labelled_images()
    source = images or source
    given = known if labels is None else labels
    postings = [Posting(name[:-4], name, label_group=given.get(name)) for name in source.contents]
    decoder = PillowDecoder(CNN_SIDE, MAX_PIXELS, MIN_SIDE)
    chosen_images = TrainingImages(list(source.contents), source, decoder, CNN_SIDE, check, postings)
    options = TrainOptions(seed, version, memory_bytes=1 << 20, disk_bytes=0)
    training = Training(chosen or recipe(), options, models, 2, progress, watch, interrupted)
    [trained] = network.train_cnn(training, chosen_images)
    return trained

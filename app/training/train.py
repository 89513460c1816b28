"""Trains the notebook's two networks on a catalogue and exports them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from app.adapters.manifest import Origin, TensorDescription
from app.errors import ImageError
from app.matching.ports import Decoder, ImageSource
from app.training.batches import Batches, LatentBatches, PixelBatches
from app.training.checkpoint import Checkpoint
from app.training.export import (
    describe,
    export_autoencoder,
    export_cae,
    golden_pixels,
    publish,
    weights_digest,
    write_golden,
)
from app.training.fit import Fit, Fitted, Schedule, decayed
from app.training.networks.autoencoder import build_autoencoder
from app.training.networks.cae import build_cae
from app.training.pixel_cache import PixelCache
from app.training.recipes import AutoencoderRecipe, CaeRecipe, Recipe
from app.training.trainer import Trained, Training
from app.training.workplace import choose_version, locked, unfinished


class Trainer(Training[Recipe]):
    """The notebook's two networks."""

    def run(
        self,
        names: Sequence[str],
        images: ImageSource,
        decoder: Decoder,
        judge: Callable[[Mapping[str, ImageError]], None],
    ) -> list[Trained]:
        """Train and export the CAE, then the autoencoder on its latents.

        Args:
            names: distinct picture names.
            images: where their bytes come from.
            decoder: how they become pixels.
            judge: called with the bad pictures before anything is trained; raises to refuse them.

        Raises:
            ArtefactExists, ArtefactError, SettingsError: see `app.training.workplace`.
            TrainingInterrupted: `interrupted` said so; the same call resumes.
        """
        version = choose_version(self.models, self.version)
        with locked(self.models) as root:
            cache = PixelCache(
                names,
                images,
                decoder,
                self.recipe.cae.side,
                memory_bytes=self.memory_bytes,
                disk_bytes=self.disk_bytes,
                folder=root,
            )
            judge(cache.fill(self.workers, self.report))
            with unfinished(root, self.recipe, self.seed, cache.digest()) as folder:
                return _Networks(self, cache, version, folder).train()


@dataclass
class _Networks:
    """Both trainings and exports, on decoded pictures, in a folder of their own."""

    trainer: Trainer
    cache: PixelCache
    version: str
    folder: Path

    def train(self) -> list[Trained]:
        recipe, seed = self.trainer.recipe, self.trainer.seed
        keras.utils.set_random_seed(seed)
        pixels = PixelBatches(self.cache, self.cache.good_rows(), recipe.cae.side, seed, recipe.cae.augment)
        cae, cae_encoder = build_cae(recipe.cae)
        cae.compile(keras.optimizers.Adam(recipe.cae.learning_rate), "binary_crossentropy")
        cae_fitted = self._fit(cae, pixels, recipe.cae, decayed(recipe.cae.learning_rate, recipe.cae.epochs, 0))

        latents = self._latents(cae_encoder, pixels)
        keras.utils.set_random_seed(seed)
        autoencoder, encoder = build_autoencoder(recipe.autoencoder, latents.shape[1])
        autoencoder.compile(keras.optimizers.Adam(recipe.autoencoder.learning_rate), "mean_squared_error")
        schedule = decayed(
            recipe.autoencoder.learning_rate, recipe.autoencoder.constant_epochs, recipe.autoencoder.decay
        )
        fitted = self._fit(autoencoder, LatentBatches(latents), recipe.autoencoder, schedule)

        origin = Origin(name="cae", version=self.version, weights_digest=weights_digest(cae_encoder))
        return [
            Trained("cae", self._export_cae(cae, cae_encoder, cae_fitted), cae_fitted),
            Trained("autoencoder", self._export_autoencoder(encoder, cae_encoder, fitted, origin), fitted),
        ]

    def _fit(
        self,
        model: keras.Model,
        batches: Batches,
        recipe: CaeRecipe | AutoencoderRecipe,
        learning_rate: Callable[[int], float],
    ) -> Fitted:
        schedule = Schedule(recipe.epochs, recipe.patience, recipe.batch, recipe.validation_share, learning_rate)
        checkpoint = Checkpoint(self.folder / f"{model.name}.npz")
        trainer = self.trainer
        return Fit(model, batches, schedule, trainer.seed, checkpoint, trainer.watch, trainer.interrupted).run()

    def _latents(self, encoder: keras.Model, pixels: PixelBatches) -> NDArray[np.float32]:
        """Latents [m, 2048] of all good pictures, never augmented."""
        batch, done = self.trainer.recipe.cae.batch, 0
        latents: list[NDArray[np.float32]] = []
        for inputs in pixels.dataset(np.arange(len(pixels)), batch, None):
            latents.append(encoder.predict_on_batch(inputs))
            done += len(inputs)
            self.trainer.report("Encoding latents", done, len(pixels))
        return np.concatenate(latents)

    def _export_cae(self, cae: keras.Model, encoder: keras.Model, fitted: Fitted) -> Path:
        staged = self.folder / "export-cae"
        export_cae(staged, cae, encoder)
        side = self.trainer.recipe.cae.side
        pixels = golden_pixels(side)
        write_golden(staged, pixels, encoder.predict_on_batch(pixels / np.float32(255)))
        manifest = describe(
            TensorDescription(name="pixels", shape=(None, side, side, 3), dtype="uint8"),
            TensorDescription(name="latents", shape=encoder.output_shape, dtype="float32"),
            **self._fields("cae", encoder, fitted),
            input_encoder=None,
        )
        return publish(staged, manifest, self.trainer.models)

    def _export_autoencoder(
        self, encoder: keras.Model, cae_encoder: keras.Model, fitted: Fitted, origin: Origin
    ) -> Path:
        staged = self.folder / "export-autoencoder"
        export_autoencoder(staged, encoder)
        latents = cae_encoder.predict_on_batch(golden_pixels(self.trainer.recipe.cae.side) / np.float32(255))
        write_golden(staged, latents, encoder.predict_on_batch(latents))
        manifest = describe(
            TensorDescription(name="latents", shape=encoder.input_shape, dtype="float32"),
            TensorDescription(name="embedding", shape=encoder.output_shape, dtype="float32"),
            **self._fields("autoencoder", encoder, fitted),
            input_encoder=origin,
        )
        return publish(staged, manifest, self.trainer.models)

    def _fields(self, name: str, encoder: keras.Model, fitted: Fitted) -> dict[str, Any]:
        """What the two manifests have in common."""
        return {
            "name": name,
            "version": self.version,
            "recipe": self.trainer.recipe.describe(),
            "seed": self.trainer.seed,
            "losses": fitted.losses,
            "counts": {
                "images": fitted.training_rows + fitted.validation_rows,
                "training": fitted.training_rows,
                "validation": fitted.validation_rows,
                "epochs": len(fitted.losses["loss"]),
                "kept_epoch": fitted.kept_epoch,
                "seconds": round(fitted.seconds, 3),
            },
            "catalogue_digest": self.cache.digest(),
            "weights_digest": weights_digest(encoder),
            "files": {},
        }

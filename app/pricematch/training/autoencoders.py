"""Trains the notebook's two networks on a catalogue and exports them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.postings import Posting
from pricematch.encoding.ports import Decoder, ImageSource
from pricematch.errors import ImageError
from pricematch.formats.manifest import Origin, TensorDescription
from pricematch.training.batches import Batches, LatentBatches, PixelBatches
from pricematch.training.export import (
    describe,
    export_autoencoder,
    export_cae,
    golden_pixels,
    weights_digest,
    write_golden,
)
from pricematch.training.fit import Checkpoint, Fit, Fitted, Schedule, decayed
from pricematch.training.label_groups import ThresholdPostings, threshold_postings
from pricematch.training.networks.autoencoder import build_autoencoder
from pricematch.training.networks.cae import build_cae
from pricematch.training.pixel_cache import PixelCache
from pricematch.training.recipes import AutoencoderRecipe, CaeRecipe, Recipe
from pricematch.training.trainer import Staged, Trained, Training
from pricematch.training.workplace import choose_version, locked, unfinished


class AutoencoderTrainer(Training[Recipe]):
    """The notebook's two networks."""

    def run(
        self,
        names: Sequence[str],
        images: ImageSource,
        decoder: Decoder,
        check: Callable[[Mapping[str, ImageError]], None],
        postings: Sequence[Posting],
    ) -> list[Trained]:
        """Train and export the CAE, then the autoencoder on its latents.

        Args:
            names: distinct image names.
            images: where their bytes come from.
            decoder: how they become pixels.
            check: called with the bad images before anything is trained; raises to refuse them.
            postings: that show them; thresholds are picked on their label groups.

        Raises:
            ArtefactExists, ArtefactError, SettingsError: see `pricematch.training.trainer`.
            TrainingInterrupted: `interrupted` returned true; the same call resumes.
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
            check(cache.fill(self.workers, self.report))
            with unfinished(root, self.recipe, self.seed, cache.digest()) as folder:
                queries = threshold_postings(postings, [names[row] for row in cache.good_rows()])
                return _Networks(self, cache, queries, version, folder).train()


@dataclass
class _Networks:
    """Both trainings and exports, on decoded images, in a folder of their own."""

    trainer: AutoencoderTrainer
    cache: PixelCache
    queries: ThresholdPostings
    version: str
    folder: Path

    def train(self) -> list[Trained]:
        recipe, seed = self.trainer.recipe, self.trainer.seed
        keras.utils.set_random_seed(seed)
        pixels = PixelBatches(self.cache, self.cache.good_rows(), recipe.cae.side, seed, recipe.cae.augment)
        cae, cae_encoder = build_cae(recipe.cae)
        cae.compile(keras.optimizers.Adam(recipe.cae.learning_rate), "binary_crossentropy")
        cae_fitted = self._fit(cae, pixels, recipe.cae, decayed(recipe.cae.learning_rate, recipe.cae.epochs, 0))

        latents = self._outputs("Encoding latents", cae_encoder, pixels)
        keras.utils.set_random_seed(seed)
        autoencoder, encoder = build_autoencoder(recipe.autoencoder, latents.shape[1])
        autoencoder.compile(keras.optimizers.Adam(recipe.autoencoder.learning_rate), "mean_squared_error")
        schedule = decayed(
            recipe.autoencoder.learning_rate, recipe.autoencoder.constant_epochs, recipe.autoencoder.decay
        )
        fitted = self._fit(autoencoder, LatentBatches(latents), recipe.autoencoder, schedule)
        return self._export(cae, cae_encoder, cae_fitted, encoder, fitted, latents)

    def _export(
        self,
        cae: keras.Model,
        cae_encoder: keras.Model,
        cae_fitted: Fitted,
        encoder: keras.Model,
        fitted: Fitted,
        latents: NDArray[np.float32],
    ) -> list[Trained]:
        origin = Origin(name="cae", version=self.version, weights_digest=weights_digest(cae_encoder))
        staged_cae = self._stage_cae(cae, cae_encoder, cae_fitted)
        staged = self._stage_autoencoder(encoder, cae_encoder, fitted, origin)

        def embed() -> NDArray[np.float32]:
            return self._outputs("Encoding embeddings", encoder, LatentBatches(latents))

        report, models = self.trainer.report, self.trainer.models
        cae_threshold = self.queries.threshold("cae", lambda: latents, report)
        threshold = self.queries.threshold("autoencoder", embed, report)
        # only now, so that whoever is interrupted before has neither
        return [staged_cae.publish(cae_threshold, models), staged.publish(threshold, models)]

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

    def _outputs(self, what: str, encoder: keras.Model, batches: Batches) -> NDArray[np.float32]:
        """Outputs of an encoder for all good images, float32 [m, d], without augmentation."""
        batch, done = self.trainer.recipe.cae.batch, 0
        outputs: list[NDArray[np.float32]] = []
        for inputs in batches.dataset(np.arange(len(batches)), batch, None):
            outputs.append(encoder.predict_on_batch(inputs))
            done += len(inputs)
            self.trainer.report(what, done, len(batches))
        return np.concatenate(outputs)

    def _stage_cae(self, cae: keras.Model, encoder: keras.Model, fitted: Fitted) -> Staged:
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
        return Staged(staged, manifest, fitted)

    def _stage_autoencoder(
        self, encoder: keras.Model, cae_encoder: keras.Model, fitted: Fitted, origin: Origin
    ) -> Staged:
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
        return Staged(staged, manifest, fitted)

    def _fields(self, name: str, encoder: keras.Model, fitted: Fitted) -> dict[str, Any]:
        """Fields that both manifests share."""
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

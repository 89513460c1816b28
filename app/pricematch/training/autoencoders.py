"""Trains the notebook's two networks on a catalogue and exports them."""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
from numpy.typing import NDArray

from pricematch.formats.exports import golden_pixels, next_version
from pricematch.training.batches import Batches, LatentBatches, PixelBatches
from pricematch.training.export import export_autoencoder, export_cae
from pricematch.training.fit import Checkpoint, Fit, Fitted, decayed
from pricematch.training.label_groups import threshold_postings
from pricematch.training.networks import build_autoencoder, build_cae
from pricematch.training.recipes import AutoencoderRecipe, CaeRecipe, Recipe
from pricematch.training.trainer import Run, Trained, Training, TrainingImages, unfinished


def train_autoencoders(training: Training[Recipe], images: TrainingImages) -> list[Trained]:
    """Train and export the CAE, then the autoencoder on its latents.

    Raises:
        ArtefactExists: a network has the version.
        ArtefactError, SettingsError: see `Training.decoded`.
        TrainingInterrupted: `interrupted` returned true; the same call resumes.
    """
    version = next_version(training.models, ("cae", "autoencoder"), training.options.version)
    with (
        training.decoded(images) as (root, cache),
        unfinished(root, training.recipe, training.options.seed, cache.digest()) as folder,
    ):
        queries = threshold_postings(images.postings, [images.names[row] for row in cache.good_rows()])
        return _AutoencoderRun(training, cache, queries, version, folder).train()


class _AutoencoderRun(Run[Recipe]):
    """Both trainings and exports."""

    def train(self) -> list[Trained]:
        recipe, seed = self.training.recipe, self.training.options.seed
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

    def _fit(
        self,
        model: keras.Model,
        batches: Batches,
        recipe: CaeRecipe | AutoencoderRecipe,
        learning_rate: Callable[[int], float],
    ) -> Fitted:
        training, checkpoint = self.training, Checkpoint(self.folder / f"{model.name}.npz")
        callbacks = training.watch, training.interrupted
        return Fit(model, batches, recipe, learning_rate, training.options.seed, checkpoint, *callbacks).run()

    def _outputs(self, what: str, encoder: keras.Model, batches: Batches) -> NDArray[np.float32]:
        """Outputs of an encoder for all good images, float32 [m, d], without augmentation."""
        outputs: list[NDArray[np.float32]] = []
        done = 0
        for inputs in batches.dataset(np.arange(len(batches)), self.training.recipe.cae.batch, None):
            outputs.append(encoder.predict_on_batch(inputs))
            done += len(inputs)
            self.training.report(what, done, len(batches))
        return np.concatenate(outputs)

    def _export(
        self,
        cae: keras.Model,
        cae_encoder: keras.Model,
        cae_fitted: Fitted,
        encoder: keras.Model,
        fitted: Fitted,
        latents: NDArray[np.float32],
    ) -> list[Trained]:
        pixels = golden_pixels(self.training.recipe.cae.side)
        golden = cae_encoder.predict_on_batch(pixels / np.float32(255))
        staged_cae = self.stage(
            cae_encoder,
            ("pixels", "latents"),
            (pixels, golden),
            partial(export_cae, cae=cae, encoder=cae_encoder),
            cae_fitted,
            name="cae",
            counts=_counts(cae_fitted),
            input_encoder=None,
        )
        staged = self.stage(
            encoder,
            ("latents", "embedding"),
            (golden, encoder.predict_on_batch(golden)),
            partial(export_autoencoder, encoder=encoder),
            fitted,
            name="autoencoder",
            counts=_counts(fitted),
            input_encoder=staged_cae.manifest.origin,
        )

        def embed() -> NDArray[np.float32]:
            return self._outputs("Encoding embeddings", encoder, LatentBatches(latents))

        report, models = self.training.report, self.training.models
        cae_threshold = self.queries.threshold("cae", lambda: latents, report)
        threshold = self.queries.threshold("autoencoder", embed, report)
        # only now, so that whoever is interrupted before has neither
        return [staged_cae.publish(cae_threshold, models), staged.publish(threshold, models)]


def _counts(fitted: Fitted) -> dict[str, int | float]:
    return {
        "images": fitted.training_rows + fitted.validation_rows,
        "training": fitted.training_rows,
        "validation": fitted.validation_rows,
        "epochs": len(fitted.losses["loss"]),
        "kept_epoch": fitted.kept_epoch,
        "seconds": round(fitted.seconds, 3),
    }

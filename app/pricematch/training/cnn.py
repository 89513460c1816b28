"""Trains the encoder `cnn` on a catalogue and exports it."""

import hashlib
import time
from dataclasses import dataclass, field
from functools import partial

import keras
import numpy as np
from numpy.typing import NDArray

from pricematch.encoding.default_encoder import BFLOAT16_TOLERANCE
from pricematch.encoding.versions import CNN
from pricematch.encoding.whitening import Linear, whitening, within_group_whitening
from pricematch.formats.exports import golden_pixels, next_version
from pricematch.training.cnn_stages import ImageViews, PixelFunction, cached, fine_tune, fit_head
from pricematch.training.export import export_cnn
from pricematch.training.fit import Fitted
from pricematch.training.label_groups import TrainedGroups, choose_groups, label_of_image, threshold_postings
from pricematch.training.metric_learning import Course
from pricematch.training.networks import build_encoder, build_head, build_pooled
from pricematch.training.pretrained import Backbone, load_backbone
from pricematch.training.recipes import CnnTrainingRecipe
from pricematch.training.trainer import Run, Staged, Trained, Training, TrainingImages, unfinished

_UPPER_LAYERS = "upper layers"


def train_cnn(training: Training[CnnTrainingRecipe], images: TrainingImages) -> list[Trained]:
    """Train and export a backbone, whitened on the catalogue, and trained on its label groups if it has some.

    Raises:
        ArtefactExists: there is the version already.
        ArtefactError, SettingsError: see `Training.decoded` and `load_backbone`.
        CatalogueError: all images look the same to the backbone.
        TrainingInterrupted: `interrupted` returned true; features that are complete need not be made again.
    """
    cnn, seed = training.recipe.cnn, training.options.seed
    version = next_version(training.models, [CNN], training.options.version)
    keras.utils.set_random_seed(seed)
    backbone = load_backbone(cnn.backbone, cnn.weights, images.side)
    with training.decoded(images) as (root, cache):
        identity = hashlib.sha256(f"{cache.digest()} {backbone.origin.digest}".encode("ascii")).hexdigest()
        with unfinished(root, training.recipe, seed, identity) as folder:
            good = cache.good_rows()
            shown, labels = [images.names[row] for row in good], label_of_image(images.postings)
            shares = cnn.train_share, cnn.validation_share
            groups = choose_groups(shown, labels, *shares, seed, images.postings)
            queries = threshold_postings(images.postings, shown, groups.learnt_labels if groups.teach else ())
            views = ImageViews(cache, good, seed)
            return [_CnnRun(training, cache, queries, version, folder, backbone, views, groups).train()]


@dataclass
class _CnnRun(Run[CnnTrainingRecipe]):
    """One training and export."""

    backbone: Backbone
    views: ImageViews
    groups: TrainedGroups
    _stages: dict[str, Fitted] = field(default_factory=dict)

    def train(self) -> Trained:
        began = time.monotonic()
        cnn = self.training.recipe.cnn
        pooled = build_pooled(self.backbone.network, cnn.power)
        features = self._features(pooled)
        linear = whitening(features[0], cnn.dimension, cnn.shrinkage)
        if self.groups.teach:
            linear = self._learn(linear, features)
        head = build_head(*linear.kernel.shape)
        head.set_weights([linear.kernel.astype(np.float32), linear.bias.astype(np.float32)])
        encoder = build_encoder(pooled, head)
        if self.groups.teach and self._has_held_out and cnn.fine_tune:
            self._stages[_UPPER_LAYERS] = fine_tune(encoder, self.backbone, self.views, self.groups, self.training)
        fitted = self._summary(time.monotonic() - began)
        staged = self._stage(encoder, fitted)
        threshold = self.queries.threshold(CNN, lambda: self._embed(encoder, head, features[0]), self.training.report)
        return staged.publish(threshold, self.training.models)

    @property
    def _has_held_out(self) -> bool:
        """Whether groups are held out; without them there is no early stopping."""
        return bool((self.groups.held_out >= 0).any())

    def _learn(self, linear: Linear, features: list[NDArray[np.float32]]) -> Linear:
        """The embedding learnt from label groups: in closed form, then by its gradient."""
        cnn = self.training.recipe.cnn
        within = within_group_whitening(linear(features[0]), self.groups.learnt, cnn.within_shrinkage)
        linear = linear if within is None else linear.then(within)
        if self._has_held_out:
            course = Course(cnn.epochs, cnn.patience, cnn.batch, cnn.per_group, cnn.learning_rate, cnn.temperature)
            linear, self._stages["embedding"] = fit_head(linear, features, self.groups, course, self.training)
        return linear

    def _features(self, pooled: keras.Model) -> list[NDArray[np.float32]]:
        """Features [m, c] of the images, and of each view of them if there are groups to train on."""
        cnn = self.training.recipe.cnn
        encode = PixelFunction(pooled, self.backbone.scale)
        turns = 1 + (cnn.views if cnn.augment and self.groups.teach and self._has_held_out else 0)
        total = turns * len(self.views)

        def features_of(turn: int) -> NDArray[np.float32]:
            def report(done: int) -> None:
                self.training.report("Encoding features", turn * len(self.views) + done, total)

            return cached(self.folder / f"features-{turn}.npy", lambda: encode.of_all(self.views, turn, report))

        return [features_of(turn) for turn in range(turns)]

    def _embed(self, encoder: keras.Model, head: keras.Model, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings [m, d] of the images; from their features where the backbone is as it was when it gave them."""
        if _UPPER_LAYERS not in self._stages:
            return np.asarray(head(features, training=False))

        def report(done: int) -> None:
            self.training.report("Encoding images", done, len(self.views))

        return PixelFunction(encoder, self.backbone.scale).of_all(self.views, 0, report)

    def _summary(self, seconds: float) -> Fitted:
        """All stages as one: losses by stage and name, kept epochs added up."""
        losses = {
            name if stage == "embedding" else f"fine_tune_{name}": values
            for stage, fitted in self._stages.items()
            for name, values in fitted.losses.items()
        }
        kept_epoch = sum(fitted.kept_epoch for fitted in self._stages.values())
        learnt, held_out = (int((part >= 0).sum()) for part in (self.groups.learnt, self.groups.held_out))
        if not self.groups.teach:
            learnt, held_out = len(self.views), 0
        return Fitted(losses, kept_epoch, learnt, held_out, seconds)

    def _stage(self, encoder: keras.Model, fitted: Fitted) -> Staged:
        pixels = golden_pixels(encoder.input_shape[1])
        return self.stage(
            encoder,
            ("pixels", "embedding"),
            (pixels, PixelFunction(encoder, self.backbone.scale)(pixels)),
            partial(export_cnn, encoder=encoder, scale=self.backbone.scale),
            fitted,
            name=CNN,
            counts={
                "images": len(self.views),
                "training": fitted.training_rows,
                "validation": fitted.validation_rows,
                "groups": self.groups.count,
                "epochs": sum(len(each.losses["loss"]) for each in self._stages.values()),
                "kept_epoch": fitted.kept_epoch,
                "seconds": round(fitted.seconds, 3),
            },
            input_encoder=None,
            weights=self.backbone.origin,
            trained_on=self.groups.record if self.groups.teach else None,
            bfloat16_tolerance=BFLOAT16_TOLERANCE,
        )

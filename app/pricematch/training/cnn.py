"""Trains the encoder `cnn` on a catalogue and exports it."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.postings import Posting
from pricematch.encoding.ports import Decoder, ImageSource
from pricematch.errors import ImageError
from pricematch.formats.manifest import TensorDescription
from pricematch.training.cnn_features import Pictures, PixelFunction, kept
from pricematch.training.cnn_fine_tune import fine_tune
from pricematch.training.cnn_head import learn_head
from pricematch.training.cnn_recipe import CnnTrainingRecipe
from pricematch.training.export import describe, export_cnn, golden_pixels, weights_digest, write_golden
from pricematch.training.fit import Fitted
from pricematch.training.label_groups import TrainedGroups, choose_groups, label_of_picture
from pricematch.training.metric_learning import Course
from pricematch.training.networks.cnn import build_encoder, build_head, build_pooled
from pricematch.training.pixel_cache import PixelCache
from pricematch.training.pretrained import Backbone, load_backbone, side_of
from pricematch.training.threshold import Judged, judged_postings
from pricematch.training.trainer import Staged, Trained, Training
from pricematch.training.whitening import Linear, whitening, within_group_whitening
from pricematch.training.workplace import choose_version, locked, unfinished

NAME = "cnn"
UPPER_LAYERS = "upper layers"
BFLOAT16_TOLERANCE = 0.1
"""Three times what fifty layers and a whitening are off by on 717 photos; it moves a cosine by half its square."""


class CnnTrainer(Training[CnnTrainingRecipe]):
    """A backbone, whitened on the catalogue, and trained on its label groups if it has some."""

    def run(
        self,
        names: Sequence[str],
        images: ImageSource,
        decoder: Decoder,
        judge: Callable[[Mapping[str, ImageError]], None],
        postings: Sequence[Posting],
    ) -> list[Trained]:
        """Train and export the encoder.

        Args:
            names: distinct picture names.
            images: where their bytes come from.
            decoder: how they become pixels.
            judge: called with the bad pictures before anything is trained; raises to refuse them.
            postings: that show them; their label groups are learnt from, and the threshold is picked on the others.

        Raises:
            ArtefactExists, ArtefactError, SettingsError: see `training.workplace` and `training.pretrained`.
            CatalogueError: all pictures look the same to the backbone.
            TrainingInterrupted: `interrupted` said so; features that are complete need not be made again.
        """
        version = choose_version(self.models, self.version, [NAME])
        cnn = self.recipe.cnn
        keras.utils.set_random_seed(self.seed)
        backbone = load_backbone(cnn.backbone, cnn.weights, side_of(cnn.backbone, cnn.side))
        with locked(self.models) as root:
            cache = PixelCache(
                names,
                images,
                decoder,
                side_of(cnn.backbone, cnn.side),
                memory_bytes=self.memory_bytes,
                disk_bytes=self.disk_bytes,
                folder=root,
            )
            judge(cache.fill(self.workers, self.report))
            identity = hashlib.sha256(f"{cache.digest()} {backbone.origin.digest}".encode("ascii")).hexdigest()
            with unfinished(root, self.recipe, self.seed, identity) as folder:
                good = cache.good_rows()
                shown, labels = [names[row] for row in good], label_of_picture(postings)
                groups = choose_groups(shown, labels, cnn.train_share, cnn.validation_share, self.seed)
                judged = judged_postings(postings, shown, groups.learnt_labels if groups.teach else ())
                pictures = Pictures(cache, good, self.seed)
                return [_Cnn(self, backbone, pictures, groups, judged, version, folder).train()]


@dataclass
class _Cnn:
    """One training and export, on decoded pictures, in a folder of its own."""

    trainer: CnnTrainer
    backbone: Backbone
    pictures: Pictures
    groups: TrainedGroups
    judged: Judged
    version: str
    folder: Path
    _stages: dict[str, Fitted] = field(default_factory=dict)

    def train(self) -> Trained:
        began = time.monotonic()
        cnn = self.trainer.recipe.cnn
        pooled = build_pooled(self.backbone.network, cnn.power)
        features = self._features(pooled)
        linear = whitening(features[0], cnn.dimension, cnn.shrinkage)
        if self.groups.teach:
            linear = self._learn(linear, features)
        head = build_head(*linear.kernel.shape)
        head.set_weights([linear.kernel.astype(np.float32), linear.bias.astype(np.float32)])
        encoder = build_encoder(pooled, head)
        if self.groups.teach and self._can_judge and cnn.fine_tune:
            self._stages[UPPER_LAYERS] = fine_tune(encoder, self.backbone, self.pictures, self.groups, self.trainer)
        fitted = self._summary(time.monotonic() - began)
        staged = self._stage(encoder, fitted)
        threshold = self.judged.threshold(NAME, lambda: self._embed(encoder, head, features[0]), self.trainer.report)
        return staged.publish(threshold, self.trainer.models)

    @property
    def _can_judge(self) -> bool:
        """Whether groups were held out, without which nobody could say when to stop."""
        return bool((self.groups.held_out >= 0).any())

    def _learn(self, linear: Linear, features: list[NDArray[np.float32]]) -> Linear:
        """The embedding learnt from label groups: in closed form, then by its gradient."""
        cnn = self.trainer.recipe.cnn
        within = within_group_whitening(linear(features[0]), self.groups.learnt, cnn.within_shrinkage)
        linear = linear if within is None else linear.then(within)
        if self._can_judge:
            linear, self._stages["embedding"] = learn_head(linear, features, self.groups, self._course(), self.trainer)
        return linear

    def _features(self, pooled: keras.Model) -> list[NDArray[np.float32]]:
        """Features [m, c] of the pictures, and of each view of them if there are groups to train on."""
        cnn = self.trainer.recipe.cnn
        encode = PixelFunction(pooled, self.backbone.scale)
        turns = 1 + (cnn.views if cnn.augment and self.groups.teach and self._can_judge else 0)
        total = turns * len(self.pictures)

        def of(turn: int) -> NDArray[np.float32]:
            def told(done: int) -> None:
                self.trainer.report("Encoding features", turn * len(self.pictures) + done, total)

            return kept(self.folder / f"features-{turn}.npy", lambda: encode.of_all(self.pictures, turn, told))

        return [of(turn) for turn in range(turns)]

    def _embed(self, encoder: keras.Model, head: keras.Model, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings [m, d] of the pictures; from their features where the backbone is as it was when it gave them."""
        if UPPER_LAYERS not in self._stages:
            return np.asarray(head(features, training=False))

        def told(done: int) -> None:
            self.trainer.report("Encoding pictures", done, len(self.pictures))

        return PixelFunction(encoder, self.backbone.scale).of_all(self.pictures, 0, told)

    def _course(self) -> Course:
        cnn = self.trainer.recipe.cnn
        return Course(cnn.epochs, cnn.patience, cnn.batch, cnn.per_group, cnn.learning_rate, cnn.temperature)

    def _summary(self, seconds: float) -> Fitted:
        """All stages as one: losses by stage and name, the epochs that were kept together."""
        losses = {
            name if stage == "embedding" else f"fine_tune_{name}": values
            for stage, fitted in self._stages.items()
            for name, values in fitted.losses.items()
        }
        kept_epoch = sum(fitted.kept_epoch for fitted in self._stages.values())
        learnt, held_out = (int((part >= 0).sum()) for part in (self.groups.learnt, self.groups.held_out))
        if not self.groups.teach:
            learnt, held_out = len(self.pictures), 0
        return Fitted(losses, kept_epoch, learnt, held_out, seconds)

    def _stage(self, encoder: keras.Model, fitted: Fitted) -> Staged:
        staged = self.folder / f"export-{NAME}"
        export_cnn(staged, encoder, self.backbone.scale)
        side = encoder.input_shape[1]
        pixels = golden_pixels(side)
        write_golden(staged, pixels, PixelFunction(encoder, self.backbone.scale)(pixels))
        manifest = describe(
            TensorDescription(name="pixels", shape=(None, side, side, 3), dtype="uint8"),
            TensorDescription(name="embedding", shape=encoder.output_shape, dtype="float32"),
            name=NAME,
            version=self.version,
            recipe=self.trainer.recipe.describe(),
            seed=self.trainer.seed,
            losses=fitted.losses,
            counts={
                "images": len(self.pictures),
                "training": fitted.training_rows,
                "validation": fitted.validation_rows,
                "groups": self.groups.count,
                "epochs": sum(len(each.losses["loss"]) for each in self._stages.values()),
                "kept_epoch": fitted.kept_epoch,
                "seconds": round(fitted.seconds, 3),
            },
            catalogue_digest=self.pictures.cache.digest(),
            weights_digest=weights_digest(encoder),
            input_encoder=None,
            weights=self.backbone.origin,
            trained_on=self.groups.record if self.groups.teach else None,
            bfloat16_tolerance=BFLOAT16_TOLERANCE,
            files={},
        )
        return Staged(staged, manifest, fitted)

"""The steps of every training of encoders: one at a time, decoded images, networks staged and published."""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pricematch.catalogue.postings import Posting
from pricematch.encoding.ports import Decoder, ImageSource
from pricematch.errors import ArtefactError, ImageError, SettingsError, TrainingInterrupted
from pricematch.evaluation.curves import SimilarityThreshold
from pricematch.formats.exports import publish, write_golden
from pricematch.formats.manifest import Manifest, TensorDescription
from pricematch.progress import Progress
from pricematch.training.export import describe, weights_digest
from pricematch.training.fit import Fitted, Interrupted, Watch
from pricematch.training.label_groups import ThresholdPostings, described
from pricematch.training.pixel_cache import PixelCache
from pricematch.training.recipes import AnyRecipe, TrainOptions

R = TypeVar("R", bound=AnyRecipe)
FOLDER = ".training"
"""Unfinished work, below the folder of models."""


def make_deterministic() -> None:
    """Settle the order of everything TensorFlow adds up; once a process, before it computes anything.

    Deterministic operations alone are not enough on a CPU: with more than one inter-op thread, gradients are summed in
    the order in which they happen to be ready. Threads within an operation stay as they are, and speed with them.

    Raises:
        RuntimeError: TensorFlow has computed something already, with more inter-op threads.
    """
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()


@dataclass(frozen=True)
class TrainingImages:
    """The distinct images to train on: names, source, decoder to pixels of a side.

    Attributes:
        check: called with the bad images before anything is trained; raises to refuse them.
        postings: that show the images; their label groups pick thresholds, and the CNN learns from them.
    """

    names: Sequence[str]
    source: ImageSource
    decoder: Decoder
    side: int
    check: Callable[[Mapping[str, ImageError]], None]
    postings: Sequence[Posting]


@dataclass(frozen=True)
class Training(Generic[R]):
    """How to train a recipe. Seeded: the same images, recipe and seed give the same weights on one machine.

    That takes `make_deterministic` beforehand. `workers` threads decode; `interrupted` is called after each step, and
    true stops the training.
    """

    recipe: R
    options: TrainOptions
    models: Path
    workers: int
    progress: Progress
    watch: Watch
    interrupted: Interrupted

    def report(self, what: str, done: int, total: int) -> None:
        """Report progress; raises TrainingInterrupted if `interrupted` returns true."""
        self.progress(what, done, total)
        if self.interrupted():
            raise TrainingInterrupted(f"stopped while {what.lower()}, {done} of {total}")

    @contextmanager
    def decoded(self, images: TrainingImages) -> Iterator[tuple[Path, PixelCache]]:
        """The folder for unfinished work, held by this training alone, and the decoded images.

        Raises:
            SettingsError: `models` cannot be written to.
            ArtefactError: another training is at work in `models`.
        """
        with locked(self.models) as root:
            cache = PixelCache(
                images.names,
                images.source,
                images.decoder,
                images.side,
                memory_bytes=self.options.memory_bytes,
                disk_bytes=self.options.disk_bytes,
                folder=root,
            )
            images.check(cache.fill(self.workers, self.report))
            yield root, cache


@contextmanager
def locked(models: Path) -> Iterator[Path]:
    """The folder for unfinished work, for one training at a time; raises as `Training.decoded`."""
    root = models / FOLDER
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / "lock").open("w")
    except OSError as error:
        raise SettingsError(f"{models} cannot be written to ({error.strerror})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ArtefactError(f"another training is at work in {models}") from error
        yield root


@contextmanager
def unfinished(root: Path, recipe: AnyRecipe, seed: int, catalogue_digest: str) -> Iterator[Path]:
    """A folder that is the same for the same training, and is removed when the block ends well."""
    identity = json.dumps([recipe.describe(), seed, catalogue_digest], sort_keys=True)
    folder = root / hashlib.sha256(identity.encode("utf-8")).hexdigest()[:16]
    folder.mkdir(exist_ok=True)
    yield folder
    shutil.rmtree(folder)


@dataclass(frozen=True)
class Trained:
    """One exported network: its name, where it was written, the record of its training, and its threshold, if any."""

    name: str
    path: Path
    fitted: Fitted
    threshold: SimilarityThreshold | None

    def figures(self) -> dict[str, Any]:
        """What came of it, as JSON has it; losses by epoch, null where one is no number."""
        fitted = self.fitted
        return {
            "path": str(self.path),
            "images": fitted.training_rows,
            "held_out_images": fitted.validation_rows,
            "kept_epoch": fitted.kept_epoch,
            "seconds": round(fitted.seconds, 3),
            "losses": {
                name: [float(value) if np.isfinite(value) else None for value in values]
                for name, values in fitted.losses.items()
            },
            "threshold": None if self.threshold is None else asdict(self.threshold),
        }


@dataclass(frozen=True)
class Staged:
    """One exported network that is not published yet: its folder, manifest without threshold, record of training."""

    folder: Path
    manifest: Manifest
    fitted: Fitted

    def publish(self, threshold: SimilarityThreshold | None, models: Path) -> Trained:
        """Write the threshold into the manifest and move the folder to its version; raises ArtefactExists."""
        manifest = self.manifest.model_copy(update=described(threshold))
        return Trained(manifest.name, publish(self.folder, manifest, models), self.fitted, threshold)


@dataclass
class Run(Generic[R]):
    """One training at work, on decoded images, in a folder of its own."""

    training: Training[R]
    cache: PixelCache
    queries: ThresholdPostings
    version: str
    folder: Path

    def stage(
        self,
        encoder: keras.Model,
        signature: tuple[str, str],
        golden: tuple[NDArray[Any], NDArray[np.float32]],
        export: Callable[[Path], None],
        fitted: Fitted,
        **fields: Any,
    ) -> Staged:
        """Export an encoder into a folder, with golden inputs and outputs, and describe it.

        Args:
            encoder: whose weights and shapes are described.
            signature: names of its input and its output.
            golden: inputs [4, …], for the exported network, and their outputs.
            export: writes it into a folder.
            fitted: the record of its training.
            fields: of the manifest: `name`, `counts` and `input_encoder`, and those that have a default.
        """
        staged = self.folder / f"export-{fields['name']}"
        export(staged)
        write_golden(staged, *golden)
        manifest = describe(
            TensorDescription(name=signature[0], shape=encoder.input_shape, dtype=golden[0].dtype.name),
            TensorDescription(name=signature[1], shape=encoder.output_shape, dtype="float32"),
            version=self.version,
            recipe=self.training.recipe.describe(),
            seed=self.training.options.seed,
            losses=fitted.losses,
            catalogue_digest=self.cache.digest(),
            weights_digest=weights_digest(encoder),
            files={},
            **fields,
        )
        return Staged(staged, manifest, fitted)

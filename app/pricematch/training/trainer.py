"""What every training run shares: its options, deterministic operations, and the publication of networks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import tensorflow as tf

from pricematch.errors import TrainingInterrupted
from pricematch.evaluation.curves import SimilarityThreshold
from pricematch.formats.manifest import Manifest
from pricematch.progress import Progress
from pricematch.training.export import publish
from pricematch.training.fit import Fitted, Interrupted, Watch
from pricematch.training.label_groups import described

R = TypeVar("R")


@dataclass(frozen=True)
class Trained:
    """One exported network: its name, where it was written, the record of its training, and its threshold, if any."""

    name: str
    path: Path
    fitted: Fitted
    threshold: SimilarityThreshold | None


@dataclass(frozen=True)
class Staged:
    """One exported network that is not published yet.

    Attributes:
        folder: where it is staged.
        manifest: without a threshold.
        fitted: the record of its training.
    """

    folder: Path
    manifest: Manifest
    fitted: Fitted

    def publish(self, threshold: SimilarityThreshold | None, models: Path) -> Trained:
        """Write the threshold into the manifest and move the folder to its version; raises ArtefactExists."""
        manifest = self.manifest.model_copy(update=described(threshold))
        return Trained(manifest.name, publish(self.folder, manifest, models), self.fitted, threshold)


@dataclass(frozen=True)
class Training(Generic[R]):
    """One run of a recipe. Seeded: the same images, recipe and seed give the same weights on one machine.

    That takes `pricematch.training.trainer.make_deterministic` beforehand.

    Attributes:
        recipe: every hyper-parameter.
        seed: of everything drawn.
        models: the folder of artefacts.
        version: to write; None takes the next.
        memory_bytes, disk_bytes: how much decoded images may take.
        workers: threads that decode.
        progress, watch: called with the progress.
        interrupted: called after each step; true stops the training.
    """

    recipe: R
    seed: int
    models: Path
    version: str | None
    memory_bytes: int
    disk_bytes: int
    workers: int
    progress: Progress
    watch: Watch
    interrupted: Interrupted

    def report(self, what: str, done: int, total: int) -> None:
        """Report progress; raises TrainingInterrupted if `interrupted` returns true."""
        self.progress(what, done, total)
        if self.interrupted():
            raise TrainingInterrupted(f"stopped while {what.lower()}, {done} of {total}")


def make_deterministic() -> None:
    """Settle the order of everything TensorFlow adds up; once a process, before it computes anything.

    Deterministic operations alone are not enough on a CPU: with more than one inter-op thread, gradients are summed in
    the order in which they happen to be ready. Threads within an operation stay as they are, and speed with them.

    Raises:
        RuntimeError: TensorFlow has computed something already, with more inter-op threads.
    """
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()

"""What the trainings of all recipes have in common."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pricematch.errors import TrainingInterrupted
from pricematch.evaluation.curves import SimilarityThreshold
from pricematch.formats.manifest import Manifest
from pricematch.progress import Progress
from pricematch.training.export import publish
from pricematch.training.fit import Fitted, Interrupted, Watch
from pricematch.training.threshold import described

R = TypeVar("R")


@dataclass(frozen=True)
class Trained:
    """One exported network: its name, where it was written, what came of its training, and its threshold, if any."""

    name: str
    path: Path
    fitted: Fitted
    threshold: SimilarityThreshold | None


@dataclass(frozen=True)
class Staged:
    """One network, exported whole but for its threshold.

    Attributes:
        folder: where it is, not to be found yet.
        manifest: without a threshold.
        fitted: what came of its training.
    """

    folder: Path
    manifest: Manifest
    fitted: Fitted

    def publish(self, threshold: SimilarityThreshold | None, models: Path) -> Trained:
        """Give it its threshold and its final name; raises ArtefactExists."""
        manifest = self.manifest.model_copy(update=described(threshold))
        return Trained(manifest.name, publish(self.folder, manifest, models), self.fitted, threshold)


@dataclass(frozen=True)
class Training(Generic[R]):
    """One run of a recipe. Seeded: the same pictures, recipe and seed give the same weights on one machine.

    That takes `pricematch.training.determinism.make_deterministic` beforehand.

    Attributes:
        recipe: every hyper-parameter.
        seed: of everything drawn.
        models: the folder of artefacts.
        version: to write; None takes the next.
        memory_bytes, disk_bytes: how much decoded pictures may take.
        workers: threads that decode.
        progress, watch: told how far it is.
        interrupted: asked after each step.
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
        """Tell how far it is; raises TrainingInterrupted if asked to stop."""
        self.progress(what, done, total)
        if self.interrupted():
            raise TrainingInterrupted(f"stopped while {what.lower()}, {done} of {total}")

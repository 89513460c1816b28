"""The training loop: one network from its checkpoint to its last epoch."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from pricematch.errors import TrainingInterrupted
from pricematch.training.batches import Batches, shuffled, split
from pricematch.training.checkpoint import Checkpoint, TrainingState

SECONDS_BETWEEN_CHECKPOINTS = 30.0


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn.

    Attributes:
        epochs: at most.
        patience: epochs without a better validation loss before stopping; 0 never stops early.
        batch: rows a step.
        validation_share: of the rows, held out.
        learning_rate: of an epoch, counted from 0.
    """

    epochs: int
    patience: int
    batch: int
    validation_share: float
    learning_rate: Callable[[int], float]


@dataclass(frozen=True)
class Step:
    """What is shown to a person after each step: network, epoch and step from 1, the running epoch's mean loss."""

    network: str
    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class Fitted:
    """What came of a training: losses per epoch by name, the epoch whose weights were kept (from 1), rows, seconds."""

    losses: dict[str, list[float]]
    kept_epoch: int
    training_rows: int
    validation_rows: int
    seconds: float


Watch: TypeAlias = Callable[[Step], None]
Interrupted: TypeAlias = Callable[[], bool]


def decayed(learning_rate: float, constant_epochs: int, decay: float) -> Callable[[int], float]:
    """`learning_rate` for the first `constant_epochs` epochs, then times e^−decay each epoch."""
    return lambda epoch: learning_rate * math.exp(-decay * max(0, epoch - constant_epochs + 1))


@dataclass
class Fit:
    """One training of an autoencoder to rebuild its input, from where its checkpoint stands.

    The order of the rows depends on seed and epoch only, so an interrupted training continues exactly.
    """

    model: keras.Model
    batches: Batches
    schedule: Schedule
    seed: int
    checkpoint: Checkpoint
    watch: Watch
    interrupted: Interrupted
    _state: TrainingState = field(default_factory=TrainingState)
    _best: list[NDArray[Any]] = field(default_factory=list)

    def run(self) -> Fitted:
        """Train to the end; the model is left with the weights of its best epoch, or its last if none was held out.

        Raises:
            TrainingInterrupted: `interrupted` said so after a step; the checkpoint holds that step.
        """
        training, validation = split(len(self.batches), self.schedule.validation_share, self.seed)
        self._state, self._best = self.checkpoint.restore(self.model)
        while self._state.epoch < self.schedule.epochs and not self._stalled():
            self._epoch(training)
            self._state = self._state.after_epoch(self._evaluate(validation) if len(validation) else None)
            if len(validation) and self._state.best_epoch == self._state.epoch - 1:
                self._best = self.model.get_weights()
        self._save()
        if self._state.epoch < self.schedule.epochs:
            self._show_early_end()
        kept = self._state.epoch
        if self._best:
            self.model.set_weights(self._best)
            kept = self._state.best_epoch + 1
        return Fitted(self._state.losses, kept, len(training), len(validation), self._state.seconds)

    def _stalled(self) -> bool:
        return 0 < self.schedule.patience < self._state.epoch - self._state.best_epoch

    def _epoch(self, training: NDArray[np.int64]) -> None:
        """The rest of the running epoch."""
        epoch, batch = self._state.epoch, self.schedule.batch
        self.model.optimizer.learning_rate = self.schedule.learning_rate(epoch)
        order = shuffled(training, self.seed, epoch)
        clock = saved = time.monotonic()
        for inputs in self.batches.dataset(order[self._state.step * batch :], batch, epoch):
            self.model.reset_metrics()
            loss = float(self.model.train_on_batch(inputs, inputs))
            now = time.monotonic()
            self._state = replace(self._state.after_step(loss, len(inputs)), seconds=self._state.seconds + now - clock)
            clock = now
            self._show(math.ceil(len(order) / batch))
            if now - saved > SECONDS_BETWEEN_CHECKPOINTS:
                self._save()
                saved = now

    def _show(self, steps: int) -> None:
        state = self._state
        mean = state.loss_sum / state.rows_seen
        self.watch(Step(self.model.name, state.epoch + 1, self.schedule.epochs, state.step, steps, mean))
        if self.interrupted():
            self._save()
            raise TrainingInterrupted(
                f"{self.model.name}: stopped in epoch {state.epoch + 1} of {self.schedule.epochs}, "
                f"step {state.step} of {steps}"
            )

    def _show_early_end(self) -> None:
        """The last step of the last epoch there will be."""
        epochs, loss = self._state.epoch, self._state.losses["loss"][-1]
        self.watch(Step(self.model.name, epochs, epochs, 1, 1, loss))

    def _evaluate(self, rows: NDArray[np.int64]) -> float:
        """Mean loss over the rows."""
        total = 0.0
        for inputs in self.batches.dataset(rows, self.schedule.batch, None):
            self.model.reset_metrics()
            total += float(self.model.test_on_batch(inputs, inputs)) * len(inputs)
        return total / len(rows)

    def _save(self) -> None:
        self.checkpoint.save(self.model, self._state, self._best)

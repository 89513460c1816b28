"""The training loop of one network, from its checkpoint to its last epoch."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from pricematch.errors import TrainingInterrupted
from pricematch.formats.atomic_writes import whole_file
from pricematch.training.batches import Batches, shuffled, split
from pricematch.training.recipes import AutoencoderRecipe, CaeRecipe

_WEIGHTS, _BEST, _STATE = "weights", "best", "state"


@dataclass(frozen=True)
class TrainingState:
    """State of the training of one network: the next step to do, sums of the running epoch, and seconds spent so far.

    `losses` are those of finished epochs, by name; `best_epoch` has the least validation loss, from 0.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    rows_seen: int = 0
    losses: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    seconds: float = 0.0

    def after_step(self, loss: float, rows: int) -> "TrainingState":
        """One step further."""
        return replace(self, step=self.step + 1, loss_sum=self.loss_sum + loss * rows, rows_seen=self.rows_seen + rows)

    def after_epoch(self, validation_loss: float | None) -> "TrainingState":
        """At the start of the next epoch."""
        measured = {"loss": self.loss_sum / self.rows_seen}
        if validation_loss is not None:
            measured["validation_loss"] = validation_loss
        losses = {name: [*self.losses.get(name, []), value] for name, value in measured.items()}
        decisive = losses.get("validation_loss", losses["loss"])
        return replace(
            self,
            epoch=self.epoch + 1,
            step=0,
            loss_sum=0.0,
            rows_seen=0,
            losses=losses,
            best_epoch=int(np.argmin(decisive)),
        )


class Checkpoint:
    """Weights of a model and its optimizer, the best weights so far, and the state: one file, replaced by a rename."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, model: keras.Model, state: TrainingState, best: list[NDArray[Any]]) -> None:
        """Write the checkpoint, by one rename."""
        arrays = {f"{_WEIGHTS}{i}": np.asarray(variable) for i, variable in enumerate(_variables(model))}
        arrays |= {f"{_BEST}{i}": weights for i, weights in enumerate(best)}
        arrays[_STATE] = np.frombuffer(TypeAdapter(dict[str, Any]).dump_json(asdict(state)), np.uint8)
        with whole_file(self._path) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy's stub takes the names for its options

    def restore(self, model: keras.Model) -> tuple[TrainingState, list[NDArray[Any]]]:
        """Load the weights into the model and its optimizer; the initial state where there is no file."""
        if not self._path.exists():
            return TrainingState(), []
        with np.load(self._path, allow_pickle=False) as kept:
            for i, variable in enumerate(_variables(model)):
                variable.assign(kept[f"{_WEIGHTS}{i}"])
            best = [kept[f"{_BEST}{i}"] for i in range(sum(name.startswith(_BEST) for name in kept.files))]
            state = TypeAdapter(TrainingState).validate_json(kept[_STATE].tobytes())
        return state, best


def _variables(model: keras.Model) -> list[Any]:
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


SECONDS_BETWEEN_CHECKPOINTS = 30.0


@dataclass(frozen=True)
class Step:
    """Progress after a step: network, epoch and step from 1, the running epoch's mean loss."""

    network: str
    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class Fitted:
    """Record of a training: losses per epoch by name, the epoch whose weights were kept (from 1), rows, seconds."""

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
    """One training of an autoencoder on its own input, resumed from its checkpoint.

    The order of the rows depends on seed and epoch only, so an interrupted training continues exactly. The learning
    rate is a function of the epoch, counted from 0.
    """

    model: keras.Model
    batches: Batches
    recipe: CaeRecipe | AutoencoderRecipe
    learning_rate: Callable[[int], float]
    seed: int
    checkpoint: Checkpoint
    watch: Watch
    interrupted: Interrupted
    _state: TrainingState = field(default_factory=TrainingState)
    _best: list[NDArray[Any]] = field(default_factory=list)

    def run(self) -> Fitted:
        """Train to the end; the model is left with the weights of its best epoch, or its last if none was held out.

        Raises:
            TrainingInterrupted: `interrupted` returned true after a step; the checkpoint holds that step.
        """
        training, validation = split(len(self.batches), self.recipe.validation_share, self.seed)
        self._state, self._best = self.checkpoint.restore(self.model)
        patience = self.recipe.patience or self.recipe.epochs
        while self._state.epoch < self.recipe.epochs and self._state.epoch - self._state.best_epoch <= patience:
            self._epoch(training)
            self._state = self._state.after_epoch(self._evaluate(validation) if len(validation) else None)
            if len(validation) and self._state.best_epoch == self._state.epoch - 1:
                self._best = self.model.get_weights()
        self._save()
        kept = epochs = self._state.epoch
        if epochs < self.recipe.epochs:  # the last step of the last epoch there will be
            self.watch(Step(self.model.name, epochs, epochs, 1, 1, self._state.losses["loss"][-1]))
        if self._best:
            self.model.set_weights(self._best)
            kept = self._state.best_epoch + 1
        return Fitted(self._state.losses, kept, len(training), len(validation), self._state.seconds)

    def _epoch(self, training: NDArray[np.int64]) -> None:
        """The rest of the running epoch."""
        epoch, batch = self._state.epoch, self.recipe.batch
        self.model.optimizer.learning_rate = self.learning_rate(epoch)
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
        self.watch(Step(self.model.name, state.epoch + 1, self.recipe.epochs, state.step, steps, mean))
        if self.interrupted():
            self._save()
            raise TrainingInterrupted(
                f"{self.model.name}: stopped in epoch {state.epoch + 1} of {self.recipe.epochs}, "
                f"step {state.step} of {steps}"
            )

    def _evaluate(self, rows: NDArray[np.int64]) -> float:
        """Mean loss over the rows."""
        total = 0.0
        for inputs in self.batches.dataset(rows, self.recipe.batch, None):
            self.model.reset_metrics()
            total += float(self.model.test_on_batch(inputs, inputs)) * len(inputs)
        return total / len(rows)

    def _save(self) -> None:
        self.checkpoint.save(self.model, self._state, self._best)

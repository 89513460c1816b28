"""Where a training stands, kept on disk so that it can go on after an interruption."""

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

_WEIGHTS, _BEST, _STATE = "weights", "best", "state"


@dataclass(frozen=True)
class TrainingState:
    """Progress of one network.

    Attributes:
        epoch, step: the next step to do.
        loss_sum, rows_seen: of the running epoch.
        losses: per finished epoch, by name.
        best_epoch: the finished epoch with the least validation loss, from 0.
        seconds: spent so far.
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
    """Weights of a model and its optimizer, the best weights so far, and the state: one file, whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, model: keras.Model, state: TrainingState, best: list[NDArray[Any]]) -> None:
        """Replace what is kept."""
        arrays = {f"{_WEIGHTS}{i}": np.asarray(variable) for i, variable in enumerate(_variables(model))}
        arrays |= {f"{_BEST}{i}": weights for i, weights in enumerate(best)}
        arrays[_STATE] = np.frombuffer(TypeAdapter(dict[str, Any]).dump_json(asdict(state)), np.uint8)
        temporary = self._path.with_suffix(".writing")
        with temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy's stub takes the names for its options
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)

    def restore(self, model: keras.Model) -> tuple[TrainingState, list[NDArray[Any]]]:
        """Put the kept weights into the model and its optimizer; the beginning where nothing is kept."""
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

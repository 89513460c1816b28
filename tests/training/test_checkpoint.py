"""Where a training stands, kept on disk."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


def model(seed: int) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    made.compile(keras.optimizers.Adam(0.01), "mean_squared_error")
    made.train_on_batch(np.ones((2, 3), np.float32), np.zeros((2, 2), np.float32))
    return made


def everything(made: Any) -> list[np.ndarray[Any, Any]]:
    return [variable.numpy().copy() for variable in (*made.variables, *made.optimizer.variables)]


def test_weights_optimizer_best_weights_and_state_come_back(tmp_path: Path) -> None:
    from pricematch.training.checkpoint import Checkpoint, TrainingState

    one, other = model(1), model(2)
    best = [weights + 1 for weights in one.get_weights()]
    state = TrainingState(3, 4, 0.5, 6, {"loss": [0.1 + 0.2, 1e-300]}, 1, 7.25)
    Checkpoint(tmp_path / "kept.npz").save(one, state, best)
    restored, restored_best = Checkpoint(tmp_path / "kept.npz").restore(other)
    assert restored == state
    for kept, expected in zip(everything(other), everything(one), strict=True):
        np.testing.assert_array_equal(kept, expected)
    for kept, expected in zip(restored_best, best, strict=True):
        np.testing.assert_array_equal(kept, expected)


def test_without_a_checkpoint_it_is_the_beginning(tmp_path: Path) -> None:
    from pricematch.training.checkpoint import Checkpoint, TrainingState

    one = model(1)
    before = everything(one)
    assert Checkpoint(tmp_path / "kept.npz").restore(one) == (TrainingState(), [])
    for kept, expected in zip(everything(one), before, strict=True):
        np.testing.assert_array_equal(kept, expected)


@pytest.mark.parametrize("moment", ["numpy.savez", "os.fsync", "pathlib.Path.replace"])
def test_a_save_that_fails_leaves_the_last_checkpoint(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pricematch.training.checkpoint import Checkpoint, TrainingState

    def fail(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    one, checkpoint = model(1), Checkpoint(tmp_path / "kept.npz")
    checkpoint.save(one, TrainingState(epoch=1), [])
    monkeypatch.setattr(moment, fail)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(one, TrainingState(epoch=2), [])
    monkeypatch.undo()
    assert checkpoint.restore(one)[0].epoch == 1


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows() -> None:
    from pricematch.training.checkpoint import TrainingState

    state = TrainingState().after_step(1.0, 3).after_step(5.0, 1)
    assert (state.epoch, state.step, state.rows_seen) == (0, 2, 4)
    following = state.after_epoch(None)
    assert following.losses == {"loss": [(3 * 1 + 1 * 5) / 4]}
    assert (following.epoch, following.step, following.rows_seen, following.loss_sum) == (1, 0, 0, 0)


def test_the_best_epoch_is_that_of_the_least_held_out_loss_the_first_of_equal_ones() -> None:
    from pricematch.training.checkpoint import TrainingState

    state = TrainingState()
    best = []
    for loss, validation in ((4.0, 2.0), (3.0, 1.0), (2.0, 1.0), (1.0, 1.5)):
        state = state.after_step(loss, 1).after_epoch(validation)
        best.append(state.best_epoch)
    assert best == [0, 1, 1, 1]
    assert state.losses == {"loss": [4, 3, 2, 1], "validation_loss": [2, 1, 1, 1.5]}

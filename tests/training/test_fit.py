"""The training loop and its checkpoint."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.errors import SettingsError, TrainingInterrupted
from pricematch.training.recipes import AutoencoderRecipe

if TYPE_CHECKING:
    from pricematch.training.fit import Fit, Fitted, Step

pytestmark = pytest.mark.tensorflow

ROWS, WIDTH, BATCH = 10, 4, 3
STEPS = math.ceil(ROWS / BATCH)
LATENTS = np.random.default_rng(0).random((ROWS, WIDTH), np.float32)


def fit(
    folder: Path,
    *,
    epochs: int = 3,
    patience: int = 0,
    share: float = 0.0,
    seed: int = 0,
    learning_rate: Callable[[int], float] = lambda _: 0.01,
    watch: "Callable[[Step], None]" = lambda _: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> "Fit":
    """A training of one dense layer to rebuild its input."""
    import keras

    from pricematch.training.batches import LatentBatches
    from pricematch.training.fit import Checkpoint, Fit

    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((WIDTH,)), keras.layers.Dense(WIDTH)], name="tiny")
    model.compile(keras.optimizers.Adam(0.5), "mean_squared_error")
    recipe = AutoencoderRecipe(epochs=epochs, patience=patience, batch=BATCH, validation_share=share)
    checkpoint = Checkpoint(folder / "tiny.npz")
    return Fit(model, LatentBatches(LATENTS), recipe, learning_rate, seed, checkpoint, watch, interrupted)


def after(count: int) -> Callable[[], bool]:
    """True from this call on."""
    calls = 0

    def interrupted() -> bool:
        nonlocal calls
        calls += 1
        return calls == count

    return interrupted


def weights_after(fit: "Fit") -> tuple["Fitted", list[NDArray[Any]]]:
    fitted = fit.run()
    return fitted, fit.model.get_weights()


def test_the_learning_rate_falls_after_ten_epochs() -> None:
    """By a tenth of its logarithm an epoch."""
    from pricematch.training.fit import decayed

    rate = decayed(0.001, 10, 0.1)
    assert [rate(epoch) for epoch in range(10)] == [0.001] * 10
    expected = 0.001
    for epoch in range(10, 30):
        expected *= math.exp(-0.1)
        assert rate(epoch) == pytest.approx(expected, rel=1e-12)


def test_a_rate_without_decay_is_constant() -> None:
    from pricematch.training.fit import decayed

    assert {decayed(0.5, 2, 0)(epoch) for epoch in range(9)} == {0.5}


def test_each_epoch_learns_at_its_rate(tmp_path: Path) -> None:
    seen: list[float] = []
    running = fit(tmp_path, learning_rate=lambda epoch: [0.25, 0.125, 0.0625][epoch])
    running.watch = lambda _: seen.append(float(running.model.optimizer.learning_rate))
    running.run()
    assert seen == [0.25] * STEPS + [0.125] * STEPS + [0.0625] * STEPS


def test_every_row_is_seen_once_an_epoch(tmp_path: Path) -> None:
    shown: list[Step] = []
    fitted = fit(tmp_path, watch=shown.append).run()
    assert [(step.epoch, step.step) for step in shown] == [
        (epoch, step) for epoch in (1, 2, 3) for step in range(1, STEPS + 1)
    ]
    assert {(step.network, step.epochs, step.steps) for step in shown} == {("tiny", 3, STEPS)}
    assert fitted.losses["loss"] == [step.loss for step in shown if step.step == STEPS]
    assert (fitted.training_rows, fitted.validation_rows, fitted.kept_epoch) == (ROWS, 0, 3)


def test_the_loss_is_the_mean_squared_error(tmp_path: Path) -> None:
    running = fit(tmp_path, epochs=1, learning_rate=lambda _: 0.0)
    expected = float(((running.model.predict_on_batch(LATENTS) - LATENTS) ** 2).mean())
    assert running.run().losses["loss"] == [pytest.approx(expected, rel=1e-5)]


def test_training_learns(tmp_path: Path) -> None:
    losses = fit(tmp_path, epochs=30).run().losses["loss"]
    assert losses[-1] < losses[0] / 2


def test_without_held_out_rows_there_is_no_early_stop(tmp_path: Path) -> None:
    fitted = fit(tmp_path, epochs=6, patience=0, learning_rate=lambda _: 0.0).run()
    assert list(fitted.losses) == ["loss"]
    assert len(fitted.losses["loss"]) == 6


def test_it_stops_after_the_patience_and_keeps_the_best_epoch(
    tmp_path: Path,
) -> None:
    shown: list[Step] = []
    running = fit(
        tmp_path,
        epochs=50,
        patience=3,
        share=0.3,
        # learns in the first two epochs, then rushes away
        learning_rate=lambda epoch: 0.01 if epoch < 2 else 5.0,
        watch=shown.append,
    )
    fitted, weights = weights_after(running)
    assert (shown[-1].epoch, shown[-1].epochs, shown[-1].step) == (5, 5, shown[-1].steps)
    losses = fitted.losses["validation_loss"]
    assert (fitted.training_rows, fitted.validation_rows) == (7, 3)
    assert fitted.kept_epoch == int(np.argmin(losses)) + 1 == 2
    assert len(losses) == fitted.kept_epoch + 3
    (tmp_path / "shorter").mkdir()
    shorter = fit(tmp_path / "shorter", epochs=2, share=0.3, learning_rate=lambda _: 0.01)
    for kept, expected in zip(weights, weights_after(shorter)[1], strict=True):
        np.testing.assert_array_equal(kept, expected)


@pytest.mark.parametrize(("steps", "share"), [([1], 0.3), ([STEPS], 0.0), ([STEPS + 1], 0.0), ([2, 1, 3], 0.3)])
def test_interrupted_and_resumed_it_gives_the_same_as_without(tmp_path: Path, steps: list[int], share: float) -> None:
    (tmp_path / "whole").mkdir()
    whole, expected = weights_after(fit(tmp_path / "whole", share=share))
    for count in steps:
        with pytest.raises(TrainingInterrupted, match=r"tiny: stopped in epoch . of 3, step . of ."):
            fit(tmp_path, share=share, interrupted=after(count)).run()
    resumed, weights = weights_after(fit(tmp_path, share=share))
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert resumed.losses == whole.losses
    assert resumed.kept_epoch == whole.kept_epoch


def test_it_is_interrupted_after_the_running_step(tmp_path: Path) -> None:
    shown: list[Step] = []
    with pytest.raises(TrainingInterrupted, match=f"stopped in epoch 2 of 3, step 1 of {STEPS}"):
        fit(tmp_path, watch=shown.append, interrupted=after(STEPS + 1)).run()
    assert len(shown) == STEPS + 1


def test_a_finished_training_does_nothing_when_run_again(tmp_path: Path) -> None:
    first, expected = weights_after(fit(tmp_path))
    shown: list[Step] = []
    second, weights = weights_after(fit(tmp_path, watch=shown.append))
    assert shown == []
    assert second == first
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_checkpoint_is_written_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pricematch.training import fit as module

    monkeypatch.setattr(module, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    seen: list[bool] = []
    fit(tmp_path, epochs=1, watch=lambda _: seen.append((tmp_path / "tiny.npz").exists())).run()
    assert seen == [False, *[True] * (STEPS - 1)]


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
    from pricematch.training.fit import Checkpoint, TrainingState

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
    from pricematch.training.fit import Checkpoint, TrainingState

    one = model(1)
    before = everything(one)
    assert Checkpoint(tmp_path / "kept.npz").restore(one) == (TrainingState(), [])
    for kept, expected in zip(everything(one), before, strict=True):
        np.testing.assert_array_equal(kept, expected)


@pytest.mark.parametrize("moment", ["numpy.savez", "os.fsync", "pathlib.Path.replace"])
def test_a_save_that_fails_leaves_the_last_checkpoint(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pricematch.training.fit import Checkpoint, TrainingState

    def fail(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    one, checkpoint = model(1), Checkpoint(tmp_path / "kept.npz")
    checkpoint.save(one, TrainingState(epoch=1), [])
    monkeypatch.setattr(moment, fail)
    with pytest.raises(SettingsError, match="No space left"):
        checkpoint.save(one, TrainingState(epoch=2), [])
    monkeypatch.undo()
    assert checkpoint.restore(one)[0].epoch == 1


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows() -> None:
    from pricematch.training.fit import TrainingState

    state = TrainingState().after_step(1.0, 3).after_step(5.0, 1)
    assert (state.epoch, state.step, state.rows_seen) == (0, 2, 4)
    following = state.after_epoch(None)
    assert following.losses == {"loss": [(3 * 1 + 1 * 5) / 4]}
    assert (following.epoch, following.step, following.rows_seen, following.loss_sum) == (1, 0, 0, 0)


def test_the_best_epoch_has_the_least_held_out_loss() -> None:
    """The first of equal ones."""
    from pricematch.training.fit import TrainingState

    state = TrainingState()
    best = []
    for loss, validation in ((4.0, 2.0), (3.0, 1.0), (2.0, 1.0), (1.0, 1.5)):
        state = state.after_step(loss, 1).after_epoch(validation)
        best.append(state.best_epoch)
    assert best == [0, 1, 1, 1]
    assert state.losses == {"loss": [4, 3, 2, 1], "validation_loss": [2, 1, 1, 1.5]}

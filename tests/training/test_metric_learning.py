"""Supervised metric learning."""

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import unit_rows
from pricematch.errors import TrainingInterrupted

if TYPE_CHECKING:
    from pricematch.training.fit import Step
    from pricematch.training.metric_learning import Course, MetricLearning

pytestmark = pytest.mark.tensorflow

GROUPS = np.arange(48) // 4
HELD_OUT = np.where(GROUPS >= 9, GROUPS, -1)
LEARNT = np.where(GROUPS < 9, GROUPS, -1)


def values(seed: int = 0) -> NDArray[np.float32]:
    """Rows [48, 6] whose group shows in three values, and drowned by the noise of the three others."""
    rng = np.random.default_rng(seed)
    reported = np.repeat(rng.normal(size=(12, 3)), 4, axis=0) + 0.1 * rng.normal(size=(48, 3))
    return np.column_stack([reported, 3 * rng.normal(size=(48, 3))]).astype(np.float32)


def course(epochs: int = 30, patience: int = 30, learning_rate: float = 0.02) -> "Course":
    from pricematch.training.metric_learning import Course

    return Course(epochs, patience, 16, 4, learning_rate, 0.1, 5)


def learning(
    chosen: "Course",
    *,
    watch: "Callable[[Step], None]" = lambda _: None,
    interrupted: Callable[[], bool] = lambda: False,
    seed: int = 0,
) -> "MetricLearning":
    """Learns a square layer, from the identity on."""
    from pricematch.training.metric_learning import MetricLearning
    from pricematch.training.networks import build_head

    rows, head = values(), build_head(6, 6)
    head.set_weights([np.eye(6, dtype=np.float32), np.zeros(6, np.float32)])
    return MetricLearning(
        "cnn",
        head,
        head.trainable_variables,
        lambda asked, _: rows[asked],
        lambda: np.asarray(head(rows)),
        LEARNT,
        HELD_OUT,
        chosen,
        seed,
        watch,
        interrupted,
    )


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_the_loss_follows_the_definition(temperature: float) -> None:
    import tensorflow as tf

    from pricematch.training.metric_learning import supervised_contrastive

    embeddings = unit_rows(np.random.default_rng(0).normal(size=(7, 3)), 3)
    groups = np.array([0, 0, 0, 1, 1, 2, 3])
    losses = []
    for row in range(5):  # the last two are alone
        others = [other for other in range(7) if other != row]
        exponentials = {other: np.exp(embeddings[row] @ embeddings[other] / temperature) for other in others}
        members = [other for other in others if groups[other] == groups[row]]
        total = sum(exponentials.values())
        losses.append(-np.mean([np.log(exponentials[member] / total) for member in members]))
    found = supervised_contrastive(tf.constant(embeddings), tf.constant(groups), temperature)
    assert float(found) == pytest.approx(np.mean(losses), rel=1e-4)


def test_it_learns_to_separate_unseen_groups() -> None:
    fitted = learning(course()).run()
    maps = fitted.losses["held_out_map"]
    assert maps[fitted.kept_epoch] == max(maps) > maps[0] + 0.2
    assert fitted.losses["loss"][-1] < fitted.losses["loss"][0]
    assert len(maps) == len(fitted.losses["loss"]) + 1
    assert (fitted.training_rows, fitted.validation_rows) == (36, 12)


def test_the_kept_weights_are_those_of_the_best_epoch() -> None:
    task = learning(course(learning_rate=0.3))
    fitted = task.run()
    from pricematch.training.label_groups import held_out_map

    assert held_out_map(task.embed(), HELD_OUT, 5) == max(fitted.losses["held_out_map"])


def test_without_improvement_the_beginning_is_kept() -> None:
    task = learning(course(patience=3, learning_rate=1e-12))
    before = task.embed()
    fitted = task.run()
    assert fitted.kept_epoch == 0
    assert len(fitted.losses["loss"]) == 3
    assert (task.embed() == before).all()


def test_no_epochs_evaluate_only() -> None:
    fitted = learning(course(epochs=0)).run()
    assert (fitted.losses["loss"], len(fitted.losses["held_out_map"]), fitted.kept_epoch) == ([], 1, 0)


def test_the_seed_settles_what_is_learnt() -> None:
    first, again, other = (learning(course(epochs=3), seed=seed).run().losses for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_each_step_is_shown_and_requested_whether_to_stop() -> None:
    shown: list[Step] = []
    with pytest.raises(TrainingInterrupted, match="cnn: stopped in epoch 2 of 30"):
        learning(course(), watch=shown.append, interrupted=lambda: len(shown) == 4).run()
    assert [(step.epoch, step.step, step.steps) for step in shown] == [(1, 1, 2), (1, 2, 2), (2, 1, 2), (2, 2, 2)]
    assert all(first.step < second.step or first.epoch < second.epoch for first, second in pairwise(shown))

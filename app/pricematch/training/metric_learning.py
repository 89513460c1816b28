"""Supervised metric learning: embeddings of one label group are pulled together, those of different ones apart."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.errors import TrainingInterrupted
from pricematch.training.fit import Fitted, Interrupted, Step, Watch
from pricematch.training.label_groups import group_batches, held_out_map

Inputs: TypeAlias = Callable[[NDArray[np.int64], int], NDArray[Any]]
"""Input of the network for some rows in an epoch, counted from 0; may be augmented."""


def supervised_contrastive(embeddings: tf.Tensor, groups: tf.Tensor, temperature: float) -> tf.Tensor:
    """The loss of Khosla et al., 2020 (their L_out), averaged over the rows that have others of their group.

    Of row i with similarities s_ij = cosine / temperature:
    −mean over its group's other rows p of log(exp s_ip / Σ over all others j of exp s_ij).
    Embeddings are float32 [n, d] of unit length, groups int [n], at least two rows of one of them.
    """
    itself = tf.eye(tf.shape(embeddings)[0], dtype=tf.bool)
    similarities = tf.matmul(embeddings, embeddings, transpose_b=True) / temperature
    others = tf.where(itself, tf.fill(tf.shape(similarities), -math.inf), similarities)
    log_shares = similarities - tf.reduce_logsumexp(others, axis=1, keepdims=True)
    positive = tf.cast((groups[:, tf.newaxis] == groups[tf.newaxis]) & ~itself, tf.float32)
    count = tf.reduce_sum(positive, axis=1)
    losses = -tf.reduce_sum(positive * log_shares, axis=1) / tf.maximum(count, 1.0)
    return tf.reduce_sum(losses) / tf.reduce_sum(tf.cast(count > 0, tf.float32))


@dataclass(frozen=True)
class Course:
    """Epochs, early stopping, batches and loss.

    Attributes:
        epochs: passes over the groups, at most.
        patience: epochs without a better mAP on the held-out groups before stopping.
        batch: rows a step, of batch // per_group groups.
        per_group: rows of a group in a step; groups with fewer give some twice.
        learning_rate: of Adam.
        temperature: of the loss.
        k: of the mAP@k on the held-out groups.
    """

    epochs: int
    patience: int
    batch: int
    per_group: int
    learning_rate: float
    temperature: float
    k: int = 5


@dataclass
class MetricLearning:
    """Trains some layers of a network on label groups; only what improves the held-out mAP is kept.

    Attributes:
        name: shown in progress.
        model: inputs → embeddings of unit length; its layers run in inference mode.
        weights: which of its variables to train.
        inputs: gives what to train on.
        embed: all rows' embeddings [n, d] by the model as it is, never augmented.
        groups, held_out: intp [n], the label group of each row to learn from, or held out; −1 for others.
        seed: of the order of the groups and their rows.
    """

    name: str
    model: keras.Model
    weights: list[keras.Variable]
    inputs: Inputs
    embed: Callable[[], Embeddings]
    groups: NDArray[np.intp]
    held_out: NDArray[np.intp]
    course: Course
    seed: int
    watch: Watch
    interrupted: Interrupted
    _losses: dict[str, list[float]] = field(default_factory=lambda: {"loss": [], "held_out_map": []})

    def run(self) -> Fitted:
        """Train until the held-out mAP stops improving; the best weights are kept.

        The initial weights count as epoch 0, with the first held-out mAP.

        Raises:
            TrainingInterrupted: `interrupted` returned true after a step.
        """
        began = time.monotonic()
        optimizer = keras.optimizers.Adam(self.course.learning_rate)
        optimizer.build(self.weights)
        step = tf.function(self._step, reduce_retracing=True)
        maps, kept, best = self._losses["held_out_map"], 0, self._values()
        maps.append(self._held_out_map())
        for epoch in range(self.course.epochs):
            self._losses["loss"].append(self._epoch(step, optimizer, epoch))
            maps.append(self._held_out_map())
            if maps[-1] > maps[kept]:
                kept, best = epoch + 1, self._values()
            if epoch + 1 - kept >= self.course.patience:
                self.watch(Step(self.name, epoch + 1, epoch + 1, 1, 1, self._losses["loss"][-1]))
                break
        for variable, value in zip(self.weights, best, strict=True):
            variable.assign(value)
        rows = int((self.groups >= 0).sum()), int((self.held_out >= 0).sum())
        return Fitted(self._losses, kept, *rows, time.monotonic() - began)

    def _values(self) -> list[NDArray[Any]]:
        return [variable.numpy().copy() for variable in self.weights]

    def _held_out_map(self) -> float:
        return held_out_map(self.embed(), self.held_out, self.course.k)

    def _epoch(self, step: Callable[..., Any], optimizer: keras.optimizers.Optimizer, epoch: int) -> float:
        """One pass over the groups; the mean loss."""
        batches = group_batches(self.groups, self.course.batch, self.course.per_group, self.seed, epoch)
        total = 0.0
        for number, rows in enumerate(batches, start=1):
            total += float(step(optimizer, tf.constant(self.inputs(rows, epoch)), tf.constant(self.groups[rows])))
            self.watch(Step(self.name, epoch + 1, self.course.epochs, number, len(batches), total / number))
            if self.interrupted():
                raise TrainingInterrupted(f"{self.name}: stopped in epoch {epoch + 1} of {self.course.epochs}")
        return total / len(batches)

    def _step(self, optimizer: keras.optimizers.Optimizer, inputs: tf.Tensor, groups: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            embeddings = self.model(inputs, training=False)
            loss = supervised_contrastive(embeddings, groups, self.course.temperature)
        values = [variable.value for variable in self.weights]
        optimizer.apply_gradients(zip(tape.gradient(loss, values), self.weights, strict=True))
        return loss

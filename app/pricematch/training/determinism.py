"""Makes TensorFlow give the same numbers twice."""

import tensorflow as tf


def make_deterministic() -> None:
    """Settle the order of everything TensorFlow adds up; once a process, before it computes anything.

    Deterministic operations alone are not enough on a CPU: with more than one inter-op thread, gradients are summed in
    the order in which they happen to be ready. Threads within an operation stay as they are, and speed with them.

    Raises:
        RuntimeError: TensorFlow has computed something already, with more inter-op threads.
    """
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()

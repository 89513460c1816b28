"""SavedModels in TensorFlow, as their user calls them; nothing of pricematch is in it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH = 32


class Networks:
    """A chain of SavedModels: the first takes pixels, each next what the last gave.

    Args:
        paths: of the SavedModels, in order.
        frozen: whether weights become constants, which are packed once instead of at each call.
        bfloat16: whether TensorFlow may compute in bfloat16; it does where the processor can.
        threads: that compute; None: as many as TensorFlow takes.

    Attributes:
        side: height and width of the pixels that it takes.
        dimension: length d of an embedding.
    """

    def __init__(
        self, paths: Sequence[Path], *, frozen: bool = False, bfloat16: bool = False, threads: int | None = None
    ) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow as tf

        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": bfloat16})
        self._tf = tf
        self._loaded = [tf.saved_model.load(str(path)) for path in paths]
        self._calls = [_call(loaded.signatures["serving_default"], frozen=frozen) for loaded in self._loaded]
        [pixels] = self._loaded[0].signatures["serving_default"].structured_input_signature[1].values()
        [outputs] = self._loaded[-1].signatures["serving_default"].structured_outputs.values()
        self.side, self.dimension = int(pixels.shape[1]), int(outputs.shape[-1])

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit embeddings [n, d] of pixels [n, side, side, 3], 32 at a time."""
        found = [self._encode(pixels[first : first + BATCH]) for first in range(0, len(pixels), BATCH)]
        return np.concatenate(found)

    def _encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        values: Any = self._tf.constant(pixels)
        for call in self._calls:
            values = call(values)
        outputs: NDArray[np.float32] = values.numpy()
        return np.asarray(outputs / np.linalg.norm(outputs, axis=1, keepdims=True))


def float_operations(paths: Sequence[Path]) -> int:
    """Floating point operations of one image in all networks, by TensorFlow's profiler of their graphs.

    A product and the sum it is added to are two, so that they compare with a matrix product's.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    profiler, found = tf.compat.v1.profiler, 0
    options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation()).with_empty_output()
    for path in paths:
        loaded = tf.saved_model.load(str(path))  # its variables live as long as it does
        signature = loaded.signatures["serving_default"]
        [(name, described)] = signature.structured_input_signature[1].items()
        one = tf.TensorSpec([1, *described.shape[1:]], described.dtype)
        traced = tf.function(lambda values, call=signature, key=name: call(**{key: values})).get_concrete_function(one)
        graph = convert_variables_to_constants_v2(traced).graph
        found += int(profiler.profile(graph=graph, options=options.build()).total_float_ops)
    return found


def _call(signature: Any, *, frozen: bool) -> Any:
    """A function of one tensor that gives one."""
    [name], [output] = signature.structured_input_signature[1], signature.structured_outputs
    if not frozen:
        return lambda values: signature(**{name: values})[output]
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    constant = convert_variables_to_constants_v2(signature)
    return lambda values: constant(values)[0]

"""Runs an exported network in TensorFlow: those that OpenVINO cannot run, and what a CAE makes of its latents."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from pricematch.encoding.ports import Pixels, Runtime
from pricematch.errors import ArtefactError, ModelOutputError
from pricematch.formats.manifest import Artefact, TensorDescription

_BATCH = 32


def use_precision(precision: str) -> None:
    """Let TensorFlow run the networks loaded from now on in `float32` or `bfloat16`."""
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": precision == "bfloat16"})


class TensorFlowNetwork:
    """Implements `ports.Network`.

    TensorFlow aborts the process on an input of the wrong rank, so it must not be called with what the signature does
    not admit.

    Args:
        artefact: what to load.
        precision: `float32` or `bfloat16`.
        threads: that compute; those of the first network of a process.
        reason: why it runs here.

    Raises:
        ArtefactError: it does not load, or has another signature than its manifest says.
    """

    def __init__(self, artefact: Artefact, precision: str, threads: int, reason: str) -> None:
        _use_threads(threads)
        use_precision(precision)
        self.runtime = Runtime(f"TensorFlow {tf.__version__}", precision, reason)
        loaded, function = _load(artefact)  # its variables live as long as what was loaded
        _check_signature(artefact, function)
        self._function = _frozen(function)
        del loaded

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """See the protocol."""
        parts = [values[first : first + _BATCH] for first in range(0, len(values), _BATCH)] or [values]
        try:
            return np.concatenate([np.asarray(self._function(tf.constant(part))[0]) for part in parts])
        except tf.errors.OpError as error:
            raise ModelOutputError(f"the network failed ({type(error).__name__})") from error


def reconstruct(artefact: Artefact, pixels: Pixels) -> Pixels:
    """Pixels as a CAE rebuilds them from its latents, uint8 like `pixels`; raises ArtefactError."""
    _, function = _load(artefact, "reconstruct")
    rebuilt = np.asarray(function(pixels=tf.constant(pixels))["reconstruction"])
    pixels_rebuilt: Pixels = np.rint(255 * np.clip(rebuilt, 0, 1)).astype(np.uint8)
    return pixels_rebuilt


def _use_threads(threads: int) -> None:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # TensorFlow computes already, in as many as it was told to then
        return


def _load(artefact: Artefact, signature: str = "serving_default") -> tuple[Any, Callable[..., Mapping[str, Any]]]:
    """An exported model, and one of its functions; raises ArtefactError."""
    try:
        loaded = tf.saved_model.load(str(artefact.path))
        return loaded, loaded.signatures[signature]
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ArtefactError(f"{artefact.path} does not load ({type(error).__name__}: {reason})") from error


def _frozen(function: Any) -> Callable[[Any], Sequence[Any]]:
    """The same function with its weights as constants, which are then converted and packed once instead of every time.

    With variables, TensorFlow multiplies a single image in another order than several, so that an embedding would
    depend on the other images of its batch; with constants it does not.
    """
    frozen: Callable[[Any], Sequence[Any]] = convert_variables_to_constants_v2(function)
    return frozen


def _check_signature(artefact: Artefact, function: Any) -> None:
    manifest = artefact.manifest
    _, inputs = function.structured_input_signature
    for described, tensors in ((manifest.input, inputs), (manifest.output, function.structured_outputs)):
        tensor = tensors.get(described.name)
        found = None if tensor is None else _describe(described.name, tensor)
        if len(tensors) != 1 or found != described:
            raise ArtefactError(f"{artefact.path}: expected the signature {described}, got {found or list(tensors)}")


def _describe(name: str, tensor: Any) -> TensorDescription | None:
    if tensor.shape.rank is None:
        return None
    return TensorDescription(name=name, shape=tuple(tensor.shape.as_list()), dtype=tensor.dtype.name)

"""Serves exported encoders from TensorFlow SavedModels."""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from pricematch.catalogue.features import Embeddings, unit_rows
from pricematch.encoding.ports import Pixels
from pricematch.errors import ArtefactError, ModelOutputError
from pricematch.formats.manifest import GOLDEN, Artefact, TensorDescription

BATCH = 32
TOLERANCE = 1e-3
"""Largest relative error (Euclidean) of a golden output in float32; that in bfloat16 is the manifest's."""


def use_precision(precision: str) -> None:
    """Let TensorFlow run the networks loaded from now on in `float32` or `bfloat16`."""
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": precision == "bfloat16"})


class SavedModel:
    """One exported encoder, its signature checked against the manifest before anything is called.

    TensorFlow aborts the process on an input of the wrong rank, so no call is made that the signature does not admit.

    Raises:
        ArtefactError: it does not load, has another signature, or answers its golden inputs differently.
    """

    def __init__(self, artefact: Artefact, precision: str) -> None:
        self._manifest = artefact.manifest
        loaded, function = _load(artefact)  # its variables live as long as what was loaded
        _check_signature(artefact, function)
        self._function = _frozen(function)
        del loaded
        self._check_golden(artefact, artefact.manifest.bfloat16_tolerance if precision == "bfloat16" else TOLERANCE)

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Outputs float32 [n, d] of inputs of the manifest's shape and dtype; raises ValueError for others."""
        described = self._manifest.input
        if str(values.dtype) != described.dtype or not _fits(values.shape, described.shape):
            raise ValueError(f"expected {described.dtype} {list(described.shape)}, got {values.dtype} {values.shape}")
        [outputs] = self._function(tf.constant(values))
        return np.asarray(outputs)

    def _check_golden(self, artefact: Artefact, tolerance: float) -> None:
        inputs, expected = _read_golden(artefact.path / GOLDEN)
        try:
            outputs = self(inputs)
        except (ValueError, tf.errors.OpError) as error:
            raise ArtefactError(f"{artefact.path}: its golden inputs cannot be encoded ({error})") from error
        if outputs.shape != expected.shape:
            raise ArtefactError(f"{artefact.path}: expected outputs {expected.shape}, got {outputs.shape}")
        error_ratio = np.linalg.norm(outputs - expected, axis=1) / np.linalg.norm(expected, axis=1)
        if not (error_ratio <= tolerance).all():
            raise ArtefactError(
                f"{artefact.path}: its golden vectors differ by {error_ratio.max():.2g}, expected at most {tolerance:g}"
            )


class SavedModelEncoder:
    """Implements `ports.Encoder`: a chain of SavedModels, the first takes pixels, each next what the last gave.

    Raises:
        ArtefactError: a model does not load, or does not fit the one before it.
    """

    def __init__(self, artefacts: Sequence[Artefact], precision: str = "float32") -> None:
        use_precision(precision)
        self._models = [SavedModel(artefact, precision) for artefact in artefacts]
        self._versions = {artefact.manifest.name: artefact.manifest.version for artefact in artefacts}
        self._dimension = int(artefacts[-1].manifest.output.shape[-1] or 0)

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return self._dimension

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of each model of the chain."""
        return self._versions

    def encode(self, pixels: Pixels) -> Embeddings:
        """Unit embeddings [n, d] of uint8 pixels [n, height, width, 3], in batches of 32.

        Raises:
            ModelOutputError: the network failed or gave something that is no embedding.
        """
        try:
            batches = [self._encode(pixels[first : first + BATCH]) for first in range(0, len(pixels), BATCH)]
        except tf.errors.OpError as error:
            raise ModelOutputError(f"the network failed ({type(error).__name__})") from error
        return np.concatenate(batches) if batches else np.empty((0, self._dimension), np.float32)

    def _encode(self, values: NDArray[Any]) -> Embeddings:
        for model in self._models:
            values = model(values)
        return unit_rows(values, self._dimension)


def reconstruct(artefact: Artefact, pixels: Pixels) -> Pixels:
    """Pixels as a CAE rebuilds them from its latents, uint8 like `pixels`; raises ArtefactError."""
    _, function = _load(artefact, "reconstruct")
    rebuilt = np.asarray(function(pixels=tf.constant(pixels))["reconstruction"])
    pixels_rebuilt: Pixels = np.rint(255 * np.clip(rebuilt, 0, 1)).astype(np.uint8)
    return pixels_rebuilt


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


def _read_golden(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """The inputs and outputs kept with an artefact; raises ArtefactError."""
    try:
        # opened here, because NumPy leaves a file open that turns out to be no archive
        with path.open("rb") as file, np.load(file, allow_pickle=False) as golden:
            return golden["inputs"], golden["outputs"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ArtefactError(f"{path} holds no golden vectors ({type(error).__name__})") from error


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


def _fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return len(shape) == len(wanted) and all(
        size == want for size, want in zip(shape, wanted, strict=True) if want is not None
    )

"""Encoders as they were exported: a chain of networks, each checked before it answers anything."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, unit_rows
from pricematch.encoding.openvino_network import OpenVinoNetwork
from pricematch.encoding.ports import Network, Pixels, Runtime
from pricematch.encoding.tensorflow_import import import_tensorflow
from pricematch.encoding.versions import CNN
from pricematch.errors import ArtefactError, ModelOutputError, RuntimeMissing
from pricematch.formats.manifest import GOLDEN, Artefact

TOLERANCE = 1e-3
"""Largest relative error (Euclidean) of a golden output in float32; that in bfloat16 is the manifest's."""


class ExportedEncoder:
    """Implements `ports.Encoder`: the first network takes pixels, each next what the last gave.

    Args:
        artefacts: of the networks, in order.
        precision: `float32` or `bfloat16`.
        threads: that compute.

    Raises:
        ArtefactError: a network does not load, or does not answer its golden inputs as it did when it was exported.
        RuntimeMissing: it takes TensorFlow, which is not installed.
    """

    def __init__(self, artefacts: Sequence[Artefact], precision: str = "float32", threads: int = 1) -> None:
        self._networks = [_CheckedNetwork(artefact, precision, threads) for artefact in artefacts]
        self._versions = {artefact.manifest.name: artefact.manifest.version for artefact in artefacts}
        self._dimension = int(artefacts[-1].manifest.output.shape[-1] or 0)

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return self._dimension

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of each network of the chain."""
        return self._versions

    @property
    def runtimes(self) -> Mapping[str, Runtime]:
        """What runs each of them, by name."""
        return {name: network.runtime for name, network in zip(self._versions, self._networks, strict=True)}

    def encode(self, pixels: Pixels) -> Embeddings:
        """Unit embeddings [n, d] of uint8 pixels [n, height, width, 3].

        Raises:
            ModelOutputError: a network failed or gave something that is no embedding.
            ValueError: the pixels have another size.
        """
        if not len(pixels):
            return np.empty((0, self._dimension), np.float32)
        values: NDArray[Any] = pixels
        for network in self._networks:
            values = network(values)
        return unit_rows(values, self._dimension)


class _CheckedNetwork:
    """An exported network that gave its golden outputs, and is called with inputs of its signature alone.

    OpenVINO runs it; TensorFlow, where that is installed, if OpenVINO cannot.
    """

    def __init__(self, artefact: Artefact, precision: str, threads: int) -> None:
        self._described = artefact.manifest.input
        golden = _read_golden(artefact)
        try:
            self._check_inputs(golden.inputs)
        except ValueError as error:
            raise ArtefactError(f"{artefact.path}: its golden inputs cannot be encoded ({error})") from error
        try:
            self._network: Network = OpenVinoNetwork(artefact, precision, threads, golden.inputs)
            _check_golden(artefact, self._network, golden)
        except ArtefactError as refused:
            self._network = _in_tensorflow(artefact, precision, threads, refused)
            _check_golden(artefact, self._network, golden)

    @property
    def runtime(self) -> Runtime:
        return self._network.runtime

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float32]:
        self._check_inputs(values)
        return self._network(values)

    def _check_inputs(self, values: NDArray[Any]) -> None:
        wanted = self._described
        fits = len(values.shape) == len(wanted.shape) and all(
            want in {None, size} for size, want in zip(values.shape, wanted.shape, strict=True)
        )
        if not fits or str(values.dtype) != wanted.dtype:
            raise ValueError(f"expected {wanted.dtype} {list(wanted.shape)}, got {values.dtype} {values.shape}")


def _in_tensorflow(artefact: Artefact, precision: str, threads: int, refused: ArtefactError) -> Network:
    """A network in TensorFlow, which OpenVINO has refused; raises ArtefactError, RuntimeMissing."""
    if not artefact.has_saved_model:
        raise refused
    if find_spec("tensorflow") is None:
        text = f"{refused}; TensorFlow may run it: pip install 'pricematch[train]'{_other(artefact)}"
        raise RuntimeMissing(text) from refused
    import_tensorflow()
    from pricematch.encoding.tensorflow_network import TensorFlowNetwork

    return TensorFlowNetwork(artefact, precision, threads, str(refused))


def _other(artefact: Artefact) -> str:
    """How to have another version that needs no TensorFlow, where that takes no training."""
    if artefact.manifest.name != CNN:
        return ""
    models = artefact.path.parents[1]
    return f"; or `pricematch train encoder --recipe pretrained --models {models}` writes one that needs none"


@dataclass(frozen=True)
class _Golden:
    """Inputs kept with an artefact, and the outputs that they gave when it was exported."""

    inputs: NDArray[Any]
    outputs: NDArray[Any]


def _read_golden(artefact: Artefact) -> _Golden:
    """Raises ArtefactError."""
    path = artefact.path / GOLDEN
    try:
        # opened here, because NumPy leaves a file open that turns out to be no archive
        with path.open("rb") as file, np.load(file, allow_pickle=False) as golden:
            return _Golden(golden["inputs"], golden["outputs"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ArtefactError(f"{path} holds no golden vectors ({type(error).__name__})") from error


def _check_golden(artefact: Artefact, network: Network, golden: _Golden) -> None:
    """Raise ArtefactError if a network does not give the golden outputs."""
    in_bfloat16 = network.runtime.precision == "bfloat16"
    tolerance = artefact.manifest.bfloat16_tolerance if in_bfloat16 else TOLERANCE
    try:
        outputs, expected = network(golden.inputs), golden.outputs
    except ModelOutputError as error:
        raise ArtefactError(f"{artefact.path}: its golden inputs cannot be encoded ({error})") from error
    if outputs.shape != expected.shape:
        raise ArtefactError(f"{artefact.path}: expected outputs {expected.shape}, got {outputs.shape}")
    error_ratio = np.linalg.norm(outputs - expected, axis=1) / np.linalg.norm(expected, axis=1)
    if not (error_ratio <= tolerance).all():
        raise ArtefactError(
            f"{artefact.path}: its golden vectors differ by {error_ratio.max():.2g}, expected at most {tolerance:g}"
        )

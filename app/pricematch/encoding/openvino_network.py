"""Runs an exported network in OpenVINO, which reads its own form and TensorFlow's SavedModels, without TensorFlow.

A network is compiled for fixed numbers of rows, and each call computes in one thread: the output of a row depends
neither on the rows beside it nor on how many threads there are.
"""

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.encoding.openvino_import import openvino
from pricematch.encoding.ports import Runtime
from pricematch.errors import ArtefactError, ModelOutputError
from pricematch.formats.manifest import Artefact, TensorDescription

_AT_ONCE = 4
"""Vectors that a dense network takes at once: alone, each would have all the weights read again. Images go one by one:
several at once take as long, and more memory."""
_NAMES = {"u8": "uint8", "f32": "float32", "bf16": "bfloat16"}
_TYPES = {name: short for short, name in _NAMES.items()}


class OpenVinoNetwork:
    """Implements `ports.Network`.

    Args:
        artefact: what to load.
        precision: `float32` or `bfloat16`; a processor without bfloat16 computes in float32 all the same.
        threads: that compute, each a call of its own.
        sample: inputs. Where several at once do not give what each gives alone, to the bit, each goes alone.

    Raises:
        ArtefactError: it does not load, or has another signature than its manifest says.
    """

    def __init__(self, artefact: Artefact, precision: str, threads: int, sample: NDArray[Any]) -> None:
        self._threads, self._lock = threads, Lock()
        self._properties = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": _TYPES[precision],
            "ENABLE_CPU_PINNING": False,
        }
        try:
            core = openvino.Core()
            model = core.read_model(artefact.for_openvino)
            _check_signature(artefact, model)
            alone = self._compiled(core, model, 1)
            self._queues = {1: openvino.AsyncInferQueue(alone, threads)}
            if len(artefact.manifest.input.shape) == 2:
                self._compile_several(core, model, sample)
        except RuntimeError as error:
            raise ArtefactError(f"{artefact.path} does not load in OpenVINO ({_reason(error)})") from error
        effective = alone.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self._runtime = Runtime(f"OpenVINO {openvino.__version__.partition('-')[0]}", _NAMES[effective])

    @property
    def runtime(self) -> Runtime:
        """What computes."""
        return self._runtime

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """See the protocol."""
        try:
            with self._lock:
                rows = 1 if len(values) == 1 else max(self._queues)
                return _run(self._queues[rows], rows, values)
        except RuntimeError as error:
            raise ModelOutputError(f"the network failed ({_reason(error)})") from error

    def _compile_several(self, core: openvino.Core, model: openvino.Model, sample: NDArray[Any]) -> None:
        several = openvino.AsyncInferQueue(self._compiled(core, model, _AT_ONCE), self._threads)
        rows = np.resize(sample, (_AT_ONCE, *sample.shape[1:]))
        if np.array_equal(_run(several, _AT_ONCE, rows), _run(self._queues[1], 1, rows)):
            self._queues[_AT_ONCE] = several

    def _compiled(self, core: openvino.Core, model: openvino.Model, rows: int) -> openvino.CompiledModel:
        """The network for so many rows at once."""
        fixed = model.clone()
        fixed.reshape([rows, *list(model.input().get_partial_shape())[1:]])
        return core.compile_model(fixed, "CPU", self._properties)


def _run(queue: openvino.AsyncInferQueue, rows: int, values: NDArray[Any]) -> NDArray[np.float32]:
    """The outputs of values, so many rows at once; the last ones are filled up with the first of them."""
    parts: dict[int, NDArray[np.float32]] = {}

    def keep(request: openvino.InferRequest, first: int) -> None:
        parts[first] = request.get_output_tensor().data.copy()

    queue.set_callback(keep)
    for first in range(0, len(values), rows):
        piece = values[first : first + rows]
        queue.start_async(np.resize(piece, (rows, *piece.shape[1:])), first)
    queue.wait_all()
    return np.concatenate([parts[first] for first in sorted(parts)])[: len(values)]


def _check_signature(artefact: Artefact, model: openvino.Model) -> None:
    manifest = artefact.manifest
    for described, ports in ((manifest.input, model.inputs), (manifest.output, model.outputs)):
        found = [_described(port) for port in ports]
        if found != [described]:
            raise ArtefactError(f"{artefact.path}: expected the signature {described}, got {found}")


def _described(port: openvino.Output) -> TensorDescription:
    kind = port.get_element_type().get_type_name()
    lengths = [None if length.is_dynamic else length.get_length() for length in port.get_partial_shape()]
    return TensorDescription(name=port.get_any_name(), shape=tuple(lengths), dtype=_NAMES.get(kind, kind))


def _reason(error: RuntimeError) -> str:
    """What OpenVINO complains of: the last of the lines that do not name one of its own source files."""
    lines = [line for line in str(error).splitlines() if line and ".cpp" not in line]
    return lines[-1] if lines else type(error).__name__
